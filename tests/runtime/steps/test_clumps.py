import numpy as np
import pytest
from scipy import ndimage
from skimage.segmentation import watershed

from cpunet.steps.clumps import split_regions
from cpunet.steps.runs import painted, runs_of


def clumps(seed, shape=(80, 90), inside=30, seeds=70, sigma=3):
    """Random regions, markers and score; several regions hold more than one marker."""
    score = ndimage.gaussian_filter(np.random.default_rng(seed).standard_normal(shape), sigma).astype(np.float32)
    regions = ndimage.label(score > np.percentile(score, inside), output=np.int32)[0]
    markers = ndimage.label(score > np.percentile(score, seeds), output=np.int32)[0]
    return regions, markers, score


def split(regions, markers, score):
    """Split regions, all as images (Y, X)."""
    return painted(split_regions(runs_of(regions), runs_of(markers), score), regions.shape)


def plain(regions, markers, score):
    """Flood the whole image: each region with several markers, all others kept."""
    several = [number for number in range(1, regions.max() + 1) if len(np.unique(markers[regions == number])) > 2]
    clumped = np.isin(regions, several)
    flooded = watershed(-score, np.where(clumped, markers, 0), mask=clumped)
    return np.where(clumped, flooded + regions.max(), regions), len(several)


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("inside", [30, 45, 60])
def test_it_is_a_watershed_of_the_whole_image(seed, inside):
    regions, markers, score = clumps(seed, inside=inside)
    expected, count = plain(regions, markers, score)
    assert count
    before = [each.copy() for each in (regions, markers, score)]
    np.testing.assert_array_equal(split(regions, markers, score), expected)
    for now, then in zip((regions, markers, score), before):
        np.testing.assert_array_equal(now, then)


@pytest.mark.parametrize("shape", [(1, 400), (400, 1), (7, 300), (300, 7)])
def test_images_of_any_shape(shape):
    rng = np.random.default_rng(0)
    score = ndimage.gaussian_filter1d(rng.standard_normal(shape), 2, axis=int(np.argmax(shape))).astype(np.float32)
    regions = ndimage.label(score > np.percentile(score, 20), output=np.int32)[0]
    markers = ndimage.label(score > np.percentile(score, 70), output=np.int32)[0]
    expected, count = plain(regions, markers, score)
    assert count
    np.testing.assert_array_equal(split(regions, markers, score), expected)


def test_without_a_clump_nothing_is_copied():
    regions, markers, score = clumps(0)
    one_each = np.zeros_like(markers)
    for number, window in enumerate(ndimage.find_objects(regions), start=1):
        y, x = np.argwhere(regions[window] == number)[0]
        one_each[window][y, x] = number
    runs = runs_of(regions)
    assert split_regions(runs, runs_of(one_each), score) is runs
    assert split_regions(runs, runs_of(np.zeros_like(markers)), score) is runs


@pytest.mark.parametrize("at_a_time", [1, 2500, 10**6])
def test_clumps_on_several_canvases_are_split_alike(monkeypatch, at_a_time):
    regions, markers, score = clumps(0, (200, 150), 55, 75)
    whole = split(regions, markers, score)
    assert len(np.unique(whole)) > len(np.unique(regions)) > 5
    monkeypatch.setattr("cpunet.steps.clumps.CANVAS_PX", at_a_time)
    np.testing.assert_array_equal(split(regions, markers, score), whole)


@pytest.mark.parametrize("seed", range(5))
def test_a_clump_is_split_alike_wherever_it_lies_and_whatever_lies_beside_it(seed):
    # Few heights, so that many pixels of markers tie. A watershed of the whole image takes these in a random order.
    regions, markers, score = clumps(seed, (120, 130), 50)
    score = np.round(score * 8).astype(np.float32)
    together = split(regions, markers, score)
    clumped = [number for number in range(1, regions.max() + 1) if len(np.unique(together[regions == number])) > 1]
    assert clumped
    for number in clumped:
        own = regions == number
        alone = np.pad(own.astype(np.int32), ((3, 0), (7, 2)))
        of_own = np.where(own, markers, 0)
        names, renumbered = np.unique(of_own, return_inverse=True)
        assert len(names) > 2
        renumbered = np.pad(renumbered.reshape(own.shape).astype(np.int32), ((3, 0), (7, 2)))
        found = split(alone, renumbered, np.pad(score, ((3, 0), (7, 2))))[3:, 7:-2]
        np.testing.assert_array_equal(names[found[own] - 1], together[own] - regions.max())


@pytest.mark.parametrize("seed", range(5))
def test_of_equal_pixels_each_goes_to_a_marker_that_reaches_it(seed):
    regions, markers, score = clumps(seed, (60, 70), 50)
    score = np.round(score * 8).astype(np.float32)
    found = split(regions, markers, score)
    assert ((found > 0) == (regions > 0)).all()
    for number in np.unique(found[found > regions.max()]):
        _, count = ndimage.label(found == number)
        assert count == 1
        assert (found[markers == number - regions.max()] == number).all()
