"""Tell which of the regions between boundaries are background, by how the image steps from region to region."""

from __future__ import annotations

from typing import List, NamedTuple, Tuple

import numpy as np
import numpy.typing as npt

from cpunet.steps.rims import Rims

Numbers = npt.NDArray[np.float64]
Chosen = npt.NDArray[np.bool_]
# Contrast decides if so much of all steps in the image are explained by background and objects.
LEAST_EXPLAINED = 0.3
# A region of so many times the median area may be background by its size alone.
MUCH_LARGER = 4.0
# A region of which so much of the rim faces background is an object: two pieces of background have no boundary between.
MOST_OF_RIM, SOME_OF_RIM = 0.5, 0.1
# How much size counts beside the steps that are explained, and that objects are brighter unless something says otherwise.
SIZE_WEIGHT, BRIGHTER_WEIGHT = 0.25, 0.1


class _Sides(NamedTuple):
    """Each boundary from both of its sides, sorted by the region that it is seen from."""

    region: npt.NDArray[np.int64]
    other: npt.NDArray[np.int64]
    crossings: Numbers
    rise: Numbers
    begins: npt.NDArray[np.int64]


def background_regions(areas: npt.NDArray[np.int64], rims: Rims) -> Chosen:
    """Tell which regions are background.

    Parameters
    ----------
    areas : ndarray of shape (n + 1,), int
        Pixels of each region, by its number.
    rims : Rims
        The boundaries between them.

    Returns
    -------
    ndarray of shape (n + 1,), bool
        By number; False for 0.
    """
    none = np.zeros(len(areas), bool)
    if len(areas) < 2:
        return none
    trials: List[Tuple[float, Chosen]] = []
    for channel in range(rims.steps.shape[1]):
        for sign in (1, -1):
            chosen = _by_contrast(areas, rims, channel, sign)
            explained, size = _explained(areas, rims, channel, sign, chosen)
            if explained >= LEAST_EXPLAINED:
                trials.append((explained + SIZE_WEIGHT * size + BRIGHTER_WEIGHT * (sign == 1), chosen))
    if trials:
        return max(trials, key=lambda each: each[0])[1]
    return _by_size(areas, rims)


def _sides(rims: Rims, steps: Numbers) -> _Sides:
    region, other = np.concatenate([rims.first, rims.second]), np.concatenate([rims.second, rims.first])
    order = np.argsort(region, kind="stable")
    rise = np.concatenate([-steps, steps])[order]
    region = region[order]
    return _Sides(region, other[order], np.tile(rims.crossings, 2)[order].astype(float), rise, np.zeros(0, np.int64))


def _by_contrast(areas: npt.NDArray[np.int64], rims: Rims, channel: int, sign: int) -> Chosen:
    count = len(areas)
    sides = _sides(rims, sign * rims.steps[:, channel].astype(float))
    length = np.bincount(sides.region, sides.crossings, minlength=count)
    darker = np.bincount(sides.region, sides.rise, minlength=count)
    ridge = np.zeros(count)
    for number in (rims.first, rims.second):
        ridge += np.bincount(number, rims.ridges[:, channel], minlength=count)
    begins = np.searchsorted(sides.region, np.arange(count + 1))
    larger = np.log2(np.maximum(1, areas / np.median(areas[1:])))
    background = np.zeros(count, bool)
    contrast, contrast_length = np.zeros(count), np.zeros(count)
    for number in np.argsort(-darker, kind="stable"):
        if number == 0 or length[number] == 0 or (darker[number] <= 0 and larger[number] < 4):
            continue
        own = slice(begins[number], begins[number + 1])
        other, crossings, rise = sides.other[own], sides.crossings[own], sides.rise[own]
        known = background[other]
        if known.any():
            share = crossings[known].sum() / length[number]
            if share > MOST_OF_RIM:
                continue
            usual = contrast.sum() / contrast_length.sum()
            if share > SOME_OF_RIM and -rise[known].sum() / crossings[known].sum() > usual / 4:
                continue
        other, crossings, rise = other[~known], crossings[~known], rise[~known]
        step = rise.sum() / crossings.sum()
        if not contrast_length.any():
            accepted = rise.sum() > ridge[number] or areas[number] >= MUCH_LARGER * np.median(areas[1:])
        else:
            near = contrast_length[other].sum()
            usual = contrast[other].sum() / near if near else contrast.sum() / contrast_length.sum()
            accepted = step > usual * (0.5 - larger[number] / 8)
        if accepted:
            background[number] = True
            contrast[other] += rise
            contrast_length[other] += crossings
    return background


def _explained(areas: npt.NDArray[np.int64], rims: Rims, channel: int, sign: int, chosen: Chosen) -> Tuple[float, float]:
    steps = sign * rims.steps[:, channel].astype(float)
    total = np.abs(steps).sum()
    one, other = chosen[rims.first], chosen[rims.second]
    between = one != other
    if not total or not between.any():
        return 0.0, 0.0
    explained = np.where(one, -steps, steps)[between].sum() / total
    ratio = np.log2(areas[rims.first] / areas[rims.second])[between] * np.where(one[between], 1, -1)
    size = np.average(np.clip(ratio / 2, -1, 1), weights=rims.crossings[between])
    return float(explained), float(size)


def _by_size(areas: npt.NDArray[np.int64], rims: Rims) -> Chosen:
    count = len(areas)
    sides = _sides(rims, np.zeros(len(rims.first)))
    length = np.bincount(sides.region, sides.crossings, minlength=count)
    begins = np.searchsorted(sides.region, np.arange(count + 1))
    background = np.zeros(count, bool)
    enough = MUCH_LARGER * np.median(areas[1:])
    for number in np.argsort(-areas[1:], kind="stable") + 1:
        if background.any() and areas[number] < enough:
            break
        own = slice(begins[number], begins[number + 1])
        facing = sides.crossings[own][background[sides.other[own]]].sum()
        if facing <= MOST_OF_RIM * length[number]:
            background[number] = True
    return background
