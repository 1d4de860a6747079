"""Write a data set in the project's own layout, from images and labels in another."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from tqdm import tqdm

from cpunet.errors import DataError, ImageError, LabelFileError
from cpunet.files.formats.volume import read_volume
from cpunet.files.images import read_image
from cpunet.training.data.duplicates import SeenImages
from cpunet.training.data.index import INDEX, WRITTEN_FIELDS, index_problems, is_volume, read_table, write_table
from cpunet.training.data.labeled_images import MOST_WITHOUT_VALIDATION, read_index
from cpunet.training.data.splits import counted, inseparable, split_at_random
from cpunet.training.importing.files import folder_beside, store_image, store_labels
from cpunet.training.importing.formats.coco import read_coco_image
from cpunet.training.importing.ignore_masks import ignored_pixels, store_ignore_mask
from cpunet.training.importing.joined_channels import read_channels
from cpunet.training.importing.label_files import read_labels
from cpunet.training.importing.pairs import Pair, Pairing, pair_mask_folders

SHOWN_PROBLEMS = 20
IMPORT_FRACTIONS, IMPORT_SEED = {"train": 0.85, "val": 0.15}, 1
# An image without a split takes that of its group or duplicates: nothing is trained on whose like is tested on.
KNOWN_FIRST = ("test", "val", "train")
OVERLAP_FIELD = "overlap_px"


@dataclass(frozen=True)
class ImportOptions:
    """Options of a whole import.

    Attributes
    ----------
    modality : str
        For images whose source does not give it.
    group_pattern : str or None
        A regular expression with one pair of brackets, whose match in an image's id is its group.
    against : tuple of Path
        Data sets in which duplicates are searched; an image found there gets `duplicate_of`.
    skip_unpaired : bool
        Leave out images without labels, and labels without an image, instead of refusing.
    series : int or None
        Which image to take, from 1 on, of TIFF files with several.
    depths_as_channels : bool
        Whether depths (Z) of TIFF files, and planes of which they do not say what they are, become channels.
    """

    modality: str = "unspecified"
    group_pattern: str | None = None
    against: tuple[Path, ...] = ()
    skip_unpaired: bool = False
    series: int | None = None
    depths_as_channels: bool = False


Store = Callable[[Pair, str, Path, SeenImages, ImportOptions], tuple[dict[str, str], str]]


def pair_sources(sources: Sequence[Path]) -> list[Pairing]:
    """Recognize each folder by its content, see `pair_source`."""
    sets = {source.resolve().name for source in sources}
    return [pair_source(source, sets) for source in sources]


def pair_source(source: Path, sets: Collection[str]) -> Pairing:
    """Recognize a folder by its content: our own layout, or one mask an object as in the Data Science Bowl 2018.

    Parameters
    ----------
    source : Path
    sets : collection of str
        Names of all sets that are merged: a duplicate in one of them is named by its id alone.

    Raises
    ------
    DataError
        If it is neither.
    """
    if (source / INDEX).is_file():
        cells = read_table(source).rows
        pairs = (
            Pair(
                row.id,
                row.image_path,
                (row.labels_path,),
                {**known, "duplicate_of": _within(row.duplicate_of, sets)},
                ignore=row.ignore_path,
            )
            for row, known in zip(read_index(source), cells, strict=True)
        )
        return Pairing(tuple(pairs), "own", notes=(f"{source}: a data set in our own layout; its splits stay.",))
    if any(source.glob("*/images")) and any(source.glob("*/masks")):
        return pair_mask_folders(source)
    raise DataError(
        f"{source}: this is neither a data set ({INDEX}, images/, labels/) nor a folder of ID/images and ID/masks. "
        "For two folders say --images DIR --labels DIR, for CellProfiler's output --cellprofiler DIR."
    )


def _within(duplicate: str, sets: Collection[str]) -> str:
    folder, _, name = duplicate.rpartition("/")
    return name if folder in sets else duplicate


def refuse_existing(target: Path) -> None:
    """Raise DataError if there is something in the place of a new data set."""
    if target.exists():
        raise DataError(f"{target}: this exists already. Name a folder that does not, or remove it first.")


def import_pairs(
    pairings: Sequence[Pairing],
    target: Path,
    options: ImportOptions,
    add_files: Callable[[Path], None] | None = None,
    store: Store | None = None,
) -> list[str]:
    """Write images, labels and index.csv, all of them or nothing.

    Parameters
    ----------
    pairings : sequence of Pairing
        One a source.
    target : Path
        A folder that does not exist yet.
    options : ImportOptions
    add_files : callable, optional
        Writes further files into the folder of the data set, before it gets its name.
    store : callable, optional
        Writes one image and its labels, and returns its row of index.csv and a sentence on changes and doubts; for
        images of one plane if it is not given.

    Returns
    -------
    list of str
        What was done, in sentences.

    Raises
    ------
    DataError
        If the target exists, or files cannot be used; the message names all of them.
    """
    refuse_existing(target)
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
        way_out = " Rename the files and the ids in one of the sources' index.csv." if len(pairings) > 1 else ""
        raise DataError(_listed(problems, f"Ids become file names, so that each must be there once.{way_out}"))
    groups = {pair.id: _group(pair.id, options.group_pattern) for pair in pairs}
    earlier = _images_of(options.against)
    with folder_beside(target) as folder:
        for sub in ("images", "labels"):
            (folder / sub).mkdir()
        rows, problems = [], []
        everything = [(pairing.label_format, pair) for pairing in pairings for pair in pairing.pairs]
        for label_format, pair in tqdm(everything, desc="import", unit="image", disable=None):
            try:
                cells, sentence = (store or _store)(pair, label_format, folder, earlier, options)
            except (ImageError, LabelFileError, DataError) as error:
                problems.append(str(error))
                continue
            cells["modality"] = cells.get("modality") or options.modality
            cells["group"] = cells.get("group") or groups[pair.id]
            rows.append(cells)
            notes += [f"{pair.id}: {sentence}{'' if sentence.endswith('?') else '.'}"] if sentence else []
        if problems:
            raise DataError(_listed(problems, "Nothing was imported:"))
        if not any(int(cells["objects"]) for cells in rows):
            raise DataError(_listed(notes, f"None of the {len(rows)} images has an object:"))
        rows, sentence = _with_splits(folder, rows)
        fields = [*WRITTEN_FIELDS, *sorted({name for cells in rows for name in cells} - set(WRITTEN_FIELDS))]
        write_table(folder, fields, rows)
        if add_files is not None:
            add_files(folder)
    notes.append(f"{len(rows)} images, {sum(int(cells['objects']) for cells in rows)} objects: {target}")
    duplicates = [cells for cells in rows if cells["duplicate_of"]]
    if duplicates:
        notes.append(
            f"{len(duplicates)} images are duplicates, or nearly so (another bit depth or file format); the column "
            "duplicate_of names what they duplicate."
        )
    return [*notes, sentence]


def _store(
    pair: Pair, label_format: str, folder: Path, earlier: SeenImages, options: ImportOptions
) -> tuple[dict[str, str], str]:
    """Write one image and its labels; return its row of index.csv, and a sentence on changes and doubts."""
    source = read_channels(pair, options.series, options.depths_as_channels)
    image = source.pixels
    shape = image.shape[0], image.shape[1]
    if pair.outlines is not None:
        read = read_coco_image(pair.outlines, shape)
    else:
        read = read_labels(pair.labels, label_format, shape, options.series)
    if read.labels.shape != image.shape[:2]:
        raise DataError(
            f"{pair.labels[0]}: the labels have the shape {read.labels.shape} and the image {image.shape[:2]}."
        )
    store_image(source, folder / "images", pair.id)
    store_labels(read.labels, folder / "labels", pair.id)
    ignored = ignored_pixels(pair, read)
    if ignored is not None:
        store_ignore_mask(ignored, folder, pair.id)
    duplicate, difference = earlier.duplicate_of(image, pair.id)
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
    notes = [note for note in (source.note, read.note) if note]
    if duplicate and not cells["duplicate_of"]:
        cells["duplicate_of"] = duplicate
        notes += [f"{difference} as {duplicate}"] if difference else []
    elif duplicate and cells["duplicate_of"] != duplicate:
        notes.append(
            f"{difference or 'the same pixels'} as {duplicate}; its duplicate_of stays {cells['duplicate_of']}"
        )
    if read.overlap_px is not None:
        cells[OVERLAP_FIELD] = str(read.overlap_px)
    return cells, "; ".join(notes)


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


def _images_of(folders: Iterable[Path]) -> SeenImages:
    """Read each image of other data sets; they are named <set>/<id>."""
    seen = SeenImages()
    for folder in folders:
        rows = list(zip(read_index(folder), read_table(folder).rows, strict=True))
        for row, cells in tqdm(rows, desc=f"look at {folder.name}", unit="image", disable=None):
            path = row.image_path
            image = read_volume(path).pixels.max(axis=0) if is_volume(cells, path) else read_image(path)
            seen.duplicate_of(image, "/".join(row.key))
    return seen


def _with_splits(folder: Path, rows: list[dict[str, str]]) -> tuple[list[dict[str, str]], str]:
    """Give splits to images without one; return the rows, and a sentence about it."""
    if all(cells["split"] for cells in rows):
        return rows, f"splits, as they were: {counted(rows)}."
    split_of: dict[int, str] = {}
    free = []
    for family in inseparable(folder, rows):
        there = {rows[number]["split"] for number in family}
        without = [number for number in family if not rows[number]["split"]]
        known = next((split for split in KNOWN_FIRST if split in there), None)
        if known is not None:
            split_of.update(dict.fromkeys(without, known))
        elif without:
            free.append(without)
    if not free:
        how = "those of their groups and duplicates"
    elif len(rows) <= MOST_WITHOUT_VALIDATION or len(free) < len(IMPORT_FRACTIONS):
        split_of.update({number: "train" for family in free for number in family})
        how = "all train, as so few images teach more than one of them would tell"
    else:
        drawn = split_at_random(rows, free, IMPORT_FRACTIONS, IMPORT_SEED)
        split_of.update({number: drawn[number]["split"] for family in free for number in family})
        how = "85 % train, 15 % val, drawn at random with the seed 1"
    rows = [{**cells, "split": split_of.get(number, cells["split"])} for number, cells in enumerate(rows)]
    return rows, f"splits: {how} ({counted(rows)}). `cpunet data split` draws others."


def _listed(sentences: Sequence[str], head: str) -> str:
    more = len(sentences) - SHOWN_PROBLEMS
    lines = [*sentences[:SHOWN_PROBLEMS], *([f"... and {more} more"] if more > 0 else [])]
    return "\n  ".join([head, *lines])
