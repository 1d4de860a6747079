import numpy as np
import pytest

from cpunet.checks.synthetic import synthetic_field
from cpunet.training.network.losses import WEIGHT_MAPS, Loss
from cpunet.training.patches.targets import Targets, border_between_objects, make_targets
from cpunet.training.patches.weight_maps import border_weights, pixel_weights, unet_weights

LABELS = synthetic_field((50, 60), columns=3, diameter_px=14, touching=True, seed=2).labels


def brute_force_unet(labels, weight, sigma):
    """1 + w0 exp(-(d1 + d2)^2 / (2 sigma^2)), with distances measured pixel by pixel."""
    result = np.ones(labels.shape)
    objects = [np.argwhere(labels == number) for number in np.unique(labels[labels > 0])]
    for y, x in np.ndindex(labels.shape):
        nearest = sorted(np.hypot(*(pixels - (y, x)).T).min() for pixels in objects)
        if len(nearest) > 1:
            result[y, x] += weight * np.exp(-((nearest[0] + nearest[1]) ** 2) / (2 * sigma**2))
    return result


@pytest.mark.parametrize(("weight", "sigma"), [(10.0, 5.0), (3.0, 1.5)])
def test_unet_weights_equal_brute_force(weight, sigma):
    # what lies farther than five sigma is left out: at most weight * exp(-12.5)
    expected = brute_force_unet(LABELS, weight, sigma)
    assert expected.max() > 1 + 0.5 * weight
    np.testing.assert_allclose(unet_weights(LABELS, weight, sigma), expected, atol=1e-4)


def test_border_weights_stress_the_border_alone():
    weights = border_weights(LABELS, make_targets(LABELS, Targets()), Targets(), 4.0)
    np.testing.assert_array_equal(weights == 5, border_between_objects(LABELS, 2))
    assert set(np.unique(weights)) == {1, 5}


def test_each_map_is_what_its_name_says():
    maps = {
        name: pixel_weights(LABELS, make_targets(LABELS, Targets()), Loss(weight_map=name), Targets())
        for name in WEIGHT_MAPS
    }
    np.testing.assert_array_equal(maps["none"], 1)
    np.testing.assert_array_equal(
        maps["border"], border_weights(LABELS, make_targets(LABELS, Targets()), Targets(), 4.0)
    )
    np.testing.assert_array_equal(maps["unet"], unet_weights(LABELS, 10.0, 5.0))
    assert all(weights.dtype == np.float32 for weights in maps.values())


@pytest.mark.parametrize("labels", [np.zeros((9, 9), np.int32), np.ones((9, 9), np.int32)])
@pytest.mark.parametrize("name", WEIGHT_MAPS)
def test_without_a_second_object_nothing_is_stressed(labels, name):
    np.testing.assert_array_equal(
        pixel_weights(labels, make_targets(labels, Targets()), Loss(weight_map=name), Targets()), 1
    )
