"""Find which stain belongs to which image: by name, or by the named parts of a pattern."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from cpunet.errors import DataError
from cpunet.training.data.index import WRITTEN_FIELDS, id_fault
from cpunet.training.importing.names import by_rule
from cpunet.training.importing.pairs import image_files, other_pictures

# Images of one place at several times stay together in a split, so that the time is no part of the group.
TIME = "time"
EXAMPLE = r"'(?P<plate>\w+)_(?P<well>[A-P]\d\d)_(?P<tile>\d+)_t(?P<time>\d+)'"


@dataclass(frozen=True)
class StainedPair:
    """An image and the stain of the same field.

    Attributes
    ----------
    id : str
        The image's file name without its suffix.
    image, stain : Path
    parts : dict of str to str
        What the pattern found in the names, such as ``{"well": "B03", "tile": "2"}``; empty if paired by name.
    """

    id: str
    image: Path
    stain: Path
    parts: dict[str, str] = field(default_factory=dict)

    @property
    def group(self) -> str:
        """The parts without the time, joined: images of one group stay on one side of a split."""
        return "_".join(value for name, value in self.parts.items() if name != TIME) or self.id


@dataclass(frozen=True)
class StainPairing:
    """The pairs of two folders.

    Attributes
    ----------
    pairs : tuple of StainedPair
        In the order of the images' names.
    unpaired : tuple of (str, str)
        Files without a partner, and a sentence on each.
    note : str
        How the names were paired.
    """

    pairs: tuple[StainedPair, ...]
    unpaired: tuple[tuple[str, str], ...]
    note: str


def pair_stains(
    stains: Path, images: Path, pattern: str | None = None, stain_pattern: str | None = None
) -> StainPairing:
    """Pair the files of two folders.

    Parameters
    ----------
    stains, images : Path
        Folders with one file a field: PNG or TIFF, or where there are none, JPEG or BMP.
    pattern : str, optional
        A regular expression with named parts, which is searched in the names without suffix. Files pair if all parts
        are equal. None: the names are equal, or differ in one place that is the same for all, as in a_phase and a_dapi;
        or each folder holds a single file.
    stain_pattern : str, optional
        Another pattern, with the same named parts, for the stains.

    Raises
    ------
    DataError
        If a folder is missing or empty, if a pattern is none or fits no file, if several files have the same parts, or
        if nothing pairs; the message names the files.
    """
    found = {folder: _files(folder) for folder in (stains, images)}
    if stains.resolve() == images.resolve() and pattern is None:
        raise DataError(
            f"{stains}: stains and images lie in one folder. Tell them apart with --pattern and --stain-pattern."
        )
    if pattern is None:
        if stain_pattern is not None:
            raise DataError("--stain-pattern goes with --pattern, which says the same of the images.")
        return _by_name(found[stains], found[images], stains, images)
    of_image = _by_parts(found[images], pattern, "--pattern", images)
    of_stain = _by_parts(
        found[stains], stain_pattern or pattern, "--stain-pattern" if stain_pattern else "--pattern", stains
    )
    image_names, stain_names = ({name for key in each for name, _ in key} for each in (of_image, of_stain))
    if image_names != stain_names:
        raise DataError(
            f"--pattern has the parts {', '.join(sorted(image_names))} and --stain-pattern "
            f"{', '.join(sorted(stain_names))}; they must be the same."
        )
    both = {key: (of_image[key], of_stain[key]) for key in of_image if key in of_stain}
    pairs = (
        StainedPair(image.stem, image, stain, dict(key))
        for key, (image, stain) in sorted(both.items(), key=lambda each: each[1][0])
    )
    note = f"paired by {', '.join(sorted(image_names))}"
    return _pairing(tuple(pairs), found[stains], found[images], stains, images, note)


def _files(folder: Path) -> list[Path]:
    if not folder.is_dir():
        raise DataError(f"{folder}: there is no such folder.")
    files = image_files(folder) or other_pictures(folder)
    if not files:
        raise DataError(f"{folder}: there is no image (PNG, TIFF, JPEG or BMP) in this folder.")
    return files


def _by_name(stain_files: Sequence[Path], image_paths: Sequence[Path], stains: Path, images: Path) -> StainPairing:
    image_of = {_id(path, image_paths): path for path in image_paths}
    same = {path: path.stem for path in stain_files if path.stem in image_of}
    note = "paired by equal names"
    if not same and len(stain_files) == len(image_paths) == 1:
        same, note = {stain_files[0]: image_paths[0].stem}, "paired as the only files of their folders"
    elif not same:
        found = by_rule(image_of, stain_files)
        if found is not None:
            same, rule = found
            note = f"paired by name: {rule.image!r} in the images' names is {rule.labels!r} in the stains'"
    stain_of: dict[str, list[Path]] = defaultdict(list)
    for path, name in same.items():
        stain_of[name].append(path)
    _refuse_several(stain_of)
    pairs = tuple(StainedPair(name, image_of[name], stain_of[name][0]) for name in sorted(stain_of))
    return _pairing(pairs, stain_files, image_paths, stains, images, note)


def _id(path: Path, among: Sequence[Path]) -> str:
    twins = [other.name for other in among if other.stem == path.stem]
    if len(twins) > 1:
        raise DataError(f"{path.parent}: {' and '.join(twins)} have the same name. Keep one of them there.")
    return path.stem


def _by_parts(
    files: Sequence[Path], pattern: str, option: str, folder: Path
) -> Mapping[tuple[tuple[str, str], ...], Path]:
    """Return the file of each set of named parts; files that the pattern does not fit are left out."""
    try:
        compiled = re.compile(pattern)
    except re.error as error:
        raise DataError(f"{option} {pattern!r}: this is no regular expression ({error}), such as {EXAMPLE}.") from error
    names = sorted(compiled.groupindex)
    reserved = sorted(set(names) & set(WRITTEN_FIELDS))
    if not names or reserved:
        why = f"a part cannot be called {reserved[0]!r}" if reserved else "it has no named part"
        raise DataError(f"{option} {pattern!r}: {why}; an example is {EXAMPLE}.")
    found: dict[tuple[tuple[str, str], ...], list[Path]] = defaultdict(list)
    for path in files:
        fit = compiled.search(path.stem)
        if fit is not None:
            found[tuple((name, fit.group(name) or "") for name in names)].append(path)
    if not found:
        raise DataError(f"{option} {pattern!r} fits no name in {folder}, such as {files[0].stem}.")
    _refuse_several({", ".join(f"{name} {value}" for name, value in key): paths for key, paths in found.items()})
    return {key: paths[0] for key, paths in found.items()}


def _refuse_several(found: Mapping[str, Sequence[Path]]) -> None:
    for name, paths in found.items():
        if len(paths) > 1:
            raise DataError(
                f"{paths[0].parent}: {' and '.join(path.name for path in paths[:3])} all belong to {name}. Say by "
                f"--pattern what tells them apart, such as {EXAMPLE}."
            )


def _pairing(
    pairs: tuple[StainedPair, ...],
    stain_files: Sequence[Path],
    image_paths: Sequence[Path],
    stains: Path,
    images: Path,
    note: str,
) -> StainPairing:
    if not pairs:
        raise DataError(
            f"No stain in {stains} belongs to an image in {images}, by their names: {stain_files[0].name}, "
            f"{image_paths[0].name}. Say by --pattern what is equal in both, such as {EXAMPLE}."
        )
    for pair in pairs:
        fault = id_fault(pair.id)
        if fault:
            raise DataError(f"{pair.image}: the name {fault}. Rename the file.")
    paired = {pair.image for pair in pairs} | {pair.stain for pair in pairs}
    unpaired = [(str(path), "no stain belongs to this image") for path in image_paths if path not in paired]
    if stains.resolve() != images.resolve():
        unpaired += [(str(path), "no image belongs to this stain") for path in stain_files if path not in paired]
    return StainPairing(pairs, tuple(unpaired), note)
