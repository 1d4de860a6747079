"""Regions of bands are those that scipy labels in one piece, with the same numbers."""

import numpy as np
import pytest
from scipy import ndimage

from cpunet.mosaic.disk_array import DiskArray
from cpunet.mosaic.objects.components import RegionsByBand

SPIRAL = np.array(
    [
        [1, 1, 1, 1, 1, 1, 1],
        [0, 0, 0, 0, 0, 0, 1],
        [1, 1, 1, 1, 1, 0, 1],
        [1, 0, 0, 0, 1, 0, 1],
        [1, 0, 1, 1, 1, 0, 1],
        [1, 0, 0, 0, 0, 0, 1],
        [1, 1, 1, 1, 1, 1, 1],
    ],
    bool,
)
MASKS = {
    "spiral": SPIRAL,
    "comb": np.array([[1, 0, 1, 0, 1], [1, 0, 1, 0, 1], [1, 1, 1, 0, 1], [0, 0, 1, 1, 1]], bool),
    "nothing": np.zeros((5, 6), bool),
    "all": np.ones((5, 6), bool),
    **{f"random {share}": np.random.default_rng(3).random((60, 50)) < share for share in (0.3, 0.55, 0.62, 0.8)},
}


@pytest.mark.parametrize("height", [1, 2, 7])
@pytest.mark.parametrize("name", MASKS)
def test_regions_of_bands_are_those_of_one_piece(tmp_path, name, height):
    mask = MASKS[name]
    by_band = RegionsByBand(DiskArray.create(tmp_path / "parts", mask.shape, np.int32))
    for first in range(0, len(mask), height):
        rows = slice(first, min(first + height, len(mask)))
        by_band.add(rows, mask[rows])
    regions = by_band.finish()
    expected, count = ndimage.label(mask)
    np.testing.assert_array_equal(regions.read(slice(None)), expected)
    assert regions.highest == count
    np.testing.assert_array_equal(regions.pixels[1:], np.bincount(expected.ravel(), minlength=count + 1)[1:])
    windows = [(y.start, y.stop, x.start, x.stop) for y, x in ndimage.find_objects(expected)]
    np.testing.assert_array_equal(regions.windows[1:], np.array(windows).reshape(-1, 4))
