"""Merge what the pieces wrote into the folder of the results."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Callable, Dict, List, Sequence, Set, Tuple

from cpunet.batch.folder import BATCH_FOLDER, BatchFolder, Plan, read_json, write_json
from cpunet.batch.merging import csv_tables, sqlite_tables
from cpunet.batch.merging.paths_in_text import Moved
from cpunet.errors import BatchError
from cpunet.files.written_beside import written_beside

# Text files of ExportToDatabase that name the database with its path.
WITH_PATHS = (".properties", ".workspace")


def merge(folder: BatchFolder, warn: Callable[[str], None]) -> None:
    """Merge all pieces, and write ``merged.json`` at the end.

    Parameters
    ----------
    folder : BatchFolder
        All its pieces are done.
    warn : callable
        Called with a sentence for what the user should know.

    Raises
    ------
    BatchError
        If pieces ran other models, or a table has not each image set once.
    """
    plan = folder.read_plan()
    results = [read_json(folder.result(piece.name)) for piece in plan.pieces]
    check_models(results)
    outputs = [folder.piece(result["piece"]) / result["attempt"] / "output" for result in results]
    moved = [Moved(output, folder.empty_tables, to=folder.output) for output in outputs]
    written = _files_by_name(outputs)
    numbers_of_images: List[int] = []
    for name, places in sorted(written.items()):
        target = folder.output / name
        target.parent.mkdir(parents=True, exist_ok=True)
        sources = [(outputs[place] / name, moved[place]) for place in places]
        if sqlite_tables.is_database(sources[0][0]) and (folder.empty_tables / name).exists():
            planned = Moved(folder.empty_tables, to=folder.output)
            sqlite_tables.merge_databases(folder.empty_tables / name, planned, sources, target, plan)
            for table, numbers in sqlite_tables.image_numbers_in(target).items():
                _check_numbers(f"{target}, table {table}", numbers, plan)
        elif csv_tables.is_table(sources[0][0]):
            csv_tables.merge_tables(sources, target, plan)
            numbers_of_images += csv_tables.image_numbers_in(target)
        else:
            _take(sources[-1], target)
            if len(sources) > 1 and target.suffix not in WITH_PATHS:
                warn(
                    f"{name} was written by {len(sources)} pieces; the last is kept, as in one run that overwrites it."
                )
    if numbers_of_images:  # of all tables of images together, since there may be one for each plate
        _check_numbers(str(folder.output), sorted(set(numbers_of_images)), plan)
    write_json(folder.merged, {"files": sorted(written), "pieces": len(results)})


def check_models(results: Sequence[Dict[str, object]]) -> None:
    """Raise BatchError if pieces ran other models."""
    first = _models(results[0])
    for result in results[1:]:
        if _models(result) != first:
            raise BatchError(
                f"Piece {result['piece']} ran other models than piece {results[0]['piece']}: "
                f"{sorted(_models(result))}, not {sorted(first)}. A model was changed while the batch ran. Start again "
                "with another -o."
            )


def _models(result: Dict[str, object]) -> Set[Tuple[str, str, str]]:
    found = result["models"]
    assert isinstance(found, list)
    return {(each["module"], each["model"], each["sha256"]) for each in found}


def _files_by_name(outputs: Sequence[Path]) -> Dict[str, List[int]]:
    """Return the pieces that wrote each file, by its path below the output folder."""
    found: Dict[str, List[int]] = {}
    for place, output in enumerate(outputs):
        for root, _, names in os.walk(output):
            for name in names:
                relative = os.path.relpath(os.path.join(root, name), output)
                if Path(relative).parts[0] == BATCH_FOLDER:
                    raise BatchError(
                        f"The pipeline writes into a folder {BATCH_FOLDER} of the results, which is the batch's own. "
                        "Choose another folder in the pipeline."
                    )
                found.setdefault(relative, []).append(place)
    return found


def _check_numbers(where: str, numbers: Sequence[int], plan: Plan) -> None:
    first, last = plan.pieces[0].first, plan.pieces[-1].last
    expected = list(range(first, last + 1))
    if list(numbers) != expected:
        missing = sorted(set(expected) - set(numbers))
        raise BatchError(
            f"{where}: not each image set {first} to {last} is there once, in its order"
            + (f"; missing: {', '.join(map(str, missing[:10]))}" if missing else "")
            + "."
        )


def _take(source: Tuple[Path, Moved], target: Path) -> None:
    """Put a file into the results: without a copy if the disk allows it."""
    path, moved = source
    with written_beside(target) as beside:
        if path.suffix in WITH_PATHS:
            beside.write_text(moved(path.read_text(encoding="utf-8")), encoding="utf-8")
            return
        try:
            os.link(path, beside)
        except OSError:
            shutil.copyfile(path, beside)
