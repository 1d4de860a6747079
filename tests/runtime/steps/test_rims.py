"""What lies on both sides of each boundary."""

import numpy as np
import pytest
from scipy import ndimage

from cpunet.steps import rims
from cpunet.steps.rims import (
    CIRCLE_PX,
    DEPTH_PX,
    LEAST_DEPTH_PX,
    MARGIN_PX,
    PARTS,
    PLACES,
    REACH_PX,
    joined_rims,
    none_of,
    rims_of,
)


def drawn(seed=0, shape=(90, 120), channels=2):
    """Random regions with boundaries of several widths between them, and an image."""
    rng = np.random.default_rng(seed)
    smooth = ndimage.gaussian_filter(rng.random(shape), 3)
    regions = ndimage.label(np.abs(smooth - np.median(smooth)) > 0.3 * smooth.std(), output=np.int32)[0]
    image = np.stack([ndimage.gaussian_filter(rng.random(shape), 1) for _ in range(channels)]).astype(np.float32)
    return regions, image


def brute_force(regions, image, usable=None):
    """Walk along each row and each column, pixel by pixel."""
    found = {}
    whole = np.rint(image * PARTS).astype(int)
    usable = np.ones(regions.shape, bool) if usable is None else usable
    lines = [[(y, x) for x in range(regions.shape[1])] for y in range(regions.shape[0])]
    lines += [[(y, x) for y in range(regions.shape[0])] for x in range(regions.shape[1])]
    for line in lines:
        numbers = [regions[place] for place in line]
        for at in range(1, len(line)):
            if not numbers[at] or numbers[at - 1]:
                continue
            last = at - 1
            while last >= 0 and not numbers[last]:
                last -= 1
            gap = line[last + 1 : at]
            if last < 0 or numbers[last] == numbers[at] or len(gap) > REACH_PX:
                continue
            if not all(usable[place] for place in gap):
                continue
            left, right, depths = [line[last]], [line[at]], [1, 1]
            for step in range(1, DEPTH_PX):
                inside = last - step >= 0 and all(n == numbers[last] for n in numbers[last - step : last])
                left.append(line[last - step] if inside else left[-1])
                depths[0] += inside
                inside = at + step < len(line) and all(n == numbers[at] for n in numbers[at : at + step + 1])
                right.append(line[at + step] if inside else right[-1])
                depths[1] += inside
            add(found, numbers[last], numbers[at], left, right, gap, whole, regions, depths)
    return found


def add(found, one, other, left, right, gap, whole, regions, depths):
    values = [[[plane[place] for place in side] for plane in whole] for side in (left, right)]
    bright = [np.sum(side, axis=1) for side in values]
    rough = [np.zeros(len(whole), int)] * 2
    if min(depths) >= LEAST_DEPTH_PX:
        changes = [np.abs(np.diff(side, axis=1)).sum(axis=1) for side in values]
        rough = [each * (DEPTH_PX - 1) // (depth - 1) for each, depth in zip(changes, depths)]
    middle = np.array([plane[gap[len(gap) // 2]] for plane in whole])
    steps = np.concatenate([bright[0] - bright[1], rough[0] - rough[1]])
    ridges = np.concatenate([abs(DEPTH_PX * middle - (bright[0] + bright[1]) // 2), np.minimum(*rough) // 2])
    bulge = 0
    for y, x in (gap[len(gap) // 2], gap[(len(gap) - 1) // 2]):
        height, width = regions.shape
        if not (CIRCLE_PX <= y < height - CIRCLE_PX and CIRCLE_PX <= x < width - CIRCLE_PX):
            continue
        for turn in np.arange(PLACES // 2) * 4 * np.pi / PLACES:
            there = regions[y + round(CIRCLE_PX * np.sin(turn)), x + round(CIRCLE_PX * np.cos(turn))]
            bulge += int(there == other) - int(there == one)
    sign, key = (1, (one, other)) if one < other else (-1, (other, one))
    before = found.setdefault(key, [0, 0 * steps, 0 * ridges, 0])
    found[key] = [before[0] + 1, before[1] + sign * steps, before[2] + ridges, before[3] + sign * bulge]


@pytest.mark.parametrize("holes", [False, True])
def test_rims_equal_brute_force(holes, monkeypatch):
    monkeypatch.setattr(rims, "CROSSINGS_AT_A_TIME", 100)
    regions, image = drawn()
    usable = None
    if holes:
        usable = np.random.default_rng(1).random(regions.shape) > 0.02
        regions = np.where(usable, regions, 0).astype(np.int32)
    found, expected = rims_of(regions, image, usable), brute_force(regions, image, usable)
    assert len(expected) > 30
    assert list(zip(found.first, found.second)) == sorted(expected)
    for index, (_, each) in enumerate(sorted(expected.items())):
        assert found.crossings[index] == each[0]
        np.testing.assert_array_equal(found.steps[index], each[1])
        np.testing.assert_array_equal(found.ridges[index], each[2])
        assert found.bulges[index] == each[3]


def test_parts_of_an_image_add_up_to_the_whole():
    regions, image = drawn(2, (300, 60), 1)
    parts = []
    for first in range(0, 300, 40):
        around = slice(max(0, first - MARGIN_PX), min(300, first + 40 + MARGIN_PX))
        own = slice(first - around.start, min(300, first + 40) - around.start)
        parts.append(rims_of(regions[around], image[:, around], None, own))
    for joined, whole in zip(joined_rims(parts), rims_of(regions, image)):
        np.testing.assert_array_equal(joined, whole)


def test_regions_further_apart_than_the_reach_have_no_boundary():
    regions = np.zeros((30, 200), np.int32)
    regions[:, :10] = 1
    image = np.ones((1, 30, 200), np.float32)
    for gap, boundaries in ((REACH_PX, 1), (REACH_PX + 1, 0)):
        regions[:, 10:] = 0
        regions[:, 10 + gap :] = 2
        assert len(rims_of(regions, image).first) == boundaries


def test_a_disc_bulges_into_what_lies_around_it():
    y, x = np.mgrid[:80, :90]
    away = np.hypot(y - 40, x - 45)
    regions = np.where(away < 15, 2, np.where(away < 18, 0, 1)).astype(np.int32)
    found = rims_of(regions, np.zeros((1, 80, 90), np.float32))
    assert found.first.tolist() == [1]
    assert found.bulges[0] < -2 * found.crossings[0], "the first, around, bulges the other way"


@pytest.mark.parametrize("shape", [(1, 1), (1, 7), (5, 5)])
def test_without_regions_there_is_no_boundary(shape):
    found = rims_of(np.zeros(shape, np.int32), np.ones((3, *shape), np.float32))
    for each, nothing in zip(found, none_of(3)):
        assert each.shape == nothing.shape
