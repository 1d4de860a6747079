"""Import of images of which only a part is labeled: masks of the pixels that nobody labeled."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import PIL.Image
from numpy.typing import NDArray

from cpunet.errors import DataError
from cpunet.training.data.ignored_pixels import IGNORE_FOLDER, read_ignore_mask
from cpunet.training.importing.formats.drawn import ReadLabels
from cpunet.training.importing.pairs import Pair, Pairing, image_files


def with_ignore_masks(pairing: Pairing, folder: Path) -> Pairing:
    """Give images the masks of a folder that have their names; images without a mask are labeled as a whole.

    DataError if the folder is missing, or no mask, or several, or a mask of no image lies in it.
    """
    if not folder.is_dir():
        raise DataError(f"{folder}: there is no such folder. --ignore takes the folder of the masks.")
    files = image_files(folder)
    masks = {path.stem: path for path in files}
    if not masks or len(masks) < len(files):
        raise DataError(f"{folder}: one mask (PNG or TIFF) for each name is needed; it holds {len(files)} files.")
    strange = sorted(masks.keys() - {pair.id for pair in pairing.pairs})
    if strange:
        raise DataError(
            f"{folder}: there is no image of the name {strange[0]!r}. A mask has the name of its image, without any "
            "ending such as _mask."
        )
    pairs = tuple(replace(pair, ignore=masks.get(pair.id)) for pair in pairing.pairs)
    note = f"{len(masks)} of {len(pairs)} images are labeled in part; {folder} says where they are not."
    return replace(pairing, pairs=pairs, notes=(*pairing.notes, note))


def ignored_pixels(pair: Pair, read: ReadLabels) -> NDArray[np.bool_] | None:
    """Return which pixels of an image nobody labeled, (Y, X); None if all are labeled.

    Both the mask of the pair and the pixels of -1 in its labels count.
    """
    ignored = read.ignored
    if pair.ignore is not None:
        mask = read_ignore_mask(pair.ignore, read.labels.shape)
        ignored = mask if ignored is None else mask | ignored
    return ignored


def store_ignore_mask(ignored: NDArray[np.bool_], folder: Path, name: str) -> None:
    """Write a mask into the folder ignore/ of a data set: 8-bit PNG, 255 where nobody labeled."""
    (folder / IGNORE_FOLDER).mkdir(exist_ok=True)
    PIL.Image.fromarray(ignored.astype(np.uint8) * np.uint8(255)).save(folder / IGNORE_FOLDER / f"{name}.png")
