"""Write a data set in the project's own layout, from images and labels in another."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from tqdm import tqdm

from cpunet.image_files import ImageFileError, read_image
from cpunet.training.data import read_index
from cpunet.training.import_files import folder_beside, read_source_image, store_image, store_labels
from cpunet.training.import_pairs import Pair, Pairing, pair_mask_folders
from cpunet.training.index_file import INDEX, WRITTEN_FIELDS, DataError, index_problems, read_table, write_table
from cpunet.training.label_files import LabelFileError, read_labels
from cpunet.training.splits import counted, inseparable, split_at_random
from cpunet.training.twins import pixel_sum

SHOWN_PROBLEMS = 20
IMPORT_FRACTIONS, IMPORT_SEED = {"train": 0.85, "val": 0.15}, 1
OVERLAP_FIELD = "overlap_px"


@dataclass(frozen=True)
class ImportOptions:
    """What is said of a whole import.

    Attributes
    ----------
    modality : str
        For images of which the source does not say it.
    group_pattern : str or None
        A regular expression with one pair of brackets; what they hold of an image's id is its group.
    against : tuple of Path
        Data sets whose images are looked up: an image that one of them has gets `duplicate_of`.
    skip_unpaired : bool
        Leave out images without labels, and labels without an image, instead of refusing.
    """

    modality: str = "unspecified"
    group_pattern: str | None = None
    against: tuple[Path, ...] = ()
    skip_unpaired: bool = False


def pair_source(source: Path) -> Pairing:
    """Recognise a folder by what is in it: our own layout, or one mask an object as in the Data Science Bowl 2018.

    Parameters
    ----------
    source : Path

    Returns
    -------
    Pairing

    Raises
    ------
    DataError
        If it is neither.
    """
    if (source / INDEX).is_file():
        cells = read_table(source).rows
        pairs = (
            Pair(row.id, row.image_path, (row.labels_path,), known)
            for row, known in zip(read_index(source), cells, strict=True)
        )
        return Pairing(tuple(pairs), "own", notes=(f"{source}: a data set in our own layout; its splits stay.",))
    if any(source.glob("*/images")) and any(source.glob("*/masks")):
        return pair_mask_folders(source)
    raise DataError(
        f"{source}: this is neither a data set ({INDEX}, images/, labels/) nor a folder of ID/images and ID/masks. "
        "For two folders say --images DIR --labels DIR, for CellProfiler's output --cellprofiler DIR."
    )


def import_pairs(pairings: Sequence[Pairing], target: Path, options: ImportOptions) -> list[str]:
    """Write images, labels and index.csv, all of them or nothing.

    Parameters
    ----------
    pairings : sequence of Pairing
        One a source.
    target : Path
        A folder that does not exist yet.
    options : ImportOptions

    Returns
    -------
    list of str
        What was done, in sentences.

    Raises
    ------
    DataError
        If the target exists, or a file cannot be used; all such files are named, and nothing is written.
    """
    if target.exists():
        raise DataError(f"{target}: this exists already. Name a folder that does not, or remove it first.")
    notes = [note for pairing in pairings for note in pairing.notes]
    unpaired = [sentence for pairing in pairings for sentence in pairing.unpaired]
    if unpaired and not options.skip_unpaired:
        raise DataError(_listed(unpaired, "Leave them out with --skip-unpaired, or check the names:"))
    notes += [f"left out: {sentence}" for sentence in unpaired]
    pairs = [pair for pairing in pairings for pair in pairing.pairs]
    if not pairs:
        raise DataError("There is no image with labels to import.")
    problems = index_problems({"id": pair.id} for pair in pairs)
    if problems:
        raise DataError(_listed(problems, "Ids become file names, so that each must be there once:"))
    groups = {pair.id: _group(pair.id, options.group_pattern) for pair in pairs}
    earlier = _sums_of(options.against)
    with folder_beside(target) as folder:
        for sub in ("images", "labels"):
            (folder / sub).mkdir()
        rows, problems = [], []
        everything = [(pairing.label_format, pair) for pairing in pairings for pair in pairing.pairs]
        for label_format, pair in tqdm(everything, desc="import", unit="image", disable=None):
            try:
                cells, sentence = _store(pair, label_format, folder, earlier)
            except (ImageFileError, LabelFileError, DataError) as error:
                problems.append(str(error))
                continue
            cells["modality"] = cells.get("modality") or options.modality
            cells["group"] = cells.get("group") or groups[pair.id]
            rows.append(cells)
            notes += [f"{pair.id}: {sentence}."] if sentence else []
        if problems:
            raise DataError(_listed(problems, "Nothing was imported:"))
        if not any(int(cells["objects"]) for cells in rows):
            raise DataError(_listed(notes, f"None of the {len(rows)} images has an object:"))
        rows, sentence = _with_splits(folder, rows)
        fields = [*WRITTEN_FIELDS, *sorted({name for cells in rows for name in cells} - set(WRITTEN_FIELDS))]
        write_table(folder, fields, rows)
    notes.append(f"{len(rows)} images, {sum(int(cells['objects']) for cells in rows)} objects: {target}")
    twins = [cells for cells in rows if cells["duplicate_of"]]
    if twins:
        notes.append(f"{len(twins)} images are there twice; the column duplicate_of names their twins.")
    return [*notes, sentence]


def _store(pair: Pair, label_format: str, folder: Path, earlier: dict[str, str]) -> tuple[dict[str, str], str]:
    """Write one image and its labels; return its row of index.csv, and a sentence on what was undone."""
    source = read_source_image(pair.image)
    read = read_labels(pair.labels, label_format)
    image = source.pixels
    if read.labels.shape != image.shape[:2]:
        raise DataError(
            f"{pair.labels[0]}: the labels have the shape {read.labels.shape} and the image {image.shape[:2]}."
        )
    store_image(source, folder / "images", pair.id)
    store_labels(read.labels, folder / "labels", pair.id)
    same = earlier.setdefault(pixel_sum(image), pair.id)
    cells = {
        "split": "",
        "duplicate_of": "",
        **pair.cells,
        "id": pair.id,
        "height": str(image.shape[0]),
        "width": str(image.shape[1]),
        "dtype": str(image.dtype),
        "channels": str(1 if image.ndim == 2 else image.shape[2]),
        "objects": str(read.labels.max(initial=0)),
    }
    if same != pair.id:
        cells["duplicate_of"] = same
    if label_format == "masks":
        cells[OVERLAP_FIELD] = str(read.overlap_px)
    return cells, read.note


def _group(name: str, pattern: str | None) -> str:
    if pattern is None:
        return ""
    try:
        found = re.search(pattern, name)
        group = found.group(1) if found else None
    except (re.error, IndexError) as error:
        raise DataError(
            f"--group {pattern!r}: a regular expression with one pair of brackets is needed, such as '^(.+)_s\\d+' "
            f"({error})."
        ) from error
    if not group:
        raise DataError(f"--group {pattern!r}: the id {name!r} does not match.")
    return group


def _sums_of(folders: Iterable[Path]) -> dict[str, str]:
    """Return <set>/<id> of each image of other data sets, by the sum of its pixels."""
    sums: dict[str, str] = {}
    for folder in folders:
        for row in read_index(folder):
            sums.setdefault(pixel_sum(read_image(row.image_path)), "/".join(row.key))
    return sums


def _with_splits(folder: Path, rows: list[dict[str, str]]) -> tuple[list[dict[str, str]], str]:
    """Draw splits for the images that have none; return the rows, and a sentence that says so."""
    without = [cells for cells in rows if not cells["split"]]
    if not without:
        return rows, f"splits, as they were: {counted(rows)}."
    families = inseparable(folder, without)
    if len(families) < len(IMPORT_FRACTIONS):
        drawn = [{**cells, "split": "train"} for cells in without]
        how = "all train, as there is nothing to draw from"
    else:
        drawn = split_at_random(without, families, IMPORT_FRACTIONS, IMPORT_SEED)
        how = "85 % train, 15 % val, drawn at random with the seed 1"
    split_of = {cells["id"]: cells["split"] for cells in drawn}
    rows = [{**cells, "split": split_of.get(cells["id"], cells["split"])} for cells in rows]
    return rows, f"splits: {how} ({counted(rows)}). `cpunet data split` draws others."


def _listed(sentences: Sequence[str], head: str) -> str:
    more = len(sentences) - SHOWN_PROBLEMS
    lines = [*sentences[:SHOWN_PROBLEMS], *([f"... and {more} more"] if more > 0 else [])]
    return "\n  ".join([head, *lines])
