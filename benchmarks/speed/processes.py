"""Count images a second where every core is busy: as many processes as cores, and one beside a foreign busy one."""

import multiprocessing
import time
from contextlib import contextmanager
from multiprocessing.connection import Connection
from typing import Any, Dict, Iterator, List, NamedTuple, Sequence, Tuple

from benchmarks.speed.fields import Wanted
from benchmarks.speed.series import CPU_SECONDS_AN_IMAGE, IMAGES_A_SECOND, PRIMARY, Series
from benchmarks.speed.worker import Done, Order, work
from cpunet.cores import cores_allowed

PART = "processes"
UNTIL_ALL_BEGIN = 0.2


class Situation(NamedTuple):
    """How many processes work, whether as workers of CellProfiler's window, and beside how many foreign busy ones."""

    name: str
    processes: int
    as_workers: bool = False
    foreign: int = 0


def situations(cores: int) -> List[Situation]:
    """Return the situations for a number of cores."""
    return [
        Situation("1 process", 1),
        Situation(f"{cores} processes", cores),
        Situation(f"{cores} workers of the window", cores, as_workers=True),
        Situation("1 process beside a busy one", 1, foreign=1),
    ]


def count_images(wanted: Sequence[Wanted], models: Sequence[str], rounds: int, seconds: float) -> List[Series]:
    """Count the images of all methods in all situations, in turns: `seconds` of each, in each round."""
    return [series for each in wanted for series in _count(each, models, rounds, seconds)]


def _count(wanted: Wanted, models: Sequence[str], rounds: int, seconds: float) -> List[Series]:
    cores = cores_allowed()
    methods = (PRIMARY, *models)
    rates: Dict[Tuple[str, str], List[float]] = {}
    costs: Dict[Tuple[str, str], List[float]] = {}
    with _processes(cores, wanted, models) as connections:
        for _ in range(rounds):
            for situation in situations(cores):
                with _foreign(situation.foreign):
                    for method in methods:
                        done = _run(connections[: situation.processes], method, situation.as_workers, seconds)
                        key = situation.name, method
                        rates.setdefault(key, []).append(sum(each.images for each in done) / seconds)
                        images = sum(each.whole_images for each in done)
                        costs.setdefault(key, []).append(sum(each.cpu_seconds for each in done) / images)
    return [
        Series(PART, wanted.name, cores, method, quantity, tuple(values), situation)
        for quantity, found in ((IMAGES_A_SECOND, rates), (CPU_SECONDS_AN_IMAGE, costs))
        for (situation, method), values in found.items()
    ]


def _run(connections: Sequence[Connection], method: str, as_workers: bool, seconds: float) -> List[Done]:
    begin = time.monotonic() + UNTIL_ALL_BEGIN
    for connection in connections:
        connection.send(Order(method, as_workers, begin, begin + seconds))
    return [_answer(connection) for connection in connections]


def _answer(connection: Connection) -> Any:
    try:
        return connection.recv()
    except EOFError:
        raise RuntimeError("One of the processes ended early; its own error stands above.") from None


@contextmanager
def _processes(count: int, wanted: Wanted, models: Sequence[str]) -> Iterator[List[Connection]]:
    """Start processes, and wait until all are ready."""
    context = multiprocessing.get_context("spawn")
    pipes = [context.Pipe() for _ in range(count)]
    started = [context.Process(target=work, args=(theirs, wanted, models), daemon=True) for _, theirs in pipes]
    try:
        for process, (_, theirs) in zip(started, pipes):
            process.start()
            theirs.close()  # so that a process that dies ends the wait for it
        ours = [connection for connection, _ in pipes]
        for connection in ours:
            _answer(connection)
        yield ours
        for connection in ours:
            connection.send(None)
        for process in started:
            process.join()
    finally:
        for process in started:
            if process.is_alive():
                process.terminate()


@contextmanager
def _foreign(count: int) -> Iterator[None]:
    """Keep so many processes busy that have nothing to do with the module."""
    context = multiprocessing.get_context("spawn")
    busy = [context.Process(target=_never_rest, daemon=True) for _ in range(count)]
    try:
        for process in busy:
            process.start()
        if busy:
            time.sleep(1.0)  # until they do nothing but count
        yield
    finally:
        for process in busy:
            process.terminate()
            process.join()


def _never_rest() -> None:
    number = 0
    while True:
        number += 1
