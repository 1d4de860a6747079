"""Read the files that experts saved from the page of a review."""

from __future__ import annotations

import csv
import io
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Dict, FrozenSet, List, Optional, Sequence, Tuple

from cpunet.errors import ReviewError
from cpunet.files.label_folder import Key
from cpunet.review.page import Review

# As templates/marks.js writes them.
COLUMNS = (
    "expert",
    "set",
    "image",
    "predicted",
    "false_count",
    "missed_count",
    "false_objects",
    "missed_at",
    "seconds",
    "review",
)
# Excel writes semicolons where the comma is the decimal sign.
DELIMITERS = (",", ";", "\t")
SHA256 = re.compile(r"[0-9a-f]{64}")
OBJECTS, POINTS = re.compile(r"(?:#\d+(?: #\d+)*)?"), re.compile(r"(?:x\d+y\d+(?: x\d+y\d+)*)?")
SAVE_AGAIN = "Save the file from the page once more, and do not change it."
ONE = "A file holds what one expert saved from one page: give each file by itself, not one that was put together."
RENAMED = f"A spreadsheet may have changed the name, such as 001 to 1 or a name to a date. {SAVE_AGAIN}"


@dataclass(frozen=True)
class JudgedImage:
    """What one expert found wrong in one image.

    Attributes
    ----------
    key : tuple of str
        The set and the name of the image.
    line : int
        Of the file, from 1 on.
    predicted, false, missed : int
        Objects that were found, those among them that are none, and true ones that were not found.
    false_objects : frozenset of int
        The false objects that were clicked; fewer or more than `false` where the number was typed.
    missed_at : tuple of (int, int)
        Columns and rows of the image, pixels, where an object was missed and the place was clicked.
    seconds : int
        The time at work on this image.
    """

    key: Key
    line: int
    predicted: int
    false: int
    missed: int
    false_objects: FrozenSet[int]
    missed_at: Tuple[Tuple[int, int], ...]
    seconds: int


@dataclass(frozen=True)
class SavedReview:
    """The file of one expert.

    Attributes
    ----------
    path : Path
    expert : str
    review : Review
        As the file has it: its identity, and all images, also those that were not judged.
    lines : dict of tuple to int
        Of the file, by the set and the name of each image.
    images : tuple of JudgedImage
        Those that were judged.
    """

    path: Path
    expert: str
    review: Review
    lines: Dict[Key, int]
    images: Tuple[JudgedImage, ...]


def read_saved(path: Path) -> SavedReview:
    """Read the file of one expert.

    Parameters
    ----------
    path : Path
        A CSV file, as the page saves it, or as a spreadsheet saves it again: with commas, semicolons or tabs, in UTF-8
        with or without a mark at its beginning.

    Raises
    ------
    ReviewError
        If it is another file, or some line of it cannot be what the page saved.
    """
    path = Path(path)
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ReviewError(
            f"{path}: this is no text in UTF-8 (byte {error.start}). A spreadsheet may have saved it in another way: "
            f"choose 'CSV UTF-8' there. Or: {SAVE_AGAIN}"
        ) from error
    rows = _rows(path, text)
    if not rows:
        raise ReviewError(f"{path}: there is no line of an image after the header. {SAVE_AGAIN}")
    first_line, first = rows[0]
    expert, identity = first["expert"].strip(), first["review"].strip().lower()
    if not SHA256.fullmatch(identity):
        raise _fault(path, first_line, f"the review is {first['review']!r}, which is no SHA-256")
    lines: Dict[Key, int] = {}
    predicted: Dict[Key, int] = {}
    images: List[JudgedImage] = []
    for line, row in rows:
        if not expert or row["expert"].strip() != expert:
            raise _fault(
                path, line, f"the expert is {row['expert']!r}, and in line {first_line} {first['expert']!r}", ONE
            )
        if row["review"].strip().lower() != identity:
            raise _fault(path, line, f"the review is another one than in line {first_line}", ONE)
        key = row["set"], row["image"]
        if key in lines:
            raise _fault(path, line, f"{'/'.join(key)} is in line {lines[key]} already")
        lines[key], predicted[key] = line, _count(path, line, row, "predicted")
        judged = _judged(path, line, row, key, predicted[key])
        if judged is not None:
            images.append(judged)
    return SavedReview(path, expert, Review(identity, predicted), lines, tuple(images))


def check_together(files: Sequence[SavedReview], page: Optional[Review] = None, page_path: object = None) -> None:
    """Raise ReviewError if files are not of one review, or not by different experts.

    Parameters
    ----------
    files : sequence of SavedReview
        One at least.
    page : Review, optional
        What the page shows; without it, the files are compared with the first.
    page_path : Path, optional
        For the message.
    """
    reference, name = (files[0].review, str(files[0].path)) if page is None else (page, str(page_path))
    seen: Dict[str, SavedReview] = {}
    for file in files:
        if file.review.identity != reference.identity:
            raise ReviewError(
                f"{file.path}: this file is of another review ({file.review.identity[:12]}...) than {name} "
                f"({reference.identity[:12]}...): other images, or objects that another model found. Score each review "
                "by itself."
            )
        other = seen.setdefault(file.expert.casefold(), file)
        if other is not file:
            raise ReviewError(
                f"{file.path}: {file.expert} is the expert of {other.path} too. Give one file an expert, the last that "
                "was saved; two experts of one name give themselves different names on the page."
            )
        _check_images(file, reference, name)


def _check_images(file: SavedReview, reference: Review, name: str) -> None:
    for key, line in file.lines.items():
        if key not in reference.predicted:
            raise _fault(file.path, line, f"the image {'/'.join(key)} is not in {name}", RENAMED)
        if file.review.predicted[key] != reference.predicted[key]:
            said = f"predicted is {file.review.predicted[key]}, and in {name} {reference.predicted[key]}"
            raise _fault(file.path, line, said)
    missing = [key for key in reference.predicted if key not in file.lines]
    if missing:
        raise ReviewError(
            f"{file.path}: there is no line of {'/'.join(missing[0])}, which {name} has"
            f"{f', nor of {len(missing) - 1} more' if len(missing) > 1 else ''}. {SAVE_AGAIN}"
        )


def _rows(path: Path, text: str) -> List[Tuple[int, Dict[str, str]]]:
    """Return each row after the header, with its line."""
    if "\0" in text:
        raise ReviewError(f"{path}: this is no CSV file. Give the file that the page saved.")
    first = text.splitlines()[0] if text.strip() else ""
    delimiter = max(DELIMITERS, key=first.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    rows: List[Tuple[int, Dict[str, str]]] = []
    header: List[str] = []
    try:
        for cells in reader:
            if not any(each.strip() for each in cells):
                continue
            if not header:
                header = [each.strip() for each in cells]
                _check_header(path, header)
                continue
            if len(cells) != len(header):
                said = f"there are {len(cells)} cells, and {len(header)} columns"
                raise _fault(path, reader.line_num, said)
            rows.append((reader.line_num, dict(zip(header, cells))))
    except csv.Error as error:
        raise _fault(path, reader.line_num, str(error)) from error
    if not header:
        raise ReviewError(f"{path}: this file is empty. {SAVE_AGAIN}")
    return rows


def _check_header(path: Path, header: Sequence[str]) -> None:
    missing = [name for name in COLUMNS if name not in header]
    if missing:
        raise ReviewError(
            f"{path}, line 1: there is no column {' and no '.join(missing)}; there are {', '.join(header)[:200]}. "
            "Give the file that the page of the review saved."
        )
    doubled = [name for name in COLUMNS if header.count(name) > 1]
    if doubled:
        raise _fault(path, 1, f"the column {doubled[0]} is there twice")


def _judged(path: Path, line: int, row: Dict[str, str], key: Key, predicted: int) -> Optional[JudgedImage]:
    """Return what the expert says of an image; None if it was not judged."""
    if not any(row[name].strip() for name in ("false_count", "missed_count")):
        return None
    false, missed = _count(path, line, row, "false_count"), _count(path, line, row, "missed_count")
    if false > predicted:
        raise _fault(path, line, f"{false} objects are false, and only {predicted} were found")
    for name, pattern in (("false_objects", OBJECTS), ("missed_at", POINTS)):
        if not pattern.fullmatch(row[name].strip()):
            raise _fault(path, line, f"{name} is {row[name]!r}, which the page does not write")
    objects = frozenset(int(number) for number in re.findall(r"\d+", row["false_objects"]))
    points = tuple((int(x), int(y)) for x, y in re.findall(r"x(\d+)y(\d+)", row["missed_at"]))
    return JudgedImage(key, line, predicted, false, missed, objects, points, _count(path, line, row, "seconds"))


def _count(path: Path, line: int, row: Dict[str, str], name: str) -> int:
    text = row[name].strip()
    if not re.fullmatch(r"[0-9]{1,9}", text):
        raise _fault(path, line, f"{name} is {row[name]!r}, and a whole number from 0 on is needed")
    return int(text)


def _fault(path: Path, line: int, said: str, way_out: str = SAVE_AGAIN) -> ReviewError:
    return ReviewError(f"{path}, line {line}: {said}. {way_out}")
