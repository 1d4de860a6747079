"""The comparison of encoders, from the training of a tiny row to its table."""

import json
import shutil
from dataclasses import replace

import pytest

from benchmarks.encoders import __main__ as encoders
from benchmarks.encoders import rows
from benchmarks.encoders.rows import ROWS, config_of
from cpunet.errors import ExportError
from cpunet.training.config import config_from_dict
from tests.synthetic_data_set import SMALL, write_data_set


def test_rows_differ_in_what_they_compare_alone():
    plain = config_of("plain", 1)
    for name, (architecture, pretrained) in ROWS.items():
        config = config_of(name, 1)
        back = {field: getattr(plain.architecture, field) for field in architecture}
        assert replace(config.architecture, **back) == plain.architecture
        assert replace(config, architecture=plain.architecture, pretrained="", name="plain") == plain
        assert config.pretrained == pretrained
    assert (config_of("plain", 7).seed, config_of("plain", 1, steps=3).steps) == (7, 3)


@pytest.fixture
def tiny(tmp_path, monkeypatch):
    """Data sets of drawn nuclei, and a row that is trained in seconds."""
    for name in ("bbbc039", "dsb2018"):
        write_data_set(tmp_path / "data" / name, ["train", "train", "val"])
    for name in encoders.SCORED:
        shutil.copytree(tmp_path / "data" / "bbbc039", tmp_path / "data" / name)
    content = {**SMALL, "data": [{"folder": "bbbc039"}, {"folder": "dsb2018"}], "steps": 2, "validate_every": 2}
    monkeypatch.setattr(encoders, "config_of", lambda name, seed, steps: config_from_dict({**content, "name": name}))
    return tmp_path


def test_a_row_is_trained_scored_on_other_sets_and_then_only_printed(tiny, capsys, monkeypatch):
    command = ["plain", "--data", str(tiny / "data"), "--runs", str(tiny / "runs"), "--json", str(tiny / "all.json")]
    assert encoders.main(command) == 0
    (found,) = json.loads((tiny / "all.json").read_text(encoding="utf-8"))
    assert (found["row"], found["seed"], found["steps"]) == ("plain", 1, 2)
    assert set(found["scores"]) == set(encoders.SCORED)
    assert found["scores"]["aitslab"]["images"] == 3
    assert found["macs_per_pixel"] > 0
    table = capsys.readouterr().out.splitlines()[-1]
    assert table.startswith("| `plain` | 1 | ")
    monkeypatch.setattr(encoders, "train", None)
    assert encoders.main(command) == 0
    assert capsys.readouterr().out.splitlines()[-1] == table


def test_a_network_that_cannot_be_exported_stops_no_other(tiny, monkeypatch, capsys):
    def refusing(weights, model_file):
        raise ExportError("tiles and the whole disagree")

    monkeypatch.setattr(encoders, "train", lambda config, data, folder: folder / "weights.safetensors")
    monkeypatch.setattr(encoders, "export_model", refusing)
    assert encoders.main(["plain", "residual", "--data", str(tiny / "data"), "--runs", str(tiny / "runs")]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.count("| - ") for line in lines[2:4]] == [4, 4]
    assert lines[4:] == [f"{name}: tiles and the whole disagree" for name in ("plain", "residual")]


def test_costs_are_those_of_the_network(monkeypatch, capsys):
    monkeypatch.setattr(rows, "ALSO_COST", {})
    monkeypatch.setattr(rows, "ROWS", {"plain": ({}, "")})
    assert encoders.main(["--costs"]) == 0
    cost = rows.cost_of(config_of("plain", 1))
    last = capsys.readouterr().out.splitlines()[-1]
    assert f"| {cost['macs_per_pixel'] / 1e3:.1f} | {cost['receptive_field_px']} |" in last


def test_a_row_that_is_not_there_is_refused(capsys):
    with pytest.raises(SystemExit):
        encoders.main(["resnet101", "--data", "x"])
    assert "there is no row resnet101; the rows are plain" in capsys.readouterr().err
