import numpy as np
import pytest

from cpunet.steps.resize import rescale, resize_planes, resized_part

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


@pytest.mark.parametrize("new_shape", [(61, 83), (40, 50), (200, 260), (122, 83)], ids=str)
def test_a_part_is_that_of_the_whole(new_shape):
    planes = np.random.default_rng(0).random((2, 122, 166)).astype(np.float32)
    whole = resize_planes(planes, new_shape)

    def read(rows, columns):
        assert 0 <= rows.start < rows.stop <= 122
        assert 0 <= columns.start < columns.stop <= 166
        return planes[:, rows, columns]

    for rows, columns in [(slice(0, 20), slice(0, 30)), (slice(13, 17), slice(21, 50)), (slice(30, 40), slice(49, 50))]:
        part = resized_part(read, (122, 166), new_shape, rows, columns)
        assert part.dtype == np.float32
        np.testing.assert_allclose(part, whole[:, rows, columns], atol=2e-5)
