"""Find label images among files, and measure the areas of their objects: one image a file, or a frame of a stack."""

from __future__ import annotations

from pathlib import Path
from typing import List, NamedTuple, Optional, Sequence

from cpunet.counting.stacks import areas_in_stack
from cpunet.files.find import find_files
from cpunet.files.formats.time_stack import is_time_stack
from cpunet.files.formats.volume import holds_volume, read_label_volume
from cpunet.files.images import read_numbers_as_said
from cpunet.files.labeled_images import numbered_labels
from cpunet.steps.confidence import ObjectAreas, areas_apart
from cpunet.steps.planes import in_one_plane
from cpunet.steps.runs import runs_of

LABELS_ENDING, OVERLAY_ENDING = "_labels", "_overlay"


class MeasuredImage(NamedTuple):
    """The objects of one image.

    Attributes
    ----------
    path : Path
        The label file.
    frame : int or None
        From 1 on, of a stack; None for a file with one image.
    areas : ObjectAreas
    """

    path: Path
    frame: Optional[int]
    areas: ObjectAreas


def find_label_files(words: Sequence[Path]) -> List[Path]:
    """Find the label images that files, folders and patterns mean.

    Of each folder or pattern that holds files of the name NAME_labels.tif, as `cpunet segment` writes them, those are
    taken; of any other, all images but overlays, as other programs' labels.

    Raises
    ------
    OptionError
        If a folder or pattern holds no image file.
    """
    found: List[Path] = []
    for word in words:
        paths = find_files([word])
        own = [path for path in paths if path.stem.endswith(LABELS_ENDING)]
        found += own or [path for path in paths if not path.stem.endswith(OVERLAY_ENDING)]
    return list(dict.fromkeys(found))


def measure_file(path: Path) -> List[MeasuredImage]:
    """Measure the areas of the objects in a label file: one image, or one for each frame of a time-lapse.

    Of a stack of depths (Z, Y, X), the areas are volumes, in voxels.

    Raises
    ------
    ImageError
        If the file cannot be read.
    DataError
        If it holds no labels.
    """
    if is_time_stack(path):
        return [MeasuredImage(path, frame, areas) for frame, areas in enumerate(areas_in_stack(path), start=1)]
    if holds_volume(path):
        stack = read_label_volume(path).pixels
        labels = numbered_labels(path, in_one_plane(stack)).reshape(stack.shape)
    else:
        labels = numbered_labels(path, read_numbers_as_said(path))
    return [MeasuredImage(path, None, areas_apart(labels, runs_of(labels)))]
