import csv

import numpy as np
import pytest
import tifffile

from cpunet.__main__ import main
from cpunet.counting import picture
from cpunet.counting.picture import can_draw
from tests.drawn_frames import shifted_frames, write_frames, write_stack

FRAMES, TRUTH = shifted_frames()
TABLES = ["counts.csv", "groups.csv", "wells.csv"]


def count(*words):
    return main(["count", *map(str, words)])


def rows_of(path):
    with path.open(newline="", encoding="utf-8-sig") as stream:
        return list(csv.DictReader(stream))


def names_in(folder):
    return sorted(path.name for path in folder.iterdir())


@pytest.fixture
def labels(tmp_path):
    """The label images of a time-lapse, a file each, beside an overlay."""
    folder = tmp_path / "labels"
    paths = write_frames(folder, "B02", TRUTH.astype(np.uint16), "{name}_t{number}_labels.tif")
    tifffile.imwrite(str(folder / "B02_t1_overlay.png.tif"), np.zeros((9, 9), np.uint8))
    return folder, paths


def test_label_images_are_counted_and_drawn_over_time(labels, tmp_path, capsys):
    folder, paths = labels
    assert count("--label-images", folder, "-o", tmp_path / "out", "--hours-per-frame", 6) == 0
    picture_too = ["counts.png"] if can_draw() else []
    assert names_in(tmp_path / "out") == sorted([*TABLES, *picture_too])
    rows = rows_of(tmp_path / "out" / "counts.csv")
    assert [row["file"] for row in rows] == [path.name for path in paths]
    assert [float(row["hours"]) for row in rows] == [0, 6, 12, 18, 24]
    objects = [len(np.unique(plane)) - 1 for plane in TRUTH]
    assert [int(row["objects"]) for row in rows] == objects
    assert f"{sum(objects)} objects in 5 images; by area" in capsys.readouterr().out


def test_images_are_segmented_first_and_stacks_count_frame_by_frame(own_models, tmp_path):
    write_stack(tmp_path / "m.tif", FRAMES)
    assert count(tmp_path / "m.tif", "-o", tmp_path / "out") == 0
    assert {"m_labels.tif", "m_counts.csv", *TABLES} <= set(names_in(tmp_path / "out"))
    rows, of_stack = (rows_of(tmp_path / "out" / name) for name in ("counts.csv", "m_counts.csv"))
    assert [row["frame"] for row in rows] == ["1", "2", "3", "4", "5"]
    assert [row["objects"] for row in rows] == [row["objects"] for row in of_stack]
    again = tmp_path / "again"
    assert count("--label-images", tmp_path / "out", "-o", again) == 0
    assert (again / "counts.csv").read_bytes() == (tmp_path / "out" / "counts.csv").read_bytes()


def test_a_clump_is_flagged_and_said(labels, tmp_path, capsys):
    folder, paths = labels
    clump = TRUTH[2].copy()
    clump[20:130, 20:130] = 99
    tifffile.imwrite(str(paths[2]), clump.astype(np.uint16))
    # In so small a field, the many nuclei that the frame cuts make a difference of 0.38.
    assert count("--label-images", folder, "-o", tmp_path / "out", "--bound", 0.4) == 0
    flags = [bool(row["flag"]) for row in rows_of(tmp_path / "out" / "counts.csv")]
    assert flags == [False, False, True, False, False]
    assert "LOOK AT B02_t3_labels.tif, frame 3: the area holds" in capsys.readouterr().err
    assert count("--label-images", folder, "-o", tmp_path / "other", "--bound", 1) == 0
    assert not any(row["flag"] for row in rows_of(tmp_path / "other" / "counts.csv"))


def test_tables_that_exist_are_kept(labels, tmp_path, capsys):
    folder, _ = labels
    output = tmp_path / "out"
    output.mkdir()
    (output / "wells.csv").write_text("mine", encoding="utf-8")
    assert count("--label-images", folder, "-o", output) == 2
    assert "wells.csv exists. Move it away" in capsys.readouterr().err
    assert names_in(output) == ["wells.csv"]
    assert (output / "wells.csv").read_text(encoding="utf-8") == "mine"
    assert count("--label-images", folder, "-o", output, "--overwrite") == 0
    assert (output / "wells.csv").read_text(encoding="utf-8-sig").startswith("well,group")


def test_a_bad_label_image_costs_only_itself(labels, tmp_path, capsys):
    folder, paths = labels
    paths[0].write_bytes(b"")
    tifffile.imwrite(str(paths[1]), np.full((20, 20), 0.5, np.float32))
    assert count("--label-images", folder, "-o", tmp_path / "out") == 1
    said = capsys.readouterr()
    assert f"FAILED {paths[0]}: the file is empty" in said.err
    assert f"FAILED {paths[1]} holds float32 values" in said.err
    assert "2 failed" in said.out
    assert len(rows_of(tmp_path / "out" / "counts.csv")) == 3


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        ([], "Say what to count"),
        (["a.tif", "--label-images", "b.tif"], "not both"),
        (["--label-images", "b.tif", "--bound", "2"], "--bound 2: it must be from 0 to 1"),
        (["--label-images", "b.tif", "--typical-area", "0"], "--typical-area 0: it must be larger than 0"),
        (["--label-images", "b.tif", "--hours-per-frame", "-1"], "--hours-per-frame -1: it must be"),
        (["--label-images", "b.tif"], "no image could be counted"),
    ],
)
def test_what_cannot_be_counted_is_said(words, reason, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert count(*words, "-o", tmp_path / "out") == 2
    assert reason in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_names_and_tables_are_checked_before_the_images_are_segmented(own_models, tmp_path, capsys):
    write_frames(tmp_path / "images", "B02", FRAMES[:2])
    (tmp_path / "plate.csv").write_text("well,group\nC1,a\n", encoding="utf-8")
    words = (tmp_path / "images", "-o", tmp_path / "out")
    assert count(*words, "--table", tmp_path / "plate.csv") == 2
    assert "no row for the well B02" in capsys.readouterr().err
    assert count(*words, "--names", "q(?P<time>[0-9]+)") == 2
    assert "does not match --names" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_without_matplotlib_the_tables_are_written(labels, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(picture.importlib.util, "find_spec", lambda name: None)
    assert count("--label-images", labels[0], "-o", tmp_path / "out") == 0
    assert names_in(tmp_path / "out") == TABLES
    assert "NOTE no picture: this Python lacks matplotlib" in capsys.readouterr().err


def test_without_times_the_counts_are_written_and_it_is_said(tmp_path, capsys):
    write_frames(tmp_path / "labels", "x", TRUTH[:2].astype(np.uint16), "{name}{number}_labels.tif")
    assert count("--label-images", tmp_path / "labels", "-o", tmp_path / "out") == 0
    assert names_in(tmp_path / "out") == ["counts.csv"]
    assert "NOTE no curves over time" in capsys.readouterr().err
