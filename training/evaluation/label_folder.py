"""Folders of label images that any method wrote: which file belongs to which image."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

from cpunet.errors import LabelFileError
from cpunet.files.find import other_programs_labels
from cpunet.training.data.labeled_images import SUFFIXES, IndexRow, Key
from cpunet.training.importing.names import LABEL_SUFFIXES as IMPORTED_ENDINGS

# What Cellpose, StarDist and others add to an image's name.
LABEL_ENDINGS = (*IMPORTED_ENDINGS, ".stardist", "_stardist")


def find_label_files(name: str, folder: Path, rows: Sequence[IndexRow]) -> dict[Key, Path]:
    """Find the label image of each image.

    Parameters
    ----------
    name : str
        Of the method, for messages.
    folder : Path
        Holds a TIFF or PNG file for each image, named by its id, with or without an ending of `LABEL_ENDINGS`; or a
        subfolder with these for each data set, with the set's name. A file with an ending goes before one without:
        Cellpose saves its masks beside the images.
    rows : sequence of IndexRow

    Raises
    ------
    LabelFileError
        If the folder or any file is missing, or two files fit one image.
    """
    if not folder.is_dir():
        raise LabelFileError(f"{name}: {folder}: there is no such folder.")
    listed = {each: _files_by_stem(each) for each in {_subfolder(folder, row) for row in rows}}
    files: dict[Key, Path] = {}
    missing = []
    for row in rows:
        by_stem = listed[_subfolder(folder, row)]
        found = [path for ending in LABEL_ENDINGS for path in by_stem.get(row.id + ending, ())]
        found = found or by_stem.get(row.id, [])
        if len(found) > 1:
            raise LabelFileError(
                f"{name}: {found[0]} and {found[1].name} could both be the labels of {row.id}. Leave one of them there."
            )
        if found:
            files[row.key] = found[0]
        else:
            missing.append(row)
    if missing:
        first, endings = missing[0].id, ", ".join(LABEL_ENDINGS)
        raise LabelFileError(
            f"{name}: {_subfolder(folder, missing[0])} holds no labels for {len(missing)} of the {len(rows)} images, "
            f"the first is {first} (looked for {first}.tif, .tiff and .png, also with {endings} before the dot). An "
            "image without a file does not count as empty: if nothing was found in it, save an image of zeros. "
            f"{other_programs_labels(_subfolder(folder, missing[0]))}".rstrip()
        )
    _refuse_files_used_twice(name, files)
    return files


def _refuse_files_used_twice(name: str, files: dict[Key, Path]) -> None:
    image_of_file: dict[Path, Key] = {}
    for key, path in files.items():
        other = image_of_file.setdefault(path, key)
        if other != key:
            raise LabelFileError(
                f"{name}: {path} would serve two images, {'/'.join(other)} and {'/'.join(key)}. Put the labels of "
                f"each data set into a folder of their own: {path.parent / other[0]} and {path.parent / key[0]}."
            )


def _subfolder(folder: Path, row: IndexRow) -> Path:
    own = folder / row.folder.name
    return own if own.is_dir() else folder


def _files_by_stem(folder: Path) -> dict[str, list[Path]]:
    files = defaultdict(list)
    for path in sorted(folder.iterdir()):
        if path.suffix.lower() in SUFFIXES:
            files[path.name[: -len(path.suffix)]].append(path)
    return dict(files)
