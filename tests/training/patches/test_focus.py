import numpy as np
import pytest
from scipy import ndimage

from cpunet.checks.synthetic import synthetic_field
from cpunet.training.patches.focus import out_of_focus, spread_over_disc
from cpunet.training.patches.patch import Patch

DRAWN = synthetic_field((120, 140), columns=4, diameter_px=20, touching=False, seed=3)
FIELD = Patch(DRAWN.image[np.newaxis].astype(np.float32), DRAWN.labels)


@pytest.mark.parametrize("radius", [0.4, 1.0, 3.3, 7.0])
def test_a_point_becomes_a_disc_of_the_radius(radius):
    point = np.zeros((2, 41, 43), np.float32)
    point[0, 20, 21] = 1
    spread = spread_over_disc(point, radius)
    assert spread.shape == point.shape
    assert spread[0].sum() == pytest.approx(1, abs=1e-4)
    assert not spread[1].any()
    assert ndimage.center_of_mass(spread[0]) == pytest.approx((20, 21), abs=1e-3)
    y, x = np.ogrid[:41, :43]
    # Of an even disc, twice the mean of the squared distances is the square of the radius.
    assert np.sqrt(2 * (spread[0] * ((y - 20) ** 2 + (x - 21) ** 2)).sum()) == pytest.approx(radius, abs=0.45)


def test_edges_are_blunted_and_the_contrast_is_stretched_again():
    image = out_of_focus(FIELD, np.random.default_rng(0))
    assert image.dtype == np.float32
    assert image.shape == FIELD.image.shape
    steepest = [np.abs(np.diff(each, axis=1)).max() for each in (FIELD.image, image)]
    assert steepest[1] < 0.7 * steepest[0]
    bright = [np.percentile(each, 99.5) for each in (FIELD.image, image)]
    assert bright[1] == pytest.approx(bright[0], rel=1e-3)


@pytest.mark.parametrize("size", [3, 64])
def test_noise_without_objects_is_blurred_and_not_stretched(size):
    noise = np.random.default_rng(0).normal(0.1, 0.05, (1, size, size)).astype(np.float32)
    image = out_of_focus(Patch(noise, np.zeros((size, size), np.int32)), np.random.default_rng(1))
    assert np.isfinite(image).all()
    assert image.max() < noise.max()
