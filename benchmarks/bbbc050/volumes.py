"""Read the volumes of BBBC050 and their labels."""

from pathlib import Path
from typing import List, NamedTuple

import numpy as np

from benchmarks.labeled_images import index_rows
from cpunet.files.formats.volume import read_label_volume, read_volume

NAME = "bbbc050"
# Planes lie about 2.2 times as far apart as pixels are wide: 2.18 in the settings of the authors (funalab/QCANet).
Z_STEP_PX = 2.2


class LabeledVolume(NamedTuple):
    """A volume and its truth, both of shape (Z, Y, X)."""

    id: str
    pixels: np.ndarray
    labels: np.ndarray


def labeled_volumes(root: Path, split: str) -> List[LabeledVolume]:
    """Read all volumes of one split; raise ValueError if there is none.

    Parameters
    ----------
    root : Path
        The folder that holds bbbc050/, with images/, labels/ and index.csv.
    split : str
    """
    folder = root / NAME
    found = [
        LabeledVolume(
            each["id"],
            read_volume(folder / "images" / f"{each['id']}.tif").pixels,
            read_label_volume(folder / "labels" / f"{each['id']}.tif").pixels.astype(np.int32),
        )
        for each in index_rows(folder)
        if each["split"] == split
    ]
    if not found:
        raise ValueError(f"{folder / 'index.csv'} names no volume of the split {split!r}.")
    return found
