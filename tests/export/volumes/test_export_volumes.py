"""Weights of a network of volumes become one verified file, as those of a network of images do."""

import json
from dataclasses import replace

import numpy as np
import onnx
import pytest
import torch

from cpunet.__main__ import main
from cpunet.checks.halo_of_volumes import VolumeHalo, measure_halo_of_volumes
from cpunet.checks.stored_test import STORED_TEST_KEY, stored_test_from_json
from cpunet.checks.verify import verify_model
from cpunet.errors import ExportError, ModelError, OutputError, WeightsError
from cpunet.export.batch_norm import fold_batch_norm
from cpunet.export.card.schema import schema_errors
from cpunet.export.export_model import export_model
from cpunet.export.to_onnx import predict_with, trace
from cpunet.export.torch_checks import further_checks, torch_reference
from cpunet.model.card import METADATA_KEY, Postprocessing
from cpunet.model.session import load_model
from cpunet.onnx_reader.metadata import read_card, read_metadata, sha256
from cpunet.training.network.unet import Probabilities
from cpunet.training.volumes.weights import load_trained_volumes, save_trained_volumes
from cpunet.training.weights import save_trained
from tests.random_volume_network import FACTS, random_volume_network


@pytest.fixture(scope="module")
def probabilities(trained_volumes):
    """The network with probabilities as its output."""
    return Probabilities(trained_volumes.network, "sigmoid").eval()


@pytest.fixture
def known_halo(exported_volumes, monkeypatch):
    """Do not measure again what takes seconds."""
    output = read_card(exported_volumes).output
    halo = VolumeHalo(output.halo_planes, output.halo)
    monkeypatch.setattr("cpunet.export.volumes.volume_card.measure_halo_of_volumes", lambda *_: halo)


@pytest.mark.parametrize("shape", [(1, 1, 8, 16, 16), (2, 1, 2, 20, 12), (1, 1, 18, 8, 36)])
def test_onnxruntime_computes_what_torch_computes(exported_volumes, probabilities, shape):
    volume = np.random.default_rng(0).random(shape).astype(np.float32)
    with torch.inference_mode():
        expected = probabilities(torch.from_numpy(volume)).numpy()
    assert expected.std() > 0.01
    np.testing.assert_allclose(load_model(exported_volumes).predict(volume), expected, rtol=1e-3, atol=1e-4)


def test_the_file_is_one_self_contained_old_enough_onnx_file(exported_volumes):
    content = onnx.load(exported_volumes, load_external_data=False)
    assert content.ir_version <= 8
    assert [(entry.domain, entry.version) for entry in content.opset_import] == [("", 17)]
    assert not any(tensor.external_data for tensor in content.graph.initializer)
    kinds = {node.op_type for node in content.graph.node}
    assert "BatchNormalization" not in kinds
    assert "Sigmoid" in kinds
    for value in (*content.graph.input, *content.graph.output):
        dims = [dim.dim_param or dim.dim_value for dim in value.type.tensor_type.shape.dim]
        assert [dims[0], *dims[2:]] == ["N", "Z", "Y", "X"]


def test_the_same_weights_give_the_same_bytes(exported_volumes, probabilities):
    traced = trace(fold_batch_norm(probabilities), read_card(exported_volumes).input)
    assert exported_volumes.read_bytes().startswith(traced)  # the card and the test are added at the end


def test_batch_normalization_of_volumes_folds_without_a_convolution_before_it():
    chain = torch.nn.Sequential(torch.nn.BatchNorm3d(3), torch.nn.ReLU(), torch.nn.Conv3d(3, 1, 1)).eval()
    for statistic in (chain[0].running_mean, chain[0].running_var, chain[0].weight, chain[0].bias):
        torch.nn.init.uniform_(statistic, 0.5, 1.5)
    folded = fold_batch_norm(chain)
    assert (type(folded[0]), folded[0].weight.shape) == (torch.nn.Conv3d, (3, 1, 1, 1, 1))
    volume = torch.randn(2, 3, 4, 8, 8)
    with torch.inference_mode():
        torch.testing.assert_close(folded(volume), chain(volume), rtol=1e-4, atol=1e-4)


def test_the_card_says_what_the_training_knew(exported_volumes, trained_volumes, probabilities):
    card = read_card(exported_volumes)
    given, architecture = card.input, trained_volumes.config.architecture
    assert (given.dimensions, given.z_step_px, given.diameter_px) == (3, 2.0, 9.0)
    assert (given.divisible_by, given.divisible_by_planes) == (architecture.divisible_by, 2)
    assert (given.min_size, given.min_planes) == (architecture.min_size, architecture.min_planes)
    halo = measure_halo_of_volumes(predict_with(probabilities), given)
    assert (card.output.halo_planes, card.output.halo) == halo
    assert card.provenance["command"] == "make it && make it again"
    assert schema_errors(json.loads(read_metadata(exported_volumes)[METADATA_KEY])) == []
    test = stored_test_from_json(read_metadata(exported_volumes)[STORED_TEST_KEY], 3)
    assert test.input.shape == (1, 1, 8, 48, 48)
    assert test.output.shape == (1, len(card.output.roles), 8, 48, 48)


def test_the_file_passes_all_checks_and_torch_agrees(exported_volumes):
    found = list(verify_model(exported_volumes, torch_reference(exported_volumes)))
    assert all(finding.passed for finding in found), found
    assert "values of torch" in [finding.check for finding in found]
    assert all(finding.passed for finding in further_checks(exported_volumes, None))


def test_weights_and_readme_lie_beside(exported_volumes, trained_volumes):
    beside = exported_volumes.with_name("weights.safetensors")
    again = load_trained_volumes(beside)
    assert again.config == trained_volumes.config
    state = trained_volumes.network.state_dict()
    assert all(torch.equal(value, state[name]) for name, value in again.network.state_dict().items())
    text = exported_volumes.with_name("README.md").read_text()
    card = read_card(exported_volumes)
    assert f"a halo of {card.output.halo_planes} planes along Z and {card.output.halo} pixels along Y and X" in text
    assert "two planes lie 2 times as far apart as two pixels" in text
    assert sha256(exported_volumes) in text


@pytest.mark.usefixtures("known_halo")
def test_data_tunes_the_thresholds_and_scores_volumes(trained_volumes, volumes_root, tmp_path, capsys):
    weights, output = tmp_path / "t.safetensors", tmp_path / "model.onnx"
    save_trained_volumes(weights, trained_volumes)
    assert main(["export", str(weights), "-o", str(output), "--data", str(volumes_root)]) == 0
    captured = capsys.readouterr()
    assert "tuning thresholds on 2 validation volumes" in captured.out
    scores = read_card(output).scores["balls"]
    assert (scores["images"], scores["objects"]) == (2, 6)
    assert {"seg", "iou", "mucov", "mean_f1"} <= scores.keys()
    assert (
        f"| {scores['seg']:.3f} | {scores['iou']:.3f} | {scores['mucov']:.3f} |" in (tmp_path / "README.md").read_text()
    )
    checks = list(further_checks(output, [volumes_root]))
    assert all(check.passed for check in checks), checks
    assert "balls val mean F1" in checks[-1].text


@pytest.mark.usefixtures("known_halo")
def test_thresholds_of_the_configuration_are_not_tuned(volumes_root, tmp_path, capsys):
    settings = Postprocessing(foreground_threshold=0.35, marker_threshold=0.45, min_size_px=7)
    trained = random_volume_network()
    trained = replace(trained, config=replace(trained.config, decoding=settings))
    save_trained_volumes(tmp_path / "t.safetensors", trained)
    export_model(tmp_path / "t.safetensors", tmp_path / "model.onnx", volumes_root)
    assert "tuning" not in capsys.readouterr().out
    assert read_card(tmp_path / "model.onnx").postprocessing == settings


@pytest.mark.usefixtures("known_halo")
def test_a_card_is_kept_for_the_same_weights_alone(exported_volumes, volume_weights, exported, tmp_path):
    output = tmp_path / "again.onnx"
    export_model(volume_weights, output, card_of=exported_volumes)
    assert output.read_bytes() == exported_volumes.read_bytes()
    other = random_volume_network()
    torch.nn.init.normal_(other.network.head.weight)
    save_trained_volumes(tmp_path / "other.safetensors", other)
    with pytest.raises(ModelError, match="as it is of another network"):
        export_model(tmp_path / "other.safetensors", output, card_of=exported_volumes, overwrite=True)
    with pytest.raises(ModelError, match="of a model of images, and the weights are of one of volumes"):
        export_model(volume_weights, output, card_of=exported, overwrite=True)
    assert output.read_bytes() == exported_volumes.read_bytes()


def test_weights_of_another_training_are_not_replaced(exported_volumes, trained, volume_weights, tmp_path):
    save_trained(tmp_path / "weights.safetensors", trained)
    with pytest.raises(OutputError, match="weights of another training"):
        export_model(volume_weights, tmp_path / "model.onnx")
    assert not (tmp_path / "model.onnx").exists()


def test_a_training_that_has_not_finished_is_refused(tmp_path):
    unfinished = random_volume_network({name: value for name, value in FACTS.items() if name != "diameter_px"})
    save_trained_volumes(tmp_path / "t.safetensors", unfinished)
    with pytest.raises(WeightsError, match="finish it with `cpunet train-volumes` first"):
        export_model(tmp_path / "t.safetensors", tmp_path / "model.onnx")


def test_a_file_that_fails_a_check_is_not_written(volume_weights, tmp_path, monkeypatch):
    monkeypatch.setattr("cpunet.export.volumes.volume_card.measure_halo_of_volumes", lambda *_: VolumeHalo(0, 0))
    with pytest.raises(ExportError, match=r"fails the check of its (tiles|halo)"):
        export_model(volume_weights, tmp_path / "model.onnx")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("precision", ["float16", "int8"])
def test_other_precisions_are_refused_clearly(
    precision, volume_weights, exported_volumes, volumes_root, tmp_path, capsys
):
    for source in (volume_weights, exported_volumes):
        words = ["export", source, "-o", tmp_path / "small.onnx", "--precision", precision, "--data", volumes_root]
        assert main([str(word) for word in words]) == 2
        assert "holds a network of volumes (3-D), which is exported as float32 alone" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())
