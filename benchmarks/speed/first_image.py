"""What a session costs before its first image, and the memory of one image; each in a fresh process.

Packages are imported within the functions, because to import them is part of what is measured.
"""

import re
import time
from pathlib import Path
from typing import Any, Dict, Optional

STATUS, CLEAR = Path("/proc/self/status"), Path("/proc/self/clear_refs")
MIB = 2**20


def first_images(model_name: str, side: int = 256) -> Dict[str, float]:
    """Return the seconds from importing the packages to the second image of a fresh process."""
    moments = [time.perf_counter()]
    import numpy as np

    from cpunet.model.find import find_model
    from cpunet.model.session import import_onnxruntime, load_model
    from cpunet.segment import segment_image

    import_onnxruntime()
    moments.append(time.perf_counter())
    model = load_model(find_model(model_name))
    moments.append(time.perf_counter())
    image = np.random.default_rng(0).random((side, side), dtype=np.float32)
    for _ in range(2):
        segment_image(image, model)
        moments.append(time.perf_counter())
    names = ("import packages", "open the model", "first image", "second image")
    return {name: after - before for name, before, after in zip(names, moments, moments[1:])}


def memory_of_module(method: str, wanted: Any) -> Optional[Dict[str, float]]:
    """Run a module on one field; return what the process held before, at most, and after, MiB.

    A small field comes first, which opens the model. None where the system does not tell (all but Linux).
    """
    from benchmarks.run_module import run_module
    from benchmarks.speed.fields import Wanted, make_fields
    from benchmarks.speed.methods import module_methods
    from benchmarks.speed.series import PRIMARY

    module = module_methods([] if method == PRIMARY else [method])[method]
    (field,) = make_fields(wanted)
    (small,) = make_fields(Wanted((256, 256)))
    run_module(module, small.image)
    return memory_of(lambda: run_module(module, field.image))


def memory_of_segmentation(model_name: str, wanted: Any) -> Optional[Dict[str, float]]:
    """Segment one field without CellProfiler; as `memory_of_module`, with the seconds and the number of objects."""
    from benchmarks.speed.fields import Wanted, make_fields
    from cpunet.model.find import find_model
    from cpunet.model.session import load_model
    from cpunet.segment import segment_image

    model = load_model(find_model(model_name))
    (field,) = make_fields(wanted)
    (small,) = make_fields(Wanted((256, 256)))
    segment_image(small.image, model)
    image, found = field.image, []
    del field  # its labels
    began = time.perf_counter()
    memory = memory_of(lambda: found.append(int(segment_image(image, model).labels.max(initial=0))))
    seconds = time.perf_counter() - began
    return None if memory is None else {**memory, "seconds": seconds, "objects": found[0]}


def memory_of(action: Any) -> Optional[Dict[str, float]]:
    """Return the resident memory of this process around an action, MiB."""
    before = _held()
    if before is None:
        return None
    try:
        CLEAR.write_text("5")  # the highest value begins anew
    except OSError:
        return None
    action()
    after = _held()
    assert after is not None
    return {"before": before["VmRSS"], "at most": after["VmHWM"], "image": after["VmHWM"] - before["VmRSS"]}


def _held() -> Optional[Dict[str, float]]:
    if not STATUS.exists():
        return None
    return {name: int(size) * 1024 / MIB for name, size in re.findall(r"(Vm\w+):\s+(\d+) kB", STATUS.read_text())}
