import numpy as np
import pytest

from cpunet.steps.resize import rescale, resize_planes

RAMP = np.tile(np.linspace(0, 1, 12, dtype=np.float32), (2, 6, 1))


@pytest.mark.parametrize(
    ("scale", "shape"), [(1.0, (2, 6, 12)), (0.5, (2, 3, 6)), (2.0, (2, 12, 24)), (0.01, (2, 1, 1))]
)
def test_the_size_is_rounded_and_never_less_than_a_pixel(scale, shape):
    found = rescale(RAMP, scale)
    assert found.shape == shape
    assert found.dtype == np.float32


def test_the_same_size_is_the_same_array():
    assert resize_planes(RAMP, (6, 12)) is RAMP


def test_a_ramp_stays_a_ramp_when_enlarged_and_a_checkerboard_is_averaged_when_shrunk():
    inner = resize_planes(RAMP, (12, 24))[0, 0, 2:-2]
    np.testing.assert_allclose(np.diff(inner), 1 / 22, rtol=1e-3)
    checkerboard = (np.indices((40, 40)).sum(axis=0) % 2).astype(np.float32)[np.newaxis]
    np.testing.assert_allclose(resize_planes(checkerboard, (10, 10))[0, 2:-2, 2:-2], 0.5, atol=0.02)
