from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.utils.data import default_collate

from cpunet.__main__ import main
from cpunet.files.images import read_image
from cpunet.training.config import config_from_dict
from cpunet.training.network.losses import Loss
from cpunet.training.patches.sources import read_sources
from cpunet.training.patches.stream import PatchStream
from cpunet.training.patches.targets import KINDS, Targets
from cpunet.training.planning import sanity_check
from cpunet.training.planning.sanity_check import (
    check_initial_loss,
    check_objects,
    check_overfitting,
    check_training,
    least_loss,
    picture_of_patches,
    undecided_loss,
)
from cpunet.training.task import SegmentationTask
from tests.synthetic_data_set import SMALL


@pytest.fixture
def stream(data_root, small_config):
    _, sources, _ = read_sources(small_config, data_root)
    return PatchStream(sources, small_config, 0, 8)


def task_and_batch(config, data_root, patches=2):
    torch.manual_seed(0)
    _, sources, _ = read_sources(config, data_root)
    stream = PatchStream(sources, config, 0, patches)
    return SegmentationTask(config, {}), default_collate([stream[index] for index in range(patches)])


@pytest.mark.parametrize("kind", KINDS)
def test_a_new_network_begins_undecided_whatever_it_learns(data_root, small_config, kind):
    loss = Loss(dice=0.0, mean_squared_error=1.0)
    task, batch = task_and_batch(replace(small_config, targets=Targets(kind), loss=loss), data_root)
    assert check_initial_loss(task, batch, expected=True).passed


def test_a_network_that_begins_elsewhere_is_found_out(data_root, small_config):
    task, batch = task_and_batch(small_config, data_root)
    torch.nn.init.normal_(task.network.head.weight, std=3)
    assert not check_initial_loss(task, batch, expected=True).passed
    assert check_initial_loss(task, batch, expected=False).passed


def test_weights_that_are_worse_than_chance_are_never_called_ok(data_root, small_config):
    task, batch = task_and_batch(small_config, data_root)
    assert str(check_initial_loss(task, batch, expected=False)).startswith(("ok", "doubt"))
    torch.nn.init.normal_(task.network.head.weight, std=30)
    found = check_initial_loss(task, batch, expected=False)
    assert found.passed  # it may learn all the same
    assert str(found).startswith("doubt  the loss begins at")
    assert "worse than chance" in found.text
    with torch.no_grad():
        task.network.head.weight *= np.nan
    assert not check_initial_loss(task, batch, expected=False).passed


def test_undecided_and_least_loss_are_the_ends_of_what_can_be_learned(data_root, small_config):
    plain = replace(small_config, loss=Loss(dice=0, weight_map="none"), targets=Targets("foreground_border"))
    task, batch = task_and_batch(plain, data_root)
    assert undecided_loss(task.loss, batch) == pytest.approx(2 * np.log(2), rel=1e-5)
    assert least_loss(task.loss, batch) == pytest.approx(-2 * np.log(0.999), rel=1e-3)
    classes = replace(plain, targets=Targets("three_class"))
    task, batch = task_and_batch(classes, data_root)
    assert undecided_loss(task.loss, batch) == pytest.approx(np.log(3), rel=1e-5)


def test_a_network_learns_one_batch_by_heart_unless_it_cannot_move(data_root, small_config, monkeypatch):
    task, batch = task_and_batch(small_config, data_root)
    assert check_overfitting(task, batch).passed
    monkeypatch.setattr(sanity_check, "OVERFIT_STEPS", 30)  # a network that cannot move needs no more to show it
    task, batch = task_and_batch(replace(small_config, learning_rate=1e-9), data_root)
    found = check_overfitting(task, batch)
    assert not found.passed
    assert "was overfitted after" in found.text


def test_patches_without_objects_or_with_nan_are_found_out(stream):
    patches = [stream.patch(index) for index in range(3)]
    assert check_objects(patches).passed
    assert not check_objects([replace(patch, labels=0 * patch.labels) for patch in patches]).passed
    assert not check_objects([replace(patch, image=patch.image * np.nan) for patch in patches]).passed


def test_the_picture_shows_image_outlines_targets_and_weights(stream, small_config):
    patches = [stream.patch(index) for index in range(2)]
    size = small_config.patch_size
    picture = picture_of_patches(patches, small_config)
    assert picture.shape == (2 * size, (2 + 3 + 1) * size, 3)
    foreground = picture[:size, 2 * size : 3 * size, 0] > 0
    np.testing.assert_array_equal(foreground, patches[0].labels > 0)
    outlined = picture[:size, size : 2 * size]
    yellow = (outlined == (255, 215, 0)).all(axis=2)
    assert yellow.any()
    assert (patches[0].labels[yellow] > 0).all()


def test_all_checks_pass_on_drawn_nuclei_and_leave_a_picture(data_root, tmp_path, small_config):
    findings = check_training(small_config, data_root, tmp_path)
    assert [finding.passed for finding in findings] == [True] * 3
    assert read_image(tmp_path / "patches.png").ndim == 3


def test_the_command_says_what_failed(data_root, tmp_path, small_yaml, capsys, monkeypatch):
    command = ["train", str(small_yaml), "--check", "--data", str(data_root), "--run", str(tmp_path / "run")]
    assert main(command) == 0
    assert "parameters" in capsys.readouterr().out
    monkeypatch.setattr(sanity_check, "OVERFIT_STEPS", 30)
    stuck = config_from_dict({**SMALL, "learning_rate": 1e-9})
    small_yaml.write_text(
        small_yaml.read_text().replace("learning_rate: 0.01", f"learning_rate: {stuck.learning_rate}")
    )
    assert main(command) == 1
    assert "FAILED" in capsys.readouterr().out
    assert not list((tmp_path / "run").glob("*.ckpt"))
