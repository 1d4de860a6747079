"""Synthetic clumps: copies of a patch's own nuclei, pasted against others so that they touch."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy import fft, ndimage

from cpunet.training.data.ignored_pixels import without_ignored
from cpunet.training.patches.patch import Patch

# Around an object: where it fades into the new background, and, beyond, where its background is measured.
RIM_PX = 2
MARGIN_PX = 5
# Two nuclei that meet in a pixel or two look accidental; real ones share a piece of outline.
# In parts of the square root of a copy's area.
SMALLEST_CONTACT = 0.25
# In parts of the mean area of a patch's objects.
SMALLEST_AREA = 0.25
TRIES = 4


@dataclass(frozen=True)
class Donor:
    """An object with its surroundings, ready to be pasted.

    Attributes
    ----------
    image : ndarray of shape (C, h, w), float32
        The object and `MARGIN_PX` around it.
    mask : ndarray of shape (h, w), bool
        Its pixels.
    opacity : ndarray of shape (h, w), float32
        1 on the object, falling to 0 over `RIM_PX`.
    around : ndarray of shape (h, w), bool
        Background beyond the rim.
    """

    image: NDArray[np.float32]
    mask: NDArray[np.bool_]
    opacity: NDArray[np.float32]
    around: NDArray[np.bool_]


def paste_touching(patch: Patch, rng: np.random.Generator, count: int = 1, max_overlap: float = 0.05) -> Patch:
    """Paste copies of a patch's objects, turned or mirrored, so that each touches another object.

    Parameters
    ----------
    patch : Patch
        Each object in one connected piece. Objects that touch neither the frame, nor another object, nor pixels that
        nobody labeled are copied; and never onto such pixels.
    rng : numpy.random.Generator
        Decides everything.
    count : int
        How many copies to paste; fewer where there is no place.
    max_overlap : float
        Largest share of a copy, 0 to 1, that may disappear below objects that are already there.

    Returns
    -------
    Patch
        Of the same shape and types. Existing objects keep their pixels, in image and labels; each copy has a new
        number, the highest so far plus one. The patch itself if nothing could be pasted.

    Notes
    -----
    A copy keeps its intensities but for one constant a channel, which brings its background to that of its new place,
    and fades into it over 2 pixels. Pasted objects as training images: Dwibedi et al. 2017, doi:10.1109/ICCV.2017.146;
    Ghiasi et al. 2021, doi:10.1109/CVPR46437.2021.00294.
    """
    windows = ndimage.find_objects(without_ignored(patch.labels))
    donors = large_objects(patch.labels)
    result = patch
    for _ in range(count):
        donor = next(isolated_objects(patch, windows, rng.permutation(donors)), None)
        if donor is None:
            break
        result = _paste(result, _turn(donor, rng), rng, max_overlap)
    return result


def large_objects(labels: NDArray[np.integer]) -> NDArray[np.int64]:
    """Return the numbers of all objects but debris and slivers cut by the frame."""
    area = np.bincount(without_ignored(labels).ravel())
    area[0] = 0
    return np.flatnonzero(area >= SMALLEST_AREA * max(1, area.sum() / max(1, np.count_nonzero(area))))


def isolated_objects(
    patch: Patch, windows: list[tuple[slice, slice] | None], indices: NDArray[np.int64]
) -> Iterator[Donor]:
    """Cut out the objects around which there is background alone.

    Parameters
    ----------
    patch : Patch
    windows : list of tuple of slice or None
        From `scipy.ndimage.find_objects` of its labels; None for a number without a pixel.
    indices : ndarray of int
        The numbers of the objects to try, in this order.
    """
    for index in indices:
        window = windows[index - 1]
        if window is None:
            continue
        wide = tuple(slice(side.start - MARGIN_PX, side.stop + MARGIN_PX) for side in window)
        if any(side.start < 0 or side.stop > size for side, size in zip(wide, patch.labels.shape, strict=True)):
            continue
        labels = patch.labels[wide]
        mask = labels == index
        distance = ndimage.distance_transform_edt(~mask)
        others = (labels != 0) & ~mask
        # A neighbor within the rim would come along as a bright or dark edge.
        if others.any() and distance[others].min() <= RIM_PX + 1:
            continue
        opacity = np.clip(1 - distance / (RIM_PX + 1), 0, 1).astype(np.float32)
        around = (distance > RIM_PX) & (distance <= MARGIN_PX) & ~others
        yield Donor(patch.image[(slice(None), *wide)], mask, opacity, around)


def _turn(donor: Donor, rng: np.random.Generator) -> Donor:
    """Turn by a multiple of 90 degrees, and mirror or not."""
    quarters, mirrored = int(rng.integers(4)), bool(rng.integers(2))

    def turned(array: NDArray[np.generic]) -> NDArray[np.generic]:
        array = np.rot90(array, quarters, axes=(-2, -1))
        return array[..., ::-1] if mirrored else array

    return Donor(turned(donor.image), turned(donor.mask), turned(donor.opacity), turned(donor.around))


def _paste(patch: Patch, donor: Donor, rng: np.random.Generator, max_overlap: float) -> Patch:
    """Paste a copy against one of a few hosts, chosen at random; return the patch itself where there is no place."""
    for host in rng.permutation(large_objects(patch.labels))[:TRIES]:
        window = _place(patch.labels, int(host), donor.mask, rng, max_overlap)
        if window is None:
            continue
        free = patch.labels[window] == 0
        visible = donor.mask & free
        around = donor.around & free
        if ndimage.label(visible)[1] != 1 or not around.any():
            continue
        labels, image = patch.labels.copy(), patch.image.copy()
        labels[window][visible] = labels.max() + 1
        there = image[(slice(None), *window)]
        step = np.median(there[:, around], axis=1) - np.median(donor.image[:, donor.around], axis=1)
        copy = donor.image + step.astype(image.dtype)[:, np.newaxis, np.newaxis]
        there[:] = np.where(free, there + donor.opacity * (copy - there), there)
        return replace(patch, image=image, labels=labels)
    return patch


def _place(
    labels: NDArray[np.integer], host: int, mask: NDArray[np.bool_], rng: np.random.Generator, max_overlap: float
) -> tuple[slice, slice] | None:
    """Choose where a copy shares a piece of outline with its host and hides little of itself below any object.

    Notes
    -----
    Both are counted for all places at once: a correlation of the copy's mask with the pixels that are taken gives the
    hidden pixels, one with the free pixels beside the host gives the length of the contact.
    """
    (own,) = ndimage.find_objects((labels == host).view(np.int8))
    region = tuple(
        slice(max(0, side.start - size), min(whole, side.stop + size))
        for side, size, whole in zip(own, mask.shape, labels.shape, strict=True)
    )
    nearby = labels[region]
    if any(size < wanted for size, wanted in zip(nearby.shape, mask.shape, strict=True)):
        return None
    taken = nearby != 0
    beside = ndimage.binary_dilation(nearby == host) & ~taken
    size = [fft.next_fast_len(side, real=True) for side in nearby.shape]
    spectra = fft.rfft2(np.stack([taken, beside]).astype(np.float32), size)
    counts = fft.irfft2(spectra * np.conj(fft.rfft2(mask.astype(np.float32), size)), size)
    # Further down or right the copy would leave the region.
    hidden, contact = counts[:, : nearby.shape[0] - mask.shape[0] + 1, : nearby.shape[1] - mask.shape[1] + 1]
    area = mask.sum()
    # The counts are whole but for rounding.
    most_hidden = np.floor(max_overlap * area) + 0.5
    least_contact = max(1, np.ceil(SMALLEST_CONTACT * np.sqrt(area))) - 0.5
    places = np.argwhere((hidden < most_hidden) & (contact > least_contact))
    if not len(places):
        return None
    top, left = places[rng.integers(len(places))] + [side.start for side in region]
    return slice(top, top + mask.shape[0]), slice(left, left + mask.shape[1])
