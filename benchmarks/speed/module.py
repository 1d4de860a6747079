"""Time the whole module and its stages beside IdentifyPrimaryObjects: the same fields, in one process, in turns."""

import itertools
import logging
import time
from typing import Dict, Iterator, List, NamedTuple, Sequence

from benchmarks.run_module import ModuleRun, run_analysis
from benchmarks.speed.bound import in_a_process
from benchmarks.speed.fields import Wanted, make_fields
from benchmarks.speed.methods import module_methods
from benchmarks.speed.series import CPU_SECONDS, SECONDS, Series
from benchmarks.speed.stages import StageClock, timed_stages

PART, STAGES_PART = "module", "stages"
OBJECTS = "objects"


class TimedRun(NamedTuple):
    """What one image took: seconds of the clock, of the cores, and of each stage; and how many objects were found."""

    seconds: float
    cpu_seconds: float
    stages: Dict[str, float]
    objects: int


def time_modules(wanted: Sequence[Wanted], cores: Sequence[int], models: Sequence[str], rounds: int) -> List[Series]:
    """Time all methods on each kind of fields, in a process of its own for each number of cores."""
    return [
        series
        for each in wanted
        for number in cores
        for series in in_a_process(number, time_in_this_process, each, number, models, rounds)
    ]


def time_in_this_process(wanted: Wanted, cores: int, models: Sequence[str], rounds: int) -> List[Series]:
    """Time all methods on fields; the first image set, which opens the model and fills caches, does not count.

    One method takes all fields before the next one does: memory that one leaves behind is not freed in the time of
    another. The order of the methods turns around in each round.
    """
    logging.disable(logging.WARNING)  # a terminal is slow
    images = [field.image for field in make_fields(wanted)]
    runs: Dict[str, List[TimedRun]] = {}
    with timed_stages() as clock:
        timed = {
            name: _timed(run_analysis(module, images[:1] + images * rounds), clock)
            for name, module in module_methods(models).items()
        }
        for each in timed.values():
            next(each)
        for number in range(rounds):
            for name in list(timed)[:: -1 if number % 2 else 1]:
                runs.setdefault(name, []).extend(itertools.islice(timed[name], len(images)))
    return [series for name, of_method in runs.items() for series in _series(wanted.name, cores, name, of_method)]


def _timed(analysis: Iterator[ModuleRun], clock: StageClock) -> Iterator[TimedRun]:
    while True:
        clock.take(0.0)
        began = time.process_time()
        try:
            run = next(analysis)
        except StopIteration:
            return
        cpu_seconds = time.process_time() - began
        yield TimedRun(run.seconds, cpu_seconds, clock.take(run.seconds), int(run.labels.max(initial=0)))


def _series(field: str, cores: int, method: str, runs: Sequence[TimedRun]) -> List[Series]:
    whole = [
        Series(PART, field, cores, method, SECONDS, tuple(run.seconds for run in runs)),
        Series(PART, field, cores, method, CPU_SECONDS, tuple(run.cpu_seconds for run in runs)),
        Series(PART, field, cores, method, OBJECTS, tuple(float(run.objects) for run in runs)),
    ]
    used = [stage for stage in runs[0].stages if any(run.stages[stage] for run in runs)]
    if len(used) < 2:  # of IdentifyPrimaryObjects, only the rest
        return whole
    return whole + [
        Series(STAGES_PART, field, cores, method, stage, tuple(run.stages[stage] for run in runs)) for stage in used
    ]
