"""One of several processes that work side by side, each as CellProfiler runs its image sets."""

import itertools
import logging
import sys
import time
from multiprocessing.connection import Connection
from typing import Any, Dict, Iterator, NamedTuple, Sequence

from benchmarks.speed.fields import Wanted

# CellProfiler's window starts its workers with this argument; the module then takes a worker's share of the cores.
ARGUMENT_OF_WORKERS = "--work-announce=benchmark"


class Order(NamedTuple):
    """What a process is to do: from and to a moment of `time.monotonic`, which all processes share."""

    method: str
    as_worker: bool
    begin: float
    end: float


class Done(NamedTuple):
    """Images until the end, with a share of the one in work; whole images, and the cores' time for these."""

    images: float
    whole_images: int
    cpu_seconds: float


def work(connection: Connection, wanted: Wanted, models: Sequence[str]) -> None:
    """Prepare all methods, say so, and carry out orders until there are no more."""
    from benchmarks.run_module import run_analysis
    from benchmarks.speed.fields import make_fields
    from benchmarks.speed.methods import module_methods

    logging.disable(logging.WARNING)  # a terminal is slow
    images = [field.image for field in make_fields(wanted)]
    analyses = {name: run_analysis(module, itertools.cycle(images)) for name, module in module_methods(models).items()}
    for as_worker in (True, False):
        _pretend(as_worker)
        for analysis in analyses.values():
            next(analysis)
    connection.send("ready")
    for order in iter(connection.recv, None):
        connection.send(carry_out(order, analyses))


def carry_out(order: Order, analyses: Dict[str, Iterator[Any]]) -> Done:
    """Run a method from the beginning to the end of an order."""
    _pretend(order.as_worker)
    time.sleep(max(0.0, order.begin - time.monotonic()))
    images, whole = 0.0, 0
    cpu_began, began = time.process_time(), time.monotonic()
    while began < order.end:
        next(analyses[order.method])
        ended = time.monotonic()
        images += min(1.0, (order.end - began) / (ended - began))
        whole, began = whole + 1, ended
    return Done(images, whole, time.process_time() - cpu_began)


def _pretend(as_worker: bool) -> None:
    """Have the module take this process for a worker of CellProfiler's window, or for one that a user started."""
    sys.argv = [each for each in sys.argv if each != ARGUMENT_OF_WORKERS]
    if as_worker:
        sys.argv.append(ARGUMENT_OF_WORKERS)
