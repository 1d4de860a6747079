"""The folder of a batch: where its request, its plan and its pieces lie."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Dict, List, Optional, Tuple

from cpunet.errors import BatchError
from cpunet.files.written_beside import written_beside

# Inside the folder for the results; everything else there is what one run would have written, and the report.
BATCH_FOLDER = "batch"
REPORT_NAME = "batch-report"


@dataclass(frozen=True)
class Request:
    """What was asked for; a batch is resumed only with the same request.

    Attributes
    ----------
    pipeline, images : str
        Full paths.
    pipeline_sha256 : str
        Of the pipeline file.
    piece_size : int
        How many image sets a piece has, at least.
    python : str
        The Python that has CellProfiler.
    plugins : str
        The folder with the module.
    """

    pipeline: str
    pipeline_sha256: str
    images: str
    piece_size: int
    python: str
    plugins: str


@dataclass(frozen=True)
class Piece:
    """Consecutive image sets, ``-f`` and ``-l`` of CellProfiler."""

    name: str
    first: int
    last: int


@dataclass(frozen=True)
class Plan:
    """The pieces of a batch.

    Attributes
    ----------
    pieces : tuple of Piece
        In the order of their image sets, which they cover without gaps.
    groups : tuple of (int, int)
        The first and last image set of each group of the pipeline; one group if it has none.
    pipeline_text : str
        The pipeline as one run would have recorded it.
    notes : tuple of str
        What the user should know of how the batch was split.
    """

    pieces: Tuple[Piece, ...]
    groups: Tuple[Tuple[int, int], ...]
    pipeline_text: str
    notes: Tuple[str, ...] = ()


@dataclass(frozen=True)
class BatchFolder:
    """The paths of a batch.

    Attributes
    ----------
    output : Path
        The user's folder for the results.
    """

    output: Path

    @property
    def path(self) -> Path:
        """The folder that holds all but the results."""
        return self.output / BATCH_FOLDER

    @property
    def request(self) -> Path:
        """What was asked for, JSON."""
        return self.path / "request.json"

    @property
    def images(self) -> Path:
        """The list of image files: the batch stays the same if files are added later."""
        return self.path / "images.txt"

    @property
    def plan(self) -> Path:
        """The pieces, JSON."""
        return self.path / "plan.json"

    @property
    def batch_file(self) -> Path:
        """CellProfiler's Batch_data.h5, which all pieces read."""
        return self.path / "planned" / "Batch_data.h5"

    @property
    def empty_tables(self) -> Path:
        """What CellProfiler wrote when the batch was planned: databases without image sets."""
        return self.path / "planned" / "output"

    @property
    def merged(self) -> Path:
        """Which files were merged, JSON; written last."""
        return self.path / "merged.json"

    def piece(self, name: str) -> Path:
        """Return the folder of a piece, with one folder in it for each attempt."""
        return self.path / "pieces" / name

    def result(self, name: str) -> Path:
        """Return the file that says of a piece that it is done, and where its output is."""
        return self.piece(name) / "result.json"

    def read_request(self) -> Optional[Request]:
        """Return the request of an earlier call; None if there is none."""
        return Request(**read_json(self.request)) if self.request.exists() else None

    def read_plan(self) -> Plan:
        """Return the plan."""
        found = read_json(self.plan)
        pieces = tuple(Piece(**each) for each in found["pieces"])
        groups = tuple((first, last) for first, last in found["groups"])
        return Plan(pieces, groups, found["pipeline_text"], tuple(found["notes"]))

    def write_plan(self, plan: Plan) -> None:
        """Write the plan."""
        write_json(self.plan, asdict(plan))


def read_json(path: Path) -> Any:
    """Read a file of the batch; BatchError if it is broken."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise BatchError(f"{path}: this file of the batch is broken ({error}). Start again with another -o.") from error


def write_json(path: Path, content: Dict[str, Any]) -> None:
    """Write a file as a whole or not at all."""
    write_text(path, json.dumps(content, indent=1) + "\n")


def write_text(path: Path, text: str) -> None:
    """Write a file as a whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with written_beside(path) as beside:
        beside.write_text(text, encoding="utf-8")


def pieces_left(folder: BatchFolder) -> List[Piece]:
    """Return the pieces of a planned batch that are not done."""
    return [piece for piece in folder.read_plan().pieces if not folder.result(piece.name).exists()]


def failures_of(folder: Path) -> List[Dict[str, Any]]:
    """Return the failed attempts of a piece, the oldest first."""
    found = [read_json(path) for path in folder.glob("attempt-*/failure.json")]
    return sorted(found, key=lambda each: float(each["began"]))
