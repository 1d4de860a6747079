import numpy as np
import pytest
from scipy import ndimage

from cpunet.volumes import clumps
from cpunet.volumes.clumps import split_clumps


@pytest.fixture
def tissue():
    """One region full of seeds, and a score that falls with the distance to the nearest."""
    drawn = np.random.default_rng(0)
    markers = np.zeros((24, 60, 70), np.int32)
    for number, place in enumerate(drawn.choice(markers.size, 40, replace=False), start=1):
        markers.reshape(-1)[place] = number
    distance = ndimage.distance_transform_edt(markers == 0, sampling=(2, 1, 1))
    return (1 / (1 + distance)).astype(np.float32), markers


def split(score, markers, regions=None):
    regions = np.ones(score.shape, np.int32) if regions is None else regions.copy()
    split_clumps(regions, markers.copy(), lambda box, inside: score[box], 2.0)
    return regions


@pytest.mark.parametrize("largest", [60_000, 20_000, 4_000])
def test_blocks_divide_a_clump_as_one_piece_does(tissue, monkeypatch, largest):
    whole = split(*tissue)
    monkeypatch.setattr(clumps, "LARGEST_BLOCK", largest)
    monkeypatch.setattr(clumps, "REACH_PX", 16.0)
    found = split(*tissue)
    assert (found > 1).all()  # nothing is left out
    assert np.array_equal(np.unique(found), np.unique(whole))
    assert (found == whole).mean() > 0.99


def test_what_has_no_seed_in_its_block_belongs_to_that_of_another_block(monkeypatch):
    monkeypatch.setattr(clumps, "LARGEST_BLOCK", 100)
    monkeypatch.setattr(clumps, "REACH_PX", 0.0)
    markers = np.zeros((4, 20, 60), np.int32)
    markers[2, 18, 57], markers[2, 18, 50] = 1, 2
    found = split(np.ones(markers.shape, np.float32), markers)
    assert set(np.unique(found)) == {2, 3}


def test_regions_with_one_seed_or_none_are_left_alone_and_others_do_not_mix(monkeypatch):
    monkeypatch.setattr(clumps, "LARGEST_BLOCK", 50)
    regions = np.zeros((4, 10, 30), np.int32)
    regions[:, :, :9], regions[:, :, 10:19], regions[:, :, 20:] = 1, 2, 3
    markers = np.zeros_like(regions)
    markers[1, 2, 2], markers[1, 8, 8], markers[2, 5, 12] = 1, 2, 3
    found = split(np.ones(regions.shape, np.float32), markers, regions)
    assert (found[:, :, 10:19] == 2).all()
    assert (found[:, :, 20:] == 3).all()
    assert set(np.unique(found[:, :, :9])) == {4, 5}
    assert not found[:, :, [9, 19]].any()
