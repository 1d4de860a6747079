import re

import numpy as np
import pytest
from scipy import ndimage
from skimage.measure import points_in_poly

from cpunet.checks.synthetic import synthetic_field
from cpunet.review.outline_paths import outline_paths
from tests.boxes import FIRST, boxes

RANDOM = ndimage.label(ndimage.gaussian_filter(np.random.default_rng(3).normal(size=(40, 50)), 1.2) > 0.05)[0]
RING = boxes((5, 20, 5, 20)) - boxes((9, 15, 9, 15))
GAPS = np.where(boxes(FIRST) > 0, 9, 0) + np.where(boxes((20, 30, 50, 60)) > 0, 4, 0)
TWO_PARTS = boxes((2, 6, 2, 6)) + boxes((10, 12, 30, 40))
CASES = {
    "random": RANDOM,
    "touching": synthetic_field((96, 96), 3, 18, touching=True).labels,
    "hole": RING,
    "gaps in numbers, at the border": GAPS,
    "one object in two parts": TWO_PARTS,
    "one pixel": boxes((3, 4, 7, 8)),
    "all": np.ones((6, 8), int),
    "empty": boxes(),
}


def filled(path, shape):
    """Fill a path as a browser does: a pixel is inside if its center is inside an odd number of closed lines."""
    y, x = np.indices(shape)
    centers = 2 * np.stack([x.ravel(), y.ravel()], axis=1) + 1.0
    inside = np.zeros(len(centers), bool)
    for part in re.findall(r"M([^z]+)z", path):
        points = [tuple(map(int, step.split())) for step in part.split("l")]
        inside ^= points_in_poly(centers, np.cumsum(points, axis=0))
    return inside.reshape(shape)


@pytest.mark.parametrize("labels", CASES.values(), ids=CASES)
def test_an_outline_encloses_the_pixels_of_its_object_and_no_other(labels):
    found = outline_paths(labels)
    assert [each.number for each in found] == [number for number in np.unique(labels) if number]
    for number, path in found:
        np.testing.assert_array_equal(filled(path, labels.shape), labels == number)


def test_outlines_are_small():
    labels = synthetic_field((512, 512), 10, 30).labels
    found = outline_paths(labels)
    assert len(found) == labels.max()
    assert np.mean([len(each.path) for each in found]) < 500
