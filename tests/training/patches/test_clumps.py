from itertools import product

import numpy as np
import pytest
from scipy import ndimage

from cpunet.checks.synthetic import synthetic_field
from cpunet.training.patches.clumps import RIM_PX, paste_touching
from cpunet.training.patches.patch import Patch, label_pieces

SEEDS = range(12)
DRAWN = synthetic_field((140, 150), columns=4, diameter_px=20)
FIELD = Patch(np.stack([DRAWN.image, 1 - DRAWN.image]), label_pieces(DRAWN.labels))


def paste(patch, seed, count=1, **options):
    return paste_touching(patch, np.random.default_rng(seed), count, **options)


def donor_and_host(background_of_host=0.1):
    """One lopsided, textured object to copy, and one that is cut by the frame, on a background of their own each."""
    y, x = np.mgrid[:90, :120]
    labels = np.zeros((90, 120), np.int32)
    labels[30:46, 15:25] = 1
    labels[30:36, 25:32] = 1
    labels[40:60, 90:] = 2
    image = np.where(x < 60, 0.1, background_of_host) + (labels > 0) * (0.3 + 0.004 * y + 0.003 * x)
    return Patch(image[np.newaxis].astype(np.float32), labels)


def beside(labels, a, b):
    """How many pixels of object `a` share a side with object `b`."""
    return int((ndimage.binary_dilation(labels == b) & (labels == a)).sum())


def own_window(labels, index):
    (window,) = ndimage.find_objects((labels == index).astype(np.int32))
    return window


@pytest.mark.parametrize("seed", SEEDS)
def test_each_copy_is_one_more_object_that_touches_another(seed):
    before = FIELD.labels.max()
    result = paste(FIELD, seed, count=3)
    assert result.labels.max() == before + 3
    for new in range(before + 1, before + 4):
        copy = result.labels == new
        assert ndimage.label(copy)[1] == 1
        contacts = [beside(result.labels, new, host) for host in range(1, new)]
        assert max(contacts) >= 0.24 * np.sqrt(copy.sum())


@pytest.mark.parametrize("seed", SEEDS)
def test_what_was_there_keeps_its_pixels(seed):
    image, labels = FIELD.image.copy(), FIELD.labels.copy()
    result = paste(FIELD, seed, count=4)
    np.testing.assert_array_equal(FIELD.image, image)
    np.testing.assert_array_equal(FIELD.labels, labels)
    taken = labels > 0
    np.testing.assert_array_equal(result.labels[taken], labels[taken])
    np.testing.assert_array_equal(result.image[:, taken], image[:, taken])
    assert (result.image.dtype, result.labels.dtype) == (image.dtype, labels.dtype)
    assert (result.image.shape, result.labels.shape) == (image.shape, labels.shape)
    # beyond the soft rim of the copies nothing has changed
    far = ndimage.distance_transform_edt(result.labels <= labels.max()) > RIM_PX + 1
    np.testing.assert_array_equal(result.image[:, far], image[:, far])


@pytest.mark.parametrize("background", [0.1, 0.35])
def test_a_copy_has_its_donors_pixels_on_the_background_of_its_place(background):
    patch = donor_and_host(background)
    donor = patch.image[0][own_window(patch.labels, 1)]
    shape = patch.labels[own_window(patch.labels, 1)] == 1
    turned = [
        [np.rot90(array, quarters)[:, ::step] for array in (shape, donor)]
        for quarters, step in product(range(4), (1, -1))
    ]
    used = set()
    for seed in range(40):
        result = paste(patch, seed, max_overlap=0)
        window = own_window(result.labels, 3)
        found, pixels = result.labels[window] == 3, result.image[0][window]
        # against the donor itself, or against the host, whose background may be another
        right = window[1].start > 60
        if not right and window[1].stop > 50:
            continue
        step = background - 0.1 if right else 0
        same = [
            number
            for number, (mask, image) in enumerate(turned)
            if np.array_equal(mask, found) and np.allclose(image[mask] + step, pixels[mask], atol=1e-6)
        ]
        assert len(same) == 1
        used.add((same[0], right))
    assert len({number for number, _ in used}) == 8
    assert len({right for _, right in used}) == 2


def test_a_copys_rim_fades_into_the_background():
    patch = donor_and_host()
    # a halo of one pixel around the donor
    halo = ndimage.binary_dilation(patch.labels == 1, iterations=1) & (patch.labels == 0)
    patch.image[0][halo] = 0.4
    result = paste(patch, 0, max_overlap=0)
    copy = result.labels == 3
    ring = ndimage.binary_dilation(copy) & (result.labels == 0)
    assert result.image[0][ring].mean() == pytest.approx(0.1 + 0.3 * RIM_PX / (RIM_PX + 1), abs=0.05)


@pytest.mark.parametrize("max_overlap", [0.0, 0.05, 0.3])
def test_no_more_of_a_copy_is_hidden_than_allowed(max_overlap):
    patch = donor_and_host()
    area = (patch.labels == 1).sum()
    shown = [(paste(patch, seed, max_overlap=max_overlap).labels == 3).sum() / area for seed in range(40)]
    assert min(shown) >= 1 - max_overlap
    assert max(shown) <= 1
    # and some of it is hidden where that is allowed
    assert (min(shown) < 1) == (max_overlap > 0)


def test_no_copy_lies_across_a_thin_object_in_two_pieces():
    y, x = np.mgrid[:60, :80]
    labels = ((y - 15) ** 2 + (x - 15) ** 2 < 100).astype(np.int32)
    labels[40:42] = 2
    patch = Patch(labels[np.newaxis].astype(np.float32), labels)
    copies = [paste(patch, seed, max_overlap=0.3).labels == 3 for seed in range(40)]
    assert {ndimage.label(copy)[1] for copy in copies} <= {0, 1}
    assert sum(copy.any() for copy in copies) > 20


def test_the_same_seed_gives_the_same_clump():
    first, again, other = paste(FIELD, 4, 3), paste(FIELD, 4, 3), paste(FIELD, 5, 3)
    np.testing.assert_array_equal(first.image, again.image)
    np.testing.assert_array_equal(first.labels, again.labels)
    assert not np.array_equal(first.labels, other.labels)


def without_object():
    return np.zeros((60, 60), np.int32)


def cut_by_the_frame():
    labels = without_object()
    labels[:20, 20:40] = 1
    labels[40:, :15] = 2
    return labels


def without_room():
    """An object with a gap around it that no copy fits into."""
    labels = np.ones((60, 60), np.int32)
    labels[15:45, 15:45] = 0
    labels[21:39, 21:39] = 2
    return labels


def all_touching():
    labels = without_object()
    labels[20:40, 20:30] = 1
    labels[20:40, 30:40] = 2
    return labels


def one_large_object():
    labels = without_object()
    labels[6:54, 6:54] = 1
    return labels


@pytest.mark.parametrize(
    "labels", [without_object, cut_by_the_frame, without_room, all_touching, one_large_object], ids=lambda f: f.__name__
)
def test_nothing_happens_where_there_is_nothing_to_copy_or_no_place(labels):
    patch = Patch(np.random.default_rng(0).random((1, 60, 60)).astype(np.float32), labels())
    for seed in SEEDS:
        result = paste(patch, seed, count=2)
        np.testing.assert_array_equal(result.labels, patch.labels)
        np.testing.assert_array_equal(result.image, patch.image)


def test_debris_is_neither_copied_nor_joined():
    patch = donor_and_host()
    patch.labels[10:13, 60:63] = 3
    for seed in SEEDS:
        result = paste(patch, seed, count=2)
        for new in (4, 5):
            assert (result.labels == new).sum() > 100
            assert max(beside(result.labels, new, host) for host in {1, 2, 4} - {new}) > 0


def test_numbers_may_have_gaps():
    labels = donor_and_host().labels * 7
    result = paste(Patch(donor_and_host().image, labels), 1)
    assert set(np.unique(result.labels)) == {0, 7, 14, 15}
