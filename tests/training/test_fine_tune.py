from dataclasses import replace

import pytest
import torch

from cpunet.errors import ConfigError
from cpunet.export.readme import model_readme
from cpunet.export.training_card import card_from_training
from cpunet.onnx_reader.metadata import sha256
from cpunet.training.fine_tune import find_weights, load_start, transfer_weights
from cpunet.training.network.build import build_network
from cpunet.training.network.unet import Architecture
from cpunet.training.patches.targets import Targets
from cpunet.training.task import SegmentationTask
from cpunet.training.train import train
from cpunet.training.weights import TrainedNetwork, load_trained, save_trained


@pytest.fixture
def base(small_config, tmp_path):
    """The folder of a model with weights of its own."""
    torch.manual_seed(7)
    network = build_network(small_config)
    torch.nn.init.normal_(network.head.weight)
    folder = tmp_path / "models" / "base"
    folder.mkdir(parents=True)
    save_trained(folder / "weights.safetensors", TrainedNetwork(network.eval(), small_config, {}))
    return folder


def test_weights_are_found_by_folder_file_and_name(base, monkeypatch):
    path = base / "weights.safetensors"
    assert find_weights(str(base)) == find_weights(str(path)) == path
    (base / "model.onnx").touch()
    monkeypatch.setenv("CPUNET_MODELS", str(base.parent))
    assert find_weights("base") == find_weights(str(base / "model.onnx")) == path
    with pytest.raises(ConfigError, match=r"no weights at 'other'.*base"):
        find_weights("other")


def test_all_weights_are_taken_over(base, small_config):
    config = replace(small_config, start_from=str(base))
    start = load_start(config)
    network = build_network(config)
    transfer = transfer_weights(network, config, start)
    assert transfer.transferred == len(network.state_dict())
    assert not transfer.new_roles
    for name, value in start.network.state_dict().items():
        assert torch.equal(network.state_dict()[name], value)


def test_output_channels_are_matched_by_their_roles(base, small_config):
    config = replace(small_config, start_from=str(base), targets=Targets("foreground_boundary_distance"))
    start, network = load_start(config), build_network(config)
    before = network.head.weight.detach().clone()
    transfer = transfer_weights(network, config, start)
    assert transfer.new_roles == ("boundary",)
    assert "boundary" in str(transfer)
    assert torch.equal(network.head.weight[[0, 2]], start.network.head.weight[[0, 2]])
    assert torch.equal(network.head.weight[1], before[1])
    assert torch.equal(network.encoder[0][0].weight, start.network.encoder[0][0].weight)


def test_classes_of_a_softmax_begin_anew(base, small_config):
    config = replace(small_config, start_from=str(base), targets=Targets("three_class"))
    network = build_network(config)
    before = network.head.weight.detach().clone()
    assert transfer_weights(network, config, load_start(config)).new_roles == config.targets.roles
    assert torch.equal(network.head.weight, before)


@pytest.fixture
def color_base(small_config, tmp_path):
    """The folder of a model of three channels."""
    config = replace(small_config, channels=("red", "green", "blue"))
    (tmp_path / "color").mkdir()
    save_trained(tmp_path / "color" / "weights.safetensors", TrainedNetwork(build_network(config), config, {}))
    return tmp_path / "color"


def test_another_number_of_image_channels_begins_with_a_new_first_convolution(color_base, small_config):
    config = replace(small_config, start_from=str(color_base), channels=("a", "b"))
    network = build_network(config)
    transfer = transfer_weights(network, config, load_start(config))
    assert transfer.new_input
    assert transfer.transferred == len(network.state_dict()) - 1


@pytest.mark.parametrize("stem", ["full", "half"])
def test_a_network_for_gray_images_sees_the_same_in_a_gray_image_of_three_channels(tmp_path, small_config, stem):
    gray_config = replace(small_config, architecture=replace(small_config.architecture, stem=stem))
    gray = build_network(gray_config).eval()
    (tmp_path / "gray").mkdir()
    save_trained(tmp_path / "gray" / "weights.safetensors", TrainedNetwork(gray, gray_config, {}))
    config = replace(gray_config, start_from=str(tmp_path / "gray"), channels=("red", "green", "blue"))
    network = build_network(config).eval()
    transfer = transfer_weights(network, config, load_start(config))
    assert not transfer.new_input
    assert transfer.transferred == len(network.state_dict())
    image = torch.rand(1, 1, 32, 32)
    torch.testing.assert_close(network(image.repeat(1, 3, 1, 1)), gray(image))


@pytest.mark.parametrize("stem", ["full", "half"])
def test_a_network_for_color_sees_the_same_in_a_gray_image_once_it_is_one_for_gray_images(tmp_path, small_config, stem):
    color_config = replace(
        small_config,
        architecture=replace(small_config.architecture, stem=stem),
        channels=("red", "green", "blue"),
    )
    color = build_network(color_config).eval()
    (tmp_path / "color").mkdir()
    save_trained(tmp_path / "color" / "weights.safetensors", TrainedNetwork(color, color_config, {}))
    config = replace(color_config, start_from=str(tmp_path / "color"), channels=("nuclei",))
    network = build_network(config).eval()
    transfer = transfer_weights(network, config, load_start(config))
    assert not transfer.new_input
    assert transfer.transferred == len(network.state_dict())
    image = torch.rand(1, 1, 32, 32)
    torch.testing.assert_close(network(image), color(image.repeat(1, 3, 1, 1)), rtol=1e-4, atol=1e-4)


def test_a_first_convolution_that_begins_at_random_cannot_be_frozen(color_base, small_config):
    config = replace(small_config, start_from=str(color_base), channels=("a", "b"), frozen="encoder")
    with pytest.raises(ConfigError, match="another number of image channels"):
        SegmentationTask(config, {})


def test_another_architecture_is_refused_with_the_line_to_write(base, small_config):
    config = replace(small_config, start_from=str(base), architecture=Architecture(depth=3, base_channels=8))
    with pytest.raises(ConfigError, match=r"architecture: \{depth: 2, max_channels: 16\}"):
        load_start(config)


@pytest.mark.parametrize("frozen", ["nothing", "encoder"])
def test_fine_tuning_begins_with_the_weights_and_a_frozen_encoder_keeps_them(
    base, data_root, tmp_path, small_config, frozen
):
    config = replace(small_config, start_from=str(base), frozen=frozen, steps=4, validate_every=2)
    trained = load_trained(train(config, data_root, tmp_path / "run"))
    start = load_trained(base / "weights.safetensors").network.state_dict()
    same = {name: torch.equal(value, start[name]) for name, value in trained.network.state_dict().items()}
    encoder = [equal for name, equal in same.items() if name.startswith("encoder.")]
    rest = [equal for name, equal in same.items() if not name.startswith("encoder.")]
    assert all(encoder) == (frozen == "encoder")
    assert not any(rest)
    # a few small steps from the start, not from anywhere else
    near = trained.network.state_dict()["encoder.0.0.weight"] - start["encoder.0.0.weight"]
    assert near.abs().max() < 0.1
    assert len(trained.facts["start_from"]["sha256"]) == 64


def test_a_random_encoder_cannot_be_frozen(small_config):
    with pytest.raises(ConfigError, match="start_from"):
        replace(small_config, frozen="encoder")


def test_weights_that_are_kept_hold_a_part_of_the_start(base, small_config, data_root, tmp_path):
    runs = {}
    for share in (0.0, 0.25):
        config = replace(small_config, start_from=str(base), start_share=share, steps=4, validate_every=4)
        runs[share] = load_trained(train(config, data_root, tmp_path / f"run{share}")).network.state_dict()
    start = load_trained(base / "weights.safetensors").network.state_dict()
    for name, value in runs[0.25].items():
        if value.is_floating_point():
            torch.testing.assert_close(value, 0.25 * start[name] + 0.75 * runs[0.0][name])
    assert not torch.equal(runs[0.0]["head.weight"], start["head.weight"])


def test_another_model_can_have_the_part_of_the_start(base, small_config, data_root, tmp_path):
    first = train(replace(small_config, start_from=str(base), steps=4, validate_every=4), data_root, tmp_path / "first")
    config = replace(small_config, start_from=str(first), steps=4, validate_every=4)
    trained = load_trained(train(config, data_root, tmp_path / "second")).network.state_dict()
    config = replace(config, start_share=0.25, average_with=str(base))
    averaged = load_trained(train(config, data_root, tmp_path / "averaged"))
    before = load_trained(base / "weights.safetensors").network.state_dict()
    for name, value in averaged.network.state_dict().items():
        if value.is_floating_point():
            torch.testing.assert_close(value, 0.25 * before[name] + 0.75 * trained[name])
    assert averaged.facts["average_with"] == {"name": str(base), "sha256": sha256(base / "weights.safetensors")}
    card = card_from_training(averaged, "", 16)
    assert "**Averaged with:**" in model_readme(card, {})
    with pytest.raises(ConfigError, match="average_with: give start_share"):
        replace(small_config, start_from=str(base), average_with=str(base))
    with pytest.raises(ConfigError, match="average_with: there are no weights at 'nowhere'"):
        SegmentationTask(replace(config, average_with="nowhere"), {})


def test_weights_that_start_at_random_have_no_part_to_keep(base, small_config):
    config = replace(
        small_config, start_from=str(base), start_share=0.5, targets=Targets("foreground_boundary_distance")
    )
    with pytest.raises(ConfigError, match=r"start_share: .*other output channels"):
        SegmentationTask(config, {})
    with pytest.raises(ConfigError, match="start_share: there is no model"):
        replace(small_config, start_share=0.5)
    with pytest.raises(ConfigError, match=r"start_share: must be 0 to below 1; it is 1"):
        replace(small_config, start_from=str(base), start_share=1.0)
