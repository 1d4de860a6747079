"""Images that are the same: across data sets, and on both sides of a split."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from skimage.transform import resize

from cpunet.files.images import gray_of_equal_colors

if TYPE_CHECKING:
    from cpunet.training.data.labeled_images import IndexRow

TESTED_SPLITS = {"val", "test"}
THUMBNAIL_PX = 64
# Of one picture in two bit depths or file formats, the fine structure correlates by more than this.
SAME_PICTURE = 0.999
Key = tuple[str, str]


def leaking_images(rows: Iterable[IndexRow]) -> set[Key]:
    """Find the images that must not be trained on, because a duplicate is tested on.

    Returns
    -------
    set of (set, id)
        Images of which one copy, under this or another id, has a split of `TESTED_SPLITS`.
    """
    rows = list(rows)
    tested = {row.key for row in rows if row.split in TESTED_SPLITS}
    leaks = tested & {row.key for row in rows if row.split not in TESTED_SPLITS}  # ids that stand there twice
    return leaks.union(*(family for family in duplicate_families(rows) if family & tested))


def duplicate_families(rows: Iterable[IndexRow]) -> list[set[Key]]:
    """Group the images of all sets that are duplicates according to `duplicate_of`.

    Returns
    -------
    list of set of (set, id)
        Families of two images or more; duplicates of one image are one family.

    Notes
    -----
    `duplicate_of` is an id, or <set>/<id>. It may be the name of the publisher's file: BBBC039 calls
    IXMtest_K12_s7 by IXMtest_K12_s7_w1 and a random suffix. Two images that name one duplicate are one
    family even if that duplicate is not among the images.
    """
    rows = list(rows)
    keys = {row.key for row in rows}
    sets = {row.folder.name for row in rows}
    pairs = []
    for row in rows:
        if not row.duplicate_of:
            continue
        folder, _, name = row.duplicate_of.rpartition("/")
        names = (name, name.partition("_w1")[0])
        duplicates = {(other, each) for other in ({folder} if folder else sets) for each in names} & keys
        pairs += [(row.key, duplicate) for duplicate in (duplicates or {(folder, names[1])}) - {row.key}]
    return [family & keys for family in joined(pairs) if len(family & keys) > 1]


def joined(pairs: Iterable[tuple[Key, Key]]) -> list[set[Key]]:
    """Join pairs that share a member into families that share none."""
    families: dict[Key, set[Key]] = {}
    for first, second in pairs:
        family = families.get(first, {first}) | families.get(second, {second})
        families.update(dict.fromkeys(family, family))
    return list({id(family): family for family in families.values()}.values())


def pixel_sum(image: NDArray[np.generic]) -> str:
    """Return a SHA-256 over shape and values: equal for equal pixels, no matter which type or file format."""
    gray = gray_of_equal_colors(image)
    digest = hashlib.sha256(str(gray.shape).encode())
    digest.update(np.ascontiguousarray(gray, dtype="<f8").tobytes())
    return digest.hexdigest()


def fine_structure(image: NDArray[np.generic], size_px: int | None = None) -> NDArray[np.float32]:
    """Remove uneven illumination and contrast, so that the product of two results is their correlation.

    Parameters
    ----------
    image : ndarray of shape (Y, X) or (Y, X, C)
    size_px : int, optional
        Reduce it to a square of this size first.

    Returns
    -------
    ndarray of shape (Y, X), float32
        Mean 0 and sum of squares 1; all 0 if all pixels are equal.
    """
    plane = np.nan_to_num(np.asarray(image, np.float32))
    plane = plane.mean(axis=2) if plane.ndim == 3 else plane
    if size_px is not None:
        plane = resize(plane, (size_px, size_px), anti_aliasing=True, preserve_range=True)
    fine = plane - ndimage.gaussian_filter(plane, max(plane.shape) / 16)
    fine -= fine.mean()
    length = float(np.linalg.norm(fine))
    return (fine / length if length > 1e-6 * max(1.0, float(np.abs(plane).max())) else np.zeros_like(fine)).astype(
        np.float32
    )


class SeenImages:
    """Images by name, among which duplicates of another one are searched."""

    def __init__(self) -> None:
        self._names: list[str] = []
        self._sums: dict[str, str] = {}
        self._thumbnails = np.zeros((THUMBNAIL_PX, THUMBNAIL_PX**2), np.float32)

    def duplicate_of(self, image: NDArray[np.generic], name: str) -> tuple[str, str]:
        """Find a duplicate of an image among those seen before, and remember the image.

        Parameters
        ----------
        image : ndarray of shape (Y, X) or (Y, X, C)
        name : str
            An id, or <set>/<id>.

        Returns
        -------
        duplicate : str
            The name of an image with the same pixels; else of the one whose fine structure correlates most, by more
            than `SAME_PICTURE`; empty if there is none.
        difference : str
            How a duplicate of other pixels is like it, the start of a sentence; empty for the same pixels.
        """
        thumbnail = fine_structure(image, THUMBNAIL_PX).ravel()
        same = self._sums.setdefault(pixel_sum(image), name)
        count = len(self._names)
        likeness = self._thumbnails[:count] @ thumbnail
        if count == len(self._thumbnails):
            self._thumbnails = np.concatenate([self._thumbnails, np.zeros_like(self._thumbnails)])
        self._thumbnails[count] = thumbnail
        self._names.append(name)
        if same != name:
            return same, ""
        best = int(likeness.argmax()) if count else -1
        if best < 0 or likeness[best] <= SAME_PICTURE:
            return "", ""
        return self._names[best], f"nearly the same picture (correlation {min(likeness[best], 1.0):.4f})"
