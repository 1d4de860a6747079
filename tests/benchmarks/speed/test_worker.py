import itertools
import sys

import pytest

from benchmarks.speed import processes, worker
from benchmarks.speed.worker import ARGUMENT_OF_WORKERS, Done, Order, carry_out


@pytest.fixture
def clock_of_steps(monkeypatch):
    """A clock that moves only when an image is done, by 4 seconds, or when someone sleeps."""
    now = [0.0]
    monkeypatch.setattr(sys, "argv", ["program"])
    monkeypatch.setattr(worker.time, "monotonic", lambda: now[0])
    monkeypatch.setattr(worker.time, "sleep", lambda seconds: now.__setitem__(0, now[0] + seconds))
    monkeypatch.setattr(worker.time, "process_time", lambda: 2 * now[0])
    return now


def analysis(now):
    for number in itertools.count():
        now[0] += 4
        yield number


def test_the_image_in_work_at_the_end_counts_by_its_share(clock_of_steps):
    done = carry_out(Order("module", False, begin=10, end=20), {"module": analysis(clock_of_steps)})
    # 4 s each from second 10 on: two are done, and half of the third.
    assert done == Done(images=2.5, whole_images=3, cpu_seconds=24)


def test_the_module_is_told_that_it_runs_in_a_worker(clock_of_steps):
    for as_worker, expected in ((True, True), (True, True), (False, False)):
        assert carry_out(Order("module", as_worker, begin=0, end=0), {"module": iter([])}).images == 0
        assert (ARGUMENT_OF_WORKERS in sys.argv) is expected
    assert sys.argv == ["program"]


def test_all_processes_get_the_same_moments_and_their_answers_are_collected():
    class Pipe:
        def send(self, order):
            self.order = order

        def recv(self):
            return Done(3.5, 4, 8.0)

    pipes = [Pipe(), Pipe()]
    assert processes._run(pipes, "net", True, 5.0) == [Done(3.5, 4, 8.0)] * 2
    assert pipes[0].order == pipes[1].order
    assert (pipes[0].order.method, pipes[0].order.as_worker) == ("net", True)
    assert pipes[0].order.end - pipes[0].order.begin == pytest.approx(5.0)


def test_a_process_that_died_is_an_error():
    class Closed:
        def send(self, order):
            pass

        def recv(self):
            raise EOFError

    with pytest.raises(RuntimeError, match="ended early"):
        processes._run([Closed()], "net", False, 1.0)


def test_the_situations_use_every_core():
    assert [(each.processes, each.as_workers, each.foreign) for each in processes.situations(3)] == [
        (1, False, 0),
        (3, False, 0),
        (3, True, 0),
        (1, False, 1),
    ]
