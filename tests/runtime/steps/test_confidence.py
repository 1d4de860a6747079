import numpy as np
import pytest
from scipy import ndimage

from cpunet.steps.confidence import boundary_confidence, count_from_area, foreground_area, foreground_confidence


def discs(*middles, radius=6, shape=(40, 60)):
    y, x = np.mgrid[: shape[0], : shape[1]]
    labels = np.zeros(shape, np.int32)
    for number, (my, mx) in enumerate(middles, start=1):
        labels[(np.hypot(y - my, x - mx) < radius) & (labels == 0)] = number
    return labels


def as_probability(labels):
    return (labels > 0).astype(np.float32)


APART = discs((10, 10), (10, 30), (30, 20))
EMPTY = np.zeros((9, 9), np.int32)


def random_case(seed=0, stack=False):
    rng = np.random.default_rng(seed)
    shape = (4, 20, 24) if stack else (20, 24)
    labels, _ = ndimage.label(ndimage.gaussian_filter(rng.standard_normal(shape), 1) > 0.1, output=np.int32)
    return labels, rng.random(shape).astype(np.float32)


def brute_force_boundary(labels, foreground, rim_px):
    """Walk from each pixel in each plane: who is within so many steps of a pixel on the other side?"""
    result = []
    pixels = [tuple(int(p) for p in pixel) for pixel in np.ndindex(labels.shape)]
    near = {
        one: [two for two in pixels if two[:-2] == one[:-2] and sum(abs(a - b) for a, b in zip(one, two)) <= rim_px]
        for one in pixels
    }
    for number in range(1, labels.max() + 1):
        inner = [p for p in pixels if labels[p] == number and any(labels[q] != number for q in near[p])]
        outer = [p for p in pixels if labels[p] != number and any(labels[q] == number for q in near[p])]
        value = np.mean([foreground[p] for p in inner]) - np.mean([foreground[p] for p in outer]) if outer else 0
        result.append(np.clip(value, 0, 1))
    return result


@pytest.mark.parametrize("stack", [False, True])
@pytest.mark.parametrize("rim_px", [1, 2, 3])
@pytest.mark.parametrize("pixels_at_a_time", [7, 10**6])
def test_boundary_confidence_equals_brute_force(stack, rim_px, pixels_at_a_time, monkeypatch):
    monkeypatch.setattr("cpunet.steps.confidence.PIXELS_AT_A_TIME", pixels_at_a_time)
    monkeypatch.setattr("cpunet.steps.confidence.LEAST_ROWS_AT_A_TIME", 2)
    labels, foreground = random_case(stack=stack)
    assert labels.max() > 4
    found = boundary_confidence(labels, foreground, rim_px)
    np.testing.assert_allclose(found, brute_force_boundary(labels, foreground, rim_px), atol=1e-6)
    assert found.max() > 0


@pytest.mark.parametrize("stack", [False, True])
def test_foreground_confidence_is_the_mean_of_each_object(stack):
    labels, foreground = random_case(1, stack)
    expected = [foreground[labels == number].mean() for number in range(1, labels.max() + 1)]
    np.testing.assert_allclose(foreground_confidence(labels, foreground), expected, rtol=1e-5)


def test_sharp_outlines_are_sure_and_blurred_ones_are_not():
    sharp = boundary_confidence(APART, as_probability(APART))
    np.testing.assert_allclose(sharp, 1)
    blurred = boundary_confidence(APART, ndimage.gaussian_filter(as_probability(APART), 3))
    assert (blurred < 0.5).all()
    assert (blurred > 0.05).all()
    np.testing.assert_allclose(boundary_confidence(APART, np.full(APART.shape, 0.7, np.float32)), 0, atol=1e-6)


def test_an_object_cut_out_of_a_clump_is_less_sure_of_its_outline():
    clump = discs((10, 10), (10, 19), (30, 40))
    sure = boundary_confidence(clump, as_probability(clump))
    assert sure[2] == pytest.approx(1)
    assert (sure[:2] < 0.95).all()
    np.testing.assert_allclose(foreground_confidence(clump, as_probability(clump)), 1)


def test_values_stay_between_0_and_1():
    foreground = np.where(APART > 0, np.float32(1.0000002), np.float32(0))
    assert foreground_confidence(APART, foreground).max() <= 1
    assert boundary_confidence(APART, 1 - as_probability(APART)).min() == 0
    assert boundary_confidence(np.ones((5, 5), np.int32), np.ones((5, 5), np.float32)).tolist() == [0]


@pytest.mark.parametrize("labels", [EMPTY, np.zeros((3, 5, 5), np.int32), np.zeros((1, 1), np.int32)])
def test_no_object_gives_no_number(labels):
    probability = np.ones(labels.shape, np.float32)
    assert foreground_confidence(labels, probability).shape == (0,)
    assert boundary_confidence(labels, probability).shape == (0,)
    assert count_from_area(labels) == 0
    assert foreground_area(labels) == 0


@pytest.mark.parametrize("function", [foreground_confidence, boundary_confidence])
def test_shapes_must_agree(function):
    with pytest.raises(ValueError, match="they must agree"):
        function(EMPTY, np.zeros((9, 8), np.float32))
    with pytest.raises(ValueError, match="rim must be 1 pixel"):
        boundary_confidence(EMPTY, np.zeros(EMPTY.shape, np.float32), 0)


def test_a_clump_taken_for_one_object_counts_by_its_area():
    single = discs((10, 10), (10, 30), (30, 10), (30, 30))
    assert count_from_area(single) == pytest.approx(4)
    clump = single.copy()
    clump[20:40, 40:60] = 5
    area = np.bincount(single.ravel())[1]
    assert count_from_area(clump) == pytest.approx(4 + 400 / area)
    assert foreground_area(clump) == 4 * area + 400


def test_the_typical_object_lies_apart_and_is_not_cut_by_the_frame():
    labels = discs((10, 10), (10, 30), (30, 10), (30, 30), (20, 45))  # apart
    area = np.bincount(labels.ravel())[1]
    labels[0:3, 50:53] = 6  # cut by the frame
    labels[34:37, 50:53], labels[34:37, 53:56] = 7, 8  # a fragment beside another
    assert count_from_area(labels) == pytest.approx((5 * area + 27) / area)
    at_corner = np.zeros((9, 9), np.int32)
    at_corner[2:4, 2:4], at_corner[4:7, 4:7] = 3, 7  # a corner is no touch
    assert count_from_area(at_corner) == pytest.approx(13 / 6.5)


def tissue(apart):
    """A block of 6 x 8 touching objects, and some small ones apart."""
    labels = np.zeros((120, 120), np.int32)
    labels[40:100, 10:90] = np.arange(1, 49).reshape(6, 8).repeat(10, axis=0).repeat(10, axis=1)
    for number in range(apart):
        labels[5:9, 5 + 8 * number : 9 + 8 * number] = 49 + number
    return labels


@pytest.mark.parametrize(
    "labels",
    [
        tissue(0),
        tissue(3),
        tissue(10),
        np.where((tissue(10) > 0) & (tissue(10) < 49), 1, tissue(10)),
        np.pad(np.ones((10, 30), np.int32), ((0, 20), (0, 0))),
    ],
    ids=["none apart", "few apart", "fragments apart", "one clump that was not split", "only one, at the frame"],
)
def test_the_count_is_not_a_number_where_nothing_says_how_large_one_object_is(labels):
    assert np.isnan(count_from_area(labels))


def test_objects_of_a_stack_touch_across_planes():
    labels = np.zeros((4, 12, 30), np.int32)
    labels[1, 2:6, 2:6], labels[2, 2:6, 2:6] = 1, 2  # one above the other, 16 voxels each
    labels[0:3, 2:6, 15:20] = 3  # 60 voxels, from the first plane: no frame in a stack
    labels[1:3, 8:10, 15:20] = 4  # 20 voxels
    assert np.isnan(count_from_area(labels))  # two objects apart are too few beside two that touch
    labels[labels == 2] = 0
    labels[1:3, 8:10, 22:27] = 5  # 20 voxels more
    assert count_from_area(labels) == pytest.approx(116 / 20)  # the median of 16, 60, 20 and 20
