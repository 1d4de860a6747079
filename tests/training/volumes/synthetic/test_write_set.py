import json

import numpy as np
import pytest

from cpunet.__main__ import main
from cpunet.training.checking.check import check_data
from cpunet.training.volumes.data.labeled_volumes import find_labeled_volumes, read_labeled_volume
from cpunet.training.volumes.synthetic import write_set

FEW = ["--license", "CC0-1.0", "--train", "2", "--val", "1", "--shape", "12", "40", "48", "--diameters", "9", "12"]


def make(flat_set, folder, *more):
    return main(["data", "synthetic-volumes", "--textures", str(flat_set), "-o", str(folder), *FEW, *more])


def contents(folder):
    return {path.name: path.read_bytes() for path in sorted(folder.rglob("*.tif"))}


def arrays(folder):
    return [array for volume in find_labeled_volumes(folder) for array in read_labeled_volume(volume)[:2]]


def test_a_set_is_written_that_training_reads(flat_set, tmp_path, capsys):
    assert make(flat_set, tmp_path / "made") == 0
    printed = capsys.readouterr().out
    assert "3 volumes (2 train, 1 val)" in printed
    assert "license: CC0-1.0 (that of the textures, from flat)." in printed
    volumes = find_labeled_volumes(tmp_path / "made")
    assert [volume.split for volume in volumes] == ["train", "train", "val"]
    image, labels, known = read_labeled_volume(volumes[0])
    assert image.shape == labels.shape == (12, 40, 48)
    assert known is None
    assert not [finding for finding in check_data([tmp_path / "made"]).findings if finding.severity == "error"]
    record = json.loads((tmp_path / "made" / "synthetic.json").read_text(encoding="utf-8"))
    assert record["set"]["licence"] == "CC0-1.0"
    assert record["set"]["recipe"]["shape"] == [12, 40, 48]


def test_a_stopped_run_goes_on_where_it_was(flat_set, tmp_path, monkeypatch, capsys):
    assert make(flat_set, tmp_path / "whole") == 0
    real, made = write_set.make_volume, []

    def stopped(*arguments):
        if len(made) == 2:
            raise RuntimeError("as if the computer were switched off")
        made.append(arguments)
        return real(*arguments)

    monkeypatch.setattr(write_set, "make_volume", stopped)
    assert make(flat_set, tmp_path / "parts") == 2
    assert not (tmp_path / "parts" / "index.csv").exists()
    monkeypatch.setattr(write_set, "make_volume", lambda *arguments: made.append(arguments) or real(*arguments))
    capsys.readouterr()
    assert make(flat_set, tmp_path / "parts") == 0
    assert "2 were there from an earlier run." in capsys.readouterr().out
    assert len(made) == 3
    for first, second in zip(arrays(tmp_path / "whole"), arrays(tmp_path / "parts"), strict=True):
        np.testing.assert_array_equal(first, second)


def test_what_is_there_is_kept(flat_set, tmp_path, capsys):
    assert make(flat_set, tmp_path / "made") == 0
    before = contents(tmp_path / "made")
    assert make(flat_set, tmp_path / "made") == 2
    assert "this data set is finished" in capsys.readouterr().err
    (tmp_path / "made" / "index.csv").unlink()
    assert make(flat_set, tmp_path / "made", "--seed", "2") == 2
    assert "an earlier run for another set was stopped here; they differ in seed." in capsys.readouterr().err
    assert contents(tmp_path / "made") == before
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("mine")
    assert make(flat_set, tmp_path / "mine") == 2
    assert "this holds something else" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--train", "0"], "--train 0: a whole number from 1 on"),
        (["--seed", "-1"], "--seed -1"),
        (["--diameters", "20", "10"], "the smaller first"),
    ],
)
def test_numbers_that_cannot_be_are_refused(flat_set, tmp_path, capsys, words, message):
    assert make(flat_set, tmp_path / "made", *words) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "made").exists()
