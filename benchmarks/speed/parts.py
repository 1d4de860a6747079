"""The parts of the measurement: what each needs, and how it is run."""

from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Callable, Dict, List, NamedTuple, Optional, Tuple

from benchmarks.speed.bound import cores_to_measure
from benchmarks.speed.effort import Effort, cores_at, rounds_at, seconds_at, wanted_fields
from benchmarks.speed.fields import Shape
from benchmarks.speed.series import PRIMARY, Series
from cpunet.cores import cores_allowed

Measured = Tuple[List[Series], List[str]]


class Asked(NamedTuple):
    """What the command line asks for.

    Attributes
    ----------
    effort : Effort
    models : list of str
        Names or files; the first is the one that is compared with others, and a second is taken for its int8 version.
    data : Path, optional
    cores : list of int, optional
    """

    effort: Effort
    models: List[str]
    data: Optional[Path] = None
    cores: Optional[List[int]] = None

    def cores_at(self, shape: Shape) -> List[int]:
        """Return with how many cores a size can be measured here."""
        return cores_to_measure(cores_at(self.effort, shape, self.cores, cores_allowed()))

    def rounds_at(self, shape: Shape) -> int:
        """Return the repeats of a size."""
        return rounds_at(self.effort.rounds, shape)


class Part(NamedTuple):
    """A part: the package that marks the Python in which it runs, and what runs it."""

    package: str
    run: Callable[[Asked, Tuple[Shape, ...]], Measured]


def _module(asked: Asked, sizes: Tuple[Shape, ...]) -> Measured:
    time_modules = _load("module").time_modules
    series = []
    for shape in sizes:
        wanted = wanted_fields(shape, asked.effort.fields, asked.data)
        series += time_modules([wanted], asked.cores_at(shape), asked.models, asked.rounds_at(shape))
    return series, []


def _processes(asked: Asked, sizes: Tuple[Shape, ...]) -> Measured:
    count_images = _load("processes").count_images
    series = []
    for shape in sizes:
        wanted = wanted_fields(shape, asked.effort.fields, asked.data)
        rounds, seconds = asked.rounds_at(shape), seconds_at(asked.effort.seconds, shape)
        series += count_images([wanted], asked.models, max(min(2, rounds), rounds // 2), seconds)
    return series, []


def _start(asked: Asked, sizes: Tuple[Shape, ...]) -> Measured:
    return _load("session").session_start(asked.models, asked.effort.rounds), []


def _memory(asked: Asked, sizes: Tuple[Shape, ...]) -> Measured:
    session = _load("session")
    wanted = [wanted_fields(shape, 1, asked.data) for shape in sizes]
    series = session.peak_memory(wanted, [PRIMARY, *asked.models], max(1, asked.effort.rounds // 4))
    return series, [] if series else ["memory: this system does not tell how much a process held at most."]


def _mosaic(asked: Asked, sizes: Tuple[Shape, ...]) -> Measured:
    session = _load("session")
    # Of real fields, a mosaic of this size would repeat a few dozen.
    series = [each for shape in sizes for each in session.mosaic(wanted_fields(shape, 1, asked.data), asked.models[0])]
    reason = (
        "mosaic: IdentifyPrimaryObjects is not run at this size; it would need more memory than most machines have."
    )
    return series, [reason]


def _objects(asked: Asked, sizes: Tuple[Shape, ...]) -> Measured:
    objects = _load("objects")
    wanted = [each for each in objects.FIELDS if not sizes or each.shape in sizes]
    return objects.time_objects(wanted, asked.models[0], max(2, asked.effort.rounds // 2)), []


def _limit(asked: Asked, sizes: Tuple[Shape, ...]) -> Measured:
    cores = cores_to_measure(asked.cores or [1, cores_allowed()])
    return _load("limit").measure_limits(cores, asked.models, asked.effort.rounds), []


def _networks(asked: Asked, sizes: Tuple[Shape, ...]) -> Measured:
    time_networks = _load("torch_networks").time_networks
    series, left_out = [], []
    int8 = asked.models[1] if len(asked.models) > 1 else None
    for shape in sizes:
        wanted = wanted_fields(shape, 1, asked.data)
        cores = cores_to_measure(asked.cores or [cores_allowed()])  # compiling takes longer than measuring
        timed = time_networks([wanted], cores, asked.models[0], int8, 2 * asked.rounds_at(shape))
        series += timed.series
        left_out += timed.left_out
    return series, sorted(set(left_out))


def _gpu(asked: Asked, sizes: Tuple[Shape, ...]) -> Measured:
    time_gpu = _load("gpu").time_gpu
    series, left_out = [], []
    for shape in sizes:
        wanted = wanted_fields(shape, asked.effort.fields, asked.data)
        of_size, reasons = time_gpu([wanted], asked.models[0], asked.rounds_at(shape))
        series += of_size
        left_out += reasons
    return series, sorted(set(left_out))


def _peers(asked: Asked, sizes: Tuple[Shape, ...]) -> Measured:
    peers = _load("peers")
    series = []
    for shape in sizes:
        wanted = wanted_fields(shape, 1, asked.data)
        cores = cores_to_measure(asked.cores or [cores_allowed()])
        series += peers.time_peers([wanted], cores, asked.models[0], max(1, asked.rounds_at(shape) // 2))
    return series, peers.missing_peers()


# In the order in which they run.
PARTS: Dict[str, Part] = {
    "start": Part("cellprofiler_core", _start),
    "module": Part("cellprofiler_core", _module),
    "processes": Part("cellprofiler_core", _processes),
    "objects": Part("cellprofiler_core", _objects),
    "memory": Part("cellprofiler_core", _memory),
    "mosaic": Part("cellprofiler_core", _mosaic),
    "limit": Part("lightning", _limit),
    "networks": Part("lightning", _networks),
    "gpu": Part("lightning", _gpu),
    "peers": Part("stardist", _peers),
}


def parts_of_this_python(effort: Effort) -> List[str]:
    """Return the parts of an effort that this Python has the packages for."""
    return [name for name, part in PARTS.items() if name in effort.sizes and find_spec(part.package) is not None]


def _load(name: str) -> Any:
    # Late, since each Python has the packages of some parts only.
    return import_module(f"benchmarks.speed.{name}")
