"""The commands of docs/time-lapse.md run, on a small drawn time-lapse, from stacks and frames to counts and tracks."""

import csv
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tifffile

from benchmarks.time_lapse.movie import drawn_movie
from tests.docs.pages import commands_of
from tests.drawn_frames import write_frames, write_stack
from tests.places import REPOSITORY

PAGE = REPOSITORY / "docs" / "time-lapse.md"


def rows_of(path):
    with path.open(newline="", encoding="utf-8-sig") as stream:
        return list(csv.DictReader(stream))


@pytest.fixture(scope="module")
def movie():
    return drawn_movie(2, shape=(160, 176), frames=3)


@pytest.fixture
def folder(movie, tmp_path):
    """The folder in which the commands run: frames of one well, stacks, and a table of wells."""
    write_frames(tmp_path / "images", "B02", movie.frames, "{name}_t{number}.tif")
    write_stack(tmp_path / "movie.ome.tif", movie.frames)
    two = np.stack([movie.frames, movie.frames // 2], axis=1)
    write_stack(tmp_path / "two-channels.ome.tif", two, "TCYX", Channel={"Name": ["DNA", "GFP"]})
    (tmp_path / "plate.csv").write_text("file,group\nmovie,control\ntwo-channels,drug\n", encoding="utf-8")
    for name in ("docs", "plugins"):
        (tmp_path / name).symlink_to(REPOSITORY / name, target_is_directory=True)
    return tmp_path


def run(folder, words):
    program = (
        [sys.executable, "-m", "cpunet"] if words[0] == "cpunet" else [str(Path(sys.executable).with_name(words[0]))]
    )
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    if words[0] == "cpunet":
        environment["PYTHONPATH"] = str(REPOSITORY / "plugins")
    done = subprocess.run(
        [*program, *words[1:]],
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"{words}: {done.stdout}"


def test_the_commands_lead_from_images_to_counts_and_tracks(folder, movie):
    commands = [words for words in commands_of(PAGE, "cpunet") if "--names" not in words]
    assert [words[1] for words in commands] == ["segment", "segment", "count", "count", "align"]
    commands += commands_of(PAGE, "cellprofiler")
    assert len(commands) == 6
    for words in commands:
        run(folder, words)
    assert tifffile.imread(str(folder / "results" / "movie.ome_labels.tif")).shape == movie.frames.shape
    of_frames = rows_of(folder / "counts" / "counts.csv")
    of_stack = rows_of(folder / "results" / "movie.ome_counts.csv")
    assert [row["objects"] for row in of_frames] == [row["objects"] for row in of_stack]
    assert [row["hours"] for row in of_frames] == ["0", "2", "4"]
    assert {row["well"] for row in of_frames} == {"B02"}
    assert {row["group"] for row in rows_of(folder / "curves" / "groups.csv")} == {"control", "drug"}
    assert (folder / "curves" / "counts.png").exists()
    aligned = sorted(path.name for path in (folder / "aligned").glob("*.tif"))
    assert aligned == [f"B02_t{number:04d}.tif" for number in (1, 2, 3)]
    nuclei = rows_of(folder / "tracks" / "Nuclei.csv")
    of_tracks = set(re.findall(r"`(TrackObjects_\w+_50)`", PAGE.read_text(encoding="utf-8")))
    assert len(of_tracks) >= 5
    assert of_tracks <= set(nuclei[0])
    linked = [float(row["TrackObjects_ParentObjectNumber_50"]) > 0 for row in nuclei if row["Metadata_Time"] != "0001"]
    assert np.mean(linked) > 0.8


def test_the_pattern_of_the_page_reads_such_names(tmp_path, movie):
    (words,) = [words for words in commands_of(PAGE, "cpunet") if "--names" in words]
    write_frames(tmp_path / "images", "B02", movie.frames[:2], "{name}-0{number}.tif")
    run(tmp_path, words)
    assert sorted(path.name for path in (tmp_path / "aligned").iterdir()) == [
        "B02_shifts.csv",
        "B02_t0001.tif",
        "B02_t0002.tif",
    ]
