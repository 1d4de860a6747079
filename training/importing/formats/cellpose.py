"""Read the masks of Cellpose's own file, NAME_seg.npy.

It is a pickled dictionary; see https://cellpose.readthedocs.io/en/latest/outputs.html
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cpunet.errors import LabelFileError
from cpunet.files.formats.memory_at_hand import bytes_at_hand
from cpunet.training.importing.formats.plain_pickle import StoredArray, UnsafePickleError, read_plain_pickle
from cpunet.training.importing.formats.quoted import quoted, reason_of

WAY_OUT = "In Cellpose choose File > Save masks as PNG/tif, and give NAME_cp_masks"
SHOWN_KEYS = 6
# The file's bytes, and the arrays made of them.
COPIES = 3


def holds_objects(path: Path) -> bool:
    """Return whether an NPY file holds Python objects, as Cellpose's do, and not a plain array; False if it is none."""
    try:
        return _header(path)[1]
    except (ValueError, OSError):
        return False


def read_seg(path: Path) -> NDArray[np.generic]:
    """Read the masks of a NAME_seg.npy.

    Returns
    -------
    ndarray of shape (Y, X)
        0 is background, and each object has a number.

    Raises
    ------
    LabelFileError
        If it holds something else than arrays and plain values, no masks, or those of a stack; or is damaged.
    """
    free, size = bytes_at_hand(), path.stat().st_size
    if free is not None and COPIES * size > free:
        raise LabelFileError(f"{path}: this file of {size / 1e9:.1f} GB is larger than the free memory. {WAY_OUT}.")
    try:
        begin, _ = _header(path)
        content = read_plain_pickle(path.read_bytes()[begin:])
    except UnsafePickleError as error:
        raise LabelFileError(
            f"{path}: this is not read, as a file of Cellpose holds arrays and plain values alone: {error}. {WAY_OUT}."
        ) from error
    except ValueError as error:
        raise LabelFileError(f"{path}: this is damaged ({error}). {WAY_OUT}.") from error
    fields = _fields(content)
    if fields is None or "masks" not in fields:
        keys = "" if fields is None else quoted(", ".join(map(str, list(fields)[:SHOWN_KEYS])))
        held = "no dictionary" if fields is None else keys or "nothing"
        raise LabelFileError(f"{path}: this is no file of Cellpose with masks; it holds {held}. {WAY_OUT}.")
    stored = fields["masks"]
    masks = stored.numbers() if isinstance(stored, StoredArray) else None
    if masks is None:
        raise LabelFileError(f"{path}: its masks are no array of numbers. {WAY_OUT}.")
    while masks.ndim > 2 and masks.shape[0] == 1:
        masks = masks[0]
    if masks.ndim != 2:
        raise LabelFileError(
            f"{path}: its masks have the shape {masks.shape}; those of one plane are needed. Save each plane and "
            "its masks as files of their own."
        )
    return masks


def _header(path: Path) -> tuple[int, bool]:
    """Return where the content of an NPY file begins, and whether it is Python objects."""
    with path.open("rb") as stream:
        version = np.lib.format.read_magic(stream)
        read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        try:
            _, _, dtype = read(stream)
        except Exception as error:  # numpy reads the header as Python's text, which brings errors of every kind
            raise ValueError(f"its header cannot be read: {reason_of(error)}") from error
        return stream.tell(), dtype.hasobject


def _fields(content: object) -> dict[object, object] | None:
    """Return the dictionary, which numpy wraps into an array without axes: its state ends with a list of one."""
    if isinstance(content, StoredArray) and isinstance(content.state, tuple) and content.state:
        content = content.state[-1]
        content = content[0] if isinstance(content, list) and len(content) == 1 else content
    return content if isinstance(content, dict) else None
