"""Segment a time-lapse stack frame by frame into a stack of labels and a table of counts; a killed run is resumed."""

from __future__ import annotations

import dataclasses
import functools
import os
import shutil
import sys
from pathlib import Path
from typing import Any, Iterator, List, NamedTuple, Optional, Sequence, Tuple

import numpy as np
import numpy.typing as npt
import tifffile

from cpunet.counting.stacks import areas_in_stack, counts_text
from cpunet.counting.tables import check_table, write_table
from cpunet.errors import CpunetError, OptionError, OutputError
from cpunet.files.formats.time_stack import TimeStack, channel_number, frame_image, opened_time_stack
from cpunet.files.images import LARGEST_UINT16, write_labels
from cpunet.files.mark import PixelHash, Source, mark_text_of_hash, source_of
from cpunet.files.outputs import WAYS_OUT, check_output
from cpunet.files.segment_file import Batch
from cpunet.files.written_beside import written_beside
from cpunet.model.memory import segment_within_memory
from cpunet.mosaic.segment_mosaic_file import about_run, named_in_errors
from cpunet.mosaic.unfinished import begin_or_resume, folder_of
from cpunet.progress import Progress
from cpunet.segment import segment_image
from cpunet.steps.confidence import ObjectAreas, areas_apart
from cpunet.steps.filters import filter_objects
from cpunet.steps.runs import runs_of
from cpunet.terminal import printable, report

# Labels of frames that wait for the others, at most; compressed they take a tenth.
BYTES_A_PIXEL = 4
# From here on a TIFF file needs 8 bytes for each place in it.
LARGEST_CLASSIC_BYTES = 2**31


class TimeLapseResults(NamedTuple):
    """The files that a time-lapse becomes: labels (T, Y, X), and a table with a row for each frame."""

    labels: Path
    counts: Path


def results_of_time_lapse(path: Path, output: Path) -> TimeLapseResults:
    """Name the files that a time-lapse becomes: <name>_labels.tif and <name>_counts.csv."""
    return TimeLapseResults(output / f"{path.stem}_labels.tif", output / f"{path.stem}_counts.csv")


def segment_time_lapse(path: Path, batch: Batch, channel: Optional[str] = None) -> int:
    """Segment each frame of a stack by itself, and return the number of objects in all frames.

    Parameters
    ----------
    path : Path
        A TIFF file with the axes TYX or TCYX; see `cpunet.files.formats.time_stack`.
    batch : Batch
    channel : str, optional
        Which channel holds the objects, by name or number from 1 on. Without it, a stack of as many channels as the
        model takes is given to it as a whole.

    Raises
    ------
    OutputError
        If a result would replace an input or something that this program did not write; nothing is computed then.
    OptionError
        If it is not clear which channel is meant.
    ImageError
        If the file cannot be read.

    Notes
    -----
    The labels of finished frames lie in a folder beside the result until all are done. A run that was killed, and
    began again with the same image, model and options, takes them from there.
    """
    results, source = results_of_time_lapse(path, batch.output), source_of(path)
    check_output(results.labels, batch.inputs, batch.overwrite, source)
    _check_counts(results, batch)
    labels_place = Path(os.path.realpath(results.labels))
    folder = folder_of(labels_place)
    with named_in_errors(path), opened_time_stack(path) as stack:
        channels = _channels(path, stack, channel, len(batch.model.card.input.channels))
        about = {
            **about_run(path, source, batch),
            "options": repr((dataclasses.replace(batch.options, on_progress=None), channels)),
            "filters": repr((batch.diameter_range_px, batch.discard_border)),
        }
        begin_or_resume(folder, about, BYTES_A_PIXEL * stack.frames * stack.shape[0] * stack.shape[1])
        try:
            _segment_frames(path, stack, channels, batch, folder)
        except CpunetError:  # what would fail once more; an interruption or a full disk is another matter
            shutil.rmtree(folder)
            raise
        areas = _write_stack(results.labels, folder, stack, source)
    write_table(results.counts, counts_text(areas))
    shutil.rmtree(folder)
    return sum(len(frame.areas) for frame in areas)


def _check_counts(results: TimeLapseResults, batch: Batch) -> None:
    """Raise OutputError if the table of counts is not the one that belongs to the labels beside it."""
    if os.path.isfile(results.counts) and os.path.isfile(results.labels) and not batch.overwrite:
        try:
            own = results.counts.read_text(encoding="utf-8-sig") == counts_text(areas_in_stack(results.labels))
        except (CpunetError, UnicodeDecodeError):
            own = False
        if not own:
            raise OutputError(
                f"{results.counts} exists, and does not hold the counts of {results.labels.name} as cpunet wrote them. "
                f"{WAYS_OUT}"
            )
        return
    check_table(results.counts, batch.inputs, batch.overwrite)


def _channels(path: Path, stack: TimeStack, wanted: Optional[str], of_model: int) -> Tuple[int, ...]:
    if wanted is None and len(stack.channels) == of_model:
        return tuple(range(of_model))
    try:
        return (channel_number(stack.channels, wanted),)
    except OptionError as error:
        raise OptionError(f"{path}: {error}") from error


def _segment_frames(path: Path, stack: TimeStack, channels: Sequence[int], batch: Batch, folder: Path) -> None:
    done = sum(_place(folder, frame).exists() for frame in range(stack.frames))
    progress = Progress(printable(path.name) + ", frame", stack.frames, done)
    said = set()
    try:
        for frame in range(stack.frames):
            if _place(folder, frame).exists():
                continue
            image = frame_image(stack, frame, channels)
            found = segment_within_memory(
                functools.partial(segment_image, image), batch.model, batch.options, batch.open_on_cpu, batch.warn
            )
            for note in found.notes:
                if note not in said:
                    said.add(note)
                    report(f"{printable(path)}: note: frame {frame + 1}: {note}", sys.stderr)
            labels = filter_objects(found.labels, batch.diameter_range_px, batch.discard_border, found.usable).labels
            write_labels(_place(folder, frame), labels)
            done += 1
            progress.show(done)
    finally:
        progress.end()


def _place(folder: Path, frame: int) -> Path:
    return folder / f"frame_{frame + 1}.tif"


def _write_stack(path: Path, folder: Path, stack: TimeStack, source: Source) -> List[ObjectAreas]:
    """Write the labels of all frames as one OME-TIFF with the axes TYX, and return their areas."""
    areas, most = [], 0
    for labels in _frames_in(folder, stack.frames):
        areas.append(areas_apart(labels, runs_of(labels)))
        most = max(most, int(labels.max(initial=0)))
    dtype = np.dtype(np.uint16 if most <= LARGEST_UINT16 else np.uint32)
    shape = (stack.frames, *stack.shape)
    pixels = PixelHash(shape, dtype)
    for labels in _frames_in(folder, stack.frames):
        pixels.add(labels.astype(dtype))
    large = int(np.prod(shape, dtype=object)) * dtype.itemsize > LARGEST_CLASSIC_BYTES
    with written_beside(path) as beside, tifffile.TiffWriter(str(beside), bigtiff=large, ome=True) as file:
        file.write(
            (labels.astype(dtype) for labels in _frames_in(folder, stack.frames)),
            shape=shape,
            dtype=dtype,
            photometric="minisblack",
            compression="zlib",
            metadata={"axes": "TYX"},
            software=mark_text_of_hash(pixels.text(), source),
        )
    return areas


def _frames_in(folder: Path, frames: int) -> Iterator[npt.NDArray[Any]]:
    for frame in range(frames):
        yield tifffile.imread(str(_place(folder, frame))).astype(np.int32)
