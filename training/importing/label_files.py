"""Read the labels that people have: label images, one mask an object, masks in colors, and outlines."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from skimage.measure import label as connected
from skimage.segmentation import relabel_sequential

from cpunet.errors import LabelFileError
from cpunet.files.images import (
    gray_of_equal_colors,
    read_image,
    read_label_numbers,
    read_numbers_as_said,
    read_stored,
)
from cpunet.scores import IGNORED
from cpunet.training.data.labeled_images import check_labels
from cpunet.training.importing.formats.cellpose import holds_objects, read_seg
from cpunet.training.importing.formats.drawn import ReadLabels, paint
from cpunet.training.importing.formats.imagej import read_rois
from cpunet.training.importing.formats.qupath import read_geojson

# Of a label image that went through a lossy file or is a photograph, nearly every pixel is a piece of its own.
PIECES_PER_OBJECT, MORE_PIECES, SMALLEST_MEAN_PX = 3, 10, 4
LARGEST_OFFSET = 1e-9
# A piece of less than this share of the largest is a stray, and no second object.
SMALLEST_SHARE = 1 / 5
SAVE_AS = (
    'In CellProfiler choose "uint16" in ConvertObjectsToImage, and in SaveImages the format "tiff" with the bit depth '
    '"16-bit integer", or "No conversion" with more than 65535 objects.'
)
# How files of these formats are read; all others by their numbers, if it is clear that these are the labels.
READERS = {"colors": read_image, "first-channel": read_image, "said-instances": read_numbers_as_said}
ROIS, OUTLINES_AS_JSON, ARRAYS = (".zip", ".roi"), (".geojson", ".json"), (".npy",)


def read_labels(
    paths: Sequence[Path], label_format: str, shape: tuple[int, int] | None = None, series: int | None = None
) -> ReadLabels:
    """Read the labels of one image.

    Parameters
    ----------
    paths : sequence of Path
        One file; for ``masks`` and .roi files, one file an object. By their suffixes, ROIs of ImageJ (.zip, .roi),
        GeoJSON of QuPath (.geojson, .json) and files of Cellpose (.npy with objects) are read as such.
    label_format : str
        Of label images.
        ``instances``: one number an object. ``said-instances``: the same, and the user said so: one number in several
        pieces is one object. ``masks``: one file an object. ``colors``: connected pixels of one color are an object.
        ``first-channel``: the same, of the first channel. ``own``: instances in a data set of ours, not questioned.
    shape : tuple of int, optional
        (Y, X) of the image, which outlines need.
    series : int, optional
        Which image to take, from 1 on, of a TIFF file with several.

    Raises
    ------
    LabelFileError, ImageError
        If a file holds no such labels; if it is missing or not an image.
    """
    suffix = paths[0].suffix.lower() if paths else ""
    if shape is not None and suffix in ROIS:
        return read_rois(paths, shape)
    if label_format == "masks" and suffix not in (*OUTLINES_AS_JSON, *ARRAYS):
        return _from_masks(paths)
    (path,) = paths
    if shape is not None and suffix in OUTLINES_AS_JSON:
        return read_geojson(path, shape)
    if suffix in ARRAYS and holds_objects(path):
        return _from_cellpose(path)
    array = READERS.get(label_format, read_label_numbers)(path, series)
    try:
        if label_format == "colors":
            return ReadLabels(_on_black(_connected_colors(array)))
        if label_format == "first-channel":
            return ReadLabels(_connected_colors(array if array.ndim == 2 else array[..., 0]))
        if label_format == "own":
            problem = check_labels(array, array)
            if problem:
                raise LabelFileError(problem)
            return ReadLabels(relabel_sequential(array)[0].astype(np.int32))
        return _from_instances(array, one_may_be_in_pieces=label_format == "said-instances")
    except LabelFileError as error:
        raise LabelFileError(f"{path}: {error}") from error


def _from_cellpose(path: Path) -> ReadLabels:
    masks = read_seg(path)
    try:
        return _from_instances(masks, one_may_be_in_pieces=True)
    except LabelFileError as error:
        raise LabelFileError(f"{path}: {error}") from error


def guess_format(path: Path, series: int | None = None) -> str:
    """Return ``instances`` for a label file of one number a pixel, whatever its palette, and ``colors`` for others."""
    return "instances" if gray_of_equal_colors(read_stored(path, series=series).pixels).ndim == 2 else "colors"


def _from_instances(array: NDArray[np.generic], one_may_be_in_pieces: bool) -> ReadLabels:
    values = gray_of_equal_colors(array)
    if values.ndim != 2:
        raise LabelFileError(
            f"this has the shape {values.shape}; a plane with one number an object is needed. If touching objects have "
            "different colors, say --label-format colors."
        )
    if np.issubdtype(values.dtype, np.floating) and not np.isfinite(values).all():
        raise LabelFileError("this holds pixels that are no number (NaN or infinite).")
    values = _without_offset(values.astype(np.float32) if values.dtype == np.float16 else values)
    ignored = values == IGNORED if np.issubdtype(values.dtype, np.signedinteger) and (values == IGNORED).any() else None
    if ignored is not None:
        if not (values == 0).any():
            raise LabelFileError(
                "this holds the negative value -1 and no 0. -1 is what nobody labeled, so there is no background; "
                "write 0 for background."
            )
        values = np.where(ignored, 0, values)
    if values.size and values.min() < 0:
        raise LabelFileError(
            f"this holds the negative value {values.min():g}; background is 0, objects are 1, 2, 3 ..., and -1 in "
            "whole numbers is what nobody labeled."
        )
    numbers, labels = np.unique(values, return_inverse=True)
    labels = labels.reshape(values.shape).astype(np.int32)
    if not len(numbers) or numbers[0] != 0:
        labels += 1  # not one pixel of background
    pieces = _pieces(labels)
    if not one_may_be_in_pieces:
        _refuse_a_mask(labels, pieces)
    _refuse_what_is_no_label_image(labels, values, pieces)
    objects = int(labels.max(initial=0))
    notes = [_note(values, objects), *_doubts(labels, objects, int(pieces.max(initial=0)))]
    if ignored is not None:
        notes.append(f"{ignored.mean():.0%} of it is -1, not labeled")
    return ReadLabels(labels, note="; ".join(note for note in notes if note), ignored=ignored)


def _without_offset(values: NDArray[np.generic]) -> NDArray[np.generic]:
    """Set the background back to 0: SaveImages lifts it when it saves "uint16" labels as floating point.

    scikit-image's img_as_float32 makes (2 k + 1) / (2**32 - 1) of the whole number k.
    """
    lowest = values.min(initial=1)
    if np.issubdtype(values.dtype, np.floating) and 0 < lowest < LARGEST_OFFSET:
        return np.where(values == lowest, 0, values)
    return values


def _note(values: NDArray[np.generic], objects: int) -> str:
    """Say which change was undone, or what may be lost.

    Objects are numbered in the order of their values, which undoes any scale: k / n ("Grayscale" saved as floating
    point) and round(65535 k / n) (the same saved as 16 bits).
    """
    if not objects:
        lost = "it holds no object"
        if values.dtype == np.uint8:
            lost += "; saved with 8 bits, a label image of more than 255 objects comes out empty"
        return lost
    whole = values.dtype == bool or (values == np.round(values)).all()
    if not whole or (values.max() in (255, 65535) and objects < values.max() // 2):
        return "its numbers were scaled; objects are numbered by the order of their values"
    return ""


def _doubts(labels: NDArray[np.int32], objects: int, pieces: int) -> list[str]:
    """Return questions about labels that can be read but may be wrong."""
    doubts = []
    if pieces > objects:
        numbers = "one number lies" if objects == 1 else f"{objects} numbers lie"
        doubts.append(f"its {numbers} in {pieces} places; is each object a number of its own?")
    if labels.size and labels.min() > 0:
        doubts.append("no pixel is 0, so that none is background; is its lowest number the background?")
    return doubts


def _refuse_a_mask(labels: NDArray[np.int32], pieces: NDArray[np.int32]) -> None:
    if labels.max(initial=0) != 1:
        return
    areas = np.bincount(pieces[pieces > 0])
    large = int((areas >= SMALLEST_SHARE * areas.max()).sum())
    if large > 1:
        raise LabelFileError(
            f"this is a mask: all {large} objects have the same value, so that touching objects cannot be separated. "
            f"{SAVE_AS} If it is one object, say --label-format instances with --images and --labels."
        )


def _refuse_what_is_no_label_image(
    labels: NDArray[np.int32], values: NDArray[np.generic], numbered_pieces: NDArray[np.int32]
) -> None:
    objects, pieces = int(labels.max(initial=0)), int(numbered_pieces.max(initial=0))
    shattered = objects > 1 and pieces > PIECES_PER_OBJECT * objects + MORE_PIECES
    if shattered or objects * SMALLEST_MEAN_PX > max(np.count_nonzero(labels), 100):
        raise LabelFileError(
            f"this is no label image: it has {objects} values, in {pieces} pieces. It looks like a photograph, or like "
            f"labels saved with loss (JPEG, or resized with smoothing). {SAVE_AS}"
        )
    if values.dtype == np.uint8 and objects == 255 and pieces > objects:
        raise LabelFileError(
            f"this has 8 bits, which number at most 255 objects, and all 255 are used for {pieces} pieces: objects "
            f"have been given the same number. {SAVE_AS}"
        )


def _from_masks(paths: Sequence[Path]) -> ReadLabels:
    objects = []
    shape: tuple[int, ...] = ()
    for path in paths:
        mask = read_label_numbers(path)
        if mask.ndim != 2:
            raise LabelFileError(f"{path}: a mask of one object must be gray; this has the shape {mask.shape}.")
        if shape and mask.shape != shape:
            raise LabelFileError(f"{path}: the mask has the shape {mask.shape}, and {paths[0].name} {shape}.")
        shape = mask.shape
        inside = mask[mask != 0]
        if inside.size and inside.min() != inside.max():
            raise LabelFileError(
                f"{path}: a mask of one object has two values, 0 and another; this has values from {inside.min()} to "
                f"{inside.max()} beside 0."
            )
        objects.append(np.flatnonzero(mask))
    return paint(objects, shape)


def _connected_colors(array: NDArray[np.generic]) -> NDArray[np.int32]:
    if array.ndim == 2:
        array = array[..., np.newaxis]
    if array.ndim != 3 or array.shape[2] not in (1, 3, 4):
        raise LabelFileError(f"this has the shape {array.shape}; an image in red, green and blue is needed.")
    color = np.zeros(array[..., 0].size + 1, np.int64)  # the last is black, the background
    for channel in np.moveaxis(array[..., :3], 2, 0):
        values, ranks = np.unique(np.append(channel, channel.dtype.type(0)), return_inverse=True)
        color = color * len(values) + ranks
    pieces = _pieces(color[:-1].reshape(array.shape[:2]), background=int(color[-1]))
    if pieces.max(initial=0) * SMALLEST_MEAN_PX > max(pieces.size, 100):
        raise LabelFileError(
            f"this has {pieces.max()} pieces of one color each, of a few pixels: it is a photograph, or labels saved "
            f"with loss (JPEG, or resized with smoothing). {SAVE_AS}"
        )
    return pieces


def _on_black(pieces: NDArray[np.int32]) -> NDArray[np.int32]:
    if pieces.size and pieces.min() > 0:
        raise LabelFileError(
            "no pixel is black, the background, so background and objects cannot be distinguished. Paint it black."
        )
    return pieces


def _pieces(values: NDArray[np.integer], background: int = 0) -> NDArray[np.int32]:
    """Give each connected piece of one value a number; pixels that meet at a corner are connected."""
    return connected(values, background=background, connectivity=2).astype(np.int32)
