"""Time a training step and onnxruntime with each option of the network, as ratios to the default, in turns.

In the training environment: ``python -m benchmarks.experiments.network_options``.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable

import numpy as np
import onnxruntime
import torch

from benchmarks.in_turns import median_seconds
from benchmarks.markdown import header, row
from cpunet.export.batch_norm import fold_batch_norm
from cpunet.export.to_onnx import trace
from cpunet.training.config import config_from_dict
from cpunet.training.evaluation.torch_model import card_for_training
from cpunet.training.network.build import build_network
from cpunet.training.network.summary import count_macs
from cpunet.training.network.unet import Probabilities

OPTIONS = {
    "default": {},
    "decoder_convolutions: 2": {"decoder_convolutions": 2},
    "encoder: residual": {"encoder": "residual"},
    "decoder: fpn": {"decoder": "fpn"},
    "stem: half": {"stem": "half"},
    "padding: reflect": {"padding": "reflect"},
    "batch_normalization: false": {"batch_normalization": False},
}
PATCHES, PATCH_SIZE = 4, 192
FIELD = (512, 704)


def main() -> None:
    """Measure all options in turns, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7, help="take the median of so many runs (7)")
    rounds = parser.parse_args().rounds
    steps, predictions, macs = {}, {}, {}
    for name, changes in OPTIONS.items():
        config = config_from_dict({"name": "x", "data": [{"folder": "x"}], "architecture": changes})
        network = build_network(config)
        model = Probabilities(network, config.targets.activation).eval()
        macs[name] = count_macs(network, PATCH_SIZE)
        predictions[name] = prediction(trace(fold_batch_norm(model), card_for_training(config).input))
        steps[name] = training_step(network)
    step_s, prediction_s = (median_seconds(actions, rounds) for actions in (steps, predictions))
    print(header(["option", "training step", "onnxruntime", "multiply-accumulates"]))
    for name in OPTIONS:
        ratios = [values[name] / values["default"] for values in (step_s, prediction_s, macs)]
        print(row([f"`{name}`", *(f"{ratio:.2f}" for ratio in ratios)]))
    print(
        f"\nThe default takes {step_s['default'] * 1000:.0f} ms for a step of {PATCHES} patches of {PATCH_SIZE} "
        f"pixels a side in bf16, and {prediction_s['default'] * 1000:.0f} ms for a field of {FIELD[0]}x{FIELD[1]}, on "
        f"{torch.get_num_threads()} threads."
    )


def training_step(network: torch.nn.Module) -> Callable[[], None]:
    """Return one step of training, forwards and backwards, as `cpunet train` takes it on a CPU."""
    network = network.train().to(memory_format=torch.channels_last)
    image = torch.rand(PATCHES, 1, PATCH_SIZE, PATCH_SIZE).to(memory_format=torch.channels_last)
    optimizer = torch.optim.AdamW(network.parameters())

    def step() -> None:
        optimizer.zero_grad()
        with torch.autocast("cpu", torch.bfloat16):
            loss = network(image).float().square().mean()
        loss.backward()
        optimizer.step()

    return step


def prediction(content: bytes) -> Callable[[], None]:
    """Return one run of an ONNX model on a field."""
    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    image = np.random.default_rng(0).random((1, 1, *FIELD), np.float32)
    return lambda: session.run(None, {session.get_inputs()[0].name: image})


if __name__ == "__main__":
    main()
