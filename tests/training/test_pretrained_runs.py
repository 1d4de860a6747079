"""Runs that begin with pretrained weights of an encoder, from the configuration to the model card."""

from dataclasses import replace

import pytest
import torch

from cpunet.__main__ import main
from cpunet.errors import WeightsError
from cpunet.export.export_model import export_model
from cpunet.model.find import list_models
from cpunet.onnx_reader.metadata import read_card, sha256
from cpunet.training.network.build import build_network
from cpunet.training.network.unet import Architecture
from cpunet.training.planning.machine import this_machine
from cpunet.training.planning.plan import make_plan
from cpunet.training.task import SegmentationTask
from cpunet.training.train import pretrained_encoder, train
from cpunet.training.weights import load_trained
from tests.pretrained_file import file_of

LITE = Architecture(encoder="efficientnet_lite0", base_channels=8, depth=2, max_channels=16, stem="half")


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    path = tmp_path_factory.mktemp("weights") / "mine.pth"
    torch.save(file_of("efficientnet_lite0"), path)
    return path


@pytest.fixture
def config(small_config, file):
    return replace(small_config, architecture=LITE, pretrained=str(file), steps=2, validate_every=2)


def test_the_encoder_begins_with_the_weights_of_the_file_and_all_else_at_random(config, file, capsys):
    task = SegmentationTask(config, {})
    weights = torch.load(file, weights_only=True)
    project = task.network.encoder[0][3].layers[-2].weight
    assert torch.equal(project, weights["_blocks.0._project_conv.weight"])
    torch.manual_seed(config.seed)
    at_random = SegmentationTask(replace(config, pretrained=""), {}).network
    assert not torch.equal(project, at_random.encoder[0][3].layers[-2].weight)
    assert f"tensors from {file}" in capsys.readouterr().out


def test_a_frozen_encoder_keeps_the_weights_of_the_file(config, file, data_root, tmp_path):
    trained = load_trained(train(replace(config, frozen="encoder"), data_root, tmp_path / "run"))
    before = SegmentationTask(config, {}).network
    for name, value in trained.network.encoder.state_dict().items():
        assert torch.equal(value, before.encoder.state_dict()[name]), name
    assert not torch.equal(trained.network.head.weight, before.head.weight)


def test_origin_and_license_go_into_card_and_readme_and_stay_through_fine_tuning(
    config, file, data_root, tmp_path, capsys
):
    weights = train(config, data_root, tmp_path / "run")
    wanted = {"encoder": "efficientnet_lite0", "source": "the file mine.pth", "licence": "", "sha256": sha256(file)}
    assert load_trained(weights).facts["pretrained"] == wanted
    model = tmp_path / "model" / "model.onnx"
    export_model(weights, model)
    assert read_card(model).provenance["pretrained"] == wanted
    said = capsys.readouterr().out
    assert "began with weights of others (the file mine.pth); their license: which is not known" in said
    readme = model.with_name("README.md").read_text(encoding="utf-8")
    assert f"license: not known: ask who made the file. SHA-256 `{sha256(file)}`" in readme
    assert main(["card", "show", str(model)]) == 0
    assert "pretrained encoder efficientnet_lite0" in capsys.readouterr().out
    tuned = replace(config, pretrained="", start_from=str(weights))
    assert pretrained_encoder(tuned) == wanted
    assert load_trained(train(tuned, data_root, tmp_path / "tuned")).facts["pretrained"] == wanted
    assert pretrained_encoder(replace(config, pretrained="")) == {}


def test_a_missing_file_stops_the_run_before_anything_is_written(config, data_root, tmp_path):
    with pytest.raises(WeightsError, match="there is no file"):
        train(replace(config, pretrained=str(tmp_path / "away.pth")), data_root, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_plan_from_such_a_model_has_its_network_and_no_pretrained_weights(config, data_root, tmp_path):
    weights = train(config, data_root, tmp_path / "run")
    planned = make_plan("mine", [data_root / "drawn"], this_machine(), str(weights)).config
    assert planned.architecture == LITE
    assert planned.pretrained == ""
    assert planned.patch_size % LITE.divisible_by == 0
    network = build_network(planned)
    network.load_state_dict(load_trained(weights).network.state_dict())


def test_no_shipped_model_holds_weights_of_others():
    models = list_models()
    assert "nuclei_fluorescence" in models
    assert not [name for name, path in models.items() if "pretrained" in read_card(path).provenance]
