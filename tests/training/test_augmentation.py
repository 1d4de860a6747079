from dataclasses import replace

import numpy as np
import pytest

from cpunet.drawn_nuclei import draw_field
from cpunet.filters import touching_border
from cpunet.training.augmentation import Patch, augment, crop_at_random, empty_patch, renumber
from cpunet.training.config import Augmentation
from cpunet.training.data import object_diameters

DRAWN = draw_field((160, 180), columns=5, diameter_px=24, touching=False)
FIELD = Patch(DRAWN.image[np.newaxis], DRAWN.labels)
PLAIN = Augmentation(noise=0, blur_px=0, gamma_low=1, gamma_high=1, empty_fraction=0)


def draw(augmentation, seed, size=96, field=FIELD):
    return augment(field, augmentation, size, np.random.default_rng(seed))


def test_the_same_seed_gives_the_same_patch():
    first, again, other = draw(Augmentation(), 5), draw(Augmentation(), 5), draw(Augmentation(), 6)
    np.testing.assert_array_equal(first.image, again.image)
    np.testing.assert_array_equal(first.labels, again.labels)
    assert not np.array_equal(first.image, other.image)


@pytest.mark.parametrize("seed", range(6))
def test_image_and_labels_move_together(seed):
    patch = draw(PLAIN, seed)
    assert patch.image.shape == (1, 96, 96)
    assert patch.labels.any()
    inside, outside = patch.image[0][patch.labels > 0], patch.image[0][patch.labels == 0]
    assert np.median(inside) > 3 * np.median(outside)
    # the middle of what is bright is where the labels are
    bright = patch.image[0] > 0.25
    assert 2 * (bright & (patch.labels > 0)).sum() / (bright.sum() + (patch.labels > 0).sum()) > 0.85


def test_zoom_changes_the_objects_size():
    def diameter(zoom):
        """Of whole objects; the upper quartile, since a quarter of the patches are not warped at all."""
        augmentation = replace(PLAIN, scale_low=zoom, scale_high=zoom, shear=0)
        found = []
        for seed in range(20):
            labels = draw(augmentation, seed).labels
            found += list(object_diameters(np.where(touching_border(labels)[labels], 0, labels)))
        return np.percentile(found, 75)

    assert diameter(1.6) / diameter(0.8) == pytest.approx(2, rel=0.15)


def test_noise_and_contrast_are_changed_where_asked():
    rough = draw(replace(PLAIN, noise=0.3), 3), draw(PLAIN, 3)
    assert any(
        not np.allclose(draw(replace(PLAIN, noise=0.3), seed).image, draw(PLAIN, seed).image) for seed in range(12)
    )
    np.testing.assert_array_equal(rough[0].labels, rough[1].labels)
    dark = replace(PLAIN, gamma_low=2.5, gamma_high=2.5001)
    assert any(not np.allclose(draw(dark, seed).image, draw(PLAIN, seed).image) for seed in range(12))


def test_a_small_image_is_mirrored_to_the_patch():
    small = Patch(FIELD.image[:, :50, :40], FIELD.labels[:50, :40])
    cut = crop_at_random(small, 96, np.random.default_rng(0))
    assert cut.image.shape == (1, 96, 96)
    np.testing.assert_array_equal(cut.labels[:50, :40], small.labels)
    np.testing.assert_array_equal(cut.labels[50:90, :40], small.labels[9:49][::-1])


def test_pieces_of_one_object_become_two():
    labels = np.array([[4, 4, 0, 4], [4, 0, 0, 4], [0, 0, 9, 9]], np.int32)
    np.testing.assert_array_equal(renumber(labels), [[1, 1, 0, 2], [1, 0, 0, 2], [0, 0, 3, 3]])


def test_empty_patches_hold_noise_and_no_object():
    patch = empty_patch(2, 64, np.random.default_rng(0))
    assert patch.image.shape == (2, 64, 64)
    assert patch.image.std() > 0.1
    assert not patch.labels.any()
    always = replace(PLAIN, empty_fraction=1.0)
    assert not draw(always, 1).labels.any()
