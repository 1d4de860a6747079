import numpy as np
import pytest
from scipy import ndimage

from cpunet.training.patches.blur import wide_blur

PLANES = ndimage.gaussian_filter(np.random.default_rng(0).random((2, 90, 110)), (0, 1, 1)).astype(np.float32)


@pytest.mark.parametrize("sigma", [1.0, 5.0, 14.0])
def test_a_wide_blur_is_nearly_a_gaussian(sigma):
    found, expected = wide_blur(PLANES, sigma), ndimage.gaussian_filter(PLANES, (0, sigma, sigma))
    assert found.shape == PLANES.shape
    assert found.dtype == np.float32
    inner = (slice(None), slice(20, -20), slice(20, -20))
    np.testing.assert_allclose(found[inner], expected[inner], atol=0.01)
    assert found[inner].std() < PLANES[inner].std()


def test_a_blur_wider_than_the_plane_is_no_error():
    assert np.isfinite(wide_blur(PLANES[:, :5, :7], 100.0)).all()
