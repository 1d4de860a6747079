"""The sets of images that the models to start from never saw, and which of their images teach and which are scored."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cpunet.files.images import read_image
from cpunet.training.data.labeled_images import IndexRow, read_index

# The model that saw bbbc039 and the fluorescence images of dsb2018 alone.
START = "nuclei_fluorescence_1"
TEACHING = (1, 3, 6, 12)
MOST_SCORED = 20
# Of the brightest quarter of a picture: how much more blue than green the glass behind the tissue looks.
BLUE_GLASS = 25.0


@dataclass(frozen=True)
class FewImagesSet:
    """A set of images of one kind.

    Attributes
    ----------
    folder, modality : str
        The data set, and which of its images.
    kind : callable, optional
        Whether an image (Y, X, C) is of this kind; None takes all.
    """

    folder: str
    modality: str
    kind: Callable[[NDArray[np.generic]], bool] | None = None


def background_is_blue(image: NDArray[np.generic]) -> bool:
    """Return whether the brightest quarter of a color image (Y, X, 3) is blue rather than white."""
    brightness = image.mean(axis=2)
    glass = image[brightness >= np.percentile(brightness, 75)].mean(axis=0)
    return bool(glass[2] - glass[1] > BLUE_GLASS)


# dsb2018's stained images: sections of tissue on a blue ground, smears of single cells on a white one, and gray Pap
# smears. phase_cells are whole cells in phase contrast.
SETS = {
    "mnfinder": FewImagesSet("mnfinder", "fluorescence"),
    "aitslab": FewImagesSet("aitslab", "fluorescence"),
    "tissue": FewImagesSet("dsb2018", "brightfield_colour", background_is_blue),
    "smears": FewImagesSet("dsb2018", "brightfield_colour", lambda image: not background_is_blue(image)),
    "gray": FewImagesSet("dsb2018", "brightfield_grey"),
    "phase_cells": FewImagesSet("phase_cells", "phase_contrast"),
}


def images_of(name: str, root: Path) -> list[IndexRow]:
    """Return the images of a set in an order that their names alone decide, without those that are copies."""
    chosen = SETS[name]
    rows = [
        row
        for row in read_index(root / chosen.folder)
        if row.modality == chosen.modality
        and row.split in ("train", "val")
        and not row.duplicate_of
        and (chosen.kind is None or chosen.kind(read_image(row.image_path)))
    ]
    return sorted(rows, key=lambda row: hashlib.sha256(row.id.encode()).hexdigest())


def teaching(rows: list[IndexRow], number: int) -> list[IndexRow]:
    """Return the first images, which are labeled by hand, so to say: fewer are always among more."""
    return rows[:number]


def scored(rows: list[IndexRow]) -> list[IndexRow]:
    """Return the images that are scored, and used for nothing else."""
    return rows[max(TEACHING) :][:MOST_SCORED]
