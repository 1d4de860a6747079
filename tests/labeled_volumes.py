"""A data set of two small drawn volumes."""

import csv

import numpy as np
import tifffile

COLUMNS = ["id", "modality", "split", "duplicate_of", "group", "depth", "pixel_size_um", "z_step_um", "labeled_planes"]
SHAPE = (8, 30, 32)


def drawn_volume(seed=0, shape=SHAPE, z_step_px=2.0):
    """Draw three bright balls on a noisy ground; returns image (Z, Y, X), uint16, and labels, uint16.

    Eight seeds in a row give eight other pictures: mirror images, with other noise.
    """
    z, y, x = np.indices(shape)
    labels = np.zeros(shape, np.uint16)
    for number, center in enumerate([(2, 7, 8), (4, 20, 22), (4, 8, 24)], start=1):
        far = ((z - center[0]) * z_step_px) ** 2 + (y - center[1]) ** 2 + (x - center[2]) ** 2
        labels[far < 5**2] = number
    labels = np.flip(labels, [axis for axis, bit in ((1, 1), (2, 2), (0, 4)) if seed & bit])
    noise = np.random.default_rng(seed).normal(100, 5, shape)
    return (noise + 400 * (labels > 0)).round().astype(np.uint16), labels


def write_volumes(folder, rows, shape=SHAPE, z_step_px=2.0):
    """Write drawn volumes with an index; each row names at least id and split."""
    for sub in ("images", "labels"):
        (folder / sub).mkdir(parents=True)
    for seed, row in enumerate(rows):
        image, labels = drawn_volume(seed, shape, z_step_px)
        tifffile.imwrite(folder / "images" / f"{row['id']}.tif", image, photometric="minisblack")
        tifffile.imwrite(folder / "labels" / f"{row['id']}.tif", labels, photometric="minisblack")
    write_rows(folder, rows)


def write_rows(folder, rows):
    with (folder / "index.csv").open("w", newline="") as stream:
        writer = csv.DictWriter(stream, COLUMNS, restval="")
        writer.writeheader()
        writer.writerows({"modality": "fluorescence", **row} for row in rows)
