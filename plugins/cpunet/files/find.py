"""Which files the words of a command line mean: files, folders of images, and patterns such as ``images/*.tif``."""

from __future__ import annotations

import glob
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Dict, Iterable, List, NamedTuple, Optional, Sequence, Tuple, Union

from cpunet.errors import OptionError

# What a folder or pattern is searched for; a file that is named itself may have any suffix.
IMAGE_SUFFIXES = (".tif", ".tiff", ".png", ".jpg", ".jpeg", ".bmp", ".npy")
# What `cpunet segment` reads in parts, beside these: slides, and OME-Zarr, which is a folder.
SLIDE_SUFFIXES = (".svs", ".ndpi", ".mrxs", ".scn", ".bif", ".vms", ".vmu", ".svslide")
ZARR_SUFFIX = ".zarr"
WILDCARDS = "*?["
# What this program, and Cellpose, add to an image's name for their results.
OWN_RESULTS = (("_labels", (".tif",)), ("_overlay", (".png",)))
OWN_ENDINGS = tuple(ending for ending, _ in OWN_RESULTS)
CELLPOSE_RESULTS = tuple(
    (ending, (".png", ".tif", ".tiff", ".npy"))
    for ending in ("_cp_masks", "_cp_output", "_cp_outlines", "_flows", "_seg")
)
# Files of objects that `cpunet data import` turns into label images.
DRAWN_ENDINGS = ("_seg.npy", ".zip", ".roi", ".geojson")
DRAWN_WAY_OUT = (
    "no label image, but `cpunet data import` makes label images of Cellpose's _seg.npy, ImageJ's ROIs, and the "
    "GeoJSON of QuPath"
)
SHOWN = 3


class LeftOut(NamedTuple):
    """A file that is not taken, because it is a result, and a sentence that says so."""

    path: Path
    why: str


@dataclass(frozen=True)
class FoundFiles:
    """The files that the words of a command line mean.

    Attributes
    ----------
    paths : tuple of Path
        Each once. Files of a folder or pattern are in natural order: 2 before 10.
    left_out : tuple of LeftOut
        Results that a folder or pattern means as well.
    problems : tuple of str
        Sentences on words that mean no file.
    """

    paths: Tuple[Path, ...]
    left_out: Tuple[LeftOut, ...] = ()
    problems: Tuple[str, ...] = ()


def find_images(words: Sequence[Path]) -> FoundFiles:
    """Find the image files that are meant by names, folders and patterns.

    Parameters
    ----------
    words : sequence of Path
        A file, whatever its name; a folder of OME-Zarr; another folder, whose images are taken, without those of its
        subfolders (of a data set, those in images/, and never its labels); or a pattern with
        ``*``, ``?``, ``[...]`` or ``**``, which Windows passes on as it is. A name that exists is no pattern.

    Returns
    -------
    FoundFiles
        A name of no file is among its paths, for the reader to say so.

    Notes
    -----
    Of a folder or pattern, NAME_labels.tif, NAME_overlay.png and Cellpose's NAME_cp_masks and the like are left out if
    the image NAME is beside them: a second run must not segment the results of the first. Cellpose's are left out
    also where a shell has put them beside NAME into the command; a file of our own that is named itself is taken.
    """
    found: Dict[str, Path] = {}
    named, problems = set(), []
    for word in words:
        expanded = _expanded(word)
        images = _images_of(word, expanded, (*IMAGE_SUFFIXES, *SLIDE_SUFFIXES, ZARR_SUFFIX))
        if expanded is None:
            named.add(identity(word))
        elif not images:
            problems.append(_nothing(word, expanded))
        for path in images:
            found.setdefault(identity(path), path)
    results = {}
    for key, path in found.items():
        image = result_of(path)
        other_programs = image is not None and not path.stem.endswith(OWN_ENDINGS)
        if image is not None and (key not in named or (other_programs and identity(image) in found)):
            why = f"left out: {path}, by its name a result of {image.name}; give it another name to use it"
            results[key] = LeftOut(path, why)
    paths = tuple(path for key, path in found.items() if key not in results)
    return FoundFiles(paths, tuple(results.values()), tuple(problems))


def find_files(words: Sequence[Path]) -> List[Path]:
    """Find the files that names, folders and patterns mean, those of results too.

    Raises
    ------
    OptionError
        If a folder or pattern holds no image file.
    """
    paths: Dict[str, Path] = {}
    for word in words:
        expanded = _expanded(word)
        images = _images_of(word, expanded, IMAGE_SUFFIXES)
        if not images:
            raise OptionError(_nothing(word, expanded or ()))
        for path in images:
            paths.setdefault(identity(path), path)
    return list(paths.values())


def find_folders(words: Sequence[Path]) -> List[Path]:
    """Find the folders that names and patterns such as ``data/*`` mean, each once, in natural order.

    Raises
    ------
    OptionError
        If a pattern matches no folder.
    """
    paths: Dict[str, Path] = {}
    for word in words:
        matches = None if _exists(word) else _matches(word)
        folders = [word] if matches is None else [path for path in matches if path.is_dir()]
        if not folders:
            raise OptionError(f"{word}: no folder matches this pattern.")
        for path in folders:
            paths.setdefault(identity(path), path)
    return list(paths.values())


def result_of(path: Path) -> Optional[Path]:
    """Return the image beside a file of which the file is a result by its name; None if there is none."""
    for ending, suffixes in (*OWN_RESULTS, *CELLPOSE_RESULTS):
        if path.suffix.lower() in suffixes and path.stem.endswith(ending):
            stem = path.stem[: -len(ending)]
            beside = (path.with_name(stem + suffix) for suffix in _in_both_cases(IMAGE_SUFFIXES))
            image = next((each for each in beside if stem and _exists(each)), None)
            if image is not None:
                return image
    return None


def is_zarr(path: Path) -> bool:
    """Return True for a folder whose name says that it is a Zarr store."""
    return path.suffix.lower() == ZARR_SUFFIX and path.is_dir()


def is_slide(path: Path) -> bool:
    """Return True for the name of a file that a slide scanner wrote."""
    return path.suffix.lower() in SLIDE_SUFFIXES


def other_programs_labels(folder: Path) -> str:
    """Return a sentence on files of a folder that hold objects and are no label images; empty if there are none."""
    drawn = [path for path in _listed(folder) if path.name.lower().endswith(DRAWN_ENDINGS)]
    return f"{_shown(drawn)}: {DRAWN_WAY_OUT}." if drawn else ""


def identity(path: Path) -> str:
    """Return one text for all names of a file, also where it does not exist or a link leads nowhere."""
    try:
        return os.path.normcase(os.path.realpath(path))
    except OSError:
        return os.path.normcase(os.path.abspath(path))


def natural_order(path: Path) -> Tuple[Tuple[Tuple[Union[int, str], ...], ...], str]:
    """Return a key that sorts files as people count: img before img2, and that before img10; folder by folder."""
    words = (*path.parts[:-1], path.stem, path.suffix)
    parted = (re.split(r"([0-9]+)", word.casefold()) for word in words)
    keys = tuple(tuple(int(part) if place % 2 else part for place, part in enumerate(parts)) for parts in parted)
    return keys, str(path)


def _expanded(word: Path) -> Optional[List[Path]]:
    """Return the files that a folder or a pattern means, in natural order; None if the word is a file's name."""
    if _exists(word):
        return _listed(_images_folder(word)) if word.is_dir() and not is_zarr(word) else None
    matches = _matches(word)
    return None if matches is None else [path for path in matches if not path.is_dir() or is_zarr(path)]


def _images_of(word: Path, expanded: Optional[Sequence[Path]], suffixes: Sequence[str]) -> List[Path]:
    """Return the images among the files that a word was expanded to; the word itself if it is a file's name."""
    return [word] if expanded is None else [path for path in expanded if path.suffix.lower() in suffixes]


def _matches(word: Path) -> Optional[List[Path]]:
    """Return what matches a pattern, in natural order; None if the word has no wildcards."""
    folder, pattern = Path(word.anchor), list(word.parts[1:] if word.anchor else word.parts)
    while pattern and _exists(folder / pattern[0]):  # a folder that exists is meant as it is, brackets and all
        folder = folder / pattern.pop(0)
    if not any(sign in part for part in pattern for sign in WILDCARDS):
        return None
    start = os.path.join(glob.escape(str(folder)), "") if folder.parts else ""
    found = glob.glob(start + os.path.join(*pattern), recursive=True)
    return sorted((Path(path) for path in found), key=natural_order)


def _images_folder(folder: Path) -> Path:
    """Return the folder with the images of a data set; any other folder itself."""
    is_data_set = all((folder / name).is_dir() for name in ("images", "labels"))
    return folder / "images" if is_data_set else folder


def _listed(folder: Path) -> List[Path]:
    """List the files of a folder, in natural order; hidden ones, which macOS adds, are left out."""
    try:
        visible = [path for path in folder.iterdir() if not path.name.startswith(".")]
        files = [path for path in visible if not path.is_dir() or is_zarr(path)]
    except OSError:
        return []
    return sorted(files, key=natural_order)


def _nothing(word: Path, others: Sequence[Path]) -> str:
    """Say that a folder or pattern means no image, and what there is instead."""
    is_folder = _exists(word)
    text = f"{word}: there is no image in this folder" if is_folder else f"{word}: no image file matches this pattern"
    text += f" ({', '.join(suffix[1:].upper() for suffix in IMAGE_SUFFIXES)})."
    if others:
        text += f" It means {len(others)} other files, such as {_shown(others)}."
    if is_folder and any(path.is_dir() for path in word.iterdir()):
        text += f" It holds folders; for the images in them, say {word / '*' / '*.tif'}."
    return text


def _shown(paths: Sequence[Path]) -> str:
    names = ", ".join(path.name for path in paths[:SHOWN])
    return names if len(paths) <= SHOWN else f"{names} and {len(paths) - SHOWN} more"


def _in_both_cases(suffixes: Iterable[str]) -> List[str]:
    return [each for suffix in suffixes for each in (suffix, suffix.upper())]


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:  # a name that is too long for the system, or a loop of links
        return False
