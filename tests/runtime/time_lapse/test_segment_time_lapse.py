"""`cpunet segment` of time-lapse stacks: a stack of labels, a table of counts, and a killed run that is resumed."""

import csv
import subprocess
import sys

import numpy as np
import pytest
import tifffile

from cpunet.__main__ import main
from cpunet.model.session import OnnxModel
from tests.drawn_frames import shifted_frames, write_stack

FRAMES, TRUTH = shifted_frames()
TWO = np.stack([FRAMES, np.roll(FRAMES, 40, axis=1)], axis=1)
KILLED = """
import os, signal, sys
import cpunet.model.session as session
session.is_trusted = lambda sha256: True
import cpunet.time_lapse.segment_time_lapse as stacks
write, calls = stacks.write_labels, []
def until_killed(path, labels):
    if len(calls) == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    calls.append(path)
    write(path, labels)
stacks.write_labels = until_killed
from cpunet.__main__ import main
main(sys.argv[1:])
"""


def segment(*words):
    return main(["segment", *map(str, words)])


def rows_of(path):
    with path.open(newline="", encoding="utf-8-sig") as stream:
        return list(csv.DictReader(stream))


def test_a_stack_gives_labels_with_an_axis_of_time_and_a_row_for_each_frame(tiny_model, tmp_path, capsys):
    stack = write_stack(tmp_path / "m.ome.tif", FRAMES)
    output = tmp_path / "out"
    assert segment(stack, "-o", output, "--model", tiny_model) == 0
    assert sorted(path.name for path in output.iterdir()) == ["m.ome_counts.csv", "m.ome_labels.tif"]
    with tifffile.TiffFile(str(output / "m.ome_labels.tif")) as file:
        assert file.is_ome
        assert file.series[0].axes == "TYX"
        labels = file.asarray()
    assert labels.dtype == np.uint16
    objects = [int(plane.max()) for plane in labels]
    # The model does not see a nucleus of which the frame leaves a few pixels.
    assert objects == pytest.approx([len(np.unique(plane)) - 1 for plane in TRUTH], abs=1)
    rows = rows_of(output / "m.ome_counts.csv")
    assert [(int(row["frame"]), int(row["objects"])) for row in rows] == list(enumerate(objects, start=1))
    assert [int(row["area_px"]) for row in rows] == [np.count_nonzero(plane) for plane in labels]
    # By area, nuclei that the frame cuts count as parts.
    assert all(0.6 < float(row["count_from_area"]) / int(row["objects"]) < 1.1 for row in rows)
    assert f"{sum(objects)} objects in all frames" in capsys.readouterr().out


def test_each_frame_is_segmented_as_a_file_of_its_own(tiny_model, tmp_path):
    stack, plain = write_stack(tmp_path / "m.tif", FRAMES), tmp_path / "plain.tif"
    tifffile.imwrite(str(plain), FRAMES[3])
    assert segment(stack, plain, "-o", tmp_path / "out", "--model", tiny_model, "--discard-border") == 0
    labels = tifffile.imread(str(tmp_path / "out" / "m_labels.tif"))
    np.testing.assert_array_equal(labels[3], tifffile.imread(str(tmp_path / "out" / "plain_labels.tif")))


def test_of_several_channels_one_is_chosen_by_name_or_number(tiny_model, tmp_path, capsys):
    named = write_stack(tmp_path / "named.tif", TWO, "TCYX", Channel={"Name": ["DNA", "GFP"]})
    imagej = tmp_path / "imagej.tif"
    tifffile.imwrite(str(imagej), TWO, imagej=True, metadata={"axes": "TCYX"})
    alone = write_stack(tmp_path / "alone.tif", np.ascontiguousarray(TWO[:, 1]))
    output = tmp_path / "out"
    assert segment(named, imagej, "-o", output, "--model", tiny_model) == 1
    said = capsys.readouterr().err
    assert "it holds 2 channels (1: DNA, 2: GFP); say which with --channel" in said
    assert "it holds 2 channels (1, 2)" in said
    assert not list(output.iterdir())
    assert segment(named, "-o", output, "--model", tiny_model, "--channel", "GFP") == 0
    assert segment(imagej, alone, "-o", output, "--model", tiny_model, "--channel", "2") == 1
    assert "--channel 2: it has no such channel. It has 1." in capsys.readouterr().err
    assert segment(alone, "-o", output, "--model", tiny_model) == 0
    labels = {name: tifffile.imread(str(output / f"{name}_labels.tif")) for name in ("named", "imagej", "alone")}
    np.testing.assert_array_equal(labels["named"], labels["alone"])
    np.testing.assert_array_equal(labels["imagej"], labels["alone"])


@pytest.mark.parametrize("option", [["--by-tile"], ["--labels", "ome-zarr"]])
def test_what_a_time_lapse_is_not_written_as_is_said(option, tiny_model, tmp_path, capsys):
    stack = write_stack(tmp_path / "m.tif", FRAMES)
    assert segment(stack, "-o", tmp_path / "out", "--model", tiny_model, *option) == 1
    assert "a time-lapse is segmented frame by frame, into TIFF" in capsys.readouterr().err


def test_depths_are_refused_with_the_way_out(tiny_model, tmp_path, capsys):
    stack = write_stack(tmp_path / "z.tif", TWO, "TZYX")
    assert segment(stack, "-o", tmp_path / "out", "--model", tiny_model) == 1
    said = capsys.readouterr().err
    assert "5 times (T) and 2 depths (Z)" in said
    assert "Z Project" in said


def test_results_of_others_and_changed_ones_are_kept(tiny_model, tmp_path, capsys):
    stack, output = write_stack(tmp_path / "m.tif", FRAMES), tmp_path / "out"
    words = (stack, "-o", output, "--model", tiny_model)
    assert segment(*words) == 0
    assert segment(*words) == 0  # its own results, unchanged
    counts, labels = output / "m_counts.csv", output / "m_labels.tif"
    before = counts.read_bytes()
    counts.write_text("my notes", encoding="utf-8")
    assert segment(*words) == 1
    assert "m_counts.csv exists, and does not hold the counts of m_labels.tif" in capsys.readouterr().err
    assert counts.read_text(encoding="utf-8") == "my notes"
    assert segment(*words, "--overwrite") == 0
    assert counts.read_bytes() == before
    changed = tifffile.imread(str(labels))
    changed[2] = 0
    with tifffile.TiffFile(str(labels)) as file:
        mark = file.pages[0].tags["Software"].value
    tifffile.imwrite(str(labels), changed, software=mark)
    assert segment(*words) == 1
    assert "m_labels.tif was changed after cpunet wrote it" in capsys.readouterr().err


def test_a_damaged_stack_costs_only_itself(tiny_model, tmp_path, capsys):
    good, bad = write_stack(tmp_path / "good.tif", FRAMES), write_stack(tmp_path / "bad.tif", FRAMES)
    bad.write_bytes(bad.read_bytes()[: bad.stat().st_size // 2])
    assert segment(bad, good, "-o", tmp_path / "out", "--model", tiny_model) == 1
    assert f"FAILED {bad}: this is cut short" in capsys.readouterr().err
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["good_counts.csv", "good_labels.tif"]


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
def test_a_killed_run_is_resumed(tiny_model, tmp_path, monkeypatch):
    stack, output = write_stack(tmp_path / "m.tif", FRAMES), tmp_path / "out"
    words = [str(word) for word in ("segment", stack, "-o", output, "--model", tiny_model, "--diameter", 20)]
    killed = subprocess.run([sys.executable, "-c", KILLED, *words], capture_output=True, check=False)
    assert killed.returncode == -9
    folder = output / "m_labels.tif.unfinished"
    done = sorted(path.name for path in folder.glob("frame_*.tif"))
    assert done == ["frame_1.tif", "frame_2.tif", "frame_3.tif"]
    assert sorted(path.name for path in output.iterdir()) == [folder.name]
    calls, predict = [], OnnxModel.predict
    monkeypatch.setattr(OnnxModel, "predict", lambda self, batch: calls.append(len(batch)) or predict(self, batch))
    assert main(words) == 0
    assert sum(calls) == 2
    assert sorted(path.name for path in output.iterdir()) == ["m_counts.csv", "m_labels.tif"]
    assert len(tifffile.imread(str(output / "m_labels.tif"))) == 5


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
def test_with_other_options_a_killed_run_begins_anew(tiny_model, tmp_path):
    stack, output = write_stack(tmp_path / "m.tif", FRAMES), tmp_path / "out"
    words = [str(word) for word in ("segment", stack, "-o", output, "--model", tiny_model)]
    subprocess.run([sys.executable, "-c", KILLED, *words], capture_output=True, check=False)
    assert (output / "m_labels.tif.unfinished" / "frame_1.tif").exists()
    assert main([*words, "--diameter-range", "1", "2"]) == 0
    assert not tifffile.imread(str(output / "m_labels.tif")).any()
