import numpy as np
import pytest
from skimage.transform import resize

from cpunet.volumes.resize import resize_volume

VOLUME = np.random.default_rng(0).random((2, 9, 20, 31), np.float32)


@pytest.mark.parametrize("shape", [(9, 20, 20), (18, 40, 62), (5, 10, 15), (20, 10, 31), (1, 1, 1), (9, 33, 7)])
def test_it_is_what_scikit_image_does_in_one_piece(shape):
    found = resize_volume(VOLUME, shape)
    assert found.dtype == np.float32
    for channel, expected in zip(found, VOLUME.astype(float)):
        # smoothed along the axes that shrink alone, as the sigmas of scikit-image's own are 0 along the others
        sigmas = [max(0, (old / new - 1) / 2) for old, new in zip(expected.shape, shape)]
        whole = resize(expected, shape, order=1, mode="edge", anti_aliasing=True, anti_aliasing_sigma=sigmas)
        np.testing.assert_allclose(channel, whole, atol=1e-5)


def test_a_volume_of_the_shape_is_returned_itself():
    assert resize_volume(VOLUME, VOLUME.shape[1:]) is VOLUME


def test_one_plane_becomes_equal_planes():
    found = resize_volume(VOLUME[:, :1], (4, 20, 31))
    np.testing.assert_array_equal(found, np.repeat(VOLUME[:, :1], 4, axis=1))


def test_there_and_back_keeps_a_smooth_volume():
    z, y, x = np.meshgrid(*(np.linspace(0, 2, size) for size in (12, 30, 40)), indexing="ij")
    smooth = np.sin(z + y * x).astype(np.float32)[np.newaxis]
    back = resize_volume(resize_volume(smooth, (25, 61, 79)), (12, 30, 40))
    np.testing.assert_allclose(back, smooth, atol=0.07)
