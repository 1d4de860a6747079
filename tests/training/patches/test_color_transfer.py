from dataclasses import replace

import numpy as np
import pytest

from cpunet.checks.synthetic import synthetic_field
from cpunet.training.config import DataSource
from cpunet.training.patches.augmentation import PRESETS, augment
from cpunet.training.patches.color_transfer import (
    AXES,
    ColorStatistics,
    color_statistics,
    colors_of_stained,
    with_colors_of,
)
from cpunet.training.patches.patch import Patch
from cpunet.training.patches.stain import density_of, recolor_as_stain
from cpunet.training.patches.stream import PatchData, first_patches

DRAWN = synthetic_field((96, 96), columns=3, diameter_px=20, touching=False, seed=3)
FLUORESCENT = np.repeat(DRAWN.image[np.newaxis].astype(np.float32), 3, axis=0)
STAINED = [recolor_as_stain(FLUORESCENT, np.random.default_rng(seed)) for seed in range(4)]
PINK = (STAINED[1] * np.array((1, 0.7, 0.85), np.float32)[:, np.newaxis, np.newaxis]).astype(np.float32)
# Nothing but flips and turns, and no warp that mixes pixels.
PLAIN = replace(PRESETS["gentle"], scale_low=1, scale_high=1, shear=0, shift_px=0)


def fully_sampled(image):
    along = AXES @ density_of(image).reshape(3, -1)
    return ColorStatistics(along.mean(axis=1), along.std(axis=1))


def test_an_image_gets_mean_and_spread_of_another():
    own, other = fully_sampled(STAINED[0]), fully_sampled(STAINED[1])
    assert np.abs(own.means - other.means).max() > 0.02
    found = fully_sampled(with_colors_of(STAINED[0], own, other))
    # nothing gets brighter than the background, so that a little of the spread is lost
    np.testing.assert_allclose(found.means, other.means, atol=0.03)
    np.testing.assert_allclose(found.spreads, other.spreads, atol=0.05)


def test_what_is_dark_stays_dark_and_the_image_itself_is_left_alone():
    before = STAINED[0].copy()
    found = with_colors_of(STAINED[0], color_statistics(STAINED[0]), color_statistics(STAINED[2]))
    np.testing.assert_array_equal(STAINED[0], before)
    assert (found.shape, found.dtype) == (before.shape, np.float32)
    assert 0 < found.min() < found.max() <= 1
    inside = DRAWN.labels > 0
    assert np.median(found[:, inside]) < np.median(found[:, ~inside])


def test_its_own_colors_change_nothing():
    image = np.clip(STAINED[0], 0.03, 1)
    own = color_statistics(image)
    np.testing.assert_allclose(with_colors_of(image, own, own), image, atol=1e-4)


def test_noise_of_a_gray_image_does_not_become_colors():
    gray = np.repeat(1 - FLUORESCENT[:1] / 2, 3, axis=0) + np.random.default_rng(0).normal(0, 1e-4, (3, 96, 96))
    other = color_statistics(STAINED[1])
    found = with_colors_of(gray.astype(np.float32), color_statistics(gray.astype(np.float32)), other)
    along = fully_sampled(found).spreads
    assert along[1] < 0.1 * other.spreads[1] + 0.05


def test_statistics_of_a_large_image_are_taken_from_a_part_of_its_pixels():
    large = np.tile(STAINED[0], (1, 6, 6))
    found, whole = color_statistics(large), fully_sampled(large)
    np.testing.assert_allclose(found.means, whole.means, atol=0.03)
    np.testing.assert_allclose(found.spreads, whole.spreads, atol=0.03)


def test_only_stained_images_give_their_colors():
    images = [Patch(FLUORESCENT, DRAWN.labels), *(Patch(image, DRAWN.labels) for image in STAINED)]
    assert len(colors_of_stained(images)) == 4
    gray = Patch(np.ones((1, 8, 8), np.float32), np.zeros((8, 8), np.int32))
    assert not colors_of_stained([gray])


def drawn(augmentation, image, seed, colors):
    return augment(Patch(image, DRAWN.labels), augmentation, 96, np.random.default_rng(seed), (), colors).image


def distance(image, color):
    return np.abs(color_statistics(image).means - color.means).max()


def test_a_share_of_the_stained_patches_gets_the_colors_of_another_image():
    colors = [color_statistics(PINK)]
    changed = []
    for seed in range(60):
        with_it, without = (
            drawn(replace(PLAIN, color_transfer_fraction=share), STAINED[0], seed, colors) for share in (0.5, 0)
        )
        changed.append(np.abs(with_it - without).max() > 1e-3)
    assert 0.3 < np.mean(changed) < 0.7
    found = drawn(replace(PLAIN, color_transfer_fraction=1), STAINED[0], 1, colors)
    assert distance(found, colors[0]) < 0.3 * distance(STAINED[0], colors[0])


@pytest.mark.parametrize("name", ["color_transfer_fraction", "stain_inverted_fraction"])
def test_fluorescence_keeps_its_colors(name):
    colors = [color_statistics(STAINED[1])]
    with_it, without = (drawn(replace(PLAIN, **{name: share}), FLUORESCENT, 1, colors) for share in (1, 0))
    np.testing.assert_array_equal(with_it, without)


def test_a_share_of_the_stained_patches_becomes_gray_and_bright_on_dark():
    turned = []
    for seed in range(60):
        image = drawn(replace(PLAIN, stain_inverted_fraction=0.5), STAINED[0], seed, ())
        turned.append(bool(np.median(image) < 0.5))
        assert turned[-1] == np.array_equal(image[0], image[2])
    assert 0.3 < np.mean(turned) < 0.7
    patch = augment(
        Patch(STAINED[0], DRAWN.labels), replace(PLAIN, stain_inverted_fraction=1), 96, np.random.default_rng(0)
    )
    assert np.median(patch.image[:, patch.labels > 0]) > np.median(patch.image[:, patch.labels == 0]) + 0.1


def test_a_run_takes_the_colors_of_all_its_stained_images(small_config):
    config = replace(
        small_config,
        channels=("red", "green", "blue"),
        data=(DataSource("a"), DataSource("b")),
        augmentation=replace(PLAIN, color_transfer_fraction=1),
        patch_size=96,
    )
    sources = [[Patch(STAINED[0], DRAWN.labels)], [Patch(PINK, DRAWN.labels)]]
    assert len(PatchData(config, sources[:1]).colors) == 1
    data, stream = PatchData(config, sources), first_patches(sources, config, 40)
    assert len(data.colors) == len(stream.colors) == 2
    stream.sources = [sources[0], sources[0]]
    means = np.array([color_statistics(stream.patch(index).image).means for index in range(40)])
    near = [np.abs(means - color.means).max(axis=1) < 0.1 for color in data.colors]
    assert near[0].any()
    assert near[1].any()
    still = replace(config, augmentation=replace(PLAIN, color_transfer_fraction=0))
    assert not PatchData(still, sources).colors
