import copy
import shutil

import torch

from cpunet.__main__ import main
from cpunet.onnx_reader.metadata import read_card
from cpunet.training.weights import save_trained


def test_the_card_travels_in_the_file(exported, trained):
    card = read_card(exported)
    assert card.name == "small"
    assert card.output.roles == ("foreground", "border", "distance")
    assert (card.input.diameter_low_px, card.input.diameter_px, card.input.diameter_high_px) == (11.1, 20, 30)
    assert card.input.divisible_by == 4
    assert card.provenance["command"] == "make it && make it again"
    assert card.provenance["data"][0]["sha256"] == trained.facts["data"][0]["sha256"]
    assert card.provenance["data"][0]["licence"] == "CC0-1.0"


def test_a_model_is_written_again_with_the_card_that_it_had(exported, weights, tmp_path, capsys):
    path = tmp_path / "model.onnx"
    shutil.copyfile(exported, path)
    assert main(["card", "edit", str(path), "--set", "postprocessing.marker_threshold=0.31"]) == 0
    again = tmp_path / "again" / "model.onnx"
    assert main(["export", str(weights), "-o", str(again), "--card", str(path)]) == 0
    assert read_card(again) == read_card(path)
    assert read_card(again).postprocessing.marker_threshold == 0.31
    capsys.readouterr()
    assert main(["export", str(weights), "-o", str(again), "--card", str(path), "--command", "x"]) == 2
    assert "without --data and --command" in capsys.readouterr().err


def test_the_card_of_another_network_is_not_kept(exported, trained, tmp_path, capsys):
    changed = copy.deepcopy(trained)
    torch.nn.init.normal_(changed.network.head.weight)
    other = tmp_path / "other.safetensors"
    save_trained(other, changed)
    assert main(["export", str(other), "-o", str(tmp_path / "new" / "model.onnx"), "--card", str(exported)]) == 2
    assert "of another network: the file and the weights disagree" in capsys.readouterr().err
    assert not (tmp_path / "new").exists()
