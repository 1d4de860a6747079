import numpy as np
import pytest

from cpunet.steps.pixels.percentiles import FEW, STRIDE, percentile_of

# The newest numpy computes a percentile's place in single precision.
EXACT = int(np.__version__.split(".")[0]) < 2


def stripes(rng, size):
    """Every value of the sample is high, and all others are low."""
    values = rng.random(size)
    values[::STRIDE] += 5
    return values


KINDS = {
    "uniform": lambda rng, size: rng.random(size),
    "few values": lambda rng, size: rng.integers(0, 40, size),
    "one value": lambda rng, size: np.full(size, 3.25),
    "dark with few bright": lambda rng, size: np.where(rng.random(size) < 0.002, 9, rng.normal(0.05, 0.01, size)),
    "sorted": lambda rng, size: np.arange(size) / size,
    "stripes": stripes,
}


@pytest.mark.parametrize("kind", list(KINDS))
@pytest.mark.parametrize("size", [1, 2, 1000, FEW, FEW + 1, FEW + 77_777])
def test_it_is_numpys_percentile(kind, size):
    values = KINDS[kind](np.random.default_rng(size), size).astype(np.float32)
    before = values.copy()
    for percentile in (0, 0.001, 0.5, 1, 2.5, 50, 50.1, 99, 99.8, 99.9999, 100):
        expected = np.percentile(values, percentile)
        if EXACT:
            assert percentile_of(values, percentile) == expected
        else:
            assert percentile_of(values, percentile) == pytest.approx(float(expected), rel=1e-5, abs=1e-6)
    np.testing.assert_array_equal(values, before)


def test_of_a_view_with_a_stride():
    values = np.random.default_rng(0).random(3 * (FEW + 5)).astype(np.float32)
    assert percentile_of(values[::3], 99.8) == percentile_of(values[::3].copy(), 99.8)
