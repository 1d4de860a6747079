import numpy as np
import pytest

from cpunet.errors import LabelFileError
from cpunet.training.importing.formats import shapes
from cpunet.training.importing.formats.shapes import Box, Ellipse, Polygons, curve, enclosed, ring_of
from tests.import_sources import field
from tests.outlines import rings_of

SHAPE = (20, 30)


def mask_of(rings, shape=SHAPE):
    mask = np.zeros(shape, bool)
    mask.ravel()[enclosed([ring_of(ring) for ring in rings], shape)] = True
    return mask


def centers_inside(ring, shape):
    """The definition: a ray to the right from the center of each pixel crosses the ring an odd number of times."""
    inside = np.zeros(shape, bool)
    for y, x in np.ndindex(*shape):
        for (x1, y1), (x2, y2) in zip(ring, ring[1:] + ring[:1], strict=True):
            if (y1 <= y + 0.5) != (y2 <= y + 0.5) and x + 0.5 < x1 + (y + 0.5 - y1) * (x2 - x1) / (y2 - y1):
                inside[y, x] ^= True
    return inside


def test_a_square_of_whole_numbers_holds_as_many_pixels_as_its_area():
    mask = mask_of([[(3, 2), (7, 2), (7, 5), (3, 5)]])
    assert mask.sum() == 12
    assert mask[2:5, 3:7].all()


@pytest.mark.parametrize("seed", range(5))
def test_pixels_are_those_whose_centers_lie_inside(seed):
    points = np.random.default_rng(seed).uniform(-5, 32, (9, 2))  # crosses itself, and reaches beyond the image
    ring = [tuple(point) for point in points.tolist()]
    expected = centers_inside(ring, SHAPE)
    assert expected.any()
    np.testing.assert_array_equal(mask_of([ring]), expected)


def test_traced_objects_come_back_with_their_holes():
    labels = field(3, touching=True)[1]
    mask = labels > 0
    mask[np.flatnonzero(mask.any(axis=1))[4], :] = False
    ring = np.argwhere(labels == 2).mean(axis=0).astype(int)
    mask[ring[0] : ring[0] + 2, ring[1]] = False
    np.testing.assert_array_equal(mask_of(rings_of(mask), mask.shape), mask)


def test_neighbors_with_a_common_edge_share_no_pixel_and_leave_none():
    left, right = [(2.5, 1.5), (9.5, 3.5), (6.5, 12.5)], [(9.5, 3.5), (15.5, 8.5), (6.5, 12.5)]
    both = [(2.5, 1.5), (9.5, 3.5), (15.5, 8.5), (6.5, 12.5)]
    masks = mask_of([left]), mask_of([right])
    assert not (masks[0] & masks[1]).any()
    np.testing.assert_array_equal(masks[0] | masks[1], mask_of([both]))


def test_a_center_on_an_edge_counts_as_in_imagej():
    mask = mask_of([[(3.5, 2.5), (7.5, 2.5), (7.5, 5.5), (3.5, 5.5)]])
    assert np.argwhere(mask).min(axis=0).tolist() == [2, 4]
    assert np.argwhere(mask).max(axis=0).tolist() == [4, 7]


@pytest.mark.parametrize("ring", [[(3, 3)], [(3, 3), (9, 9)], [(3, 3), (9, 3), (5, 3)], [(40, 3), (50, 3), (50, 9)]])
def test_what_encloses_nothing_has_no_pixel(ring):
    assert not mask_of([ring]).any()


def test_areas_of_one_object_are_joined():
    squares = [ring_of([(x, 2), (x + 4, 2), (x + 4, 6), (x, 6)]) for x in (3, 5)]
    assert len(Polygons(tuple((square,) for square in squares)).pixels(SHAPE)) == 24
    assert Polygons(((squares[0],), (squares[1],))).box == Box(3, 2, 9, 6)


def test_ellipses():
    y, x = np.mgrid[: SHAPE[0], : SHAPE[1]] + 0.5
    expected = ((x - 12) / 8) ** 2 + ((y - 9.5) / 4.5) ** 2 <= 1
    mask = np.zeros(SHAPE, bool)
    mask.ravel()[Ellipse(Box(4, 5, 20, 14)).pixels(SHAPE)] = True
    np.testing.assert_array_equal(mask, expected)
    assert len(Ellipse(Box(-4, -4, 4, 4)).pixels(SHAPE)) == len(Ellipse(Box(26, 16, 34, 24)).pixels(SHAPE)) > 0
    assert not len(Ellipse(Box(5, 5, 5, 5)).pixels(SHAPE))


def test_a_curve_ends_at_its_last_point_and_passes_its_middle():
    points = curve([(0, 0), (4, 8), (8, 0)])
    assert points[-1] == (8, 0)
    assert points[len(points) // 2 - 1] == (4, 4)


@pytest.mark.parametrize(
    "points",
    [[[1, 2], [3]], "abc", [[1, "x"], [2, 3]], [], [1, 2, 3], [[1], [2]], [[np.nan, 1], [2, 3]], [[1e300, 1], [2, 3]]],
)
def test_what_is_no_ring_is_refused(points):
    with pytest.raises(LabelFileError, match="an outline"):
        ring_of(points)


def test_a_scribble_that_would_fill_the_memory_is_refused(monkeypatch):
    monkeypatch.setattr(shapes, "MOST_CROSSINGS", 1000)
    scribble = [(x % 30, 0 if x % 2 else 20) for x in range(200)]
    with pytest.raises(LabelFileError, match=r"an outline of 200 points crosses the rows of the image \d+ times"):
        mask_of([scribble])
