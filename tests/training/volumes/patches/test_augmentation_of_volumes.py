from dataclasses import replace

import numpy as np
import pytest

from cpunet.training.patches.patch import Patch
from cpunet.training.volumes.patches.augmentation import (
    STANDARD,
    VOLUME_PRESETS,
    augment_volume,
    beside_black_planes,
    light_by_plane,
    without_planes,
)
from cpunet.training.volumes.patches.crop import crop_at_random

STILL = replace(VOLUME_PRESETS["gentle"], warp_fraction=0.0)


def volume(seed=0, shape=(12, 40, 40)):
    """A box of its own brightness in noise, whose corner tells how it lies."""
    rng = np.random.default_rng(seed)
    labels = np.zeros(shape, np.int32)
    labels[2:9, 5:25, 8:30] = 1
    return Patch((labels + 0.1 * rng.random(shape)).astype(np.float32)[np.newaxis], labels)


@pytest.mark.parametrize(
    "augmentation", [STILL, replace(STILL, warp_fraction=1.0, elastic_px=3.0)], ids=["still", "warped"]
)
def test_image_and_labels_move_together(augmentation):
    for seed in range(8):
        found = augment_volume(volume(), augmentation, (8, 32, 32), np.random.default_rng(seed))
        assert found.image.shape == (1, 8, 32, 32)
        inside = found.image[0] > 0.55
        assert np.mean(inside == (found.labels > 0)) > 0.97


def test_the_same_seed_gives_the_same_patch_and_another_another():
    one, same, other = (
        augment_volume(volume(), VOLUME_PRESETS["heavy"], (8, 32, 32), np.random.default_rng(seed))
        for seed in (3, 3, 4)
    )
    np.testing.assert_array_equal(one.image, same.image)
    np.testing.assert_array_equal(one.labels, same.labels)
    assert (one.image != other.image).any()


def test_volumes_are_laid_in_all_sixteen_ways():
    corner = np.zeros((4, 8, 8), np.int32)
    corner[0, 0, 1] = 1
    patch = Patch(corner[np.newaxis].astype(np.float32), corner)
    rng = np.random.default_rng(0)
    places = {tuple(np.argwhere(augment_volume(patch, STILL, (4, 8, 8), rng).labels)[0]) for _ in range(200)}
    assert len(places) == 16  # two ends along z, eight ways in the plane


def test_what_is_zoomed_keeps_its_share_of_each_axis():
    twice = replace(STILL, warp_fraction=1.0, scale_low=2.0, scale_high=2.0)
    labels = np.zeros((24, 48, 48), np.int32)
    labels[9:15, 20:28, 20:28] = 1
    patch = Patch(labels[np.newaxis].astype(np.float32), labels)
    sizes = []
    for seed in range(40):
        found = augment_volume(patch, twice, (20, 40, 40), np.random.default_rng(seed)).labels
        inner = found[2:-2, 2:-2, 2:-2]
        if (inner > 0).sum() == (found > 0).sum() > 0:  # the whole object lies in the patch
            sizes.append((found > 0).sum())
    assert np.median(sizes) == pytest.approx(8 * 6 * 8 * 8, rel=0.1)


def test_light_falls_from_one_end_to_the_other():
    light = light_by_plane(10, 0.6, np.random.default_rng(1)).ravel()
    steps = np.diff(np.log(light))
    assert np.allclose(steps, steps[0])
    assert light.max() == pytest.approx(1)
    assert light.min() == pytest.approx(0.4)
    ends = {round(float(light_by_plane(10, 0.6, np.random.default_rng(seed))[0, 0, 0]), 2) for seed in range(20)}
    assert ends == {1.0, 0.4}


def test_a_missing_plane_is_the_one_before_it():
    image = np.arange(6, dtype=np.float32).reshape(1, 6, 1, 1)
    found = without_planes(image, 1, np.random.default_rng(0)).ravel()
    (missing,) = np.flatnonzero(found != np.arange(6))
    assert found[missing] == missing - 1
    assert without_planes(image[:, :1], 2, np.random.default_rng(0)).ravel().tolist() == [0]


def test_planes_at_one_end_are_black():
    image = np.ones((1, 20, 2, 2), np.float32)
    for seed in range(20):
        found = beside_black_planes(image, np.random.default_rng(seed))[0, :, 0, 0]
        black = np.flatnonzero(found == 0)
        assert len(black) <= 6
        assert not len(black) or black[0] == 0 or black[-1] == 19
    assert image.all()


def test_a_crop_holds_a_labeled_voxel():
    labels = np.full((40, 32, 32), -1, np.int32)
    labels[31] = 0
    patch = Patch(np.zeros((1, 40, 32, 32), np.float32), labels)
    for seed in range(20):
        assert (crop_at_random(patch, (4, 16, 16), np.random.default_rng(seed)).labels >= 0).any()


def test_a_single_plane_is_repeated_and_a_small_volume_mirrored():
    plane = Patch(np.arange(4, dtype=np.float32).reshape(1, 1, 2, 2), np.ones((1, 2, 2), np.int32))
    found = crop_at_random(plane, (4, 2, 2), np.random.default_rng(0))
    assert (found.image[0] == plane.image[0, 0]).all()
    small = Patch(np.arange(3, dtype=np.float32).reshape(1, 3, 1, 1), np.zeros((3, 1, 1), np.int32))
    assert crop_at_random(small, (5, 1, 1), np.random.default_rng(0)).image.ravel().tolist() == [0, 1, 2, 1, 0]


def test_every_field_of_the_standard_preset_is_used():
    """A change that is set to its largest value changes patches, and one that is off does not."""
    off = augment_volume(volume(), STILL, (8, 32, 32), np.random.default_rng(5)).image
    for name in ("depth_loss", "z_blur_planes", "blur_px", "noise", "missing_fraction", "black_fraction"):
        on = replace(STILL, **{name: 0.9})
        changed = [
            (
                augment_volume(volume(), on, (8, 32, 32), np.random.default_rng(seed)).image
                != augment_volume(volume(), STILL, (8, 32, 32), np.random.default_rng(seed)).image
            ).any()
            for seed in range(12)
        ]
        assert any(changed), name
    assert np.isfinite(off).all()
    assert STANDARD.depth_loss > 0
