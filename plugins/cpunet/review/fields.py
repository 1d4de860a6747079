"""Which fields are reviewed: images by set, with the files of their labels and stain, and a random draw among them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path
from typing import Dict, List, Mapping, NamedTuple, Optional, Sequence, Tuple

import numpy as np

from cpunet.errors import DataError, OptionError
from cpunet.files.find import find_files, find_images, identity, natural_order
from cpunet.files.label_folder import Key, label_files_in, no_labels

# The folder of the images in a data set, which names no set.
IMAGES_FOLDER = "images"
SHOWN = 3


@dataclass(frozen=True)
class Field:
    """One field of view, as files.

    Attributes
    ----------
    set_name : str
        The name of the image's folder; in a data set, that of the folder above ``images``.
    name : str
        The image's file name without its suffix.
    image : Path
    labels, stain : Path, optional
        None where the labels are to be predicted, and where there is no stain.
    """

    set_name: str
    name: str
    image: Path
    labels: Optional[Path] = None
    stain: Optional[Path] = None

    @property
    def key(self) -> Key:
        """The set and the name, which tell a field from all others of a review."""
        return self.set_name, self.name


class Suffixes(NamedTuple):
    """What the names of images, and those of their stains, end in."""

    image: str = ""
    stain: str = ""


NO_SUFFIXES = Suffixes()


class FoundFields(NamedTuple):
    """Fields that can be reviewed, and sentences on images that cannot."""

    fields: List[Field]
    notes: List[str]


def find_fields(
    images: Sequence[Path],
    labels: Optional[Sequence[Path]] = None,
    stains: Optional[Sequence[Path]] = None,
    suffixes: Suffixes = NO_SUFFIXES,
) -> FoundFields:
    """Find the images with their labels and stains.

    Parameters
    ----------
    images : sequence of Path
        As `cpunet.files.find.find_images` takes them.
    labels, stains : sequence of Path, optional
        A folder, in which files are found by the images' names, or which has such a folder for each set, with the set's
        name; or files or a pattern, as many as there are images, in the same order.
    suffixes : Suffixes
        With a suffix of images, only files whose names end in it are images. In a folder of stains, the file of an
        image has its name, with the one suffix in the place of the other.

    Returns
    -------
    FoundFields
        Sorted by set, then in natural order. Images without labels, or without a stain, are left out where labels, or
        stains, were asked for.

    Raises
    ------
    OptionError, DataError
        If there is no image, two have the same set and name, or none has labels or a stain.
    """
    found = find_images(images)
    if found.problems:
        raise OptionError(" ".join(found.problems))
    notes = [each.why for each in found.left_out]
    paths = [path for path in found.paths if path.stem.endswith(suffixes.image)]
    if not paths:
        raise OptionError(f"no name of the {len(found.paths)} images ends in {suffixes.image} (--image-suffix).")
    fields = [Field(_set_name(path), path.stem, path) for path in paths]
    _refuse_same_names(fields)
    kept = fields
    if labels is not None:
        of_labels = _labels_of(fields, labels)
        notes += _note_on_missing([each for each in fields if each.key not in of_labels], "labels")
        kept = [replace(each, labels=of_labels[each.key]) for each in kept if each.key in of_labels]
    if stains is not None:
        of_stains = _stains_of(fields, stains, suffixes)
        notes += _note_on_missing([each for each in fields if each.key not in of_stains], "stain")
        kept = [replace(each, stain=of_stains[each.key]) for each in kept if each.key in of_stains]
    if not kept:
        raise DataError(f"none of the {len(fields)} images has both labels and a stain.")
    return FoundFields(sorted(kept, key=_order), notes)


def draw_fields(fields: Sequence[Field], number: int, seed: int) -> List[Field]:
    """Draw fields at random, without putting back.

    Parameters
    ----------
    fields : sequence of Field
        Sorted by set, as `find_fields` returns them.
    number : int
        Of each set, 1 or more; of a smaller set all are taken.
    seed : int
        The same seed draws the same fields from the same images.

    Returns
    -------
    list of Field
        In the order of `fields`.

    Examples
    --------
    >>> fields = [Field("plate", str(name), Path(str(name))) for name in range(5)]
    >>> len(draw_fields(fields, 2, seed=1)), draw_fields(fields, 2, seed=1) == draw_fields(fields, 2, seed=1)
    (2, True)
    """
    generator = np.random.default_rng(seed)
    drawn: List[Field] = []
    for _, group in groupby(fields, key=lambda each: each.set_name):
        of_set = list(group)
        chosen = generator.choice(len(of_set), min(number, len(of_set)), replace=False)
        drawn += [of_set[place] for place in sorted(chosen.tolist())]
    return drawn


def _set_name(path: Path) -> str:
    folder = path.absolute().parent
    return folder.parent.name if folder.name == IMAGES_FOLDER and folder.parent.name else folder.name or str(folder)


def _order(field: Field) -> Tuple[object, ...]:
    return natural_order(Path(field.set_name)), natural_order(field.image)


def _refuse_same_names(fields: Sequence[Field]) -> None:
    seen: Dict[Key, Field] = {}
    for field in fields:
        other = seen.setdefault(field.key, field)
        if other is not field:
            raise DataError(
                f"{other.image} and {field.image} have the same name, {field.name!r}, and folders of the same name, "
                f"{field.set_name!r}, by which experts could not tell them apart. Rename one of the folders."
            )


def _labels_of(fields: Sequence[Field], labels: Sequence[Path]) -> Mapping[Key, Path]:
    if not (len(labels) == 1 and labels[0].is_dir()):
        return _in_order(fields, labels, "--labels")
    keys = [field.key for field in fields]
    found = label_files_in("--labels", labels[0], keys)
    if not found:
        raise DataError(no_labels("--labels", labels[0], keys, len(keys)))
    return found


def _stains_of(fields: Sequence[Field], stains: Sequence[Path], suffixes: Suffixes) -> Mapping[Key, Path]:
    if not (len(stains) == 1 and stains[0].is_dir()):
        return _in_order(fields, stains, "--stain")
    folders = {field.set_name: stains[0] / field.set_name for field in fields}
    folders = {name: own if own.is_dir() else stains[0] for name, own in folders.items()}
    listed = {folder: _by_name(folder) for folder in set(folders.values())}
    found: Dict[Key, Path] = {}
    image_of: Dict[Path, Path] = {}
    for field in fields:
        stain = listed[folders[field.set_name]].get(_stain_name(field, suffixes))
        if stain is None:
            continue
        found[field.key] = stain
        other = image_of.setdefault(stain, field.image)
        if other is not field.image:
            raise DataError(
                f"--stain: {stain} would serve two images, {other} and {field.image}. Put the stains of each set into "
                f"a folder of their own: {stains[0] / field.set_name}."
            )
    same = [field.image for field in fields if field.key in found and _is_same(found[field.key], field.image)]
    if same:
        raise OptionError(
            f"--stain: {same[0]} would be its own stain. Give the folder of the stains, or what their names end in: "
            "--image-suffix and --stain-suffix."
        )
    if not found:
        raise DataError(
            f"--stain: {stains[0]} holds no stain of the {len(fields)} images (looked for "
            f"{_stain_name(fields[0], suffixes)} for the first of them). If the names end differently, say how: "
            "--image-suffix and --stain-suffix."
        )
    return found


def _stain_name(field: Field, suffixes: Suffixes) -> str:
    return field.name[: len(field.name) - len(suffixes.image)] + suffixes.stain


def _by_name(folder: Path) -> Mapping[str, Path]:
    """List the images of a folder by their names; DataError if two have the same."""
    by_name: Dict[str, Path] = {}
    for path in find_files([folder]):
        other = by_name.setdefault(path.stem, path)
        if other is not path:
            raise DataError(f"--stain: {other} and {path.name} beside it have the same name. Leave one of them there.")
    return by_name


def _is_same(path: Path, other: Path) -> bool:
    return identity(path) == identity(other)


def _in_order(fields: Sequence[Field], words: Sequence[Path], option: str) -> Mapping[Key, Path]:
    files = find_files(words)
    missing = [path for path in files if not path.exists()]
    if missing:
        raise OptionError(f"{option} {missing[0]}: there is no such file or folder.")
    if len(files) != len(fields):
        raise OptionError(
            f"There are {len(fields)} images and {len(files)} files after {option}; each image needs one, in the same "
            "order. Or give one folder, in which they are found by the images' names."
        )
    return {field.key: file for field, file in zip(fields, files)}


def _note_on_missing(fields: Sequence[Field], what: str) -> List[str]:
    if not fields:
        return []
    names = ", ".join(field.name for field in fields[:SHOWN]) + (" ..." if len(fields) > SHOWN else "")
    return [f"left out: {len(fields)} image{'' if len(fields) == 1 else 's'} without {what} ({names})"]
