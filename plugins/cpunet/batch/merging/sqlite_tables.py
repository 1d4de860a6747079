"""Merge the SQLite databases of ExportToDatabase."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Dict, List, Sequence, Tuple

from cpunet.batch.folder import Plan
from cpunet.batch.merging.group_columns import Values, group_values, places_of
from cpunet.batch.merging.paths_in_text import Moved
from cpunet.errors import BatchError
from cpunet.files.written_beside import written_beside

HEAD = b"SQLite format 3\x00"
# Columns of ExportToDatabase's tables that say which image set a row belongs to.
OF_IMAGES, OF_RELATIONSHIPS = "ImageNumber", "image_number1"
TYPE_ID, TYPES_SUFFIX, EXPERIMENT_SUFFIX = "relationship_type_id", "RelationshipTypes", "Per_Experiment"
RUN_TIMESTAMP, PIPELINE = "Run_Timestamp", "Pipeline_Pipeline"


def is_database(path: Path) -> bool:
    """Return True for an SQLite file."""
    with path.open("rb") as stream:
        return stream.read(len(HEAD)) == HEAD


def merge_databases(
    empty: Path, moved_from_plan: Moved, sources: Sequence[Tuple[Path, Moved]], target: Path, plan: Plan
) -> None:
    """Merge a database of all pieces.

    Parameters
    ----------
    empty : Path
        As CellProfiler made it when the batch was planned: all tables, and no image set.
    moved_from_plan : Moved
        Brings the folder of the plan to that of the results.
    sources : sequence of (Path, Moved)
        In the order of the pieces. Each began as a copy of `empty`.
    target : Path
    plan : Plan
        It knows the groups, and the pipeline's text as one run would have recorded it.

    Raises
    ------
    BatchError
        If a piece's database has other tables, or two pieces have the same image set.
    """
    with written_beside(target) as beside:
        shutil.copyfile(empty, beside)
        try:
            _merge_into(beside, moved_from_plan, sources, plan)
        except sqlite3.Error as error:
            raise BatchError(f"{target.name}: the databases of the pieces cannot be merged: {error}") from error


def _merge_into(path: Path, moved_from_plan: Moved, sources: Sequence[Tuple[Path, Moved]], plan: Plan) -> None:
    groups = group_values(plan.groups)
    with closing(sqlite3.connect(str(path))) as merged:
        tables = _tables(merged)
        for source, moved in sources:
            with closing(_open_to_read(source)) as piece:
                if _tables(piece) != tables:
                    raise BatchError(f"{source}: the database of this piece has other tables than the batch.")
                _add_piece(merged, piece, tables, moved, groups)
        _finish(merged, tables, moved_from_plan, sources[-1], plan.pipeline_text)
        merged.commit()


def _open_to_read(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)


def image_numbers_in(path: Path) -> Dict[str, List[int]]:
    """Return the image sets in each table of images of a database."""
    with closing(_open_to_read(path)) as database:
        return {
            table: [number for (number,) in database.execute(f'SELECT {OF_IMAGES} FROM "{table}" ORDER BY rowid')]
            for table, columns in _tables(database).items()
            if table.endswith("Per_Image") and OF_IMAGES in columns
        }


def _tables(database: sqlite3.Connection) -> Dict[str, Tuple[str, ...]]:
    names = [
        name
        for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY rowid")
        if not name.startswith("sqlite_")
    ]
    return {name: tuple(row[1] for row in database.execute(f'PRAGMA table_info("{name}")')) for name in names}


def _add_piece(
    merged: sqlite3.Connection,
    piece: sqlite3.Connection,
    tables: Dict[str, Tuple[str, ...]],
    moved: Moved,
    groups: Values,
) -> None:
    ids = _type_ids(merged, piece, tables)
    for table, columns in tables.items():
        if OF_IMAGES not in columns and OF_RELATIONSHIPS not in columns:
            continue
        statement = f'INSERT INTO "{table}" VALUES ({", ".join("?" * len(columns))})'
        place = columns.index(TYPE_ID) if TYPE_ID in columns else None
        of_groups = places_of(columns, "Image_")
        number = columns.index(OF_IMAGES) if of_groups else 0
        for row in piece.execute(f'SELECT * FROM "{table}" ORDER BY rowid'):
            values = [moved(value) if isinstance(value, str) else value for value in row]
            if place is not None:
                values[place] = ids[values[place]]
            for of_group, name in of_groups:
                values[of_group] = groups(int(values[number]))[name]
            merged.execute(statement, values)


def _type_ids(
    merged: sqlite3.Connection, piece: sqlite3.Connection, tables: Dict[str, Tuple[str, ...]]
) -> Dict[object, object]:
    """Return the merged number of each kind of relationship, by the piece's number; add kinds that are new."""
    ids: Dict[object, object] = {}
    for table, columns in tables.items():
        if not table.endswith(TYPES_SUFFIX):
            continue
        others = [name for name in columns if name != TYPE_ID]
        where = " AND ".join(f"{name} = ?" for name in others)
        for number, *values in piece.execute(f'SELECT {TYPE_ID}, {", ".join(others)} FROM "{table}"'):
            found = merged.execute(f'SELECT {TYPE_ID} FROM "{table}" WHERE {where}', values).fetchone()
            if found is None:
                cursor = merged.execute(
                    f'INSERT INTO "{table}" ({", ".join(others)}) VALUES ({", ".join("?" * len(others))})', values
                )
                found = (cursor.lastrowid,)
            ids[number] = found[0]
    return ids


def _finish(
    merged: sqlite3.Connection,
    tables: Dict[str, Tuple[str, ...]],
    moved_from_plan: Moved,
    last: Tuple[Path, Moved],
    pipeline_text: str,
) -> None:
    """Write the experiment: as at the beginning, and what the last piece knew at its end."""
    path, moved = last
    with closing(_open_to_read(path)) as piece:
        for table, columns in tables.items():
            if table.endswith(EXPERIMENT_SUFFIX):
                row = dict(zip(columns, piece.execute(f'SELECT * FROM "{table}"').fetchone()))
                row = {key: moved(value) if isinstance(value, str) else value for key, value in row.items()}
                row.pop(RUN_TIMESTAMP, None)
                if PIPELINE in row:
                    row[PIPELINE] = pipeline_text.encode() if isinstance(row[PIPELINE], bytes) else pipeline_text
                assigned = ", ".join(f'"{name}" = ?' for name in row)
                merged.execute(f'UPDATE "{table}" SET {assigned}', list(row.values()))
            elif OF_IMAGES not in columns and OF_RELATIONSHIPS not in columns:
                _move_texts(merged, table, columns, moved_from_plan)


def _move_texts(database: sqlite3.Connection, table: str, columns: Sequence[str], moved: Moved) -> None:
    for rowid, *values in database.execute(f'SELECT rowid, * FROM "{table}"').fetchall():
        new = [moved(value) if isinstance(value, str) else value for value in values]
        if new != values:
            assigned = ", ".join(f'"{name}" = ?' for name in columns)
            database.execute(f'UPDATE "{table}" SET {assigned} WHERE rowid = ?', [*new, rowid])
