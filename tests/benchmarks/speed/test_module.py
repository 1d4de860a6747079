import pytest

from benchmarks.speed.fields import Wanted
from benchmarks.speed.module import time_in_this_process
from benchmarks.speed.series import PRIMARY, matching
from benchmarks.speed.stages import STAGES
from cpunet.model.find import DEFAULT_MODEL


@pytest.fixture(autouse=True)
def logs_as_before():
    import logging

    yield
    logging.disable(logging.NOTSET)


def test_both_modules_are_timed_on_each_field_and_the_stages_make_up_the_whole():
    series = time_in_this_process(Wanted((128, 160), 2), 1, [DEFAULT_MODEL], rounds=2)
    for method in (PRIMARY, DEFAULT_MODEL):
        by_quantity = {each.quantity: each.values for each in matching(series, part="module", method=method)}
        assert set(by_quantity) == {"seconds", "CPU seconds", "objects"}
        assert all(len(values) == 4 for values in by_quantity.values())
        assert min(by_quantity["objects"]) > 0
    assert not matching(series, part="stages", method=PRIMARY)
    stages = {each.quantity: each.values for each in matching(series, part="stages", method=DEFAULT_MODEL)}
    assert set(stages) == {*STAGES, "other"}
    (whole,) = matching(series, part="module", method=DEFAULT_MODEL, quantity="seconds")
    for seconds, of_stages in zip(whole.values, zip(*stages.values())):
        assert sum(of_stages) == pytest.approx(seconds)
