"""Write a network and its card as one ONNX file, and let it pass only if it computes the same."""

from __future__ import annotations

import io
import warnings
from pathlib import Path

import numpy as np
import onnx
import torch
from numpy.typing import NDArray

from cpunet.image_files import written_beside
from cpunet.model_card import METADATA_KEY, ModelCard, card_to_json
from cpunet.session import load_model

# The newest onnxruntime for CellProfiler's Python loads more; these are old enough for every release in use.
OPSET, LARGEST_IR = 17, 8
RTOL, ATOL = 1e-3, 1e-3
INPUT, OUTPUT = "image", "probabilities"


class ExportError(RuntimeError):
    """The exported file does not do what the network does; nothing was written."""


def write_onnx(path: Path, model: torch.nn.Module, card: ModelCard) -> None:
    """Export a model, verify the file, and only then put it in its place.

    Parameters
    ----------
    path : Path
        Ends in ``.onnx``; its folder is made.
    model : Module
        Turns (N, C, Y, X) into probabilities; in evaluation mode, on the CPU.
    card : ModelCard

    Raises
    ------
    ExportError
        If onnxruntime's output differs from torch's beyond rtol 1e-3, atol 1e-3.
    ModelError
        If onnxruntime refuses the file, or the file its card.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with written_beside(path) as beside:
        beside.write_bytes(onnx_bytes(model, card))
        verify(beside, model, card)


def onnx_bytes(model: torch.nn.Module, card: ModelCard) -> bytes:
    """Trace a model into a self-contained ONNX file with its card.

    Parameters
    ----------
    model : Module
        Turns (N, C, Y, X) into probabilities.
    card : ModelCard

    Returns
    -------
    bytes
        Dynamic batch, height and width; batch normalisation folded into the convolutions; no external data.
    """
    size = max(card.input.min_size, 4 * card.input.divisible_by)
    example = torch.zeros(1, len(card.input.channels), size, size)
    free = {0: "N", 2: "Y", 3: "X"}
    buffer = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch announces that this exporter will go one day
        torch.onnx.export(
            model,
            (example,),
            buffer,
            opset_version=OPSET,
            input_names=[INPUT],
            output_names=[OUTPUT],
            dynamic_axes={INPUT: free, OUTPUT: free},
            dynamo=False,
        )
    content = onnx.load_from_string(buffer.getvalue())
    content.ir_version = min(content.ir_version, LARGEST_IR)
    content.metadata_props.append(onnx.StringStringEntryProto(key=METADATA_KEY, value=card_to_json(card)))
    onnx.checker.check_model(content, full_check=True)
    serialized: bytes = content.SerializeToString(deterministic=True)
    return serialized


def verify(path: Path, model: torch.nn.Module, card: ModelCard) -> None:
    """Compare onnxruntime with torch on batches and sizes other than the traced one.

    Parameters
    ----------
    path : Path
        The ONNX file.
    model : Module
        What it was made from.
    card : ModelCard

    Raises
    ------
    ExportError
        If any value differs beyond the tolerance; says where and by how much.
    """
    opened = load_model(path, device="cpu")
    rng = np.random.default_rng(0)
    unit = card.input.divisible_by
    for batch, height, width in ((1, 4 * unit, 4 * unit), (2, 6 * unit, 10 * unit), (1, 17 * unit, 5 * unit)):
        image = rng.random((batch, len(card.input.channels), height, width)).astype(np.float32)
        with torch.inference_mode():
            expected = model(torch.from_numpy(image)).numpy()
        check_close(opened.predict(image), expected)


def check_close(found: NDArray[np.float32], expected: NDArray[np.float32]) -> None:
    """Raise ExportError, with the position and both values, unless two outputs agree.

    Parameters
    ----------
    found, expected : ndarray of shape (N, C, Y, X), float32
        Of onnxruntime and of torch.

    Raises
    ------
    ExportError
        If a shape differs, or a value by more than atol + rtol times the expected one.
    """
    if found.shape != expected.shape:
        raise ExportError(f"onnxruntime returns the shape {found.shape} and torch {expected.shape}.")
    wrong = ~np.isclose(found, expected, rtol=RTOL, atol=ATOL)
    if wrong.any():
        worst = np.unravel_index(np.abs(found - expected).argmax(), found.shape)
        raise ExportError(
            f"onnxruntime and torch disagree at {wrong.mean() * 1e6:.0f} elements a million (rtol {RTOL}, "
            f"atol {ATOL}); the worst is at {tuple(int(i) for i in worst)}: {found[worst]:.6f} against "
            f"{expected[worst]:.6f}."
        )
