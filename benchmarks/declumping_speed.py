"""Time what follows the network, on synthetic probabilities: 5,000 objects and ten times as many at the same density.

PYTHONPATH=plugins .venv/cellprofiler/bin/python -m benchmarks.declumping_speed [--rounds 3] [--tiles 10 32]

Seconds are of the processor, since these stages use one thread. A ratio of 10 is linear. Returns 1 if declumping takes
more than 12 times as long.
"""

import argparse
import gc
import statistics
import sys
import time
from typing import Callable, Dict, List, Sequence, Tuple

import numpy as np
from scipy import ndimage

from cpunet.checks.synthetic import synthetic_field
from cpunet.model.card import Postprocessing
from cpunet.steps.confidence import boundary_confidence, count_from_area, foreground_confidence
from cpunet.steps.declump import declump
from cpunet.steps.filters import filter_objects

TILE_PX, DIAMETER_PX, KINDS_OF_TILES = 256, 24, 8
# Rows and columns of pairs in a tile, and the share of pairs that touch: 50 objects, of which a third touch.
COLUMNS, TOUCHING = 5, 1 / 3
ROLES, SETTINGS = ("foreground", "border"), Postprocessing(0.5, 0.4, marker_min_size_px=10, min_size_px=28)
MOST_TIMES_AS_LONG = 12


def tile(seed: int) -> np.ndarray:
    """Return the probabilities (2, Y, X) of a tile with pairs of nuclei, of which some touch."""
    rng = np.random.default_rng(seed)
    truth = synthetic_field((TILE_PX, TILE_PX), COLUMNS, DIAMETER_PX, touching=True, seed=seed).labels
    lowest = ndimage.minimum_filter(np.where(truth > 0, truth, np.iinfo(np.int32).max), 5)
    contact = lowest < ndimage.maximum_filter(truth, 5)  # two objects are near
    for first in range(1, truth.max() + 1, 2):
        if rng.random() > TOUCHING:  # this pair is apart
            truth[contact & ((truth == first) | (truth == first + 1))] = 0
    foreground = ndimage.gaussian_filter((truth > 0).astype(np.float32), 1)
    border = ndimage.gaussian_filter(contact.astype(np.float32), 1)
    noise = rng.normal(0, 0.01, (2, TILE_PX, TILE_PX))
    return np.clip(np.stack([foreground, border]) + noise, 0, 1).astype(np.float32)


def field(tiles: int) -> np.ndarray:
    """Return the probabilities of a square of so many tiles a side, of several kinds in a random order."""
    kinds = [tile(seed) for seed in range(KINDS_OF_TILES)]
    rng = np.random.default_rng(0)
    probabilities = np.empty((2, tiles * TILE_PX, tiles * TILE_PX), np.float32)
    for row in range(tiles):
        for column in range(tiles):
            place = tuple(slice(first * TILE_PX, (first + 1) * TILE_PX) for first in (row, column))
            probabilities[(slice(None), *place)] = kinds[rng.integers(KINDS_OF_TILES)]
    return probabilities


def median_seconds(probabilities: np.ndarray, rounds: int) -> Tuple[int, Dict[str, float]]:
    """Return the number of objects, and the median processor time of each stage."""
    labels = declump(probabilities, ROLES, SETTINGS)
    stages: Dict[str, Callable[[], object]] = {
        "declump": lambda: declump(probabilities, ROLES, SETTINGS),
        "filters": lambda: filter_objects(labels, (10, 40), discard_border=True),
        "confidence of the foreground": lambda: foreground_confidence(labels, probabilities[0]),
        "confidence of the outlines": lambda: boundary_confidence(labels, probabilities[0]),
        "count from area": lambda: count_from_area(labels),
    }
    taken: Dict[str, List[float]] = {name: [] for name in stages}
    for _ in range(rounds):
        for name, stage in stages.items():
            gc.collect()
            began = time.process_time()
            stage()
            taken[name].append(time.process_time() - began)
    return int(labels.max()), {name: statistics.median(seconds) for name, seconds in taken.items()}


def main(arguments: Sequence[str]) -> int:
    """Time both fields and print medians and ratios."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument(
        "--tiles", type=int, nargs=2, default=(10, 32), metavar=("FEW", "MANY"), help="a side, of 256 px"
    )
    given = parser.parse_args(arguments)
    (few, small), (many, large) = (median_seconds(field(tiles), given.rounds) for tiles in given.tiles)
    sides = [tiles * TILE_PX for tiles in given.tiles]
    print(f"median processor seconds of {given.rounds} rounds, one thread")
    print(f"{'':30} {few:,} objects in {sides[0]}x{sides[0]}   {many:,} in {sides[1]}x{sides[1]}   ratio")
    for name, seconds in small.items():
        print(f"{name:30} {seconds:24.3f} {large[name]:22.3f} {large[name] / seconds:9.1f}")
    return int(large["declump"] > MOST_TIMES_AS_LONG * small["declump"])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
