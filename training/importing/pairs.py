"""Find which label file belongs to which image, by their names."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from cpunet.errors import DataError
from cpunet.files.find import other_programs_labels, result_of
from cpunet.training.data.labeled_images import SUFFIXES
from cpunet.training.importing.label_files import guess_format

LABEL_SUFFIXES = ("_cp_masks", "_labels", "_label", "_masks", "_mask", "_seg")
LOOKED_AT = 5


@dataclass(frozen=True)
class Pair:
    """One image and the files of its labels.

    Attributes
    ----------
    id : str
        Its name in the new data set.
    image : Path
    labels : tuple of Path
        One file, or one an object.
    cells : dict of str to str
        Known cells of index.csv, such as the split.
    ignore : Path, optional
        The mask of its pixels that nobody labeled.
    """

    id: str
    image: Path
    labels: tuple[Path, ...]
    cells: dict[str, str] = field(default_factory=dict)
    ignore: Path | None = None


@dataclass(frozen=True)
class Pairing:
    """Images with their labels, as found in one source.

    Attributes
    ----------
    pairs : tuple of Pair
    label_format : str
        As `cpunet.training.importing.label_files.read_labels` takes it.
    unpaired : tuple of str
        Sentences on images without labels, and labels without an image.
    notes : tuple of str
        Sentences on what was chosen, and why.
    """

    pairs: tuple[Pair, ...]
    label_format: str
    unpaired: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def image_files(folder: Path, recursive: bool = False) -> list[Path]:
    """List the PNG and TIFF files of a folder, in order; hidden ones, which macOS adds, are left out."""
    found = folder.rglob("*") if recursive else folder.iterdir()
    return sorted(path for path in found if path.suffix.lower() in SUFFIXES and not path.name.startswith("."))


def _without_results(files: Iterable[Path]) -> tuple[list[Path], list[str]]:
    """Part images from what this program and Cellpose wrote beside them; return the images, and a sentence."""
    files = list(files)
    images = [path for path in files if result_of(path) is None]
    names = [path.name for path in files if path not in images]
    sentence = f"left out, as results of the images beside them by their names: {', '.join(names[:LOOKED_AT])}"
    return images, [
        sentence + (f" and {len(names) - LOOKED_AT} more." if len(names) > LOOKED_AT else ".")
    ] if names else []


def pair_by_name(images: Path, labels: Path, label_format: str | None) -> Pairing:
    """Pair the files of two folders by their names.

    Parameters
    ----------
    images : Path
        Holds a file an image.
    labels : Path
        Holds, for the image NAME, the file NAME with or without one of `LABEL_SUFFIXES`, or the folder NAME with one
        mask an object. If it is the folder of the images, only files with such a suffix are labels.
    label_format : str or None
        None looks into the files.

    Raises
    ------
    DataError
        If a folder is missing or holds no image, or two files have the same name.
    """
    for folder in (images, labels):
        if not folder.is_dir():
            what = "this is a file; a folder is needed" if folder.is_file() else "there is no such folder"
            hint = f" Give the folder itself: {folder.parent}." if "*" in folder.name else ""
            raise DataError(f"{folder}: {what}.{hint}")
    found, label_files = image_files(images), image_files(labels)
    if images.resolve() == labels.resolve():
        # Cellpose writes NAME_cp_masks.tif beside NAME.tif.
        label_files = [path for path in found if path.stem.endswith(LABEL_SUFFIXES)]
        found = [path for path in found if path not in label_files]
    found, notes = _without_results(found)
    image_of = _by_name(found, lambda path: path.stem)
    others = other_programs_labels(labels)
    if not image_of:
        names = sorted(path.name for path in images.iterdir() if not path.name.startswith("."))[:LOOKED_AT]
        there = f"It holds {', '.join(names)}; save images of other formats as TIFF." if names else "It is empty."
        raise DataError(f"{images}: there is no PNG or TIFF file of an image. {there}")
    folders = {path.name: path for path in sorted(labels.iterdir()) if _may_hold_masks(path, images)}
    if label_format == "masks" or (label_format is None and folders.keys() & image_of.keys()):
        labels_of = {name: tuple(image_files(folder)) for name, folder in folders.items()}
        labels_of = {name: files for name, files in labels_of.items() if files}
        format_note = "masks, one file an object: there is a folder for each image"
        label_format = "masks"
    else:
        files = _by_name(label_files, lambda path: _without_label_suffix(path.stem, image_of))
        labels_of = {name: (path,) for name, path in files.items()}
        label_format, format_note = _known_or_guessed(label_format, [path for _, path in sorted(files.items())])
    pairing = _pairing(image_of, labels_of, label_format, f"labels: {format_note}.")
    if not pairing.pairs and others:
        raise DataError(f"{labels}: there is no label image (PNG or TIFF) of any image. {' '.join(others)}")
    more = others if pairing.unpaired else []
    return replace(pairing, unpaired=(*pairing.unpaired, *more), notes=(*pairing.notes, *notes))


def pair_mask_folders(folder: Path) -> Pairing:
    """Pair images as in the Data Science Bowl 2018: ID/images/ID.png, and ID/masks/ with one mask an object.

    DataError if a folder ID/images holds no image, or several.
    """
    image_of, labels_of = {}, {}
    for image_folder in sorted(folder.glob("*/images")):
        name = image_folder.parent.name
        images = image_files(image_folder)
        if len(images) != 1:
            raise DataError(f"{image_folder}: one image is needed here, and there are {len(images)}.")
        image_of[name] = images[0]
        masks = image_folder.parent / "masks"
        files = tuple(image_files(masks)) if masks.is_dir() else ()
        if files:
            labels_of[name] = files
    note = "labels: masks, one file an object, as in the Data Science Bowl 2018."
    return _pairing(image_of, labels_of, "masks", note)


def _pairing(
    image_of: dict[str, Path], labels_of: dict[str, tuple[Path, ...]], label_format: str, note: str
) -> Pairing:
    both = sorted(image_of.keys() & labels_of.keys())
    pairs = tuple(Pair(name, image_of[name], labels_of[name]) for name in both)
    without_labels, without_image = image_of.keys() - set(both), labels_of.keys() - set(both)
    unpaired = [f"{image_of[name]}: there are no labels for this image." for name in sorted(without_labels)]
    unpaired += [f"{labels_of[name][0]}: there is no image for these labels." for name in sorted(without_image)]
    return Pairing(pairs, label_format, tuple(unpaired), (note,))


def _may_hold_masks(path: Path, images: Path) -> bool:
    return path.is_dir() and not path.name.startswith(".") and path.resolve() != images.resolve()


def _by_name(paths: Iterable[Path], name_of: Callable[[Path], str]) -> dict[str, Path]:
    files: dict[str, Path] = {}
    for path in paths:
        name = name_of(path)
        if name in files:
            raise DataError(f"{path}: {files[name].name} beside it has the same name, {name!r}; which of them counts?")
        files[name] = path
    return files


def _without_label_suffix(stem: str, images: Iterable[str]) -> str:
    """Return the image's name that a label file's name stands for."""
    if stem in images:
        return stem
    return next((stem.removesuffix(suffix) for suffix in LABEL_SUFFIXES if stem.endswith(suffix)), stem)


def _known_or_guessed(label_format: str | None, files: Sequence[Path]) -> tuple[str, str]:
    """Return the format, and a sentence's end that says how it was found."""
    if label_format is not None:
        read_as = "said-instances" if label_format == "instances" else label_format
        return read_as, f"{label_format}, as you said"
    guesses = {guess_format(path) for path in files[:LOOKED_AT]}
    if "colors" in guesses:
        return "colors", "colors: label files hold several colors, so an object is what hangs together in one"
    return "instances", "instances: label files hold one number an object"
