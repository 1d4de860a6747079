"""The quality of the default model on synthetic fields, after what microscopes do to them."""

import pytest

from benchmarks.stress.small import BOUNDS, SMALL_ROWS, bounds_from, small_scores


@pytest.mark.parametrize("row", BOUNDS)
def test_the_default_model_holds(row):
    scores = small_scores(row)
    assert scores.mean_f1 >= BOUNDS[row].mean_f1
    assert scores.f1[0.7] >= BOUNDS[row].f1_at_070


def test_a_model_that_only_finds_what_is_bright_does_not_hold(tiny_model):
    found = {row: small_scores(row, str(tiny_model)).mean_f1 for row in ("bright debris", "fibers", "packed")}
    assert all(found[row] < BOUNDS[row].mean_f1 for row in found)


def test_bounds_lie_a_little_below_what_was_measured():
    scores = small_scores("x 0.5")
    bounds = bounds_from(scores)
    assert 0.03 <= scores.mean_f1 - bounds.mean_f1 < 0.0401
    assert set(BOUNDS) <= set(SMALL_ROWS)
