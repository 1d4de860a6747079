"""Align time-lapses in files: stacks, or a file a frame; aligned frames and a table of the shifts are written."""

from __future__ import annotations

import os
import re
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Callable, Dict, FrozenSet, Iterator, List, NamedTuple, Optional, Pattern, Sequence, Tuple

import numpy as np
import numpy.typing as npt
import tifffile

from cpunet.counting.tables import bytes_of_table, check_table, csv_text, write_table
from cpunet.errors import ImageError, OptionError, OutputError
from cpunet.files.find import natural_order
from cpunet.files.formats.time_stack import channel_number, frame_image, is_time_stack, opened_time_stack
from cpunet.files.images import gray_of_equal_colors, read_image
from cpunet.files.mark import Source, mark_text, source_of
from cpunet.files.outputs import check_output
from cpunet.files.written_beside import written_beside
from cpunet.progress import Progress
from cpunet.time_lapse.field import Field, common_field, moved
from cpunet.time_lapse.file_names import bare_name, facts_of_name
from cpunet.time_lapse.shifts import FramePlace, places_of_frames

SHIFT_COLUMNS = ("movie", "frame", "from", "file", "shift_y_px", "shift_x_px", "moved_y_px", "moved_x_px")
MORE_SHIFT_COLUMNS = ("agreement", "flag")
NOT_ALIGNED = "not aligned: it has too little in common with the frame before it, and keeps that frame's place"


class Frames(NamedTuple):
    """The frames of a time-lapse, wherever they lie.

    Attributes
    ----------
    name : str
        Of the time-lapse.
    sources : tuple of Path
        The file of each frame; one file for all frames of a stack.
    read : callable
        Returns a frame, from 0 on, as (Y, X).
    """

    name: str
    sources: Tuple[Path, ...]
    read: Callable[[int], npt.NDArray[Any]]


class Movie(NamedTuple):
    """A time-lapse to be aligned: one stack, or a file for each frame in the order of time."""

    name: str
    paths: Tuple[Path, ...]


class Aligned(NamedTuple):
    """What became of a time-lapse: the files of its frames, the place of each, and the part that is shown."""

    files: List[Path]
    places: List[FramePlace]
    field: Field


def movies_of_files(paths: Sequence[Path], pattern: Optional[Pattern[str]]) -> Tuple[List[Movie], List[str]]:
    """Sort files into time-lapses by their names without the time; stacks are time-lapses by themselves.

    Parameters
    ----------
    paths : sequence of Path
    pattern : Pattern, optional
        Of the names, see `cpunet.time_lapse.file_names.facts_of_name`.

    Returns
    -------
    movies : list of Movie
        In natural order.
    problems : list of str
        Sentences on files that belong to none: without a time in the name, of a time that another file has, or alone.
    """
    movies, problems = [], []
    series: Dict[Tuple[Path, str], List[Tuple[float, Path]]] = {}
    for path in paths:
        if is_time_stack(path):
            movies.append(Movie(bare_name(path.name), (path,)))
            continue
        try:
            facts = facts_of_name(path, pattern)
        except OptionError as error:
            problems.append(str(error))
            continue
        if facts.time is None:
            problems.append(
                f"{path}: this is no time-lapse stack, and its name has no time, such as _t012 or 01d06h30m. Say how "
                "the time is written with --names."
            )
            continue
        series.setdefault((path.parent, facts.series), []).append((facts.time, path))
    for (_, name), frames in series.items():
        frames.sort(key=lambda each: each[0])
        times = [time for time, _ in frames]
        twice = next((number for number in range(1, len(times)) if times[number] == times[number - 1]), None)
        if twice is not None:
            problems.append(
                f"{frames[twice][1]}: {frames[twice - 1][1].name} is a frame of the same time-lapse at the same time "
                f"({times[twice]:g}). If they differ by the channel, give the files of one channel."
            )
        elif len(frames) == 1:
            problems.append(f"{frames[0][1]}: this is the only frame of its time-lapse; two or more are needed.")
        else:
            movies.append(Movie(name or "movie", tuple(path for _, path in frames)))
    return sorted(movies, key=lambda movie: natural_order(Path(movie.name))), problems


@contextmanager
def opened_frames(movie: Movie, channel: Optional[str]) -> Iterator[Frames]:
    """Open the frames of a time-lapse, one of which is read at a time.

    Raises
    ------
    ImageError
        If a file cannot be read, or is in color.
    OptionError
        If a stack has several channels, and `channel` names none of them.
    """
    if len(movie.paths) == 1:
        path = movie.paths[0]
        with opened_time_stack(path) as stack:
            try:
                number = channel_number(stack.channels, channel)
            except OptionError as error:
                raise OptionError(f"{path}: {error}") from error
            yield Frames(
                movie.name, (path,) * stack.frames, lambda frame: _gray(path, frame_image(stack, frame, [number]))
            )
    else:
        yield Frames(movie.name, movie.paths, lambda frame: _gray(movie.paths[frame], read_image(movie.paths[frame])))


def align_movie(
    movie: Movie,
    output: Path,
    shown: str,
    channel: Optional[str] = None,
    inputs: FrozenSet[str] = frozenset(),
    overwrite: bool = False,
) -> Aligned:
    """Align a time-lapse, and write each frame into a file NAME_t0001.tif, and their shifts into NAME_shifts.csv.

    Parameters
    ----------
    movie : Movie
    output : Path
        The folder for the results, which exists.
    shown : str
        ``common``, the part of the sample that all frames show, or ``all``, what any of them shows; see
        `cpunet.time_lapse.field.common_field`.
    channel : str, optional
        Of a stack with several, by name or number from 1 on.
    inputs : frozenset of str
        The `cpunet.files.find.identity` of each file that the command reads.
    overwrite : bool
        Whether results may replace files that this program did not write.

    Raises
    ------
    OutputError
        If a result would replace an input or something that this program did not write.
    ImageError, OptionError
        As `opened_frames`; if the frames differ in size, or no part of the sample is seen in all of them.

    Notes
    -----
    Frames are moved by whole pixels, so that each pixel keeps its number: at most half a pixel is left of a shift.
    """
    with opened_frames(movie, channel) as frames:
        count = len(frames.sources)
        files = [output / f"{movie.name}_t{number:04d}.tif" for number in range(1, count + 1)]
        sources = {path: source_of(path) for path in frames.sources}
        for file, path in zip(files, frames.sources):
            check_output(file, inputs, overwrite, sources[path])
        _refuse_other_frames(movie.name, output, files)
        table = output / f"{movie.name}_shifts.csv"
        progress = Progress(f"{movie.name}, frame", 2 * count)
        try:
            places = places_of_frames(_read_all(frames, progress))
            shape = frames.read(0).shape
            field = common_field(places, (shape[0], shape[1]), shown)
            text = _shifts_text(movie, frames, files, places, field)
            if table.exists() and not _is_same(table, text):
                check_table(table, inputs, overwrite)
            for number, (file, place, path) in enumerate(zip(files, places, frames.sources)):
                _write_frame(file, moved(frames.read(number), place, field), sources[path])
                progress.show(count + number + 1)
        finally:
            progress.end()
    write_table(table, text)
    return Aligned(files, places, field)


def _refuse_other_frames(name: str, output: Path, files: Sequence[Path]) -> None:
    """Raise OutputError if the folder holds more frames of a time-lapse of this name, which a pipeline would read."""
    pattern = re.compile(re.escape(name) + r"_t[0-9]{4,}\.tif")
    others = sorted(path.name for path in output.iterdir() if pattern.fullmatch(path.name) and path not in files)
    if others:
        raise OutputError(
            f"{output} holds frames of another time-lapse of the name {name}, from {others[0]} to {others[-1]}. Move "
            "them away, or write elsewhere with -o."
        )


def _gray(path: Path, image: npt.NDArray[Any]) -> npt.NDArray[Any]:
    gray = gray_of_equal_colors(image)
    if gray.ndim != 2:
        raise ImageError(f"{path}: this has {gray.shape[2]} channels or colors; frames to be aligned are gray.")
    return gray


def _read_all(frames: Frames, progress: Progress) -> Iterator[npt.NDArray[Any]]:
    for number in range(len(frames.sources)):
        image = frames.read(number)
        progress.show(number + 1)
        yield image


def _shifts_text(
    movie: Movie, frames: Frames, files: Sequence[Path], places: Sequence[FramePlace], field: Field
) -> str:
    rows = []
    for number, (path, file, place) in enumerate(zip(frames.sources, files, places), start=1):
        y_px, x_px = field.whole(place)
        step = place.step
        shift: Tuple[object, ...] = ("0.0", "0.0") if step is None else (f"{step.y_px:.1f}", f"{step.x_px:.1f}")
        agreement = None if step is None else f"{step.agreement:.2f}"
        flag = None if place.found else NOT_ALIGNED
        rows.append((movie.name, number, path.name, file.name, *shift, y_px, x_px, agreement, flag))
    return csv_text((*SHIFT_COLUMNS, *MORE_SHIFT_COLUMNS), rows)


def _is_same(table: Path, text: str) -> bool:
    return os.path.isfile(table) and table.read_bytes() == bytes_of_table(text)


def _write_frame(path: Path, frame: npt.NDArray[Any], source: Source) -> None:
    stored = frame.astype(np.uint8) * np.uint8(255) if frame.dtype == bool else frame
    with written_beside(path) as beside:
        tifffile.imwrite(
            str(beside), stored, photometric="minisblack", compression="zlib", software=mark_text(stored, source)
        )
