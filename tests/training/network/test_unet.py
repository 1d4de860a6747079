import io
import itertools
import math
import warnings
from dataclasses import fields, replace

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from safetensors.torch import load_file
from torch import nn

from cpunet.checks.synthetic import synthetic_field
from cpunet.training.network.decoders import decode_concatenating, decode_fpn
from cpunet.training.network.encoders.choose import PUBLISHED
from cpunet.training.network.unet import (
    DECODERS,
    ENCODERS,
    PADDINGS,
    STEMS,
    Architecture,
    Probabilities,
    UNet,
    probabilities_of,
)
from tests.places import REPOSITORY

SHIPPED = REPOSITORY / "models" / "nuclei_fluorescence_1"
SMALL = Architecture(base_channels=4, depth=2, max_channels=8)
OWN_ENCODERS = tuple(name for name in ENCODERS if name not in PUBLISHED)
COMBINATIONS = (
    [
        replace(SMALL, encoder=encoder, decoder=decoder, stem=stem, padding=padding)
        for encoder, decoder, stem, padding in itertools.product(
            ("plain", "residual"), ("unet", "fpn"), STEMS, PADDINGS
        )
    ]
    + [
        replace(SMALL, encoder=encoder, decoder=decoder)
        for encoder, decoder in itertools.product(("bottleneck", "preactivation", "efficientnet_lite0"), DECODERS)
    ]
    + [
        replace(SMALL, encoder="residual", batch_normalization=False, dropout=0.5, initialization="xavier"),
        replace(SMALL, decoder="fpn", stem="half", decoder_convolutions=2, batch_normalization=False),
        replace(SMALL, decoder="concatenating", stem="half", padding="reflect", decoder_convolutions=2),
        replace(SMALL, encoder="preactivation", batch_normalization=False),
        replace(SMALL, encoder="efficientnet_lite0", stem="half", padding="reflect", batch_normalization=False),
        replace(SMALL, encoder="resnet18", decoder="concatenating", stem="half", padding="reflect", depth=1),
        replace(SMALL, encoder="resnet50", decoder="fpn", stem="half"),
    ]
)


def name_of(architecture):
    """Name what differs from the small network."""
    different = [f.name for f in fields(SMALL) if getattr(architecture, f.name) != getattr(SMALL, f.name)]
    return " ".join(f"{name}={getattr(architecture, name)}" for name in different) or "plain"


every_combination = pytest.mark.parametrize("architecture", COMBINATIONS, ids=name_of)


def network_of(architecture, in_channels=1, out_channels=3, seed=0):
    """Make a network with statistics and an output layer as if it had been trained."""
    torch.manual_seed(seed)
    network = UNet(architecture, in_channels, out_channels)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.running_mean, -0.5, 0.5)
            nn.init.uniform_(module.running_var, 0.5, 1.5)
    nn.init.normal_(network.head.weight)
    return network.eval()


def session_of(model, in_channels, size):
    buffer = io.BytesIO()
    free = {0: "N", 2: "Y", 3: "X"}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch announces that this exporter will go one day
        torch.onnx.export(
            model,
            (torch.zeros(1, in_channels, size, size),),
            buffer,
            opset_version=17,
            input_names=["image"],
            output_names=["probabilities"],
            dynamic_axes={"image": free, "probabilities": free},
            dynamo=False,
        )
    onnx.checker.check_model(onnx.load_from_string(buffer.getvalue()), full_check=True)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(buffer.getvalue(), options, providers=["CPUExecutionProvider"])


@every_combination
def test_onnxruntime_computes_the_same_at_sizes_and_batches_other_than_the_traced(architecture):
    model = Probabilities(network_of(architecture, in_channels=2), "sigmoid").eval()
    smallest, unit = architecture.min_size, architecture.divisible_by
    session = session_of(model, 2, 2 * smallest)
    for batch, height, width in ((1, smallest, smallest), (2, 3 * unit, 5 * unit)):
        image = torch.rand(batch, 2, height, width)
        with torch.inference_mode():
            expected = model(image).numpy()
        assert expected.std() > 0.01
        np.testing.assert_allclose(session.run(None, {"image": image.numpy()})[0], expected, rtol=1e-3, atol=1e-4)


@every_combination
def test_a_step_in_16_bit_and_channels_last_gives_every_weight_a_gradient(architecture):
    torch.manual_seed(1)
    network = UNet(architecture, 1, 3).to(memory_format=torch.channels_last)
    image = torch.rand(4, 1, 4 * architecture.min_size, 4 * architecture.min_size)
    with torch.autocast("cpu", torch.bfloat16):
        logits = network(image.to(memory_format=torch.channels_last))
    assert logits.shape == (4, 3, *image.shape[2:])
    nn.functional.binary_cross_entropy_with_logits(logits.float(), torch.rand(logits.shape)).backward()
    still = [
        name
        for name, weight in network.named_parameters()
        if weight.grad is None or not weight.grad.any() or not weight.grad.isfinite().all()
    ]
    assert not still


@every_combination
def test_the_first_predictions_are_undecided(architecture):
    torch.manual_seed(2)
    logits = UNet(architecture, 1, 3)(torch.rand(2, 1, 4 * architecture.min_size, 4 * architecture.min_size))
    assert logits.std() > 1e-3
    for activation, undecided in (("sigmoid", 1 / 2), ("softmax", 1 / 3)):
        assert (probabilities_of(logits, activation) - undecided).abs().max() < 0.1


@pytest.mark.parametrize(("depth", "channels"), [(1, 1), (2, 3), (4, 1)])
def test_output_has_the_size_of_the_input(depth, channels):
    architecture = Architecture(base_channels=4, depth=depth)
    size = 3 * architecture.divisible_by
    output = UNet(architecture, channels, 2)(torch.zeros(2, channels, size, 2 * size))
    assert output.shape == (2, 2, size, 2 * size)


def test_features_double_up_to_the_largest():
    assert Architecture(base_channels=16, depth=4, max_channels=128).channels == (16, 32, 64, 128, 128)


def test_the_default_network_is_that_of_version_1():
    network = UNet(Architecture(), 1, 3)
    network.load_state_dict(load_file(SHIPPED / "weights.safetensors"), strict=True)
    fields_of_nuclei = [synthetic_field((96, 160), columns=3, touching=True, seed=seed).image for seed in (0, 1)]
    image = np.stack(fields_of_nuclei)[:, np.newaxis].astype(np.float32)
    image /= image.max()
    session = onnxruntime.InferenceSession(SHIPPED / "model.onnx", providers=["CPUExecutionProvider"])
    with torch.inference_mode():
        found = Probabilities(network, "sigmoid").eval()(torch.from_numpy(image)).numpy()
    assert found.std(axis=(0, 2, 3)).min() > 0.05
    np.testing.assert_allclose(found, session.run(None, {session.get_inputs()[0].name: image})[0], atol=1e-3)


def test_parameters_of_the_shipped_network():
    # 3x3 convolutions 1-16-16-32-32-64-64-128-128-128-128 and 128-64-32-16 on the way up, the 1x1 steps and the head
    def convolution(before, after):
        return 9 * before * after + 2 * after

    down = [(1, 16), (16, 16), (16, 32), (32, 32), (32, 64), (64, 64), (64, 128), (128, 128), (128, 128), (128, 128)]
    up = [(128, 128), (128, 64), (64, 32), (32, 16)]
    expected = sum(convolution(*pair) for pair in down) + sum(
        before * after + after + convolution(after, after) for before, after in up
    )
    found = sum(parameter.numel() for parameter in UNet(Architecture(), 1, 3).parameters())
    assert found == expected + 16 * 3 + 3


@pytest.mark.parametrize("decoder", DECODERS)
@pytest.mark.parametrize("count", [1, 2, 3])
def test_each_level_of_the_way_up_has_the_number_of_convolutions_asked_for(decoder, count):
    network = UNet(replace(SMALL, decoder=decoder, decoder_convolutions=count), 1, 3)
    assert len(network.decoder) == SMALL.depth + (decoder == "fpn")
    for block in network.decoder:
        assert sum(isinstance(module, nn.Conv2d) for module in block) == count


@pytest.mark.parametrize(
    "change",
    [
        {"base_channels": 0},
        {"depth": 0},
        {"depth": 7},
        {"max_channels": 8},
        {"decoder_convolutions": 0},
        {"encoder": "resnet101"},
        {"decoder": "segnet"},
        {"stem": "quarter"},
        {"dropout": 1.0},
        {"dropout": -0.1},
        {"dropout_levels": "some"},
        {"dropout": math.nan},
        {"padding": "same"},
        {"initialization": "kaiming"},
    ],
    ids=str,
)
def test_an_impossible_value_is_named(change):
    ((name, value),) = change.items()
    with pytest.raises(ValueError, match=rf"^{name}: must .*; it is {value!r}\.$"):
        Architecture(**change)


def test_residual_blocks_pass_their_input_on():
    torch.manual_seed(3)
    encoder = UNet(replace(SMALL, encoder="residual"), 4, 3).encoder
    same, wider = encoder[0], encoder[1]
    features = torch.randn(1, 4, 8, 8)
    for block in (same, wider):
        for module in block.convolutions:
            if isinstance(module, nn.BatchNorm2d):
                nn.init.zeros_(module.weight)
    torch.testing.assert_close(same.eval()(features), features.relu())
    projected = nn.functional.conv2d(features, wider.shortcut[0].weight)
    assert projected.shape == (1, 8, 8, 8)
    torch.testing.assert_close(wider.eval()(features), projected.relu(), rtol=1e-3, atol=1e-3)


def test_bottlenecks_convolve_a_quarter_of_the_features_and_pass_their_input_on():
    torch.manual_seed(3)
    level = UNet(replace(SMALL, encoder="bottleneck"), 4, 3).encoder[1].eval()
    shapes = [module.weight.shape for module in level.modules() if isinstance(module, nn.Conv2d)]
    inside, outside = (2, 2, 3, 3), (8, 2, 1, 1)
    assert shapes == [(2, 4, 1, 1), inside, outside, (8, 4, 1, 1), (2, 8, 1, 1), inside, outside]
    features = torch.rand(1, 4, 8, 8)
    for block in level:
        nn.init.zeros_(block.convolutions[-1].weight)
    projected = nn.functional.conv2d(features, level[0].shortcut[0].weight)
    torch.testing.assert_close(level(features), projected.relu(), rtol=1e-3, atol=1e-3)


def test_preactivation_changes_nothing_of_what_it_passes_on():
    torch.manual_seed(3)
    encoder = UNet(replace(SMALL, encoder="preactivation", max_channels=4), 4, 3).encoder
    for block in encoder[:2]:
        nn.init.zeros_(block.convolutions[-1].weight)
        features = torch.randn(2, 4, 8, 8)  # below 0 too, which a ReLU behind the sum would take away
        torch.testing.assert_close(block.eval()(features), features, rtol=0, atol=0)
    order = [type(module) for module in (*encoder[1].preactivation, *encoder[1].convolutions)]
    assert order == [nn.BatchNorm2d, nn.ReLU, nn.Conv2d, nn.BatchNorm2d, nn.ReLU, nn.Conv2d]


def test_preactivation_convolves_the_image_as_it_is():
    block = UNet(replace(SMALL, encoder="preactivation"), 1, 3).encoder[0].eval()
    image = -torch.ones(1, 1, 8, 8)  # a ReLU before the first convolution would see nothing of it
    assert (block(image) - block(0 * image)).abs().max() > 1e-3


def test_the_concatenating_decoder_is_that_of_the_paper():
    architecture = Architecture(
        base_channels=64, max_channels=1024, decoder_convolutions=2, decoder="concatenating", batch_normalization=False
    )
    with torch.device("meta"):
        network = UNet(architecture, 1, 2)
    found = {}
    for name, module in network.named_modules():
        if isinstance(module, (nn.Conv2d, nn.ConvTranspose2d)):
            found.setdefault(name.split(".")[0], []).append((*module.weight.shape[:2], module.kernel_size[0]))
    # figure 1 of the paper; a transposed convolution gives what its second axis counts
    assert found["upsampling"] == [(1024, 512, 2), (512, 256, 2), (256, 128, 2), (128, 64, 2)]
    up = [(512, 1024), (512, 512), (256, 512), (256, 256), (128, 256), (128, 128), (64, 128), (64, 64)]
    assert found["decoder"] == [(*pair, 3) for pair in up]
    assert found["head"] == [(2, 64, 1)]


@pytest.mark.parametrize("encoder", ["plain", "efficientnet_lite0"])
def test_concatenated_features_come_first_from_the_encoder_then_from_below(encoder):
    network = network_of(replace(SMALL, encoder=encoder, decoder="concatenating", depth=1))
    skip, deep = (torch.rand(1, width, *size) for width, size in zip(widths_of(network), ((8, 8), (4, 4))))
    (upsample,), (block,) = network.upsampling, network.decoder
    below = torch.einsum("nixy,ioab->noxayb", deep, upsample.weight).reshape(1, -1, 8, 8) + upsample.bias[:, None, None]
    found = decode_concatenating(network.upsampling, network.decoder, [skip, deep], nn.Identity())
    torch.testing.assert_close(found, block(torch.cat([skip, below], dim=1)))


def widths_of(network):
    """How many features the encoder's levels give."""
    size = 2 * network.architecture.min_size
    seen = []
    for level in network.encoder:
        level.register_forward_hook(lambda module, inputs, output: seen.append(output.shape[1]))
    network(torch.zeros(1, network.in_channels, size, size))
    return seen


@pytest.mark.parametrize("encoder", PUBLISHED)
@pytest.mark.parametrize("stem", STEMS)
def test_a_published_encoder_has_the_features_of_its_paper_at_each_resolution(encoder, stem):
    network = UNet(replace(SMALL, encoder=encoder, stem=stem, depth=4), 1, 3).eval()
    sizes = []
    for level in network.encoder:
        level.register_forward_hook(lambda module, inputs, output: sizes.append(output.shape[1:]))
    with torch.inference_mode():
        assert network(torch.zeros(1, 1, 64, 32)).shape == (1, 3, 64, 32)
    widths = {
        "efficientnet_lite0": (16, 24, 40, 112, 320),
        "resnet18": (64, 64, 128, 256, 512),
        "resnet50": (64, 256, 512, 1024, 2048),
    }[encoder]
    first = 2 if stem == "half" else 1
    wanted = [(width, 64 // (first * 2**level), 32 // (first * 2**level)) for level, width in enumerate(widths)]
    assert sizes == wanted


def test_parameters_of_the_published_encoders():
    # torchvision's figures, and that of TensorFlow's EfficientNet-Lite0, without their classifiers
    wanted = {
        "resnet18": 11_689_512 - 513 * 1000,
        "resnet50": 25_557_032 - 2049 * 1000,
        "efficientnet_lite0": 4_652_008 - 1281 * 1000 - 320 * 1280 - 2 * 1280,
    }
    for encoder, count in wanted.items():
        with torch.device("meta"):
            network = UNet(replace(SMALL, encoder=encoder, depth=4), 3, 1)
        assert sum(parameter.numel() for parameter in network.encoder.parameters()) == count, encoder


@pytest.mark.parametrize("decoder", DECODERS)
def test_each_level_of_a_published_encoder_reaches_the_output(decoder):
    network = network_of(replace(SMALL, encoder="efficientnet_lite0", decoder=decoder, depth=4))
    image = torch.rand(1, 1, 64, 64)
    before = network(image)
    for level in network.encoder:
        handle = level.register_forward_hook(lambda module, inputs, output: 1.5 * output)
        assert (network(image) - before).abs().max() > 1e-3
        handle.remove()


def test_a_published_encoder_is_no_deeper_than_its_paper():
    with pytest.raises(ValueError, match=r"^depth: must be 1 to 4 with encoder 'resnet18'; it is 5\.$"):
        Architecture(encoder="resnet18", depth=5)


def test_plain_blocks_do_not_pass_their_input_on():
    block = UNet(SMALL, 4, 3).encoder[0].eval()
    nn.init.zeros_(block[-2].weight)
    assert not block(torch.randn(1, 4, 8, 8)).any()


@pytest.mark.parametrize("part", ["laterals", "decoder"])
@pytest.mark.parametrize("level", [0, 1, 2])
def test_each_level_of_the_pyramid_reaches_the_output(part, level):
    network = network_of(replace(SMALL, decoder="fpn"))
    image = torch.rand(1, 1, 32, 32)
    before = network(image)
    for parameter in getattr(network, part)[level].parameters():
        nn.init.zeros_(parameter)
    assert (network(image) - before).abs().max() > 1e-3


def test_the_pyramid_is_the_sum_of_its_levels_each_enlarged_for_itself():
    network = network_of(replace(SMALL, decoder="fpn"))
    levels = [torch.randn(1, channels, 16 // 2**i, 24 // 2**i) for i, channels in enumerate(SMALL.channels)]
    deepest_first = levels[::-1]
    expected = torch.zeros(1, 4, 16, 24)
    for i, block in enumerate(network.decoder):
        below = [network.laterals[j](deepest_first[j]).repeat_interleave(2 ** (i - j), 2) for j in range(i + 1)]
        merged = block(sum(part.repeat_interleave(2 ** (i - j), 3) for j, part in enumerate(below)))
        for _ in range(SMALL.depth - i):
            merged = nn.functional.interpolate(merged, scale_factor=2, mode="bilinear")
        expected += merged
    torch.testing.assert_close(decode_fpn(network.laterals, network.decoder, levels, nn.Identity()), expected)


def test_the_half_stem_works_at_half_resolution_and_loses_no_pixel():
    architecture = replace(SMALL, stem="half")
    network = network_of(architecture)
    sizes = []
    network.encoder[0].register_forward_hook(lambda module, inputs, output: sizes.append(output.shape[2:]))
    image = torch.rand(1, 1, 32, 48, requires_grad=True)
    network(image).square().sum().backward()
    assert sizes == [(16, 24)]
    assert image.grad.ne(0).all()
    assert (architecture.divisible_by, SMALL.divisible_by) == (8, 4)


def test_the_pixels_of_the_half_stem_are_alike_before_training_and_free_in_it():
    torch.manual_seed(4)
    network = UNet(replace(SMALL, stem="half"), 1, 3)
    image = torch.rand(1, 1, 32, 32)

    def spread_within_2x2():
        return nn.functional.pixel_unshuffle(network(image), 2).unflatten(1, (3, 4)).std(dim=2).max()

    assert spread_within_2x2() < 1e-7
    network(image)[..., ::2, :].sum().backward()
    torch.optim.SGD(network.parameters(), lr=0.1).step()
    assert spread_within_2x2() > 1e-3


def test_dropout_leaves_out_whole_features_of_the_two_deepest_levels_in_training_alone():
    architecture = Architecture(base_channels=8, depth=3, max_channels=64, dropout=0.5)
    network = network_of(architecture)
    image = torch.rand(1, 1, 32, 32)
    seen = []
    network.dropout.register_forward_hook(lambda module, inputs, output: seen.append((inputs[0], output)))
    without = UNet(replace(architecture, dropout=0.0), 1, 3).eval()
    without.load_state_dict(network.state_dict(), strict=True)
    torch.testing.assert_close(network(image), without(image))
    seen.clear()
    network.train()
    assert (network(image) - network(image)).abs().max() > 1e-3
    assert [output.shape[1:] for _, output in seen[:2]] == [(32, 8, 8), (64, 4, 4)]
    for before, after in seen:
        dropped = after.flatten(2).eq(0).all(dim=2) & before.flatten(2).any(dim=2)
        assert 0.1 < dropped.float().mean() < 0.9
        torch.testing.assert_close(after[~dropped], 2 * before[~dropped])
    without.train()
    torch.testing.assert_close(without(image), without(image))


@pytest.mark.parametrize("decoder", DECODERS)
def test_dropout_at_every_level_leaves_out_features_on_the_way_down_and_up(decoder):
    architecture = Architecture(
        base_channels=8, depth=3, max_channels=64, dropout=0.5, dropout_levels="all", decoder=decoder
    )
    network = network_of(architecture).train()
    seen = []
    network.dropout.register_forward_hook(lambda module, inputs, output: seen.append((inputs[0], output)))
    network(torch.rand(1, 1, 32, 32))
    down = [output.shape[-1] for _, output in seen[:4]]
    assert down == [32, 16, 8, 4]
    assert [output.shape[-1] for _, output in seen[4:]] == ([4, 8, 16, 32] if decoder == "fpn" else [8, 16, 32])
    for before, after in seen:
        dropped = after.flatten(2).eq(0).all(dim=2) & before.flatten(2).any(dim=2)
        assert dropped.any()
        torch.testing.assert_close(after[~dropped], 2 * before[~dropped])
    image = torch.rand(1, 1, 32, 32)
    without = UNet(replace(architecture, dropout=0.0), 1, 3).eval()
    without.load_state_dict(network.state_dict(), strict=True)
    torch.testing.assert_close(network.eval()(image), without(image))


@pytest.mark.parametrize(("encoder", "decoder"), list(itertools.product(OWN_ENCODERS, DECODERS)))
def test_reflect_padding_differs_at_the_frame_alone(encoder, decoder):
    zeros = network_of(replace(SMALL, encoder=encoder, decoder=decoder))
    reflect = network_of(replace(SMALL, encoder=encoder, decoder=decoder, padding="reflect"))
    reflect.load_state_dict(zeros.state_dict(), strict=True)
    image = torch.rand(1, 1, 128, 128)
    different = (zeros(image) - reflect(image)).abs().amax(dim=(0, 1))
    assert different[48:80, 48:80].max() < 1e-5
    assert min(frame.mean() for frame in (different[0], different[-1], different[:, 0], different[:, -1])) > 1e-3


def test_reflect_padding_sees_no_frame_in_an_even_image():
    network = network_of(replace(SMALL, padding="reflect"))
    logits = network(torch.full((1, 1, 32, 32), 0.7))
    assert logits.std(dim=(2, 3)).max() < 1e-5
    assert network_of(SMALL)(torch.full((1, 1, 32, 32), 0.7)).std(dim=(2, 3)).max() > 1e-2


@pytest.mark.parametrize("stem", STEMS)
@pytest.mark.parametrize("padding", PADDINGS)
@pytest.mark.parametrize("encoder", ["plain", "efficientnet_lite0"])
def test_the_smallest_size_is_the_smallest_that_works(encoder, padding, stem):
    architecture = replace(SMALL, encoder=encoder, padding=padding, stem=stem)
    network, size = network_of(architecture), architecture.min_size
    assert network(torch.zeros(1, 1, size, size)).shape == (1, 3, size, size)
    with pytest.raises(RuntimeError):
        network(torch.zeros(1, 1, size - architecture.divisible_by, size))


@pytest.mark.parametrize(("encoder", "decoder"), list(itertools.product(ENCODERS, DECODERS)))
def test_without_batch_normalization_convolutions_have_a_bias_and_nothing_is_remembered(encoder, decoder):
    with_it, without = (
        UNet(replace(SMALL, encoder=encoder, decoder=decoder, batch_normalization=on), 1, 3) for on in (True, False)
    )
    assert list(with_it.buffers())
    assert not list(without.buffers())
    assert all(module.bias is not None for module in without.modules() if isinstance(module, nn.Conv2d))
    image = torch.rand(2, 1, 16, 16)
    torch.testing.assert_close(without.train()(image)[:1], without.train()(image[:1]))
    assert (with_it.train()(image)[:1] - with_it.train()(image[:1])).abs().max() > 1e-6


@pytest.mark.parametrize(("stem", "decoder"), [("full", "unet"), ("half", "unet"), ("full", "concatenating")])
@pytest.mark.parametrize("initialization", ["he", "xavier"])
def test_weights_start_with_the_variance_of_the_paper(initialization, stem, decoder):
    torch.manual_seed(5)
    network = UNet(Architecture(initialization=initialization, stem=stem, decoder=decoder), 1, 3)
    for name, module in network.named_modules():
        if isinstance(module, nn.ConvTranspose2d) and module.weight.numel() > 2000:
            before, after = module.weight.shape[:2]
            variance = 2 / before if initialization == "he" else 2 / (before + after)
            assert module.weight.std().item() == pytest.approx(math.sqrt(variance), rel=0.1), name
        if isinstance(module, nn.Conv2d) and module.weight.numel() > 2000:
            after, before = module.weight.shape[:2]
            area = module.weight[0, 0].numel()
            variance = 2 / (before * area) if initialization == "he" else 2 / ((before + after) * area)
            assert module.weight.std().item() == pytest.approx(math.sqrt(variance), rel=0.1), name
    assert network.head.weight.std().item() == pytest.approx(0.01, rel=0.4)
    assert not any(
        value.any() for name, value in network.named_parameters() if name.endswith("bias") and "head" in name
    )


def test_probabilities_lie_between_0_and_1():
    values = Probabilities(network_of(SMALL), "sigmoid")(100 * torch.randn(1, 1, 16, 16))
    assert 0 <= values.min() < values.max() <= 1


def test_softmax_shares_each_pixel_among_the_classes():
    logits = torch.randn(2, 3, 4, 4)
    torch.testing.assert_close(probabilities_of(logits, "softmax").sum(dim=1), torch.ones(2, 4, 4))
    torch.testing.assert_close(probabilities_of(logits, "sigmoid"), 1 / (1 + torch.exp(-logits)))
