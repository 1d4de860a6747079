"""Decide which images are trained on, validated on and tested on."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np

from cpunet.errors import DataError, ImageError
from cpunet.files.formats.volume import read_volume
from cpunet.files.images import read_image
from cpunet.training.data.duplicates import Key, duplicate_families, joined, pixel_sum
from cpunet.training.data.index import IndexTable, is_volume, write_table
from cpunet.training.data.labeled_images import IndexRow, row_of

KEPT_SPLIT = "excluded"
FRACTIONS = {"train": 0.8, "val": 0.1, "test": 0.1}
ROUNDING = 1e-9
Cells = dict[str, str]


def inseparable(folder: Path, rows: Sequence[Cells]) -> list[list[int]]:
    """Group the images that must stay on one side of a split: equal pixels, duplicates, and images of one group.

    Parameters
    ----------
    folder : Path
        The data set's; its images are read.
    rows : sequence of dict of str to str
        Of index.csv.

    Returns
    -------
    list of list of int
        Numbers of rows; each is in one list, most lists hold a single one.
    """
    records = [row_of(folder, cells) for cells in rows]
    try:
        sums = [
            pixel_sum(read_volume(path).pixels if is_volume(cells, path) else read_image(path))
            for path, cells in zip((record.image_path for record in records), rows, strict=True)
        ]
    except ImageError as error:
        raise DataError(str(error)) from error
    return families_of(records, sums)


def families_of(
    records: Sequence[IndexRow], sums: Sequence[str], same_field: Iterable[tuple[Key, Key]] = ()
) -> list[list[int]]:
    """Group images of one data set or several as `inseparable` does.

    Parameters
    ----------
    records : sequence of IndexRow
    sums : sequence of str
        The `pixel_sum` of each.
    same_field : iterable of two (set, id)
        Further pairs that must stay together, such as crops of one image.
    """
    pairs = list(same_field)
    firsts: dict[tuple[str, str, str], Key] = {}
    for record, total in zip(records, sums, strict=True):
        marks = [("pixels", "", total), *([("group", record.folder.name, record.group)] if record.group else [])]
        pairs += [(firsts.setdefault(mark, record.key), record.key) for mark in marks]
    for family in duplicate_families(records):
        first, *others = sorted(family)
        pairs += [(first, other) for other in others]
    number_of = {record.key: number for number, record in enumerate(records)}
    return sorted(sorted(number_of[key] for key in family) for family in joined(pairs))


def split_by_column(rows: Sequence[Cells], column: str, renamed: Mapping[str, str]) -> list[Cells]:
    """Take the splits from a column of the table; images that are ``excluded`` stay so.

    Parameters
    ----------
    rows : sequence of dict of str to str
    column : str
    renamed : mapping of str to str
        Such as ``{"training": "train"}``; other values stay as they are.

    Raises
    ------
    DataError
        If there is no such column or value, or a cell is empty.
    """
    if rows and column not in rows[0]:
        raise DataError(f"index.csv has no column {column!r}; it has {', '.join(rows[0])}.")
    unknown = sorted(set(renamed) - {cells[column] for cells in rows})
    if unknown:
        raise DataError(f"No image has {unknown[0]!r} in the column {column!r}.")
    empty = [cells["id"] for cells in rows if not cells[column]]
    if empty:
        raise DataError(f"The column {column!r} is empty for {len(empty)} images, the first of them {empty[0]}.")
    return [_with_split(cells, renamed.get(cells[column], cells[column])) for cells in rows]


def split_at_random(
    rows: Sequence[Cells],
    families: Sequence[Sequence[int]],
    fractions: Mapping[str, float],
    seed: int,
    stratify: str | None = None,
) -> list[Cells]:
    """Draw the splits; images that are ``excluded`` stay so.

    Parameters
    ----------
    rows : sequence of dict of str to str
    families : sequence of sequence of int
        From `inseparable`.
    fractions : mapping of str to float
        The share of each split; they add up to 1.
    seed : int
        The same seed and images give the same splits, in any order of the table.
    stratify : str, optional
        A column, such as ``modality``: the images of each of its values are split by the same fractions.

    Raises
    ------
    DataError
        If the fractions do not add up to 1, or there are too few independent images for a split.
    """
    if any(not 0 < share <= 1 for share in fractions.values()) or abs(sum(fractions.values()) - 1) > 1e-6:
        raise DataError(f"The fractions must each be more than 0 and add up to 1; they are {dict(fractions)}.")
    drawn = _share_out(rows, families, fractions, seed, stratify)
    return [_with_split(cells, drawn.get(number, "")) for number, cells in enumerate(rows)]


def split_in_folds(
    rows: Sequence[Cells],
    families: Sequence[Sequence[int]],
    folds: int,
    validate_on: int,
    seed: int,
    stratify: str | None = None,
) -> list[Cells]:
    """Draw K folds for cross-validation, and validate on one of them.

    Parameters
    ----------
    rows, families, seed, stratify
        As in `split_at_random`.
    folds : int
        K, 2 or more.
    validate_on : int
        1..K: this fold becomes ``val``, the others ``train``.

    Returns
    -------
    list of dict of str to str
        With the column ``fold``, which stays the same for every `validate_on`. Images whose split is ``excluded`` or
        ``test`` keep it, and have no fold.

    Raises
    ------
    DataError
        If there is no such fold, or there are too few independent images.
    """
    if folds < 2 or not 1 <= validate_on <= folds:
        raise DataError(f"--folds must be 2 or more and --validate-on 1 to {folds}; got {folds} and {validate_on}.")
    # Test images stay unseen in every fold, and so do all images of their families.
    tested = {
        number for family in families if any(rows[each]["split"] == "test" for each in family) for number in family
    }
    free = [family for family in families if not tested & set(family)]
    drawn = _share_out(rows, free, {str(fold): 1 / folds for fold in range(1, folds + 1)}, seed, stratify)
    split = []
    for number, cells in enumerate(rows):
        fold = drawn.get(number, "") if cells["split"] != KEPT_SPLIT else ""
        name = "test" if number in tested else "val" if fold == str(validate_on) else "train"
        split.append({**_with_split(cells, name), "fold": fold})
    return split


def _share_out(
    rows: Sequence[Cells],
    families: Sequence[Sequence[int]],
    shares: Mapping[str, float],
    seed: int,
    stratify: str | None,
) -> dict[int, str]:
    """Give each family to the share that lacks most, in random order; return the share of each row.

    Notes
    -----
    In each stratum a share gets as much as goes wholly into its part. What is left goes where the strata so far lack
    most together: in strata of three images 80 % would otherwise be all three, every time.
    """
    if stratify is not None and rows and stratify not in rows[0]:
        raise DataError(f"index.csv has no column {stratify!r} to stratify by; it has {', '.join(rows[0])}.")
    used = [[number for number in family if rows[number]["split"] != KEPT_SPLIT] for family in families]
    used = [sorted(family, key=lambda number: rows[number]["id"]) for family in used if family]
    used.sort(key=lambda family: rows[family[0]]["id"])
    if len(used) < len(shares):
        raise DataError(
            f"There are {len(used)} independent images or groups (duplicates and images of one group stay "
            f"together), and {len(shares)} splits or folds to fill. Label more images, or ask for fewer of them."
        )
    strata: dict[str, list[list[int]]] = defaultdict(list)
    for position in np.random.default_rng(seed).permutation(len(used)):
        family = used[position]
        strata[rows[family[0]][stratify] if stratify else ""].append(family)
    total: Counter[str] = Counter()
    drawn: dict[int, str] = {}
    reached = 0
    for members in strata.values():  # in random order, so that chance decides which stratum lacks what
        size = sum(len(family) for family in members)
        reached += size
        lack_here = {share: fraction * size for share, fraction in shares.items()}
        lack = {share: fraction * reached - total[share] for share, fraction in shares.items()}
        # Large families first: they fit least, and what follows evens them out.
        for family in sorted(members, key=len, reverse=True):
            fitting = [share for share in shares if lack_here[share] > len(family) - ROUNDING]
            open_here = [share for share in shares if lack_here[share] > ROUNDING]
            share = (
                max(fitting, key=lack_here.__getitem__) if fitting else max(open_here or shares, key=lack.__getitem__)
            )
            lack_here[share] -= len(family)
            lack[share] -= len(family)
            total[share] += len(family)
            drawn.update(dict.fromkeys(family, share))
    for empty in [share for share in shares if not total[share]]:
        # With few images a small fraction may get none: it gets the smallest family of those that have two or more.
        families_of = Counter(drawn[family[0]] for family in used)
        family = min((family for family in used if families_of[drawn[family[0]]] > 1), key=len)
        drawn.update(dict.fromkeys(family, empty))
    return drawn


def write_splits(folder: Path, table: IndexTable, rows: Sequence[Cells], keep_folds: bool) -> None:
    """Write rows with new splits into index.csv.

    Parameters
    ----------
    folder : Path
    table : IndexTable
        As read, with the order of the columns.
    rows : sequence of dict of str to str
    keep_folds : bool
        Whether to write the column ``fold``; folds of an earlier draw would contradict the new splits.
    """
    fields = [name for name in table.fields if name != "fold" or keep_folds]
    if keep_folds and "fold" not in fields:
        fields.append("fold")
    write_table(folder, fields, [{name: cells[name] for name in fields} for cells in rows])


def _with_split(cells: Cells, split: str) -> Cells:
    return cells if cells["split"] == KEPT_SPLIT else {**cells, "split": split}


def counted(rows: Iterable[Cells]) -> str:
    """Return the number of images of each split.

    Examples
    --------
    >>> counted([{"split": "val"}, {"split": "train"}, {"split": "train"}])
    'train 2, val 1'
    """
    count = Counter(cells["split"] for cells in rows)
    return ", ".join(f"{name} {count[name]}" for name in sorted(count))
