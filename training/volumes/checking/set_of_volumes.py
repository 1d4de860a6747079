"""What is wrong with a set of volumes as a whole: images of one plane among them, and series that splits tear apart."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path

from cpunet.files.formats.volume import holds_volume
from cpunet.files.images import TIFF_SUFFIXES
from cpunet.time_lapse.file_names import facts_of_name
from cpunet.training.checking.image_facts import ERROR, WARNING, DataProblem
from cpunet.training.data.index import DEPTH, INDEX
from cpunet.training.data.labeled_images import IndexRow


def set_findings(folder: Path, rows: Sequence[IndexRow], volumes: Sequence[bool]) -> Iterable[DataProblem]:
    """Find what is wrong with the volumes of a set together.

    Parameters
    ----------
    folder : Path
    rows : sequence of IndexRow
    volumes : sequence of bool
        Which of them are volumes, by the index.
    """
    for row, known in zip(rows, volumes, strict=True):
        path = row.image_path
        if not known and path.suffix in TIFF_SUFFIXES and holds_volume(path):
            what = f"this is a volume, and {INDEX} does not say so. Write its number of planes into a column {DEPTH!r},"
            what += " or make the set with `cpunet data import-volumes`."
            yield DataProblem(WARNING, "depth", "/".join(row.key), what)
    count = sum(volumes)
    if not count:
        return
    if count < len(rows):
        what = f"{count} volumes and {len(rows) - count} images of one plane are in one set; make a set of each."
        yield DataProblem(ERROR, "depth", folder.name, what)
    yield from _torn_series(folder, [row for row, known in zip(rows, volumes, strict=True) if known])


def _torn_series(folder: Path, rows: Sequence[IndexRow]) -> Iterable[DataProblem]:
    """Find volumes whose names differ in the time alone, on both sides of a split and without a group."""
    series: dict[str, list[IndexRow]] = defaultdict(list)
    for row in rows:
        facts = facts_of_name(Path(row.id))
        if facts.time is not None and not row.group:
            series[facts.series].append(row)
    for name, members in series.items():
        splits = {row.split for row in members} & {"train", "val", "test"}
        if len(splits) > 1:
            what = f"volumes of one time series by their names ({name}) are in {' and '.join(sorted(splits))}"
            yield DataProblem(
                WARNING, "group", folder.name, f"{what}: give them a group (--group) and draw splits anew."
            )
