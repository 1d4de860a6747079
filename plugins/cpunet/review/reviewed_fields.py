"""Fields as the page holds them: pictures, and the outlines of the objects that were predicted."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any, Dict, List, NamedTuple, Optional, Sequence

import numpy as np
import numpy.typing as npt

from cpunet.errors import DataError
from cpunet.files.images import gray_of_equal_colors, read_image
from cpunet.files.labeled_images import LabeledFiles, LabeledImage, read_labeled_image
from cpunet.files.overlay import picture
from cpunet.report.html_page import photo_uri
from cpunet.review.fields import Field
from cpunet.review.outline_paths import ObjectOutline, outline_paths
from cpunet.review.predictions import Predict

# A picture's longest side in the page; of larger images a part is shown.
WINDOW_PX = 1024


class Part(NamedTuple):
    """The part of an image that is shown."""

    rows: slice
    columns: slice


@dataclass(frozen=True)
class ReviewedField:
    """A field as the page holds it.

    Attributes
    ----------
    set_name, name : str
    top, left, height, width : int
        The part of the image that is shown, pixels.
    is_part : bool
        Whether the image is larger than that.
    image : str
        A data URI.
    stain : str, optional
        A data URI; None if there is no stain.
    objects : list of ObjectOutline
        Those with a pixel in the part, in its coordinates.
    labels_sha256 : str
        Of the labels of the part: its shape, and its pixels as int32, little-endian.
    """

    set_name: str
    name: str
    top: int
    left: int
    height: int
    width: int
    is_part: bool
    image: str
    stain: Optional[str]
    objects: List[ObjectOutline]
    labels_sha256: str


def reviewed_field(field: Field, predict: Optional[Predict], window_px: int, seed: int) -> ReviewedField:
    """Read a field, or predict its objects, and prepare what the page shows of it.

    Parameters
    ----------
    field : Field
    predict : callable, optional
        Turns an image (Y, X) or (Y, X, C) into labels (Y, X), int32; needed where the field has no labels.
    window_px : int
        The longest side of the part that is shown, 64 or more.
    seed : int
        Of the draw of this part in larger images.

    Raises
    ------
    ImageError, DataError
        If a file cannot be read, or if labels or stain differ from the image in size.
    """
    found = _labeled_image(field, predict)
    stain = None if field.stain is None else gray_of_equal_colors(read_image(field.stain))
    if stain is not None and stain.shape[:2] != found.labels.shape:
        raise DataError(
            f"{field.stain} has {_size(stain)} pixels, and its image {field.image.name} {_size(found.labels)}; a stain "
            "shows the same field at the same size."
        )
    shown = drawn_part(found.labels.shape, window_px, seed, field)
    labels = found.labels[shown]
    return ReviewedField(
        field.set_name,
        field.name,
        shown.rows.start,
        shown.columns.start,
        labels.shape[0],
        labels.shape[1],
        labels.shape != found.labels.shape,
        _photo(found.image, shown),
        None if stain is None else _photo(stain, shown),
        outline_paths(labels),
        _sha256(labels),
    )


def drawn_part(shape: Sequence[int], window_px: int, seed: int, field: Field) -> Part:
    """Draw the part of an image (Y, X) that is shown: all of it, or a square at random.

    The draw depends on the field's name too, so that one field more or less does not change the part of the others.
    """
    digest = hashlib.sha256("\0".join((str(seed), *field.key)).encode("utf-8")).digest()
    generator = np.random.default_rng(int.from_bytes(digest[:8], "little"))
    starts = [int(generator.integers(0, max(0, size - window_px) + 1)) for size in shape]
    rows, columns = (slice(start, min(start + window_px, size)) for start, size in zip(starts, shape))
    return Part(rows, columns)


def identity_of(fields: Sequence[ReviewedField]) -> str:
    """Return the SHA-256 of a review: that of all its fields' names, parts and predicted labels."""
    digest = hashlib.sha256()
    for field in fields:
        line = (field.set_name, field.name, str(field.top), str(field.left), field.labels_sha256)
        digest.update(("\0".join(line) + "\n").encode("utf-8"))
    return digest.hexdigest()


def content_of_page(field: ReviewedField) -> Dict[str, Any]:
    """Return what the page's script is told of a field, as JSON content."""
    return {
        "set": field.set_name,
        "image": field.name,
        "top": field.top,
        "left": field.left,
        "height": field.height,
        "width": field.width,
        "isPart": field.is_part,
        "picture": field.image,
        "stain": field.stain,
        "objects": [list(each) for each in field.objects],
    }


def _labeled_image(field: Field, predict: Optional[Predict]) -> LabeledImage:
    if field.labels is not None:
        return read_labeled_image(LabeledFiles(field.image, field.labels))
    if predict is None:
        raise DataError(f"{field.image}: there are neither labels of this image nor a model that predicts them.")
    image = read_image(field.image)
    return LabeledImage(image, predict(image))


def _photo(image: npt.NDArray[Any], part: Part) -> str:
    """Show a part of an image with the contrast of the whole."""
    return photo_uri(picture(image)[part])


def _sha256(labels: npt.NDArray[np.int32]) -> str:
    digest = hashlib.sha256(f"{labels.shape}".encode("ascii"))
    digest.update(np.ascontiguousarray(labels, dtype="<i4").tobytes())
    return digest.hexdigest()


def _size(image: npt.NDArray[Any]) -> str:
    return f"{image.shape[1]} x {image.shape[0]}"
