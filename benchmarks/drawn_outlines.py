"""Measure where people end the outlines of nuclei in volumes: how bright a nucleus is there, and how long along z.

In the training environment:

    .venv/training/bin/python -m benchmarks.drawn_outlines data/bbbc050 --z-step 2.2

Blur makes a nucleus longer along z than it is. `cpunet data synthetic-volumes` labels nuclei to the brightness that
this finds for people, and this shows whether it does.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from cpunet.training.volumes.data.labeled_volumes import find_labeled_volumes, read_labeled_volume

# Noise is smoothed by so much, in planes and pixels; smaller objects are left out.
SMOOTHED, SMALLEST_VOXELS = (0.6, 1.0, 1.0), 200
# Of the brightness of a nucleus, this percentile is its largest: single bright voxels are noise.
BRIGHT_PERCENTILE = 95
AXIS_PX = 2
APART_PX = 3


class Outline(NamedTuple):
    """Where the outline of one nucleus ends.

    Attributes
    ----------
    stretched : float
        Its length along z over its width.
    within, along : float or None
        Brightness at the outline over the largest one: in its middle plane away from others, and at its upper and
        lower end.
    """

    stretched: float
    within: float | None
    along: float | None


def outlines_of(image: NDArray[np.generic], labels: NDArray[np.int32], z_step_px: float) -> list[Outline]:
    """Measure the outlines of the nuclei of a volume that reach neither its first nor its last plane."""
    smooth = ndimage.gaussian_filter(np.asarray(image, np.float32), SMOOTHED)
    smooth -= np.median(smooth[labels == 0])
    found = []
    for number, box in enumerate(ndimage.find_objects(labels), start=1):
        if box is None or box[0].start == 0 or box[0].stop == len(labels):
            continue
        mask = labels == number
        if mask.sum() < SMALLEST_VOXELS:
            continue
        brightest = np.percentile(smooth[mask], BRIGHT_PERCENTILE)
        depth, height, width = (side.stop - side.start for side in box)
        z, y, x = (int(place) for place in ndimage.center_of_mass(mask))
        others = ndimage.binary_dilation((labels[z] > 0) & ~mask[z], iterations=APART_PX)
        rim = mask[z] & ~ndimage.binary_erosion(mask[z]) & ~others
        column = np.s_[:, max(0, y - AXIS_PX) : y + AXIS_PX + 1, max(0, x - AXIS_PX) : x + AXIS_PX + 1]
        inside = np.pad(mask[column], ((1, 1), (0, 0), (0, 0)))
        ends = mask[column] & ~(inside[:-2] & inside[2:])
        found.append(
            Outline(
                2 * depth * z_step_px / (height + width),
                float(smooth[z][rim].mean() / brightest) if rim.any() else None,
                float(smooth[column][ends].mean() / brightest) if ends.any() else None,
            )
        )
    return found


def summary(outlines: Sequence[Outline]) -> str:
    """Return the medians, each with the quartiles, in lines."""
    lines = [f"{len(outlines)} nuclei that reach neither the first nor the last plane; median (quartiles)"]
    for name, what in (
        ("stretched", "length along z over width"),
        ("within", "brightness at the outline within a plane"),
        ("along", "brightness at the ends along z"),
    ):
        values = [value for each in outlines if (value := getattr(each, name)) is not None]
        low, middle, high = np.percentile(values, (25, 50, 75))
        lines.append(f"{what:<42}{middle:.2f} ({low:.2f} to {high:.2f})")
    return "\n".join(lines)


def main(words: Sequence[str] | None = None) -> None:
    """Print what is found in the volumes to train on of a data set."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="a data set of volumes")
    parser.add_argument("--z-step", type=float, help="distance of planes in pixels, where the index does not say it")
    parser.add_argument("--most", type=int, help="look at so many volumes")
    arguments = parser.parse_args(words)
    volumes = [each for each in find_labeled_volumes(arguments.folder, arguments.z_step) if each.split == "train"]
    outlines = []
    for volume in volumes[: arguments.most]:
        image, labels, _ = read_labeled_volume(volume)
        outlines += outlines_of(image if image.ndim == 3 else image.mean(axis=3), labels, volume.z_step_px)
    print(summary(outlines))


if __name__ == "__main__":
    main()
