"""Images with the files of their labels, as they are found in a source."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from cpunet.errors import DataError
from cpunet.training.data.labeled_images import SUFFIXES
from cpunet.training.importing.formats.coco import CocoImage

OTHER_SUFFIXES = (".jpg", ".jpeg", ".bmp")


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
    outlines : CocoImage or None
        What a COCO file says of this image, if its labels are there.
    ignore : Path, optional
        The mask of its pixels that nobody labeled.
    further_channels : tuple of Path
        Gray files of the channels after the first, where each channel is a file of its own.
    """

    id: str
    image: Path
    labels: tuple[Path, ...]
    cells: dict[str, str] = field(default_factory=dict)
    outlines: CocoImage | None = None
    ignore: Path | None = None
    further_channels: tuple[Path, ...] = ()


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


def other_pictures(folder: Path) -> list[Path]:
    """List the JPEG and BMP files of a folder, in order, which are images where there is no PNG or TIFF file."""
    return sorted(path for path in folder.iterdir() if path.suffix.lower() in OTHER_SUFFIXES and path.name[0] != ".")


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
    return pairing_of(image_of, labels_of, "masks", (note,))


def pairing_of(
    image_of: Mapping[str, Path], labels_of: Mapping[str, tuple[Path, ...]], label_format: str, notes: tuple[str, ...]
) -> Pairing:
    """Pair images and labels of one name."""
    both = sorted(image_of.keys() & labels_of.keys())
    pairs = tuple(Pair(name, image_of[name], labels_of[name]) for name in both)
    without_labels, without_image = image_of.keys() - set(both), labels_of.keys() - set(both)
    unpaired = [f"{image_of[name]}: there are no labels for this image." for name in sorted(without_labels)]
    unpaired += [f"{labels_of[name][0]}: there is no image for these labels." for name in sorted(without_image)]
    return Pairing(pairs, label_format, tuple(unpaired), notes)
