import json

import pytest

from cpunet.training.config import ConfigError, config_from_dict, config_to_dict, read_config
from tests.drawn_data_set import SMALL


def test_a_configuration_survives_json():
    config = config_from_dict(SMALL)
    assert config_from_dict(json.loads(json.dumps(config_to_dict(config)))) == config


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"colour": 1}, "no field 'colour'"),
        ({"loss": {"dice": 1}}, "loss: there is no field 'dice'"),
        ({"data": []}, "at least one data set"),
        ({"data": ["drawn"]}, "data: should be a mapping"),
        ({"patch_size": 66}, "66 is no multiple of 4"),
        ({"steps": 0}, "steps: must be 1 or more"),
        ({"channels": ["red", "green"]}, "channels names 2"),
        ({"architecture": {"out_channels": 2}}, "out_channels: must be 3"),
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


def test_a_number_that_yaml_takes_for_a_text_is_a_number():
    assert config_from_dict({**SMALL, "learning_rate": "1e-3"}).learning_rate == 0.001


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


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(ConfigError, match="no such file"):
        read_config(tmp_path / "absent.yaml")
