"""Trace a network into the bytes of one ONNX file."""

from __future__ import annotations

import io
import warnings

import numpy as np
import onnx
import torch
from numpy.typing import NDArray

from cpunet.model.card import VOLUMES, InputCard
from cpunet.steps.tiling import Predict

# The newest onnxruntime for CellProfiler's Python loads more; these are old enough for every release in use.
OPSET, LARGEST_IR = 17, 8
INPUT, OUTPUT = "image", "probabilities"


def trace(network: torch.nn.Module, given: InputCard) -> bytes:
    """Trace a network into a self-contained ONNX file without a card.

    Parameters
    ----------
    network : Module
        Turns (N, C, Y, X), or (N, C, Z, Y, X), into probabilities; folded by
        `cpunet.export.batch_norm.fold_batch_norm`, on the CPU.
    given : InputCard

    Returns
    -------
    bytes
        Batch, planes, height and width are free; no external data. The same weights give the same bytes on any machine.
    """
    size = max(given.min_size, 4 * given.divisible_by)
    sizes, names = [size, size], ["Y", "X"]
    if given.dimensions == VOLUMES:
        sizes.insert(0, max(given.min_planes, 4 * given.divisible_by_planes))
        names.insert(0, "Z")
    example = torch.zeros(1, len(given.channels), *sizes)
    free = {0: "N", **dict(enumerate(names, start=2))}
    buffer = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch announces that this exporter will go one day
        torch.onnx.export(
            network,
            (example,),
            buffer,
            opset_version=OPSET,
            input_names=[INPUT],
            output_names=[OUTPUT],
            dynamic_axes={INPUT: free, OUTPUT: free},
            dynamo=False,
        )
    return readable_by_all(buffer.getvalue())


def readable_by_all(traced: bytes) -> bytes:
    """Check the bytes of an ONNX file, and give it a version that each onnxruntime in use reads."""
    model = onnx.load_from_string(traced)
    model.ir_version = min(model.ir_version, LARGEST_IR)
    onnx.checker.check_model(model, full_check=True)
    result: bytes = model.SerializeToString(deterministic=True)
    return result


def predict_with(model: torch.nn.Module) -> Predict:
    """Return a function that runs a torch network, of any precision, on an ndarray of one batch, float32."""

    def predict(batch: NDArray[np.float32]) -> NDArray[np.float32]:
        precision = next(model.parameters()).dtype
        with torch.inference_mode():
            result: NDArray[np.float32] = model(torch.from_numpy(batch).to(precision)).float().numpy()
        return result

    return predict
