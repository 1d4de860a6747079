from dataclasses import replace

import pytest
import torch

from cpunet.errors import ConfigError
from cpunet.model.card import Normalization
from cpunet.training.distillation import load_teachers, taught_targets
from cpunet.training.network.build import build_network
from cpunet.training.network.losses import Loss
from cpunet.training.network.unet import Probabilities, probabilities_of
from cpunet.training.patches.targets import Targets
from cpunet.training.task import SegmentationTask
from cpunet.training.weights import TrainedNetwork, save_trained


@pytest.fixture
def teacher(small_config, tmp_path):
    torch.manual_seed(3)
    path = tmp_path / "teacher.safetensors"
    save_trained(path, TrainedNetwork(build_network(small_config).eval(), small_config, {}))
    return path


def item(config):
    torch.manual_seed(0)
    size = config.patch_size
    image = torch.rand(2, len(config.channels), size, size)
    targets = (torch.rand(2, len(config.targets.roles), size, size) > 0.5).float()
    return image, targets


def test_targets_are_blended_with_the_mean_of_the_teachers(small_config, teacher):
    config = replace(small_config, teachers=(str(teacher), str(teacher)))
    teachers = load_teachers(config)
    image, targets = item(config)
    activation = config.targets.activation
    with torch.no_grad():
        seen = probabilities_of(teachers[0](image), activation)
    taught = taught_targets(image, targets, teachers, activation, 0.25)
    torch.testing.assert_close(taught, 0.25 * seen + 0.75 * targets)
    assert taught_targets(image, targets, [], activation, 0.25) is targets


def test_a_teacher_that_learned_by_the_focal_loss_alone_teaches_the_probabilities_of_its_model(small_config, tmp_path):
    loss = Loss(focal=1, cross_entropy=0, dice=0, mean_squared_error=0)
    config = replace(small_config, loss=loss, targets=Targets("foreground"))
    path = tmp_path / "focal.safetensors"
    network = build_network(config).eval()
    torch.nn.init.normal_(network.head.weight)
    save_trained(path, TrainedNetwork(network, config, {}))
    image, targets = item(config)
    taught = taught_targets(image, targets, load_teachers(replace(config, teachers=(str(path),))), "sigmoid", 1.0)
    with torch.no_grad():
        expected = Probabilities(network, "sigmoid", loss.sharpening)(image)
        blunt = Probabilities(network, "sigmoid")(image)
    torch.testing.assert_close(taught, expected)
    assert (taught - blunt).abs().max() > 0.01


def test_teachers_are_not_trained_and_not_saved(small_config, teacher):
    task = SegmentationTask(replace(small_config, teachers=(str(teacher),)), {})
    assert not any(parameter.requires_grad for parameter in task.teachers[0].parameters())
    assert not task.teachers[0].training
    assert task.state_dict().keys() == SegmentationTask(small_config, {}).state_dict().keys()


def test_a_teacher_of_another_kind_is_refused(small_config, teacher):
    other = replace(small_config, teachers=(str(teacher),), normalization=Normalization(percentile_high=99.0))
    with pytest.raises(ConfigError, match=r"teachers: .* has other normalization than this run"):
        load_teachers(other)


def test_a_missing_teacher_names_its_field(small_config):
    with pytest.raises(ConfigError, match="teachers: there are no weights at 'nobody'"):
        load_teachers(replace(small_config, teachers=("nobody",)))
