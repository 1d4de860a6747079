import json
import os

import pytest

from cpunet.__main__ import main
from tests.primary_pipelines import THRESHOLD, pipeline_text, primary_text, reader_text

PLAIN = pipeline_text(15, [primary_text(15, 1)])
READING = pipeline_text(15, [primary_text(15, 1), reader_text(2)])


@pytest.fixture
def write(tmp_path):
    def write(name, text=PLAIN):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text if isinstance(text, bytes) else text.encode("utf-8"))
        return path

    return write


def convert(*words):
    return main(["convert", *map(str, words)])


def test_a_pipeline_is_converted_and_back(write, tmp_path, capsys):
    there, again = tmp_path / "new" / "there.cppipe", tmp_path / "again.cppipe"
    assert convert(write("in.cppipe"), there) == 0
    said = capsys.readouterr().out
    assert "module 1, IdentifyPrimaryObjects (revision 15), becomes IdentifyObjectsUNet (revision 8)" in said
    assert "Two-class or three-class thresholding?: Three classes" in said
    assert f"written to {there}" in said
    assert "\nIdentifyObjectsUNet:" in there.read_text(encoding="utf-8")
    assert convert("--back", there, again) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "settings that only IdentifyPrimaryObjects has: Method to draw" in said
    assert "Threshold correction factor: 1.0" in said
    assert convert(again, tmp_path / "third.cppipe") == 0
    assert (tmp_path / "third.cppipe").read_bytes() == there.read_bytes()


def test_a_dry_run_prints_all_settings_and_writes_nothing(write, tmp_path, capsys):
    path = write("in.cppipe")
    for words in ([path], [path, tmp_path / "out.cppipe"]):
        assert convert(*words, "--dry-run", "--model", "phase_cells") == 0
        rows = [line.split("  ") for line in capsys.readouterr().out.splitlines()]
        rows = {tuple(cell.strip() for cell in row if cell) for row in rows}
        assert ("IdentifyPrimaryObjects", "before", "IdentifyObjectsUNet", "after") in rows
        assert ("Maximum number of objects", "321", "Maximum number of objects", "321") in rows
        assert ("Threshold correction factor", "1.1", "-", "-") in rows
        assert ("-", "-", "Select the model", "phase_cells") in rows
    assert os.listdir(tmp_path) == ["in.cppipe"]


def test_what_reads_thresholds_is_named_and_nothing_is_written_without_force(write, tmp_path, capsys):
    path, out = write("in.cppipe", READING), tmp_path / "out.cppipe"
    for words in ([path, out], [path, "--dry-run"]):
        assert convert(*words) == 1
        said = capsys.readouterr().err
        setting = "module 2, CalculateMath, setting 'Select the first measurement'"
        assert f"READS {setting}: {THRESHOLD}, which IdentifyObjectsUNet does not make" in said
        assert "--force" in said
        assert not out.exists()
    assert convert(path, out, "--force") == 0
    assert "READS" in capsys.readouterr().err
    assert b"\nIdentifyObjectsUNet:" in out.read_bytes()
    assert convert(path, "--dry-run", "--force") == 0


def test_notes_name_the_pipeline_and_do_not_keep_it_from_being_written(write, tmp_path, capsys):
    path = write("in.cppipe", pipeline_text(15, [reader_text(1, "LoadImages"), primary_text(15, 2)]))
    assert convert(path, tmp_path / "out.cppipe") == 0
    assert f"NOTE {path}: module 1, LoadImages: CellProfiler 4.2 has no such module" in capsys.readouterr().err
    assert (tmp_path / "out.cppipe").is_file()


def test_modules_are_chosen_by_number_or_name(write, tmp_path, capsys):
    path = write("in.cppipe", pipeline_text(15, [primary_text(15, 1), primary_text(15, 2, objects="Spots")]))
    assert convert(path, tmp_path / "out.cppipe", "--modules", "Spots") == 0
    assert (tmp_path / "out.cppipe").read_text(encoding="utf-8").count("IdentifyObjectsUNet:") == 1
    assert convert(path, tmp_path / "both.cppipe", "--modules", "1, 2") == 0
    assert (tmp_path / "both.cppipe").read_text(encoding="utf-8").count("IdentifyObjectsUNet:") == 2
    assert convert(path, tmp_path / "none.cppipe", "--modules", "3") == 2
    assert "in.cppipe: --modules 3: there is no" in capsys.readouterr().err


def test_touching_objects_are_left_to_the_network_on_demand(write, tmp_path):
    path, out = write("in.cppipe"), tmp_path / "out.cppipe"
    assert convert(path, out, "--declump", "probability") == 0
    assert "Method to separate touching objects:Probability" in out.read_text(encoding="utf-8")


def test_files_of_the_user_are_not_replaced(write, tmp_path, capsys):
    path, out = write("in.cppipe"), write("out.cppipe", "mine")
    assert convert(path, out) == 2
    assert f"{out} exists. Write elsewhere, or give --overwrite" in capsys.readouterr().err
    assert out.read_text(encoding="utf-8") == "mine"
    assert convert(path, path) == 2
    assert path.read_text(encoding="utf-8") == PLAIN
    assert convert(path, out, "--overwrite") == 0
    assert convert(path, out) == 0
    assert "the same is there already" in capsys.readouterr().out
    assert sorted(os.listdir(tmp_path)) == ["in.cppipe", "out.cppipe"]


def test_a_write_that_fails_leaves_nothing(write, tmp_path, monkeypatch):
    def fail(*_):
        raise OSError(28, "No space left on device")

    path = write("in.cppipe")
    monkeypatch.setattr("cpunet.files.written_beside.os.replace", fail)
    assert convert(path, tmp_path / "out.cppipe") == 2
    assert os.listdir(tmp_path) == ["in.cppipe"]


def test_a_folder_is_converted_at_once_and_a_bad_file_costs_only_itself(write, tmp_path, capsys):
    for name in ("a.cppipe", "deep/b.cp"):
        write(f"in/{name}")
    write("in/c.cppipe", READING)
    write("in/d.cppipe", pipeline_text(15, [reader_text(1)]))
    write("in/e.cppipe", b"no pipeline")
    write("in/notes.txt", "text")
    write("in/.hidden.cppipe")
    write("in/settings.json", json.dumps({"modules": 3}))
    write("in/f.json", '{"modules": [{"attributes": {"module_name": "Images')
    out = tmp_path / "in" / "out"
    assert convert(tmp_path / "in", out) == 1
    said = capsys.readouterr()
    assert "2 converted, 3 failed, 1 without IdentifyPrimaryObjects" in said.out
    assert "d.cppipe: left out, since it holds no IdentifyPrimaryObjects" in said.out
    for name in ("c.cppipe", "e.cppipe", "f.json"):
        assert f"FAILED {tmp_path / 'in' / name}: " in said.err
    written = sorted(path.relative_to(out).as_posix() for path in out.rglob("*") if path.is_file())
    assert written == ["a.cppipe", "deep/b.cp"]
    assert convert(tmp_path / "in", out) == 1
    assert "2 converted, 3 failed" in capsys.readouterr().out


def test_a_folder_that_is_all_well_gives_0_and_one_without_the_module_1(write, tmp_path, capsys):
    write("in/a.cppipe")
    assert convert(tmp_path / "in", tmp_path / "out") == 0
    assert convert(tmp_path / "out", tmp_path / "other") == 1
    assert "0 converted, 0 failed, 1 without" in capsys.readouterr().out
    assert convert(tmp_path / "in", "--dry-run") == 0


def test_a_pipeline_without_the_module_is_said(write, tmp_path, capsys):
    path = write("in.cppipe", pipeline_text(15, [reader_text(1)]))
    assert convert(path, tmp_path / "out.cppipe") == 1
    assert f"{path}: left out, since it holds no IdentifyPrimaryObjects" in capsys.readouterr().out
    assert convert("--back", path, tmp_path / "out.cppipe") == 1
    assert "holds no IdentifyObjectsUNet" in capsys.readouterr().out


def test_a_result_for_a_folder_goes_into_it(write, tmp_path):
    (tmp_path / "out").mkdir()
    assert convert(write("in.cppipe"), tmp_path / "out") == 0
    assert os.listdir(tmp_path / "out") == ["in.cppipe"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["in.cppipe"], "Say where the new pipeline goes"),
        (["no.cppipe", "out.cppipe"], "no.cppipe: there is no such file or folder"),
        (["in.cppipe", "out.json"], "the name ends as that of JSON, and in.cppipe is text"),
        (["in.cppipe", "out.cppipe", "--model", "none"], "There is no model 'none'"),
        (["in.cppipe", "out.cppipe", "--back", "--model", "phase_cells"], "they exclude --back"),
        (["empty", "out"], "empty: this folder holds no pipelines"),
        (["folder", "in.cppipe"], "in.cppipe: this is a file"),
        (["matlab.mat", "out.cppipe"], "matlab.mat: this pipeline, or its output, was saved by CellProfiler 1"),
    ],
)
def test_what_cannot_be_done_is_said(words, said, write, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    write("in.cppipe")
    write("folder/in.cppipe")
    write("matlab.mat", b"MATLAB 5.0 MAT-file, Platform: PCWIN")
    (tmp_path / "empty").mkdir()
    assert convert(*words) == 2
    assert said in " ".join(capsys.readouterr().err.split())
