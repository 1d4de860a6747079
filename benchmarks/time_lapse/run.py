"""Run the pipeline on drawn time-lapses in CellProfiler, without a window, and read the links that it found."""

import csv
import os
import subprocess
import sys
from pathlib import Path
from typing import Dict, List, NamedTuple, Sequence

import numpy as np
import tifffile

from benchmarks.time_lapse.links import FoundObject, LinkScore, score_links
from benchmarks.time_lapse.movie import FRAMES, drawn_movie
from cpunet.time_lapse.align_files import Movie as FilesOfMovie
from cpunet.time_lapse.align_files import align_movie, movies_of_files
from cpunet.time_lapse.field import COMMON, moved

REPOSITORY = Path(__file__).resolve().parents[2]
AS_TAKEN, ALIGNED = "as taken", "aligned"


class TrackedMovie(NamedTuple):
    """What CellProfiler found in one time-lapse, as taken or aligned, and the truth in the same pixels.

    Attributes
    ----------
    seed : int
    alignment : str
    frames, labels : ndarray of shape (T, Y, X)
    visible : list of set of int
    parents : dict of int to int
        As in `benchmarks.time_lapse.movie.Movie`.
    objects : list of FoundObject
    """

    seed: int
    alignment: str
    frames: np.ndarray
    labels: np.ndarray
    visible: List[set]
    parents: Dict[int, int]
    objects: List[FoundObject]

    def score(self) -> LinkScore:
        """Count the links that are right."""
        return score_links(self.labels, self.visible, self.parents, self.objects)


def tracked_movies(
    pipeline: Path,
    seeds: Sequence[int],
    folder: Path,
    frames: int = FRAMES,
    times_as_fast: float = 1.0,
) -> List[TrackedMovie]:
    """Draw a time-lapse for each seed, and run the pipeline on it as it was taken and aligned.

    Parameters
    ----------
    pipeline : Path
        docs/time-lapse.cppipe, or one with other settings of TrackObjects.
    seeds : sequence of int
    folder : Path
        For the images and tables; exists and is empty.
    frames, times_as_fast
        See `benchmarks.time_lapse.movie.drawn_movie`.

    Raises
    ------
    RuntimeError
        If CellProfiler fails; with what it said.
    """
    taken, images, tables = folder / "taken", folder / "images", folder / "tables"
    for each in (taken, images, tables):
        each.mkdir()
    drawn: Dict[str, TrackedMovie] = {}
    for seed in seeds:
        movie = drawn_movie(seed, frames=frames, times_as_fast=times_as_fast)
        for number, frame in enumerate(movie.frames, start=1):
            tifffile.imwrite(str(taken / f"aligned{seed}_t{number:04d}.tif"), frame)
            tifffile.imwrite(str(images / f"taken{seed}_t{number:04d}.tif"), frame)
        drawn[f"taken{seed}"] = TrackedMovie(
            seed, AS_TAKEN, movie.frames, movie.labels, movie.visible, movie.parents, []
        )
    for files in movies_of_files(sorted(taken.iterdir()), None)[0]:
        drawn[files.name] = _aligned(files, images, drawn[files.name.replace("aligned", "taken")])
    for table in images.glob("*.csv"):
        table.unlink()
    _run_cellprofiler(pipeline, images, tables)
    found = _found_objects(tables)
    return [drawn[name]._replace(objects=found[name]) for name in drawn]


def _aligned(files: FilesOfMovie, output: Path, taken: TrackedMovie) -> TrackedMovie:
    aligned = align_movie(files, output, COMMON)
    labels = np.stack([moved(frame, place, aligned.field) for frame, place in zip(taken.labels, aligned.places)])
    return taken._replace(
        alignment=ALIGNED,
        frames=np.stack([tifffile.imread(str(path)) for path in aligned.files]),
        labels=labels,
        visible=[_still_visible(*each) for each in zip(taken.labels, labels, taken.visible)],
    )


def _still_visible(before: np.ndarray, after: np.ndarray, visible: set) -> set:
    """Return the nuclei of which half of what was visible is still so after the frame was cropped."""
    return {track for track in visible if (after == track).sum() >= 0.5 * (before == track).sum()}


def _run_cellprofiler(pipeline: Path, images: Path, output: Path) -> None:
    command = [str(Path(sys.executable).with_name("cellprofiler")), "-c", "-r", "-p", str(pipeline)]
    command += ["-i", str(images), "-o", str(output), f"--plugins-directory={REPOSITORY / 'plugins'}"]
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    done = subprocess.run(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False, env=environment
    )
    if done.returncode or not (output / "Nuclei.csv").exists():
        raise RuntimeError(f"CellProfiler ended with {done.returncode}:\n{done.stdout[-4000:]}")


def _found_objects(tables: Path) -> Dict[str, List[FoundObject]]:
    """Return the objects of each time-lapse."""
    with (tables / "Image.csv").open(newline="", encoding="utf-8") as stream:
        frames = {
            row["ImageNumber"]: (row["Metadata_Movie"], int(row["Metadata_Time"]) - 1) for row in csv.DictReader(stream)
        }
    found: Dict[str, List[FoundObject]] = {movie: [] for movie, _ in frames.values()}
    with (tables / "Nuclei.csv").open(newline="", encoding="utf-8") as stream:
        for row in csv.DictReader(stream):
            movie, frame = frames[row["ImageNumber"]]
            parent = str(int(float(row[_column(row, "ParentImageNumber")])))
            found[movie].append(
                FoundObject(
                    frame,
                    int(row["ObjectNumber"]),
                    float(row["Location_Center_Y"]),
                    float(row["Location_Center_X"]),
                    frames.get(parent, ("", -1))[1],
                    int(float(row[_column(row, "ParentObjectNumber")])),
                )
            )
    return found


def _column(row: Dict[str, str], feature: str) -> str:
    """Return the column of a measurement of TrackObjects, whose name may end with the distance that was searched."""
    return next(name for name in row if name.startswith(f"TrackObjects_{feature}"))
