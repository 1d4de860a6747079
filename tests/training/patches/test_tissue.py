import numpy as np
import pytest

from cpunet.checks.synthetic import synthetic_field
from cpunet.training.patches.patch import Patch
from cpunet.training.patches.tissue import DIAMETERS_PX, cut_nuclei, packed_tissue

DRAWN = synthetic_field((160, 160), columns=4, diameter_px=22, touching=False, seed=1)
FIELD = Patch(np.repeat(DRAWN.image[np.newaxis].astype(np.float32), 2, axis=0), DRAWN.labels)
NUCLEI = cut_nuclei([FIELD], seed=0)


def test_nuclei_are_cut_out_with_their_brightness_above_the_background():
    assert 3 <= len(NUCLEI) <= DRAWN.labels.max()
    for nucleus in NUCLEI:
        inside = nucleus.mask > 0
        assert np.median(nucleus.image[:, inside]) == pytest.approx(1)
        assert abs(nucleus.image[:, 0, 0]).max() < 0.2  # a corner is background
        assert nucleus.diameter_px == pytest.approx(2 * np.sqrt(inside.sum() / np.pi))


def test_dark_objects_are_no_nuclei_for_tissue():
    assert cut_nuclei([Patch(1 - FIELD.image, FIELD.labels)], seed=0) == []


def test_tissue_is_the_same_for_the_same_seed_and_has_the_nuclei_channels():
    first, again, other = (packed_tissue(NUCLEI, 128, np.random.default_rng(seed)) for seed in (5, 5, 6))
    np.testing.assert_array_equal(first.image, again.image)
    np.testing.assert_array_equal(first.labels, again.labels)
    assert not np.array_equal(first.labels, other.labels)
    assert first.image.shape == (2, 128, 128)
    assert first.image.dtype == np.float32
    assert first.labels.dtype == np.int32


def touching_share(labels):
    """The share of the objects that share a side with another object."""
    touching = set()
    for one, two in ((labels[:, 1:], labels[:, :-1]), (labels[1:], labels[:-1])):
        meet = (one != two) & (one > 0) & (two > 0)
        touching |= set(one[meet]) | set(two[meet])
    return len(touching) / max(1, len(np.unique(labels)) - 1)


def test_in_tissue_most_nuclei_touch_another_one():
    shares = [touching_share(packed_tissue(NUCLEI, 160, np.random.default_rng(seed)).labels) for seed in range(20)]
    assert np.median(shares) > 0.5


def test_labeled_pixels_are_brighter_than_the_others():
    for seed in range(8):
        tissue = packed_tissue(NUCLEI, 160, np.random.default_rng(seed))
        inside = tissue.labels > 0
        if 0.05 < inside.mean() < 0.95:
            assert tissue.image[0][inside].mean() > 1.5 * tissue.image[0][~inside].mean()


def test_nuclei_have_the_diameters_that_the_network_is_to_know():
    medians = []
    for seed in range(20):
        labels = packed_tissue(NUCLEI, 220, np.random.default_rng(seed)).labels
        whole = (
            set(np.unique(labels[8:-8, 8:-8])) - set(np.unique(labels[[0, -1]])) - set(np.unique(labels[:, [0, -1]]))
        )
        areas = np.bincount(labels.ravel())[sorted(whole - {0})]
        if areas.size:
            medians.append(2 * np.sqrt(np.median(areas) / np.pi))
    assert min(medians) > 0.6 * DIAMETERS_PX[0]
    assert max(medians) < 1.3 * DIAMETERS_PX[1]
    assert max(medians) > 2 * min(medians)
