"""Tell which of the regions between boundaries are background, by how the image steps from region to region."""

from __future__ import annotations

from typing import List, NamedTuple, Optional, Tuple

import numpy as np
import numpy.typing as npt

from cpunet.steps.rims import CIRCLE_PX, PLACES, Rims

Areas = npt.NDArray[np.intp]
Numbers = npt.NDArray[np.float64]
Chosen = npt.NDArray[np.bool_]
# Two pieces of background have no boundary between them: what faces background with so much of its rim is an object.
# So is what faces it with some of its rim, if it is brighter than that by so much of the usual step.
MOST_OF_RIM, SOME_OF_RIM, CLEARLY_BRIGHTER = 0.5, 0.1, 0.25
# Background is darker than the objects around it by so much of the step from these objects to other background or, if
# none is known, by so much of the usual step. A nucleus among brighter ones is not.
NEAR_STEP, FAR_STEP = 0.5, 0.6
# Each doubling of the area beyond the typical one takes so much off these. From so many on, no step is needed.
STEP_OFF_A_DOUBLING, DOUBLINGS_ENOUGH = 0.125, 4.0
# Where two nuclei and the background meet, wide boundaries leave specks of it, so many times smaller than is typical.
SPECK_TIMES = 40
# A region of so many times the typical area may be background by its size alone.
MUCH_LARGER = 4.0
# A feature counts if its step from background to objects is larger than its ridges at the boundaries by so much.
RIDGE_OF_STEP = 0.75
# If the objects do not bulge into it, background must step to them by so many times what they differ among each other:
# where all cells touch, the darkest of them are no background.
LEAST_BULGE, TIMES_AMONG_OBJECTS = 0.1, 3.0
# How much it counts that objects bulge into the background, all in all, and that they are brighter; beside 1 for steps
# without ridges. A mean bulge of so many parts of a circle is full certainty.
BULGE_WEIGHT, BRIGHTER_WEIGHT, CLEAR_BULGE = 0.25, 0.05, 0.04


class _Sides(NamedTuple):
    """Each boundary from both of its sides, sorted by the region that it is seen from.

    `begins` has the first of a region by its number, `rise` how much brighter the other side is, over all crossings.
    """

    begins: npt.NDArray[np.intp]
    other: npt.NDArray[np.int64]
    crossings: Numbers
    rise: Numbers
    ridge: Numbers


class _Trial(NamedTuple):
    """The background that one feature finds: its mean step to the objects, and the ridge and bulge there.

    `among_objects` is the mean step from object to object, up or down.
    """

    background: Chosen
    step: float
    ridge: float
    bulge: float
    among_objects: float


def background_regions(areas: Areas, rims: Rims) -> Chosen:
    """Tell which regions between boundaries are background.

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

    Notes
    -----
    1. Background is looked for by the brightness of each channel, once with brighter objects and once with darker ones:
       regions that are darker (brighter) than all that lies across their boundaries. Only what lies near the
       boundaries counts, so that uneven light does not. See `_by_steps`.
    2. A brightness counts if it steps from background to objects, rather than only being higher or lower on the
       boundary itself, and if objects bulge into the background or differ far less among each other. Of several, the
       one with the strongest and cleanest steps is taken. Objects bulge into the background, and are brighter if
       nothing else decides: this tells bright nuclei from dark ones.
    3. If no brightness counts, as in phase contrast, the same is done with roughness, of which objects have more. It
       counts if what is rough also bulges into what is smooth.
    4. If nothing counts, as for cells of which the membrane alone is stained, sizes decide: see `_by_size`.
    5. What one object encloses, such as a nucleolus, is no object, but a hole of it.

    The sources' rule, that the largest region is the background and all others are objects (Caicedo et al. 2019,
    doi:10.1002/cyto.a.23863), makes an object of each further piece of background.
    """
    if len(areas) < 2:
        return np.zeros(len(areas), bool)
    background = _best_background(areas, rims)
    return background | _enclosed(areas, rims, background)


def _best_background(areas: Areas, rims: Rims) -> Chosen:
    channels = rims.steps.shape[1] // 2
    bulges = np.where(_at_pockets(areas, rims), 0, rims.bulges)
    for features, signs, least_bulge in ((range(channels), (1, -1), -1), (range(channels, 2 * channels), (1,), 0)):
        trials: List[Tuple[float, Chosen]] = []
        for feature in features:
            found = [_trial(areas, rims, bulges, feature, sign) for sign in signs]
            strongest = max(trial.step for trial in found)
            trials += [
                (_quality(trial, strongest) + BRIGHTER_WEIGHT * sign, trial.background)
                for sign, trial in zip(signs, found)
                if _counts(trial) and trial.bulge >= least_bulge
            ]
        if trials:
            return max(trials, key=lambda each: each[0])[1]
    return _by_size(areas, rims)


def _counts(trial: _Trial) -> bool:
    """Say whether there is background at all by this feature."""
    clear = trial.bulge >= LEAST_BULGE or trial.step > TIMES_AMONG_OBJECTS * trial.among_objects
    return RIDGE_OF_STEP * trial.step > trial.ridge and clear


def _quality(trial: _Trial, strongest: float) -> float:
    return (1 - trial.ridge / trial.step) * trial.step / strongest + BULGE_WEIGHT * trial.bulge


def _at_pockets(areas: Areas, rims: Rims) -> Chosen:
    """Find the boundaries of pockets: regions within a circle, much smaller than the three or more around them.

    A pocket between nuclei seems to bulge into them, as it is the smaller one.
    """
    count = len(areas)
    neighbors = np.bincount(np.concatenate([rims.first, rims.second]), minlength=count)
    smallest = np.full(count, np.inf)
    np.minimum.at(smallest, rims.first, areas[rims.second])
    np.minimum.at(smallest, rims.second, areas[rims.first])
    pocket = (neighbors >= 3) & (areas < np.pi * CIRCLE_PX**2) & (2 * areas < smallest)
    return pocket[rims.first] | pocket[rims.second]


def _enclosed(areas: Areas, rims: Rims, background: Chosen) -> Chosen:
    """Find the regions that lie within one object: all around them is a boundary with this object alone.

    Rows and columns enter and leave such a region, so that they cross its boundary at least four times the root of its
    area. They cross that of one that the frame cuts less often.
    """
    count = len(areas)
    region, other = np.concatenate([rims.first, rims.second]), np.concatenate([rims.second, rims.first])
    around = np.zeros(count, np.int64)
    around[region] = other
    crossings = np.bincount(region, np.tile(rims.crossings, 2), minlength=count)
    alone = (np.bincount(region, minlength=count) == 1) & ~background & ~background[around]
    enclosed: Chosen = alone & (areas < areas[around]) & (crossings >= 4 * np.sqrt(areas))
    return enclosed


def _trial(areas: Areas, rims: Rims, bulges: npt.NDArray[np.int64], feature: int, sign: int) -> _Trial:
    background = _by_steps(areas, _sides(rims, feature, sign))
    of_first = background[rims.first]
    between = of_first != background[rims.second]
    crossings = int(rims.crossings[between].sum())
    if not crossings:
        return _Trial(background, 0.0, 0.0, 0.0, 0.0)
    step = np.where(of_first, -sign, sign)[between] @ rims.steps[between, feature] / crossings
    bulge = np.where(of_first, -1, 1)[between] @ bulges[between] / (crossings * PLACES * CLEAR_BULGE)
    ridge = rims.ridges[between, feature].sum() / crossings
    objects = ~of_first & ~between
    among = np.abs(rims.steps[objects, feature]).sum() / max(1, rims.crossings[objects].sum())
    return _Trial(background, float(step), float(ridge), float(np.clip(bulge, -1, 1)), float(among))


def _sides(rims: Rims, feature: Optional[int] = None, sign: int = 1) -> _Sides:
    region, other = np.concatenate([rims.first, rims.second]), np.concatenate([rims.second, rims.first])
    order = np.argsort(region, kind="stable")
    step, ridge = np.zeros((2, len(rims.first)))
    if feature is not None:
        step, ridge = sign * rims.steps[:, feature].astype(float), rims.ridges[:, feature].astype(float)
    highest = int(region.max(initial=0))
    return _Sides(
        np.searchsorted(region[order], np.arange(highest + 2)),
        other[order],
        np.tile(rims.crossings, 2)[order].astype(float),
        np.concatenate([-step, step])[order],
        np.tile(ridge, 2)[order],
    )


def _sums(sides: _Sides, values: Numbers, count: int) -> Numbers:
    """Add up a value of the boundaries of each region, by its number; 0 for regions without any."""
    total = np.concatenate([[0.0], np.cumsum(values)])
    sums = np.zeros(count)
    sums[: len(sides.begins) - 1] = np.diff(total[sides.begins])
    return sums


def _by_steps(areas: Areas, sides: _Sides) -> Chosen:
    """Find background as what is darker than all around it; sign and feature are those of the sides.

    From the region with the largest mean step to its neighbors down, each is background if

    - it does not face background already, with most of its rim or as its clearly brighter neighbor; with most of its
      rim, only a speck beside an object may;
    - its step to its other neighbors is not much smaller than what is usual for these; it may be the smaller, the
      larger the region is. The first must have a step rather than a ridge at its boundaries, or be large.
    """
    count = len(areas)
    length, total = _sums(sides, sides.crossings, count), _sums(sides, sides.rise, count)
    typical_px = typical_area(areas)
    doublings = np.log2(np.maximum(1, areas / typical_px))
    background = np.zeros(count, bool)
    # What the steps from each object to known background add up to, over so many crossings; and those of all objects.
    known_step, known_length = np.zeros(count), np.zeros(count)
    all_steps, all_length = 0.0, 0.0
    order = np.argsort(-total / np.maximum(length, 1), kind="stable")
    for number in order[(length[order] > 0) & ((total[order] > 0) | (doublings[order] >= DOUBLINGS_ENOUGH))]:
        own = slice(sides.begins[number], sides.begins[number + 1])
        other, crossings, rise, ridge = sides.other[own], sides.crossings[own], sides.rise[own], sides.ridge[own]
        known = background[other]
        if known.any():
            facing = crossings[known].sum()
            clearly = max(ridge[known].sum(), CLEARLY_BRIGHTER * facing * all_steps / all_length)
            is_brighter = facing > SOME_OF_RIM * length[number] and -rise[known].sum() > clearly
            speck = SPECK_TIMES * areas[number] < typical_px and not known.all()
            if is_brighter or (facing > MOST_OF_RIM * length[number] and not speck):
                continue
        other, crossings, rise = other[~known], crossings[~known], rise[~known]
        near = known_length[other].sum()
        if near:
            usual, wanted = known_step[other].sum() / near, NEAR_STEP
        else:
            usual, wanted = all_steps / max(all_length, 1), FAR_STEP
        if all_length:
            accepted = rise.sum() > crossings.sum() * usual * (wanted - STEP_OFF_A_DOUBLING * doublings[number])
        else:
            accepted = rise.sum() > ridge.sum() or areas[number] >= MUCH_LARGER * typical_px
        if accepted:
            background[number] = True
            known_step[other] += rise
            known_length[other] += crossings
            all_steps, all_length = all_steps + rise.sum(), all_length + crossings.sum()
    return background


def typical_area(areas: Areas) -> int:
    """Return the median area of regions, each weighted by the logarithm of its own, so that specks hardly count.

    >>> typical_area(np.array([0, 1, 1, 1, 1, 200, 210, 90_000]))
    210
    """
    found = np.sort(areas[1:])
    weights = np.cumsum(np.log2(1.0 + found))
    return int(found[np.searchsorted(weights, weights[-1] / 2)])


def _by_size(areas: Areas, rims: Rims) -> Chosen:
    """Take the largest region for background, and what is much larger than is typical and does not face it."""
    sides = _sides(rims)
    length = _sums(sides, sides.crossings, len(areas))
    enough = MUCH_LARGER * typical_area(areas)
    background = np.zeros(len(areas), bool)
    for number in np.argsort(-areas[1:], kind="stable") + 1:
        if background.any() and areas[number] < enough:
            break
        own = slice(*sides.begins[number : number + 2]) if number < len(sides.begins) - 1 else slice(0)
        facing = sides.crossings[own][background[sides.other[own]]].sum()
        background[number] = facing <= MOST_OF_RIM * length[number]
    return background
