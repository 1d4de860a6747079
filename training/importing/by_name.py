"""Find which label file belongs to which image, by their names."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from cpunet.errors import DataError
from cpunet.files.find import result_of
from cpunet.files.label_folder import LABEL_SUFFIXES
from cpunet.training.importing.cellprofiler import choose_suffixes
from cpunet.training.importing.coco_set import coco_files, pair_coco
from cpunet.training.importing.formats.cellpose import holds_objects
from cpunet.training.importing.label_files import ARRAYS, OUTLINES_AS_JSON, ROIS, guess_format
from cpunet.training.importing.names import (
    by_rule,
    options_of,
    without_label_suffix,
    without_suffix,
)
from cpunet.training.importing.pairs import Pairing, image_files, other_pictures, pairing_of

LOOKED_AT = 5
READ = (
    "Label images (PNG, TIFF), ImageJ's ROIs (.zip, .roi), QuPath's GeoJSON (.geojson), Cellpose's NAME_seg.npy and "
    "COCO (.json) are read. Labkit's .labeling: choose TIFF in Labeling > Save Labeling."
)
KINDS = {
    **dict.fromkeys(ROIS, "ROIs of ImageJ"),
    **dict.fromkeys(OUTLINES_AS_JSON, "objects of QuPath (GeoJSON)"),
    **dict.fromkeys(ARRAYS, "masks of Cellpose (_seg.npy)"),
}


def pair_by_name(
    images: Path,
    labels: Path,
    label_format: str | None = None,
    image_suffix: str | None = None,
    labels_suffix: str | None = None,
    series: int | None = None,
) -> Pairing:
    """Pair the files of two folders by their names.

    Parameters
    ----------
    images : Path
        Holds a file an image.
    labels : Path
        Holds, for the image NAME, the file NAME with or without one of `LABEL_SUFFIXES`, or the folder NAME with one
        mask or ROI an object. It may be the folder of the images, and it may be, or hold, a COCO file of all images.
    label_format : str or None
        Of label images; others are left out then. None looks into the files.
    image_suffix, labels_suffix : str or None
        What the names of images and labels end in. If both are None, and no name fits, the names are searched for it.
    series : int or None
        Which image to look at, from 1 on, of TIFF files with several.

    Raises
    ------
    DataError
        If a folder is missing or holds no image, if several files could be the labels of one image, or if several ways
        pair the names; the message proposes options.
    """
    if labels.is_file() and labels.suffix.lower() == ".json":
        _check_folder(images)
        return pair_coco(images, [labels])
    for folder in (images, labels):
        _check_folder(folder)
    beside = images.resolve() == labels.resolve()
    found, label_files = image_files(images), _label_files(labels, label_format, beside)
    found = found or other_pictures(images)
    if image_suffix is not None or labels_suffix is not None:
        return _by_suffixes(found, label_files, label_format, (image_suffix or "", labels_suffix or ""), beside, series)
    if beside:
        # Cellpose writes NAME_cp_masks.tif beside NAME.tif.
        label_images = [path for path in found if path.stem.endswith(LABEL_SUFFIXES)]
        label_files = [path for path in label_files if path not in found or path in label_images]
        found = [path for path in found if path not in label_images]
    found, notes = _without_results(found)
    if not found:
        names = sorted(path.name for path in images.iterdir() if not path.name.startswith("."))[:LOOKED_AT]
        there = f"It holds {', '.join(names)}; save images of other formats as TIFF." if names else "It is empty."
        raise DataError(f"{images}: there is no PNG, TIFF or JPEG file of an image. {there}")
    image_of = _image_of(found)
    in_folders = _masks_of_folders(labels, images, image_of, label_format)
    if in_folders:
        note = "labels: masks, one file an object: there is a folder for each image."
        return pairing_of(image_of, in_folders, "masks", (note, *notes))
    coco = coco_files([path for path in label_files if _image_name(path, image_of) is None], label_format)
    if coco:
        others = [path.name for path in label_files if _image_name(path, image_of) is not None]
        if others:
            raise DataError(
                f"{labels}: {coco[0].name} is a COCO file, and {others[0]} beside it holds labels too; which counts? "
                f"Say --labels {coco[0]} for COCO, or move it away."
            )
        pairing = pair_coco(images, coco)
        return replace(pairing, notes=(*pairing.notes, *notes))
    if beside and not label_files and len(found) > 1:
        suffixes = choose_suffixes(images, found)
        return _by_suffixes(found, found, label_format, suffixes, beside, series)
    labels_of, note = _labels_of(image_of, label_files)
    orphans = [path for path in label_files if path not in {file for files in labels_of.values() for file in files}]
    read_as, format_note = _format(label_format, [path for _, (path,) in sorted(labels_of.items())], series)
    everything = {**labels_of, **{str(path): (path,) for path in orphans if not (beside and path.suffix == ".json")}}
    pairing = pairing_of(image_of, everything, read_as, tuple(filter(None, (note, format_note, *notes))))
    if pairing.pairs:
        return pairing
    raise DataError(_no_labels(labels, label_files, image_of))


def _check_folder(folder: Path) -> None:
    if not folder.is_dir():
        what = "this is a file; a folder is needed" if folder.is_file() else "there is no such folder"
        hint = f" Give the folder itself: {folder.parent}." if folder.is_file() or "*" in folder.name else ""
        raise DataError(f"{folder}: {what}.{hint}")


def _label_files(folder: Path, label_format: str | None, beside: bool) -> list[Path]:
    """List the files of a folder that may hold labels; beside the images, arrays must be Cellpose's own."""
    found = image_files(folder)
    if label_format is None:
        drawn = (path for path in sorted(folder.iterdir()) if path.suffix.lower() in KINDS and path.name[0] != ".")
        found += [
            path for path in drawn if path.is_file() and not (_is_array(path) and beside and not holds_objects(path))
        ]
    return found


def _is_array(path: Path) -> bool:
    return path.suffix.lower() in ARRAYS


def _image_of(found: Iterable[Path]) -> dict[str, Path]:
    files: dict[str, Path] = {}
    for path in found:
        if path.stem in files:
            raise DataError(
                f"{path}: {files[path.stem].name} beside it has the same name, {path.stem!r}; which of them counts?"
            )
        files[path.stem] = path
    return files


def _image_name(path: Path, image_of: Mapping[str, Path]) -> str | None:
    """Return the name of the image whose labels a file holds by its name; None if there is none."""
    stem = without_label_suffix(path.stem, image_of)
    if stem in image_of:
        return stem
    names = {image.name: name for name, image in image_of.items()}  # QuPath may keep it: NAME.tif.geojson
    return names.get(stem) or names.get(path.stem)


def _labels_of(image_of: Mapping[str, Path], files: Sequence[Path]) -> tuple[dict[str, tuple[Path, ...]], str]:
    """Return the label file of each image, and a sentence on a rule that had to be found."""
    names = {path: _image_name(path, image_of) for path in files}
    note = ""
    if not any(names.values()):
        ruled = by_rule(image_of, files)
        names = dict(ruled[0]) if ruled else {}
        if ruled:
            rule = ruled[1]
            same = f", as {rule.options} says" if rule.options else ""
            note = (
                f"names: {_named(rule.image)} in an image's name is {_named(rule.labels)} in that of its labels{same}."
            )
    drawn = [path for path in files if path.suffix.lower() in ROIS]
    if not any(names.values()) and len(image_of) == len(drawn) == 1:
        (name,) = image_of
        names = {drawn[0]: name}
        note = f"names: {drawn[0].name} is taken for {image_of[name].name}, as there is one image and one file of ROIs."
    return _one_a_name(names), note


def _named(part: str) -> str:
    return part or "nothing"


def _one_a_name(names: Mapping[Path, str | None]) -> dict[str, tuple[Path, ...]]:
    """Turn the names of files around; DataError if one name has several files."""
    by_name: dict[str, list[Path]] = defaultdict(list)
    for path, name in names.items():
        if name is not None:
            by_name[name].append(path)
    for name, paths in by_name.items():
        if len(paths) > 1:
            listed = " and ".join(path.name for path in paths)
            raise DataError(
                f"{paths[0].parent}: {listed} have the same name, {name!r}; which of them counts? Say "
                f"{options_of(name, paths)}."
            )
    return {name: tuple(paths) for name, paths in by_name.items()}


def _by_suffixes(
    found: Sequence[Path],
    label_files: Sequence[Path],
    label_format: str | None,
    suffixes: tuple[str, str],
    beside: bool,
    series: int | None,
) -> Pairing:
    """Pair BASE with the image suffix and BASE with the labels' suffix."""
    of_images, of_labels = suffixes
    if beside and of_images == of_labels:
        raise DataError(f"--image-suffix and --labels-suffix are the same, {of_images!r}.")
    labels = {path: without_suffix(path, of_labels) for path in label_files}
    if beside:
        labels = {path: name for path, name in labels.items() if of_labels or path not in found}
    images = {path: without_suffix(path, of_images) for path in found if not (beside and labels.get(path))}
    image_of: dict[str, Path] = {}
    for path, name in images.items():
        if name in image_of:
            raise DataError(f"{path}: {image_of[name].name} beside it has the same name; which of them counts?")
        if name is not None:
            image_of[name] = path
    labels_of = _one_a_name(labels)
    if not image_of.keys() & labels_of.keys():
        raise DataError(
            f"No image BASE{of_images} has labels BASE{of_labels} ({len(image_of)} images, {len(labels_of)} files of "
            "labels end so). --image-suffix and --labels-suffix are what the names end in."
        )
    if beside and not of_images:  # otherwise every other file of the folder counts as an image
        image_of = {name: path for name, path in image_of.items() if name in labels_of}
    read_as, note = _format(label_format, [path for _, (path,) in sorted(labels_of.items())], series)
    said = f"names: --image-suffix '{of_images}' --labels-suffix '{of_labels}'."
    return pairing_of(image_of, labels_of, read_as, (said, note))


def _masks_of_folders(
    labels: Path, images: Path, image_of: Mapping[str, Path], label_format: str | None
) -> dict[str, tuple[Path, ...]]:
    """Return the files of each folder NAME if such folders are the labels; empty if not."""
    folders = {path.name: path for path in sorted(labels.iterdir()) if _may_hold_masks(path, images)}
    if label_format not in (None, "masks") or (label_format is None and not folders.keys() & image_of.keys()):
        return {}
    files = {name: image_files(folder) or _rois(folder) for name, folder in folders.items()}
    return {name: tuple(paths) for name, paths in files.items() if paths}


def _rois(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.suffix.lower() == ".roi" and path.name[0] != ".")


def _may_hold_masks(path: Path, images: Path) -> bool:
    return path.is_dir() and not path.name.startswith(".") and path.resolve() != images.resolve()


def _without_results(files: Iterable[Path]) -> tuple[list[Path], list[str]]:
    """Part images from what this program and Cellpose wrote beside them; return the images, and a sentence."""
    files = list(files)
    images = [path for path in files if result_of(path) is None]
    names = [path.name for path in files if path not in images]
    sentence = f"left out, as results of the images beside them by their names: {', '.join(names[:LOOKED_AT])}"
    return images, [
        sentence + (f" and {len(names) - LOOKED_AT} more." if len(names) > LOOKED_AT else ".")
    ] if names else []


def _format(label_format: str | None, files: Sequence[Path], series: int | None) -> tuple[str, str]:
    """Return how label images are read, and a sentence on what the labels are and how that was found."""
    kinds = [KINDS[path.suffix.lower()] for path in files if path.suffix.lower() in KINDS]
    pictures = [path for path in files if path.suffix.lower() not in KINDS]
    said = [f"{_files(kinds.count(kind))} with {kind}" for kind in dict.fromkeys(kinds)]
    read_as = "instances"
    if label_format is not None:
        read_as = "said-instances" if label_format == "instances" else label_format
        said.append(f"{label_format}, as you said")
    elif pictures and "colors" in {guess_format(path, series) for path in pictures[:LOOKED_AT]}:
        read_as = "colors"
        said.append("colors: label files hold several colors, so an object is what hangs together in one")
    elif pictures or not kinds:
        said.append("instances: label files hold one number an object")
    return read_as, f"labels: {'; '.join(said)}."


def _files(count: int) -> str:
    return "1 file" if count == 1 else f"{count} files"


def _no_labels(labels: Path, files: Sequence[Path], image_of: Mapping[str, Path]) -> str:
    shown = ", ".join(path.name for path in files[:LOOKED_AT])
    first = next(iter(image_of.values()))
    if files:
        return (
            f"{labels}: no name of a file of labels ({shown}) fits the name of an image ({first.name}). Name labels "
            f"after their image, such as {first.stem}_labels{files[0].suffix}, or say what the names end in: "
            "--image-suffix and --labels-suffix."
        )
    held = ", ".join(sorted(path.name for path in labels.iterdir() if path.name[0] != ".")[:LOOKED_AT])
    return f"{labels}: there is no file of labels. It holds {held or 'nothing'}. {READ}"
