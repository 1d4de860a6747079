"""Mixtures of weights before and after a training, scored side by side."""

from dataclasses import replace

import pytest

from benchmarks import start_shares
from cpunet.model.find import find_model
from cpunet.training.config import DataSource
from cpunet.training.weights import WEIGHTS_FILE, TrainedNetwork, load_trained, save_trained
from tests.synthetic_data_set import write_data_set


@pytest.fixture
def run(tmp_path, monkeypatch):
    """A run that stands for a training of nuclei_fluorescence, which it made blind: all its weights are 0."""
    for name in (start_shares.LEFT_OUT, "bbbc039"):
        write_data_set(tmp_path / "data" / name, ["train", "val"])
    monkeypatch.setattr(start_shares, "AT_HOME", {"drawn": DataSource("bbbc039")})
    monkeypatch.setattr(start_shares, "STRESS_ROWS", ("x 1",))
    monkeypatch.setattr(start_shares, "STRESS_FIELDS", 1)
    start = load_trained(find_model("nuclei_fluorescence").with_name(WEIGHTS_FILE))
    for values in start.network.parameters():
        values.data.zero_()
    config = replace(start.config, start_from="nuclei_fluorescence", start_share=0.0, average_with="")
    (tmp_path / "run").mkdir()
    save_trained(tmp_path / "run" / WEIGHTS_FILE, TrainedNetwork(start.network, config, start.facts))
    return tmp_path / "run"


def test_more_of_the_weights_before_finds_what_they_found(run, capsys):
    arguments = [
        str(run),
        "--data",
        str(run.parent / "data"),
        "--shares",
        "0",
        "0.999",
        "--models",
        "nuclei_fluorescence",
    ]
    assert start_shares.main(arguments) == 0
    lines = capsys.readouterr().out.splitlines()
    cells = {line.split("|")[1].strip(): [cell.split(",")[0] for cell in line.split("|")[2:-1]] for line in lines[2:5]}
    assert [float(value) for value in cells["0"]] == [0, 0, 0]
    assert cells["0.999"] == cells["nuclei_fluorescence"]
    assert min(float(value) for value in cells["0.999"]) > 0.5


def test_a_run_that_was_averaged_already_is_refused(run, capsys):
    trained = load_trained(run / WEIGHTS_FILE)
    averaged = replace(trained, config=replace(trained.config, start_share=0.2))
    save_trained(run / WEIGHTS_FILE, averaged)
    with pytest.raises(SystemExit):
        start_shares.main([str(run), "--data", str(run.parent / "data")])
    assert "start_share of 0.2 already" in capsys.readouterr().err
