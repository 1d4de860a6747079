"""What the commands for images do with a model, or the weights, of volumes: they say why not, and what to do."""

from dataclasses import replace

import numpy as np
import pytest

from cpunet.__main__ import main
from cpunet.calibration.calibrate import calibrate
from cpunet.choice.model_choice import choice_card
from cpunet.errors import ModelError, WeightsError
from cpunet.export.average import export_average
from cpunet.files.labeled_images import LabeledImage
from cpunet.model.ensemble import average_cards
from cpunet.model.session import load_model
from cpunet.onnx_reader.metadata import read_card
from cpunet.segment import segment_image
from cpunet.training.config import config_from_dict
from cpunet.training.distillation import load_teachers
from cpunet.training.fine_tune import load_start
from cpunet.training.network.unet import Architecture
from tests.synthetic_data_set import SMALL

OF_VOLUMES = "sees volumes \\(3-D\\)"


@pytest.fixture
def small_config():
    return config_from_dict(SMALL)


def test_calibrate_says_how_a_model_of_volumes_is_tuned(exported_volumes, data_root, tmp_path, capsys):
    image = LabeledImage(np.zeros((32, 32)), np.ones((32, 32), np.int32))
    with pytest.raises(ModelError, match=f"{OF_VOLUMES}.*tuned on labeled volumes by `cpunet export"):
        calibrate(load_model(exported_volumes, "cpu"), [image])
    words = ["calibrate", exported_volumes, "--data", data_root / "drawn", "-o", tmp_path / "better.onnx"]
    assert main([str(word) for word in words]) == 2
    assert "are tuned on labeled volumes" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_combine_refuses_to_choose_among_models_of_both_kinds(exported_volumes, exported, data_root, tmp_path, capsys):
    words = ["combine", exported_volumes, exported, "--data", data_root / "drawn", "-o", tmp_path / "chooser.onnx"]
    assert main([str(word) for word in words]) == 2
    assert "objects are chosen among models of images alone" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())
    with pytest.raises(ModelError, match=OF_VOLUMES):
        choice_card([read_card(exported_volumes), read_card(exported_volumes)])


def test_a_model_of_images_is_not_averaged_with_one_of_volumes(exported_volumes, exported):
    with pytest.raises(ModelError, match=r"sees images \(2-D\), and small_3d sees volumes \(3-D\)"):
        average_cards([read_card(exported), read_card(exported_volumes)])
    both = average_cards([read_card(exported_volumes)] * 2)
    assert (both.input.dimensions, both.input.z_step_px) == (3, 2.0)
    assert both.output.halo_planes == read_card(exported_volumes).output.halo_planes


def test_one_plane_as_an_image_is_refused_with_the_way_out(exported_volumes):
    with pytest.raises(ModelError, match=f"{OF_VOLUMES}, and this is an image of one plane. Give it a stack"):
        segment_image(np.random.default_rng(0).random((40, 40)), load_model(exported_volumes, "cpu"))


@pytest.mark.parametrize("field", ["start_from", "average_with"])
@pytest.mark.parametrize("base_channels", [8, 64], ids=["as it is", "widened"])
def test_a_training_on_images_does_not_begin_with_weights_of_volumes(
    volume_weights, small_config, field, base_channels
):
    architecture = Architecture(base_channels=base_channels, depth=2, max_channels=128)
    both = {"start_from": str(volume_weights), "average_with": str(volume_weights), "start_share": 0.5}
    config = replace(small_config, architecture=architecture, **both)
    with pytest.raises(
        WeightsError, match="a network of volumes, of `cpunet train-volumes`, which cannot be used here"
    ):
        load_start(config, field)


def test_weights_of_volumes_teach_no_network_of_images(volume_weights, small_config):
    with pytest.raises(WeightsError, match=r"a network of volumes.*`cpunet evaluate` and `cpunet export` take it"):
        load_teachers(replace(small_config, teachers=(str(volume_weights),)))


def test_the_mean_of_folds_takes_no_weights_of_volumes(volume_weights, tmp_path, monkeypatch):
    found = type("Found", (), {"weights": ("0",)})()
    monkeypatch.setattr("cpunet.export.average.read_summary", lambda run: found)
    monkeypatch.setattr("cpunet.export.average.weights_of_folds", lambda run: [volume_weights])
    monkeypatch.setattr("cpunet.export.average.sha256", lambda path: "0")
    with pytest.raises(WeightsError, match="a network of volumes"):
        export_average(tmp_path, tmp_path / "mean.onnx")
    assert not list(tmp_path.iterdir())
