import numpy as np

from benchmarks.speed.fields import Wanted
from benchmarks.speed.objects import FIELDS, FOUND, repeated_probabilities, time_objects
from benchmarks.speed.series import matching
from cpunet.model.find import DEFAULT_MODEL, find_model
from cpunet.model.session import load_model


def test_probabilities_of_a_block_are_repeated(monkeypatch):
    monkeypatch.setattr("benchmarks.speed.objects.BLOCK_PX", 96)
    model = load_model(find_model(DEFAULT_MODEL), "cpu")
    found = repeated_probabilities(Wanted((150, 96), objects=10), model)
    assert found.shape == (len(model.card.output.roles), 150, 96)
    np.testing.assert_array_equal(found[:, 96:], found[:, :54])


def test_each_step_after_the_network_is_timed():
    series = time_objects([Wanted((128, 160), objects=20)], DEFAULT_MODEL, rounds=2)
    assert [each.quantity for each in series] == ["declump", "filters", "confidence", FOUND]
    assert [len(each.values) for each in series] == [2, 2, 2, 1]
    assert 12 <= matching(series, quantity=FOUND)[0].median <= 30


def test_the_two_largest_fields_have_the_same_density():
    few, many = FIELDS[-2:]
    assert many.objects == 10 * few.objects
    densities = [each.objects / (each.shape[0] * each.shape[1]) for each in (few, many)]
    assert abs(densities[0] / densities[1] - 1) < 0.05
