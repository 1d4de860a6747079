"""What CellProfiler records of a field while it runs both modules, and where."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Dict, Mapping, NamedTuple

import numpy as np
import numpy.typing as npt

# The file names of all fields' images, by the number of the image set and the name of the image.
FIELDS_FILE = "fields.json"


class Record(NamedTuple):
    """One field as both modules saw it.

    Attributes
    ----------
    image : ndarray of shape (Y, X), float32
        The image in which both found objects; not a number outside its mask.
    primary, unet : ndarray of shape (Y, X), int32
        Labels, 0 is background.
    """

    image: npt.NDArray[np.float32]
    primary: npt.NDArray[np.int32]
    unet: npt.NDArray[np.int32]


def record_path(folder: Path, pair: int, field: int) -> Path:
    """Return where the record of an image set is, of the pair of modules with this number, from 1 on."""
    return folder / f"pair-{pair}-field-{field}.npz"


def write_record(path: Path, record: Record) -> None:
    """Write a record, compressed."""
    np.savez_compressed(str(path), **record._asdict())


def read_record(path: Path) -> Record:
    """Read what `write_record` wrote."""
    with np.load(str(path)) as arrays:
        return Record(*(arrays[name] for name in Record._fields))


def write_fields(folder: Path, fields: Mapping[int, Mapping[str, str]]) -> None:
    """Write the paths of all fields' images, by image set and image."""
    (folder / FIELDS_FILE).write_text(json.dumps(fields), encoding="utf-8")


def read_fields(folder: Path) -> Dict[int, Dict[str, str]]:
    """Read what `write_fields` wrote; nothing if CellProfiler did not come so far."""
    path = folder / FIELDS_FILE
    content: Dict[str, Any] = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    return {int(number): images for number, images in content.items()}
