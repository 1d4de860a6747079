"""Folders of label images that any method wrote: which file belongs to which image."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path
from typing import Dict, List, Mapping, Sequence, Tuple

from cpunet.errors import LabelFileError
from cpunet.files.find import other_programs_labels
from cpunet.files.labeled_images import SUFFIXES

# What programs and people add to an image's name for its labels.
LABEL_SUFFIXES = ("_cp_masks", "_labels", "_label", "_masks", "_mask", "_seg")
LABEL_ENDINGS = (*LABEL_SUFFIXES, ".stardist", "_stardist")
# The name of an image's set, and its own: its file name without the suffix.
Key = Tuple[str, str]


def find_label_files(name: str, folder: Path, keys: Sequence[Key]) -> Dict[Key, Path]:
    """Find the label image of each image.

    Parameters
    ----------
    name : str
        Of the method, for messages.
    folder : Path
        See `label_files_in`.
    keys : sequence of tuple of str
        The set and the id of each image.

    Raises
    ------
    LabelFileError
        If the folder or any file is missing, or two files fit one image.
    """
    files = label_files_in(name, folder, keys)
    missing = [key for key in keys if key not in files]
    if missing:
        raise LabelFileError(
            f"{no_labels(name, folder, missing, len(keys))} An image without a file does not count as empty: if "
            f"nothing was found in it, save an image of zeros. "
            f"{other_programs_labels(_subfolder(folder, missing[0]))}".rstrip()
        )
    return files


def label_files_in(name: str, folder: Path, keys: Sequence[Key]) -> Dict[Key, Path]:
    """Find the label images of those images that have one.

    Parameters
    ----------
    name : str
        Of the method, for messages.
    folder : Path
        Holds a TIFF or PNG file for each image, named by its id, with or without an ending of `LABEL_ENDINGS`; or a
        subfolder with these for each data set, with the set's name. A file with an ending goes before one without:
        Cellpose saves its masks beside the images.
    keys : sequence of tuple of str
        The set and the id of each image.

    Raises
    ------
    LabelFileError
        If the folder is missing, or two files fit one image, or one file two images.
    """
    if not folder.is_dir():
        raise LabelFileError(f"{name}: {folder}: there is no such folder.")
    listed = {each: _files_by_stem(each) for each in {_subfolder(folder, key) for key in keys}}
    files: Dict[Key, Path] = {}
    for key in keys:
        by_stem = listed[_subfolder(folder, key)]
        found = [path for ending in LABEL_ENDINGS for path in by_stem.get(key[1] + ending, ())]
        found = found or by_stem.get(key[1], [])
        if len(found) > 1:
            raise LabelFileError(
                f"{name}: {found[0]} and {found[1].name} could both be the labels of {key[1]}. Leave one of them there."
            )
        if found:
            files[key] = found[0]
    _refuse_files_used_twice(name, files)
    return files


def no_labels(name: str, folder: Path, missing: Sequence[Key], count: int) -> str:
    """Return a sentence on the images that have no labels in a folder, of so many, and on what was looked for."""
    first, endings = missing[0][1], ", ".join(LABEL_ENDINGS)
    return (
        f"{name}: {_subfolder(folder, missing[0])} holds no labels for {len(missing)} of the {count} images, the first "
        f"is {first} (looked for {first}.tif, .tiff and .png, also with {endings} before the dot)."
    )


def _refuse_files_used_twice(name: str, files: Mapping[Key, Path]) -> None:
    image_of_file: Dict[Path, Key] = {}
    for key, path in files.items():
        other = image_of_file.setdefault(path, key)
        if other != key:
            raise LabelFileError(
                f"{name}: {path} would serve two images, {'/'.join(other)} and {'/'.join(key)}. Put the labels of "
                f"each data set into a folder of their own: {path.parent / other[0]} and {path.parent / key[0]}."
            )


def _subfolder(folder: Path, key: Key) -> Path:
    own = folder / key[0]
    return own if own.is_dir() else folder


def _files_by_stem(folder: Path) -> Dict[str, List[Path]]:
    files: Dict[str, List[Path]] = defaultdict(list)
    for path in sorted(folder.iterdir()):
        if path.suffix.lower() in SUFFIXES:
            files[path.name[: -len(path.suffix)]].append(path)
    return dict(files)
