"""Segment one image file into files of results."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Tuple

from cpunet.files.images import read_image, write_labels, write_picture
from cpunet.files.overlay import draw_outlines, picture
from cpunet.model.protocol import Model
from cpunet.options import Options
from cpunet.segment import segment_image
from cpunet.steps.filters import filter_objects
from cpunet.terminal import report


def segment_file(
    path: Path,
    model: Model,
    options: Options,
    output: Path,
    diameter_range_px: Tuple[float, float] | None,
    discard_border: bool,
) -> int:
    """Segment one image file into <name>_labels.tif and <name>_overlay.png, and return the number of objects kept."""
    image = read_image(path)
    found = segment_image(image, model, options)
    for note in found.notes:
        report(f"{path}: note: {note}", sys.stderr)
    labels = filter_objects(found.labels, diameter_range_px, discard_border, found.usable).labels
    write_picture(output / f"{path.stem}_overlay.png", draw_outlines(picture(image), labels))
    write_labels(output / f"{path.stem}_labels.tif", labels)
    return int(labels.max())
