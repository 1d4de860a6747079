import numpy as np
import pytest

from cpunet.checks.synthetic import synthetic_field
from cpunet.training.patches import disturbances
from cpunet.training.patches.patch import Patch

DRAWN = synthetic_field((120, 140), columns=4, diameter_px=20, touching=False, seed=3)
FIELD = Patch(DRAWN.image[np.newaxis].astype(np.float32), DRAWN.labels)
EMPTY = Patch(np.zeros((1, 64, 64), np.float32), np.zeros((64, 64), np.int32))
ADDED = {
    "spots": disturbances.with_spots,
    "cytoplasm": disturbances.with_cytoplasm,
    "debris": disturbances.with_debris,
    "fibers": disturbances.with_fibers,
    "haze": lambda patch, rng: disturbances.with_haze(patch, 0.6, rng),
}


@pytest.mark.parametrize("name", ADDED)
def test_light_is_added_and_the_same_seed_adds_the_same(name):
    first, again = (ADDED[name](FIELD, np.random.default_rng(2)) for _ in range(2))
    np.testing.assert_array_equal(first, again)
    assert first.dtype == np.float32
    assert first.shape == FIELD.image.shape
    difference = first - FIELD.image
    assert difference.max() > 0.02
    assert difference.min() > -0.35  # uneven cytoplasm and noise; nothing is taken away


@pytest.mark.parametrize("name", ADDED)
def test_a_patch_without_objects_is_no_error(name):
    assert np.isfinite(ADDED[name](EMPTY, np.random.default_rng(0))).all()


def test_spots_lie_within_nuclei_alone():
    difference = disturbances.with_spots(FIELD, np.random.default_rng(1)) - FIELD.image
    assert difference[0][FIELD.labels > 0].max() > 0
    assert not difference[0][FIELD.labels == 0].any()


def test_debris_is_brighter_than_nuclei():
    for seed in range(5):
        image = disturbances.with_debris(FIELD, np.random.default_rng(seed))
        assert image.max() > 1.5 * disturbances.typical_brightness(FIELD)


def test_cytoplasm_is_brightest_near_nuclei():
    near = np.zeros(FIELD.labels.shape, bool)
    near[2:-2, 2:-2] = FIELD.labels[2:-2, 2:-2] > 0
    glows = [disturbances.with_cytoplasm(FIELD, np.random.default_rng(seed)) - FIELD.image for seed in range(12)]
    glow = np.mean(glows, axis=0)[0]
    assert glow[near].mean() > 1.3 * glow[~near].mean()


def test_beside_black_nothing_is_labeled_and_the_rest_keeps_its_labels():
    patch = disturbances.beside_black(FIELD, np.random.default_rng(0))
    black = patch.image[0] == 0
    assert 0.02 < black.mean() < 0.6
    assert not patch.labels[black].any()
    np.testing.assert_array_equal(patch.labels[~black], FIELD.labels[~black])


def test_an_overexposed_field_fills_the_range_with_noise_and_stays_within_the_limits():
    image = disturbances.overexposed(FIELD.image, np.random.default_rng(0))
    assert image.max() <= disturbances.BRIGHTEST
    assert image.min() >= -1
    background = image[0][FIELD.labels == 0]
    assert background.std() > 0.05
    assert np.median(image[0][FIELD.labels > 0]) > np.percentile(background, 90)


def test_diameter_and_brightness_have_values_without_objects():
    assert disturbances.median_diameter_px(EMPTY.labels) == disturbances.DEFAULT_DIAMETER_PX
    assert disturbances.typical_brightness(EMPTY) == 0.5
    assert disturbances.median_diameter_px(FIELD.labels) == pytest.approx(20, abs=4)
