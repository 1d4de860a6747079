"""Time the stages of the module while it runs: each function of a stage is replaced by one that is timed.

A stage's time is its own: what a stage calls of another stage counts for that one. So all stages together take the time
of the whole, as long as they run in one thread. Work that runs beside it in other threads counts where it is done.
"""

import sys
import threading
import time
from contextlib import contextmanager
from functools import wraps
from importlib import import_module
from importlib.util import find_spec
from types import ModuleType
from typing import Any, Callable, Dict, Iterator, List, Tuple

# Module and function, or class and method. Where each stage begins: its helpers count with it.
STAGES: Dict[str, Tuple[Tuple[str, str], ...]] = {
    "normalize": (("cpunet.steps.prepare", "prepare"), ("cpunet.steps.prepare", "has_contrast")),
    "scale": (("cpunet.steps.scale", "choose_scale"),),
    "tiles": (("cpunet.steps.predict", "predict"),),
    "network": (("cpunet.model.session", "OnnxModel.predict"),),
    "declump": (("cpunet.steps.decode", "decode"),),
    "outlines": (("cpunet.steps.outlines", "outlines_as_asked"),),
    "filters": (("cpunet.steps.filters", "filter_objects"),),
    "confidence": (
        ("cpunet.steps.confidence", "foreground_confidence"),
        ("cpunet.steps.confidence", "boundary_confidence"),
        ("cpunet.steps.confidence", "count_from_area"),
    ),
    "measurements": (("cpunet.plugin.measurements", "add_measurements"), ("identifyobjectsunet", "make_objects")),
}
OTHER = "other"
# These need CellProfiler.
OF_PLUGIN = ("cpunet.plugin.measurements", "identifyobjectsunet")


class StageClock:
    """Adds up the seconds of each stage."""

    def __init__(self) -> None:
        self._seconds: Dict[str, float] = dict.fromkeys(STAGES, 0.0)
        self._running = threading.local()
        self._lock = threading.Lock()

    def timed(self, stage: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """Return a function that does the same, and is timed."""

        @wraps(function)
        def run(*arguments: Any, **named: Any) -> Any:
            # The seconds that the stages inside took, for each stage that this thread is in.
            inside: List[float] = self._running.__dict__.setdefault("inside", [])
            inside.append(0.0)
            began = time.perf_counter()
            try:
                return function(*arguments, **named)
            finally:
                taken = time.perf_counter() - began
                own = taken - inside.pop()
                if inside:
                    inside[-1] += taken
                with self._lock:
                    self._seconds[stage] += own

        return run

    def take(self, whole: float) -> Dict[str, float]:
        """Return the seconds of each stage since the last call, and of the rest of `whole` seconds."""
        taken = dict(self._seconds)
        self._seconds = dict.fromkeys(STAGES, 0.0)
        return {**taken, OTHER: max(0.0, whole - sum(taken.values()))}


@contextmanager
def timed_stages() -> Iterator[StageClock]:
    """Time the stages of all that runs within, wherever their functions are used.

    LookupError if a function is not where `STAGES` says: name the one that does its work now.
    """
    clock = StageClock()
    replaced: List[Tuple[Any, str, Any]] = []
    known = [
        (stage, *_owner_of(module_name, name))
        for stage, functions in STAGES.items()
        for module_name, name in functions
        if module_name not in OF_PLUGIN or find_spec("cellprofiler_core") is not None
    ]
    try:
        for stage, owner, attribute in known:
            original = getattr(owner, attribute)
            timed = clock.timed(stage, original)
            replaced.append((owner, attribute, original))
            setattr(owner, attribute, timed)
            if isinstance(owner, ModuleType):
                _replace_everywhere(original, timed)
        yield clock
    finally:
        for owner, attribute, original in reversed(replaced):
            timed = getattr(owner, attribute)
            setattr(owner, attribute, original)
            if isinstance(owner, ModuleType):
                _replace_everywhere(timed, original)  # also in what was imported meanwhile


def _owner_of(module_name: str, name: str) -> Tuple[Any, str]:
    """Return the module or class that holds a function, and its name there; LookupError if there is none."""
    owner: Any = import_module(module_name)
    *classes, attribute = name.split(".")
    for each in classes:
        owner = getattr(owner, each, None)
    if not hasattr(owner, attribute):
        raise LookupError(
            f"benchmarks/speed/stages.py times {module_name}.{name}, which does not exist any more. Name the function "
            "that does its work now in STAGES."
        )
    return owner, attribute


def _replace_everywhere(old: Any, new: Any) -> None:
    """Put a function in the place of another one in all modules of the product, where it was imported by name."""
    for module_name, module in list(sys.modules.items()):
        if module is not None and module_name.split(".")[0] in ("cpunet", "identifyobjectsunet"):
            for attribute, value in list(vars(module).items()):
                if value is old:
                    setattr(module, attribute, new)
