import numpy as np
import pytest
from scipy import ndimage

from benchmarks.stress.camera import levels_of
from benchmarks.stress.fields import cut_nuclei, pack, packed, sparse


def rng():
    return np.random.default_rng(2)


@pytest.fixture(scope="module")
def cut(nuclei):
    return cut_nuclei(nuclei.image, nuclei.labels, levels_of(nuclei.image, nuclei.labels))


def neighbors(labels):
    """The pairs of labels of which pixels are side by side."""
    pairs = set()
    for first, second in ((labels[1:], labels[:-1]), (labels[:, 1:], labels[:, :-1])):
        both = (first != second) & (first > 0) & (second > 0)
        pairs |= set(zip(first[both].tolist(), second[both].tolist()))
    return pairs


def at_the_frame(field):
    """The outermost pixels."""
    return np.concatenate([field[[0, -1]].ravel(), field[:, [0, -1]].ravel()])


def test_packed_nuclei_all_touch(cut):
    labels, light = pack(cut, (300, 240), 28, rng())
    assert labels.shape == light.shape == (300, 240)
    touching = {number for pair in neighbors(labels) for number in pair}
    # The frame may cut off the place where two touch.
    inner = set(np.unique(labels[20:-20, 20:-20])) - {0}
    assert len(inner) > 80
    assert inner <= touching
    assert (labels > 0).mean() > 0.7
    corners = [(ys, xs) for ys in (slice(60), slice(-60, None)) for xs in (slice(60), slice(-60, None))]
    assert all((labels[corner] > 0).mean() > 0.5 for corner in corners)


def test_packed_nuclei_are_whole(cut):
    """A nucleus keeps nearly all of its area, and is one piece."""
    labels, _ = pack(cut, (200, 200), 28, rng())
    smallest = min(nucleus.mask.sum() for nucleus in cut)
    inside = set(np.unique(labels)) - set(at_the_frame(labels).tolist())
    areas = [(labels == number).sum() for number in inside]
    assert min(areas) > 0.7 * smallest
    assert sum(ndimage.label(labels == number)[1] > 1 for number in inside) <= 0.05 * len(inside)


def test_a_packed_field_is_as_bright_as_its_nuclei(nuclei):
    image, labels = packed(nuclei.image, nuclei.labels, rng())
    before = np.median(nuclei.image[nuclei.labels > 0])
    assert 0.8 * before < np.median(image[labels > 0]) < 1.6 * before


def test_one_nucleus_lies_in_an_empty_frame(nuclei):
    image, labels = sparse(nuclei.image, nuclei.labels, rng(), size=500)
    assert image.shape == labels.shape == (500, 500)
    assert labels.max() == 1
    assert ndimage.label(labels)[1] == 1
    levels = levels_of(nuclei.image, nuclei.labels)
    empty = image[~ndimage.binary_dilation(labels > 0, iterations=8)]
    assert np.median(empty) == pytest.approx(levels.background, rel=0.05)
    assert empty.max() < levels.background + 8 * levels.background_noise
    assert np.median(image[labels > 0]) > levels.background + 0.4 * levels.contrast


def test_nuclei_are_cut_out_complete_and_without_their_neighbors(nuclei, cut):
    assert 0 < len(cut) <= nuclei.labels.max()
    for nucleus in cut:
        assert not at_the_frame(nucleus.mask).any()
        rest = nucleus.light[~ndimage.binary_dilation(nucleus.mask, iterations=6)]
        assert not rest.any()


def test_an_image_without_a_complete_nucleus_is_refused():
    labels = np.zeros((30, 30), np.int32)
    labels[:, 10:] = 1
    image = np.where(labels, 900, 200)
    with pytest.raises(ValueError, match="no complete nucleus"):
        cut_nuclei(image, labels, levels_of(image, labels))
