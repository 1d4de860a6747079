"""Measure what a session costs before its first image, and how much memory one image takes."""

from typing import Any, Dict, List, Optional, Sequence, Tuple

from benchmarks.speed.bound import in_a_process
from benchmarks.speed.fields import Wanted
from benchmarks.speed.first_image import first_images, memory_of_module, memory_of_segmentation
from benchmarks.speed.series import MIB, Series
from cpunet.cores import cores_allowed

START_PART, MEMORY_PART, MOSAIC_PART = "start", "memory", "mosaic"


def session_start(models: Sequence[str], rounds: int) -> List[Series]:
    """Time the first images of fresh processes, one for each round and model, in turns."""
    found: Dict[Tuple[str, str], List[float]] = {}
    for _ in range(rounds):
        for model in models:
            for step, seconds in in_a_process(None, first_images, model).items():
                found.setdefault((model, step), []).append(seconds)
    cores = cores_allowed()
    return [Series(START_PART, "", cores, model, step, tuple(values)) for (model, step), values in found.items()]


def peak_memory(wanted: Sequence[Wanted], methods: Sequence[str], rounds: int) -> List[Series]:
    """Measure the memory of one field, a fresh process for each round and method; nothing where no system tells."""
    return [
        series
        for each in wanted
        for method in methods
        for series in _memory(
            MEMORY_PART, each, method, [in_a_process(None, memory_of_module, method, each) for _ in range(rounds)]
        )
    ]


def mosaic(wanted: Wanted, model: str) -> List[Series]:
    """Segment a mosaic once without CellProfiler, whose modules would need several times the memory."""
    return _memory(MOSAIC_PART, wanted, model, [in_a_process(None, memory_of_segmentation, model, wanted)])


def _memory(part: str, wanted: Wanted, method: str, found: Sequence[Optional[Dict[str, Any]]]) -> List[Series]:
    known = [each for each in found if each is not None]
    names = list(known[0]) if known else []
    cores = cores_allowed()
    return [
        Series(part, wanted.name, cores, method, _quantity(name), tuple(float(each[name]) for each in known))
        for name in names
    ]


def _quantity(name: str) -> str:
    return f"{MIB} {name}" if name in ("before", "at most", "image") else name
