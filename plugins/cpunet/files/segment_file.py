"""Segment one image file into files of results."""

from __future__ import annotations

import functools
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Callable, FrozenSet, NamedTuple, Optional, Tuple, Union

from cpunet.choice.model_choice import ModelChoice
from cpunet.files.images import read_image, write_labels, write_picture
from cpunet.files.mark import source_of
from cpunet.files.outputs import check_output
from cpunet.files.overlay import draw_outlines, picture
from cpunet.model.memory import segment_within_memory
from cpunet.model.protocol import Model
from cpunet.options import Options
from cpunet.segment import segment_image
from cpunet.steps.filters import filter_objects
from cpunet.terminal import printable, report


@dataclass(frozen=True)
class Batch:
    """What all image files of one run share.

    Attributes
    ----------
    model : Model or ModelChoice
    options : Options
    output : Path
        The folder for the results.
    open_on_cpu, warn : callable
        See `cpunet.model.memory.segment_within_memory`.
    inputs : frozenset of str
        The `cpunet.files.find.identity` of each image; no result replaces one.
    overwrite : bool
        Whether results may replace files that this program did not write.
    diameter_range_px, discard_border
        See `cpunet.steps.filters.filter_objects`.
    """

    model: Union[Model, ModelChoice]
    options: Options
    output: Path
    open_on_cpu: Callable[[], Union[Model, ModelChoice]]
    warn: Callable[[str], None]
    inputs: FrozenSet[str] = frozenset()
    overwrite: bool = False
    diameter_range_px: Optional[Tuple[float, float]] = None
    discard_border: bool = False


class Results(NamedTuple):
    """The files that one image becomes."""

    labels: Path
    overlay: Path


def results_of(path: Path, output: Path) -> Results:
    """Name the files that an image becomes: <name>_labels.tif and <name>_overlay.png."""
    return Results(output / f"{path.stem}_labels.tif", output / f"{path.stem}_overlay.png")


def segment_file(path: Path, batch: Batch) -> int:
    """Segment one image file into `results_of` it, and return the number of objects kept.

    Raises
    ------
    OutputError
        If a result would replace an input or something that this program did not write; nothing is computed then.
    ImageError
        If the file cannot be read.
    """
    results, source = results_of(path, batch.output), source_of(path)
    for result in results:
        check_output(result, batch.inputs, batch.overwrite, source)
    image = read_image(path)
    found = segment_within_memory(
        functools.partial(segment_image, image), batch.model, batch.options, batch.open_on_cpu, batch.warn
    )
    for note in found.notes:
        report(f"{printable(path)}: note: {note}", sys.stderr)
    labels, usable = found.labels, found.usable
    del found  # the probabilities are larger than all that follows
    labels = filter_objects(labels, batch.diameter_range_px, batch.discard_border, usable).labels
    write_labels(results.labels, labels, source)
    write_picture(results.overlay, draw_outlines(picture(image), labels), source)
    return int(labels.max())
