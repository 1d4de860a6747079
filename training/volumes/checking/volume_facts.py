"""Measure one volume of a data set and its labels, and find what is wrong with them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from skimage.measure import label as connected

from cpunet.errors import DataError, ImageError
from cpunet.files.formats.volume import read_label_volume, read_volume
from cpunet.steps.diameter import diameter_of_sphere
from cpunet.training.checking.image_facts import (
    ERROR,
    LEAST_PIECES_OF_MASK,
    WARNING,
    DataProblem,
    ImageFacts,
    Warned,
    appearance,
    objects_named,
    used_bits,
)
from cpunet.training.data.duplicates import THUMBNAIL_PX, fine_structure, pixel_sum
from cpunet.training.data.index import DEPTH
from cpunet.training.data.labeled_images import IndexRow
from cpunet.training.volumes.data.labeled_volumes import (
    LABELED_PLANES,
    PIXEL_SIZE,
    Z_STEP,
    check_label_volume,
    length_of,
    planes_of,
    planes_problem,
)

# Microscopes take planes from a fifth of a pixel apart to twenty pixels.
LEAST_Z_STEP_PX, MOST_Z_STEP_PX = 0.2, 20.0
# Objects that are so many times as long along z as wide, or the reverse: rather a wrong z step.
MOST_STRETCHED, LEAST_JUDGED = 3.0, 5
# Planes alone with labels, their neighbors without: of so many, rather all others were not labeled.
LEAST_ALONE = 2
SPECK_VOXELS = 20


@dataclass(frozen=True)
class ObjectFacts:
    """The objects of a volume of labels, in the order of their numbers.

    Attributes
    ----------
    numbers, voxels, pieces : ndarray of shape (n,), int64
    extents : ndarray of shape (n, 3), int64
        Planes, rows and columns that each takes.
    cut : ndarray of shape (n,), bool
        Whether it reaches a face of the volume.
    """

    numbers: NDArray[np.int64]
    voxels: NDArray[np.int64]
    pieces: NDArray[np.int64]
    extents: NDArray[np.int64]
    cut: NDArray[np.bool_]


def look_at_volume(row: IndexRow, cells: dict[str, str]) -> tuple[ImageFacts | None, list[DataProblem]]:
    """Read a volume and its labels, and list all problems.

    Parameters
    ----------
    row : IndexRow
    cells : dict of str to str
        The row of index.csv; its numbers are compared with the files.

    Returns
    -------
    facts : ImageFacts or None
        None if a file cannot be used.
    findings : list of DataProblem
    """
    where = "/".join(row.key)
    try:
        image, labels = read_volume(row.image_path).pixels, read_label_volume(row.labels_path).pixels
        ignored = None if row.ignore_path is None else read_label_volume(row.ignore_path).pixels
        sizes = [length_of(cells, name, row.folder) for name in (PIXEL_SIZE, Z_STEP)]
        planes = planes_of(cells, row.folder)
    except (ImageError, DataError) as error:
        return None, [DataProblem(ERROR, "file", where, str(error))]
    problem = check_label_volume(labels, image) or planes_problem(planes, len(image))
    if not problem and ignored is not None and ignored.shape != labels.shape:
        problem = f"the mask of what is not labeled has the shape {ignored.shape}, and the volume {labels.shape}."
    if problem:
        return None, [DataProblem(ERROR, "labels", where, problem)]
    z_step_px = sizes[1] / sizes[0] if sizes[0] is not None and sizes[1] is not None else None
    objects = measure_objects(labels)
    projection = image.max(axis=0)
    facts = ImageFacts(
        row,
        image.shape[1:],
        str(image.dtype),
        used_bits(image),
        diameter_of_sphere(objects.voxels * (z_step_px or 1.0)),
        pixel_sum(image),
        appearance(projection),
        fine_structure(projection, THUMBNAIL_PX),
        len(image),
        z_step_px,
    )
    warnings = [
        *_image_warnings(image),
        *object_warnings(objects, bool(planes) or ignored is not None),
        *spacing_warnings(z_step_px, objects),
        *plane_warnings(labels, planes),
        *_index_warnings(facts, cells),
    ]
    return facts, [DataProblem(WARNING, kind, where, sentence, (row,)) for kind, sentence in warnings]


def measure_objects(labels: NDArray[np.integer]) -> ObjectFacts:
    """Measure the objects of labels (Z, Y, X); pieces that touch at a corner are one."""
    numbers, dense = np.unique(np.append(labels.ravel(), labels.dtype.type(0)), return_inverse=True)
    labels = dense[:-1].reshape(labels.shape)  # 0..n, however large the numbers are
    count = len(numbers)
    pieces = connected(labels, background=0, connectivity=3)
    object_of_piece = np.zeros(pieces.max() + 1, np.int64)
    object_of_piece[pieces.ravel()] = labels.ravel()
    boxes = [box for box in ndimage.find_objects(labels) if box is not None]
    extents = np.array([[side.stop - side.start for side in box] for box in boxes], np.int64).reshape(-1, 3)
    cut = [
        any(side.start == 0 or side.stop == size for side, size in zip(box, labels.shape, strict=True)) for box in boxes
    ]
    return ObjectFacts(
        numbers[1:].astype(np.int64),
        np.bincount(labels.ravel(), minlength=count)[1:],
        np.bincount(object_of_piece[1:], minlength=count)[1:],
        extents,
        np.array(cut, bool),
    )


def object_warnings(objects: ObjectFacts, in_part: bool) -> list[Warned]:
    """Find labels that can be read but are likely wrong.

    Parameters
    ----------
    objects : ObjectFacts
    in_part : bool
        Whether only some planes or voxels are labeled: objects are cut then, and none need be there.
    """
    count = len(objects.numbers)
    if not count:
        return (
            [] if in_part else [("empty", "no object. Correct if the volume shows none; else its labels are missing.")]
        )
    if count == 1 and objects.pieces[0] >= LEAST_PIECES_OF_MASK:
        what = (
            f"one number ({objects.numbers[0]}) in {objects.pieces[0]} pieces, as in a mask: all would be one object."
        )
        return [("mask", f"{what} Give each object a number of its own.")]
    warnings = []
    if objects.numbers[-1] != count:
        what = f"{count} objects have numbers up to {objects.numbers[-1]}: some may have been lost, or are left out."
        warnings.append(("numbers", what))
    flat = (objects.extents[:, 0] == 1) & ~objects.cut
    for kind, broken, how in (
        ("pieces", objects.pieces > 1, "in several pieces in 3-D: two under one number, or stray voxels."),
        ("flat", flat, "in a single plane: labels of planes that were never linked, or debris."),
        ("specks", objects.voxels < SPECK_VOXELS, f"of less than {SPECK_VOXELS} voxels."),
    ):
        # Between labeled planes, an object has no voxels.
        if broken.any() and not (in_part and kind in ("pieces", "flat")):
            warnings.append((kind, f"{objects_named(objects.numbers[broken])} {how}"))
    return warnings


def spacing_warnings(z_step_px: float | None, objects: ObjectFacts) -> list[Warned]:
    """Find a distance of planes that is missing, or that the objects contradict."""
    if z_step_px is None:
        what = f"how far apart planes are is not known: write {PIXEL_SIZE} and {Z_STEP} into index.csv"
        return [("spacing", f"{what}, or say z_step_px in the training's YAML.")]
    if not LEAST_Z_STEP_PX <= z_step_px <= MOST_Z_STEP_PX:
        return [
            ("spacing", f"planes are {z_step_px:.3g} pixels apart by the index; is the unit of both sizes micrometers?")
        ]
    whole = objects.extents[~objects.cut]
    if len(whole) < LEAST_JUDGED:
        return []
    stretched = float(np.median(whole[:, 0] * z_step_px / whole[:, 1:].mean(axis=1)))
    if 1 / MOST_STRETCHED <= stretched <= MOST_STRETCHED:
        return []
    what = (
        f"objects are {stretched:.2g} times as long along z as wide (median), with planes {z_step_px:.2g} pixels apart"
    )
    return [("spacing", f"{what}. Is {Z_STEP} right?")]


def plane_warnings(labels: NDArray[np.integer], labeled_planes: tuple[int, ...]) -> list[Warned]:
    """Find planes that stand alone with labels, as if the others were never labeled; and labels of other planes."""
    filled = labels.any(axis=(1, 2))
    if labeled_planes:
        others = np.setdiff1d(np.flatnonzero(filled), labeled_planes)
        what = f"{len(others)} planes that {LABELED_PLANES} does not name hold labels, which are not used."
        return [("planes", what)] if len(others) else []
    beside = np.zeros(filled.shape, bool)
    beside[1:] |= filled[:-1]
    beside[:-1] |= filled[1:]
    alone = np.flatnonzero(filled & ~beside)
    if len(alone) < LEAST_ALONE:
        return []
    shown = ", ".join(str(plane + 1) for plane in alone[:5]) + (" ..." if len(alone) > 5 else "")
    what = f"{len(alone)} planes ({shown}) have labels, and the planes beside them none. If the others were not labeled"
    return [("planes", f"{what}, say so in {LABELED_PLANES}: they are learned as background otherwise.")]


def _image_warnings(image: NDArray[np.generic]) -> list[Warned]:
    warnings = []
    if np.issubdtype(image.dtype, np.floating) and not np.isfinite(image).all():
        warnings.append(("pixels", f"{int((~np.isfinite(image)).sum())} voxels are no number (NaN or infinite)."))
    if image.min() == image.max():
        return [*warnings, ("pixels", f"every voxel of the volume is {image.flat[0]}.")]
    lowest, highest = image.min(axis=tuple(range(1, image.ndim))), image.max(axis=tuple(range(1, image.ndim)))
    blank = int((lowest == highest).sum())
    if blank:
        warnings.append(("pixels", f"{blank} of {len(image)} planes are blank: each holds one number alone."))
    return warnings


def _index_warnings(facts: ImageFacts, cells: dict[str, str]) -> list[Warned]:
    found = {
        DEPTH: facts.depth,
        "height": facts.shape[0],
        "width": facts.shape[1],
        "dtype": facts.dtype,
        "channels": 1 if len(facts.shape) == 2 else facts.shape[2],
        "objects": len(facts.diameters_px),
    }
    return [
        ("index", f"index.csv says {name} {cells[name]}, and the files say {value}.")
        for name, value in found.items()
        if cells.get(name) and cells[name] != str(value)
    ]
