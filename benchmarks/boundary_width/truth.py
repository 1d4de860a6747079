"""Decode true boundaries, as a perfect network would draw them, in two ways, and count what becomes an object.

In the training environment, some minutes:

    .venv/training/bin/python -m benchmarks.boundary_width.truth --data DATA

Boundaries are made of the labels of validation images. A cell counts, by contrast and by the largest region, the found
objects of which more than half is background in truth, and the true objects of which less than half is found. Wide
boundaries leave nothing of small objects, which are lost in both ways.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from benchmarks.boundary_width.rows import DECODERS, objects_of_background
from benchmarks.markdown import header, row
from cpunet.model.card import InputCard, Normalization
from cpunet.steps.pixels.channels import COLORS
from cpunet.steps.prepare import prepare
from cpunet.training.data.labeled_images import IndexRow, read_index, read_labeled_image
from cpunet.training.patches.targets import Targets, make_targets
from cpunet.training.tuning.settings_scores import Predicted

SETS = (
    ("BBBC039", "bbbc039", "fluorescence"),
    ("DSB 2018, fluorescence", "dsb2018", "fluorescence"),
    ("DSB 2018, gray bright field", "dsb2018", "brightfield_grey"),
    ("DSB 2018, color", "dsb2018", "brightfield_colour"),
    ("Usiigaci, phase contrast", "phase_cells", "phase_contrast"),
    ("MNFinder", "mnfinder", "fluorescence"),
    ("Aitslab", "aitslab", "fluorescence"),
)
WIDTHS_PX = (2, 4, 6, 8)


class Counts(NamedTuple):
    """Background that became objects, and objects that were lost."""

    background: int
    lost: int


def main(arguments: Sequence[str]) -> int:
    """Print a table row for each set that is there."""
    parser = argparse.ArgumentParser(prog="benchmarks.boundary_width.truth", description=__doc__.splitlines()[0])
    parser.add_argument("--data", required=True, type=Path, metavar="ROOT")
    options = parser.parse_args(arguments)
    columns = [f"{width} px" for width in WIDTHS_PX]
    columns[0] += ": background as objects, objects lost"
    print(header(["images", "true objects", *columns]))
    for title, name, modality in SETS:
        if not (options.data / name).exists():
            continue
        rows = [each for each in read_index(options.data / name) if (each.split, each.modality) == ("val", modality)]
        cells = []
        for width in WIDTHS_PX:
            new, old = counted(rows, width)
            cells.append(f"{new.background} ({old.background}), {new.lost} ({old.lost})")
        objects = sum(int((np.unique(read_labeled_image(each).labels) > 0).sum()) for each in rows)
        print(row([title, objects, *cells]), flush=True)
    return 0


def counted(rows: Sequence[IndexRow], width_px: int) -> list[Counts]:
    """Count what each decoding makes of true boundaries of a width in all images, in the order of `DECODERS`."""
    targets = Targets("boundary", boundary_width_px=width_px)
    counts = [Counts(0, 0) for _ in DECODERS]
    for each in rows:
        truth = read_labeled_image(each)
        names = COLORS if truth.image.ndim == 3 else ("nuclei",)
        card = InputCard(names, 1, 1, Normalization(), 30.0, 10.0, 60.0, each.modality)
        prepared = prepare(truth.image, card).channels
        predicted = Predicted(make_targets(truth.labels, targets), truth.labels, 1.0, prepared)
        for place, decoder in enumerate(DECODERS.values()):
            labels = decoder(predicted, targets.decoding)
            background, lost = objects_of_background(truth.labels, labels), objects_lost(truth.labels, labels)
            counts[place] = Counts(counts[place].background + background, counts[place].lost + lost)
    return counts


def objects_lost(truth: NDArray[np.integer], labels: NDArray[np.integer]) -> int:
    """Count the true objects of which less than half lies in found ones.

    >>> objects_lost(np.array([[1, 1, 0, 2]]), np.array([[1, 1, 0, 0]]))
    1
    """
    areas, found = np.bincount(truth.ravel()), np.bincount(truth.ravel(), weights=labels.ravel() > 0)
    return int((found[1:] < areas[1:] / 2).sum())


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
