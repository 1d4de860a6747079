"""Import volumes with labels into a data set: TIFF, OME-TIFF, stacks of ImageJ, and OME-Zarr."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from skimage.segmentation import relabel_sequential

from cpunet.errors import DataError, LabelFileError
from cpunet.files.find import is_zarr
from cpunet.files.formats.volume import read_label_volume, read_volume, write_volume
from cpunet.files.formats.voxel_size import NOTHING_SAID, VoxelSize
from cpunet.files.images import LARGEST_UINT16
from cpunet.training.data.duplicates import SeenImages
from cpunet.training.data.ignored_pixels import IGNORE_FOLDER
from cpunet.training.data.index import DEPTH
from cpunet.training.importing.by_name import pair_by_name
from cpunet.training.importing.data_set import ImportOptions, import_pairs
from cpunet.training.importing.names import without_label_suffix
from cpunet.training.importing.pairs import Pair, Pairing, image_files, pairing_of
from cpunet.training.volumes.data.labeled_volumes import (
    LABELED_PLANES,
    PIXEL_SIZE,
    Z_STEP,
    check_label_volume,
    length_of,
    planes_as_text,
    planes_of,
    planes_problem,
)

OWN = "own"
# Sizes that differ by less are the same, written with other digits.
SAME_SIZE = 1e-3
SIZE_WAY_OUT = "say --pixel-size-um and --z-step-um, or z_step_px in the training's YAML"


@dataclass(frozen=True)
class VolumeOptions:
    """What a user says of all volumes of an import.

    Attributes
    ----------
    size : VoxelSize
        It counts before what a file says.
    labeled_planes : tuple of int
        The planes that somebody labeled, from 0 on; empty if all are.
    planes_with_labels : bool
        Whether the labeled planes of a volume are those with an object.
    """

    size: VoxelSize = NOTHING_SAID
    labeled_planes: tuple[int, ...] = ()
    planes_with_labels: bool = False


def pair_volumes(
    images: Path, labels: Path | None, image_suffix: str | None = None, labels_suffix: str | None = None
) -> Pairing:
    """Pair volumes and their labels by their names.

    Parameters
    ----------
    images : Path
        A folder of TIFF files, or of folders of OME-Zarr.
    labels : Path, optional
        The folder of their labels. Without it, the labels within each folder of OME-Zarr count.
    image_suffix, labels_suffix : str, optional
        What the names end in; for TIFF files.

    Raises
    ------
    DataError
        If a folder is missing or holds nothing of the kind, or it is not clear which labels count.
    """
    stores = sorted(path for path in images.iterdir() if is_zarr(path)) if images.is_dir() else []
    if not stores:
        if labels is None:
            raise DataError(
                f"{images}: there is no OME-Zarr in this folder; say --labels DIR for labels of TIFF files."
            )
        return pair_by_name(images, labels, "instances", image_suffix, labels_suffix)
    if image_suffix is not None or labels_suffix is not None:
        raise DataError("--image-suffix and --labels-suffix go with TIFF files; labels of NAME.zarr are named NAME.")
    image_of = {path.stem: path for path in stores}
    if labels is None:
        within = {name: _labels_within(path) for name, path in image_of.items()}
        labels_of = {name: (path,) for name, path in within.items() if path is not None}
        return pairing_of(image_of, labels_of, "instances", ("labels: those within each OME-Zarr.",))
    if not labels.is_dir():
        raise DataError(f"{labels}: there is no such folder.")
    found = [*(path for path in sorted(labels.iterdir()) if is_zarr(path)), *image_files(labels)]
    labels_of = {}
    for path in found:
        name = without_label_suffix(path.stem, image_of)
        if name in labels_of:
            raise DataError(f"{labels}: {labels_of[name][0].name} and {path.name} have the same name; which counts?")
        labels_of[name] = (path,)
    return pairing_of(image_of, labels_of, "instances", ("labels: one number an object.",))


def _labels_within(store: Path) -> Path | None:
    """Return the one image of labels within an OME-Zarr; None if there is none."""
    folder = store / "labels"
    found = sorted(path for path in folder.iterdir() if path.is_dir()) if folder.is_dir() else []
    if len(found) > 1:
        names = ", ".join(path.name for path in found)
        raise DataError(
            f"{store}: this holds several labels ({names}). Copy those that count into a folder: --labels DIR."
        )
    return found[0] if found else None


def import_volumes(pairings: list[Pairing], target: Path, options: ImportOptions, volumes: VolumeOptions) -> list[str]:
    """Write volumes, labels and index.csv, all of them or nothing.

    Parameters
    ----------
    pairings : list of Pairing
        Of `pair_volumes`, or data sets in our own layout.
    target : Path
        A folder that does not exist yet.
    options : ImportOptions
    volumes : VolumeOptions

    Returns
    -------
    list of str
        What was done, in sentences.

    Raises
    ------
    DataError
        If the target exists, or files cannot be used; the message names all of them.
    """
    return import_pairs(pairings, target, options, store=partial(_store, volumes))


def _store(
    volumes: VolumeOptions, pair: Pair, label_format: str, folder: Path, earlier: SeenImages, options: ImportOptions
) -> tuple[dict[str, str], str]:
    """Write a volume and its labels; return its row of index.csv, and a sentence on changes and doubts."""
    volume = read_volume(pair.image)
    image = storable(volume.pixels, pair.image)
    (path,) = pair.labels
    labels, ignored = numbers_of_objects(read_label_volume(path).pixels, path)
    problem = check_label_volume(labels, image)
    if problem:
        raise DataError(f"{pair.id}: {problem}")
    if pair.ignore is not None:
        mask = read_label_volume(pair.ignore).pixels
        if mask.shape != labels.shape:
            raise DataError(f"{pair.ignore}: this mask has the shape {mask.shape}, and its volume {labels.shape}.")
        ignored = (mask != 0) if ignored is None else ignored | (mask != 0)
    size, notes = voxel_size(pair, folder, volume.size, volumes.size, label_format)
    objects = int(labels.max(initial=0))
    planes = _labeled_planes(pair, folder, labels, volumes)
    problem = planes_problem(planes, len(labels))
    if problem:
        raise DataError(f"{pair.id}: {problem}")
    write_volume(folder / "images" / f"{pair.id}.tif", image, size)
    stored = labels.astype(np.uint16 if objects <= LARGEST_UINT16 else np.uint32)
    write_volume(folder / "labels" / f"{pair.id}.tif", stored, size)
    if ignored is not None:
        (folder / IGNORE_FOLDER).mkdir(exist_ok=True)
        write_volume(folder / IGNORE_FOLDER / f"{pair.id}.tif", ignored.astype(np.uint8) * np.uint8(255), size)
    # Two stacks of one projection are one stack.
    duplicate, difference = earlier.duplicate_of(image.max(axis=0), pair.id)
    cells = {
        "split": "",
        "duplicate_of": "",
        **pair.cells,
        "id": pair.id,
        DEPTH: str(image.shape[0]),
        "height": str(image.shape[1]),
        "width": str(image.shape[2]),
        "dtype": str(image.dtype),
        "channels": str(1 if image.ndim == 3 else image.shape[3]),
        "objects": str(objects),
        PIXEL_SIZE: "" if size.pixel_size_um is None else f"{size.pixel_size_um:.6g}",
        Z_STEP: "" if size.z_step_um is None else f"{size.z_step_um:.6g}",
        LABELED_PLANES: planes_as_text(planes),
    }
    if duplicate and not cells["duplicate_of"]:
        cells["duplicate_of"] = duplicate
        notes += [f"{difference} as {duplicate}"] if difference else []
    return cells, "; ".join(notes)


def storable(image: NDArray[np.generic], path: Path) -> NDArray[np.generic]:
    """Return a volume in a type that OME-TIFF has, without another value than it holds.

    DataError if it holds no real numbers, or whole ones of more than 32 bits.
    """
    if image.dtype == bool:
        return image.astype(np.uint8)
    if image.dtype == np.float16:
        return image.astype(np.float32)
    if image.dtype in (np.int64, np.uint64):
        types = [kind for kind in (np.uint32, np.int32) if np.array_equal(image.astype(kind), image)]
        if not types:
            raise DataError(f"{path}: this holds numbers from {image.min()} to {image.max()}; save them in 32 bits.")
        return image.astype(types[0])
    if not (np.issubdtype(image.dtype, np.integer) or np.issubdtype(image.dtype, np.floating)):
        raise DataError(f"{path}: a volume of real numbers is needed; this holds {image.dtype}.")
    return image


def numbers_of_objects(numbers: NDArray[np.generic], path: Path) -> tuple[NDArray[np.int32], NDArray[np.bool_] | None]:
    """Return labels, 0 background and 1..n, and where -1 marks that nobody labeled; None if that is nowhere.

    LabelFileError if the numbers are no whole ones from -1 on.
    """
    whole = numbers
    if np.issubdtype(numbers.dtype, np.floating) and np.isfinite(numbers).all() and (numbers == np.rint(numbers)).all():
        whole = numbers.astype(np.int64)
    if whole.dtype == bool or not np.issubdtype(whole.dtype, np.integer) or whole.min(initial=0) < -1:
        raise LabelFileError(
            f"{path}: this holds {numbers.dtype} values from {numbers.min()} to {numbers.max()}; whole numbers are "
            "needed, 0 for background and one number an object. A mask of objects and background becomes such labels "
            "where no two objects touch: in Fiji, Plugins > MorphoLibJ > Connected Components Labeling."
        )
    # The numbers of an unsigned type stay below what the sign takes.
    ignored = whole == -1 if np.issubdtype(whole.dtype, np.signedinteger) else np.zeros(whole.shape, bool)
    labels = relabel_sequential(np.where(ignored, 0, whole))[0].astype(np.int32)
    return labels, ignored if ignored.any() else None


def voxel_size(
    pair: Pair, folder: Path, in_file: VoxelSize, said: VoxelSize, label_format: str
) -> tuple[VoxelSize, list[str]]:
    """Choose the size of voxels: what the user says, else what the source's index says, else what the file says.

    Returns
    -------
    VoxelSize, and list of str
        Sentences on what the file says otherwise, or what nothing says.
    """
    index = _size_of_cells(pair.cells, folder) if label_format == OWN else NOTHING_SAID
    chosen, notes = {}, []
    for name, what in (("pixel_size_um", "pixels are"), ("z_step_um", "planes are")):
        values = [getattr(size, name) for size in (said, index, in_file)]
        chosen[name] = next((value for value in values if value is not None), None)
        other = values[2]
        if chosen[name] is not None and other is not None and abs(other / chosen[name] - 1) > SAME_SIZE:
            apart = "wide" if name == "pixel_size_um" else "apart"
            notes.append(f"{what} {chosen[name]:g} um {apart}, and not {other:g} as the file says")
    size = VoxelSize(**chosen)
    if size.z_step_px is None:
        missing = " and ".join(name for name in (PIXEL_SIZE, Z_STEP) if chosen[name] is None)
        notes.append(f"{missing} not known: {SIZE_WAY_OUT}")
    return size, notes


def _size_of_cells(cells: Mapping[str, str], folder: Path) -> VoxelSize:
    return VoxelSize(length_of(cells, PIXEL_SIZE, folder), length_of(cells, Z_STEP, folder))


def _labeled_planes(pair: Pair, folder: Path, labels: NDArray[np.int32], volumes: VolumeOptions) -> tuple[int, ...]:
    if volumes.planes_with_labels:
        with_objects = np.flatnonzero(labels.any(axis=(1, 2)))
        if not len(with_objects):  # without a number, all planes would be learned as background
            raise DataError(f"{pair.id}: no plane holds an object, so none counts as labeled. Leave this volume out.")
        return tuple(int(plane) for plane in with_objects)
    return volumes.labeled_planes or planes_of(pair.cells, folder)
