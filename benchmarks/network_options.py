"""What each option of the network costs: training step and onnxruntime, as ratios to the default, side by side.

Run in the training environment: ``python -m benchmarks.network_options``.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

import numpy as np
import onnxruntime
import torch

from cpunet.export.to_onnx import onnx_bytes
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
    parser.add_argument("--rounds", type=int, default=7, help="measurements of each option; the median counts (7)")
    rounds = parser.parse_args().rounds
    steps, predictions, macs = {}, {}, {}
    for name, changes in OPTIONS.items():
        config = config_from_dict({"name": "x", "data": [{"folder": "x"}], "architecture": changes})
        network = build_network(config)
        model = Probabilities(network, config.targets.activation).eval()
        macs[name] = count_macs(network, PATCH_SIZE)
        predictions[name] = prediction(onnx_bytes(model, card_for_training(config)))
        steps[name] = training_step(network)
    step_s, prediction_s = (medians(actions, rounds) for actions in (steps, predictions))
    print("| option | training step | onnxruntime | multiply-accumulates |\n|---|---|---|---|")
    for name in OPTIONS:
        found = [values[name] / values["default"] for values in (step_s, prediction_s, macs)]
        print(f"| `{name}` | {found[0]:.2f} | {found[1]:.2f} | {found[2]:.2f} |")
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


def medians(actions: dict[str, Callable[[], None]], rounds: int) -> dict[str, float]:
    """Time all actions in turns, so that whatever else the machine does slows all alike; seconds."""
    for action in actions.values():
        action()
    found: dict[str, list[float]] = {name: [] for name in actions}
    for _ in range(rounds):
        for name, action in actions.items():
            began = time.perf_counter()
            action()
            found[name].append(time.perf_counter() - began)
    return {name: float(np.median(values)) for name, values in found.items()}


if __name__ == "__main__":
    main()
