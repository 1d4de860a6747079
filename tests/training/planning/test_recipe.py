import numpy as np
import pytest
import tifffile
import torch
import yaml

from cpunet.__main__ import main
from cpunet.errors import ConfigError, DataError
from cpunet.training.network.build import build_network
from cpunet.training.network.summary import count_macs
from cpunet.training.planning.recipe import RECIPES, find_config, read_completed, recipe_names
from cpunet.training.weights import load_trained
from tests.focus_stack import write_stacks
from tests.synthetic_data_set import SMALL, write_data_set

TINY = ["--steps", "2"]


@pytest.fixture
def two_sets(tmp_path):
    """A folder with two data sets."""
    root = tmp_path / "data"
    for name in ("first", "second"):
        write_data_set(root / name, ["train", "train", "val"])
    return root


@pytest.mark.parametrize("name", ["label_free.yaml", "label_free_light.yaml"])
def test_a_recipe_is_found_by_its_name_and_holds_what_the_thesis_asks_for(two_sets, name, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    assert name in recipe_names()
    config, root = read_completed(find_config(type(RECIPES)(name)), [two_sets])
    assert root == two_sets
    assert [source.folder for source in config.data] == ["first", "second"]
    assert config.channels == ("gray",)
    assert config.targets.roles == ("foreground",)
    architecture = config.architecture
    assert (architecture.dropout, architecture.dropout_levels, architecture.initialization) == (0.05, "all", "he")
    loss = config.loss
    assert (loss.focal_gamma, loss.focal_alpha) == (2, 0.5)
    assert [getattr(loss, term) for term in ("focal", "cross_entropy", "dice", "mean_squared_error")] == [1, 0, 0, 0]
    assert (config.optimizer, config.batch_size, config.judged_by) == ("adam", 4, "loss")
    assert config.early_stopping_patience
    assert min(config.augmentation.shear, config.augmentation.shift_px) > 0
    if name == "label_free.yaml":
        assert (config.learning_rate, config.early_stopping_patience, architecture.base_channels) == (0.0002, 250, 64)


def test_the_light_recipe_costs_a_small_part_of_the_whole(two_sets):
    light, whole = (
        read_completed(RECIPES / name, [two_sets])[0] for name in ("label_free_light.yaml", "label_free.yaml")
    )
    with torch.device("meta"):
        costs = [count_macs(build_network(config), 256) for config in (light, whole)]
    assert costs[0] < costs[1] / 30


def test_sets_and_channels_of_the_command_line_complete_a_file_without_data(two_sets, tmp_path):
    content = {name: value for name, value in SMALL.items() if name not in ("data", "channels")}
    path = tmp_path / "mine.yaml"
    path.write_text(yaml.safe_dump(content))
    config, _ = read_completed(path, [two_sets], ["second"], ["cells"])
    assert [source.folder for source in config.data] == ["second"]
    assert config.channels == ("cells",)
    with pytest.raises(DataError, match="the data set third is not there"):
        read_completed(path, [two_sets], ["third"])


def test_sets_of_a_file_with_data_are_chosen_among_its_own(two_sets, tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text(yaml.safe_dump({**SMALL, "data": [{"folder": "first", "share": 0.5}, {"folder": "second"}]}))
    config, _ = read_completed(path, [two_sets], ["first"])
    assert [(source.folder, source.share) for source in config.data] == [("first", 0.5)]
    with pytest.raises(ConfigError, match=r"mine.yaml: data: there is no set 'third'; the sets are first, second"):
        read_completed(path, [two_sets], ["third"])


def test_a_name_that_is_neither_a_file_nor_a_recipe_lists_the_recipes(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError, match=r"there is no such file. The recipes are label_free.yaml, label_free_light"):
        find_config(tmp_path / "label_free.yaml")
    (tmp_path / "label_free.yaml").write_text("name: mine")
    assert find_config(type(tmp_path)("label_free.yaml")).read_text() == "name: mine"  # a file of the user goes first


def test_the_light_recipe_trains_on_focus_stacks_with_the_names_of_their_channels(tmp_path, capsys):
    write_stacks(tmp_path / "stacks", 3)
    recipe = yaml.safe_load((RECIPES / "label_free_light.yaml").read_text())
    recipe.update(patch_size=64, architecture={"base_channels": 4, "depth": 2, "max_channels": 8})
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump(recipe))
    command = ["train", str(tmp_path / "mine.yaml"), "--data", str(tmp_path / "stacks"), *TINY]
    assert main([*command, "--run", str(tmp_path / "run")]) == 0
    assert load_trained(tmp_path / "run" / "weights.safetensors").config.channels == tuple(
        f"channel_{number}" for number in range(1, 5)
    )
    assert main([*command, "--run", str(tmp_path / "named"), "--channels", "z1", "z2", "z3", "z4"]) == 0
    assert load_trained(tmp_path / "named" / "weights.safetensors").config.channels == ("z1", "z2", "z3", "z4")
    capsys.readouterr()
    assert main([*command, "--run", str(tmp_path / "wrong"), "--channels", "z1"]) == 2
    assert "4 channels, and the model takes 1 channel (z1)" in capsys.readouterr().err


def test_a_set_that_cannot_be_read_is_named(tmp_path):
    write_data_set(tmp_path / "drawn", ["train", "val"])
    tifffile.imwrite(tmp_path / "drawn" / "images" / "f0.tif", np.zeros((2, 9, 9), np.uint8), metadata={"axes": "ZYX"})
    (tmp_path / "drawn" / "images" / "f0.png").unlink()
    with pytest.raises(DataError, match="f0"):
        read_completed(RECIPES / "label_free.yaml", [tmp_path])
