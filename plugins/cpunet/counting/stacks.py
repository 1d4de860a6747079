"""The areas of the objects in a stack of labels (T, Y, X), and the table of counts of its frames."""

from __future__ import annotations

from pathlib import Path
from typing import Any, List, Sequence

from cpunet.counting.by_area import counted, typical_area
from cpunet.counting.tables import COUNT_COLUMNS, cells_of_count, csv_text
from cpunet.errors import DataError
from cpunet.files.formats.stored_image import stored_numbers
from cpunet.files.formats.time_stack import opened_time_stack
from cpunet.files.labeled_images import numbered_labels
from cpunet.steps.confidence import ObjectAreas, areas_apart
from cpunet.steps.runs import runs_of


def areas_in_stack(path: Path) -> List[ObjectAreas]:
    """Measure the areas of the objects in each frame of a stack of labels (T, Y, X).

    Raises
    ------
    ImageError
        If the file cannot be read.
    DataError
        If the labels are not whole numbers from 0 on, or the file has several channels.
    """
    with opened_time_stack(path) as stack:
        if len(stack.channels) > 1:
            raise DataError(
                f"{path} has {len(stack.channels)} channels; labels have one. Save the labels by themselves."
            )
        found = []
        for frame in range(stack.frames):
            labels = numbered_labels(path, stored_numbers(stack.read(frame)))
            found.append(areas_apart(labels, runs_of(labels)))
    return found


def counts_text(frames: Sequence[ObjectAreas]) -> str:
    """Return the table of counts of a time-lapse, a row a frame.

    The typical area is that of all frames. Where too few objects lie apart to know it, those columns are empty.
    """
    try:
        typical = typical_area(frames)
    except DataError:
        rows: List[Sequence[Any]] = [(len(each.areas), int(each.areas.sum()), None, None, None) for each in frames]
    else:
        rows = [cells_of_count(counted(each, typical)) for each in frames]
    return csv_text(("frame", *COUNT_COLUMNS), [(number, *row) for number, row in enumerate(rows, start=1)])
