import json
from dataclasses import replace

import pytest

from cpunet.errors import ConfigError
from cpunet.training.config import DataSource, config_from_dict, config_to_dict, read_config, source_names
from cpunet.training.patches.augmentation import PRESETS
from tests.places import REPOSITORY
from tests.synthetic_data_set import SMALL


def test_a_configuration_survives_json():
    config = config_from_dict(SMALL)
    assert config_from_dict(json.loads(json.dumps(config_to_dict(config)))) == config


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"colors": 1}, "no field 'colors'"),
        ({"loss": {"jaccard": 1}}, "loss: there is no field 'jaccard'"),
        ({"data": []}, "at least one data set"),
        ({"data": ["drawn"]}, "data should be a mapping"),
        ({"patch_size": 66}, "66 is no multiple of 4"),
        ({"steps": 0}, "steps: must be 1 or more"),
        ({"channels": []}, "channels: name at least one"),
        ({"architecture": {"depth": 0}}, "architecture: depth: must be 1 to 6"),
        ({"architecture": {"batch_normalization": 1}}, "batch_normalization should be true or false"),
        (
            {"architecture": {"depth": 2, "padding": "reflect"}, "patch_size": 4},
            "at least 8 for padding|at least 8 with",
        ),
        ({"targets": {"kind": "outline"}}, "targets: kind: must be one of"),
        ({"loss": {"class_weights": [1, 2]}}, "class_weights has 2 numbers"),
        ({"loss": {"class_weights": ["a", 1, 1]}}, "class_weights should be a number"),
        ({"augmentation": "wild"}, "no preset 'wild'; the presets are gentle"),
        ({"augmentation": {"preset": "heavy", "shear": -1}}, "augmentation: shear"),
        ({"optimizer": "lion"}, "optimizer: must be one of adamw"),
        ({"schedule": "step"}, "schedule: must be one of"),
        ({"precision": "8"}, "precision: must be one of"),
        ({"devices": 3}, "batch_size: 4 cannot be divided among 3"),
        ({"frozen": "encoder"}, "start_from"),
        ({"frozen": "decoder", "start_from": "x"}, "frozen: must be one of"),
        ({"pretrained": "imagenet"}, "pretrained: there are no such weights for the encoder 'plain'.*resnet50"),
        (
            {
                "pretrained": "imagenet",
                "architecture": {"encoder": "resnet18", "depth": 2, "batch_normalization": False},
            },
            "pretrained: these weights need batch_normalization",
        ),
        (
            {"pretrained": "imagenet", "architecture": {"encoder": "resnet18", "depth": 2}, "start_from": "x"},
            "pretrained: start_from x brings the weights of the encoder too",
        ),
        ({"architecture": {"encoder": "resnet18", "depth": 5}}, "depth: must be 1 to 4 with encoder 'resnet18'"),
        ({"early_stopping_patience": -1}, "early_stopping_patience"),
        ({"judged_by": "dice"}, "judged_by: must be one of mean_f1, loss"),
        ({"judged_by": "loss"}, "judged_by: the loss of validation images is not computed; set validation_loss"),
        ({"validation_loss": 1}, "validation_loss should be true or false"),
        ({"architecture": {"dropout_levels": "some"}}, "dropout_levels: must be one of deepest, all"),
        ({"learning_rate": 0}, "learning_rate: must be larger than 0"),
        ({"seed": -1}, "seed"),
        ({"data": [{"folder": "drawn", "share": 0}]}, "share"),
        ({"data": [{"folder": "drawn", "modalities": "fluorescence"}]}, "modalities should be a list"),
        ({"learning_rate": "fast"}, "learning_rate should be a number"),
        ({"steps": 1.5}, "steps should be a whole number"),
    ],
)
def test_what_cannot_be_is_refused_by_name(change, message):
    with pytest.raises(ConfigError, match=message):
        config_from_dict({**SMALL, **change})


def test_an_augmentation_is_a_preset_and_what_differs_from_it():
    assert config_from_dict({**SMALL, "augmentation": "heavy"}).augmentation == PRESETS["heavy"]
    assert config_from_dict({**SMALL, "augmentation": {"shear": 0.3}}).augmentation == replace(
        PRESETS["standard"], shear=0.3
    )
    mixed = config_from_dict({**SMALL, "augmentation": {"preset": "gentle", "noise": 0.2}}).augmentation
    assert mixed == replace(PRESETS["gentle"], noise=0.2)


def test_the_shipped_configuration_can_be_read():
    for path in REPOSITORY.glob("models/*/train.yaml"):
        assert read_config(path).name == path.parent.name


@pytest.mark.parametrize("text", ["1e-3", "1.0E-3", "0.001", "+10e-4"])
def test_a_number_that_yaml_takes_for_a_text_is_a_number(tmp_path, text):
    path = tmp_path / "run.yaml"
    path.write_text(f"name: x\ndata: [{{folder: a}}]\nlearning_rate: {text}\n")
    assert read_config(path).learning_rate == 0.001


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("- a\n- b", "not a mapping"),
        ("a: [", "not readable YAML"),
        ("name: x\ndata: []", "at least one"),
        ("data: [{folder: a}]", "name"),
    ],
)
def test_files_that_cannot_be_read_are_named(tmp_path, text, message):
    path = tmp_path / "run.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=message) as caught:
        read_config(path)
    assert str(path) in str(caught.value)


def test_a_file_that_is_no_text_is_named(tmp_path):
    path = tmp_path / "run.yaml"
    path.write_bytes(b"name: \xb8")
    with pytest.raises(ConfigError, match=r"run\.yaml: this is not readable YAML"):
        read_config(path)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(ConfigError, match="no such file"):
        read_config(tmp_path / "absent.yaml")


def test_one_folder_may_stand_there_once_for_each_of_its_modalities(small_config):
    both = (DataSource("cells", modalities=("gray",)), DataSource("cells", modalities=("color", "stained")))
    assert source_names(both) == ["cells gray", "cells color stained"]
    assert source_names((DataSource("a", modalities=("gray",)), DataSource("b"))) == ["a", "b"]
    assert replace(small_config, data=both).data == both
    with pytest.raises(ConfigError, match="cells gray is listed twice"):
        replace(small_config, data=(both[0], both[0]))


def test_the_spelling_of_version_1_is_still_read():
    """As in the weights of models that version 1 trained."""
    before = {**SMALL, "augmentation": {"colour": 0.2, "grey_fraction": 0.3}}
    after = {**SMALL, "augmentation": {"color": 0.2, "gray_fraction": 0.3}}
    assert config_from_dict(before) == config_from_dict(after)
