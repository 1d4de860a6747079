"""Each YAML file trains on all sets but one, and all in the same way."""

from dataclasses import replace

import pytest

from benchmarks.generalization.left_out import MODALITY, SETS
from cpunet.training.config import read_config, without_description
from tests.places import REPOSITORY

CONFIGS = {name: REPOSITORY / "benchmarks" / "generalization" / f"without_{name}.yaml" for name in SETS}


@pytest.mark.parametrize("name", SETS)
def test_a_model_is_trained_on_all_sets_but_one(name):
    config = read_config(CONFIGS[name])
    assert config.name == f"without_{name}"
    assert {source.folder for source in config.data} == set(SETS) - {name}
    assert {source.modalities for source in config.data} == {(MODALITY,)}


def test_all_models_are_trained_in_the_same_way():
    first, *others = (without_description(read_config(path)) for path in CONFIGS.values())
    for other in others:
        assert replace(other, data=first.data) == first


@pytest.mark.parametrize("name", SETS)
def test_images_that_ask_for_attribution_show_in_the_license(name):
    config = read_config(CONFIGS[name])
    attributed = any(source.licence.startswith("CC-BY") for source in config.data)
    assert config.licence == ("CC-BY-4.0" if attributed else "CC0-1.0")
