"""Reduced precision: a model's float32 file in, one of half floats or of whole numbers out."""

from __future__ import annotations

import io
import logging
import tempfile
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stdout
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray
from onnxruntime.quantization import CalibrationDataReader, CalibrationMethod, QuantFormat, QuantType, quantize_static
from onnxruntime.quantization.onnx_model import ONNXModel

from cpunet.checks.halo import measure_halo
from cpunet.errors import ModelError
from cpunet.export.card.file import with_card_and_test
from cpunet.model.card import METADATA_KEY, ModelCard
from cpunet.model.card_limits import card_from_json
from cpunet.steps.tiling import mirror_to_size

PRECISIONS = ("float32", "float16", "int8")
MEANT_FOR = {"float16": "half floats, for GPUs", "int8": "whole numbers, for CPUs"}
# With 24 training images, the two forms of a model differed by up to 0.003 mean F1; with 64, by less than 0.001.
CALIBRATION_IMAGES, CALIBRATION_SIDE_PX = 64, 256
LAST_STEPS = ("Sigmoid", "Softmax", "DepthToSpace", "Conv")


def to_float16(model_bytes: bytes) -> bytes:
    """Turn a model's weights and arithmetic into half floats; its input and output stay float32.

    Raises
    ------
    ModelError
        If the file has no card, or its precision is reduced already.
    """
    # Slow to import.
    from onnxruntime.transformers.float16 import convert_float_to_float16
    from onnxruntime.transformers.onnx_model import OnnxModel

    model, card = _opened(model_bytes)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it says of each weight below the smallest half float that it is clipped
        model = convert_float_to_float16(model, keep_io_types=True)
    OnnxModel(model).topological_sort(is_deterministic=True)  # the casts at its ends were appended
    return _finished(model, card, "float16")


def to_int8(
    model_bytes: bytes, calibration_images: Sequence[NDArray[np.float32]], changes: Mapping[str, Any] | None = None
) -> bytes:
    """Turn a model's weights and arithmetic into whole numbers of 8 bits, but for its last convolution.

    Parameters
    ----------
    model_bytes : bytes
        An ONNX file with a model card.
    calibration_images : sequence of ndarray of shape (C, Y, X), float32
        Normalized, at the scale that the network sees; the middle 256 x 256 pixels of each tell which values occur.
    changes : mapping of str to any, optional
        Arguments of onnxruntime's ``quantize_static`` in place of those here, to compare.

    Returns
    -------
    bytes
        Another card, named for the precision, and another stored test.

    Raises
    ------
    ModelError
        If the file has no card, its precision is reduced already, or no image is given.

    Notes
    -----
    Static quantization by onnxruntime [1]_ in ONNX's own QuantizeLinear and DequantizeLinear. Weights are signed, with
    a scale for each output channel, and have 7 of the 8 bits: where a processor lacks VNNI, onnxruntime adds pairs of
    products in 16 bits, which 8 bits would overflow without a word, so that objects would depend on the machine.
    Other values are unsigned: behind a ReLU none is negative. Their range is from the smallest to the largest value of
    calibration. A narrower one, such as a percentile, clips the rare large values of bright pixels, which moves all
    outlines inward or outward.

    References
    ----------
    .. [1] https://onnxruntime.ai/docs/performance/model-optimizations/quantization.html
    """
    if not calibration_images:
        raise ModelError("int8 needs some images for calibration, and none was given.")
    model, card = _opened(model_bytes)
    shown = [_calibration_input(image, card) for image in calibration_images]
    with tempfile.TemporaryDirectory() as folder, _silent():
        result = Path(folder) / "int8.onnx"
        settings: dict[str, Any] = {
            "quant_format": QuantFormat.QDQ,
            "per_channel": True,
            "reduce_range": True,
            "activation_type": QuantType.QUInt8,
            "weight_type": QuantType.QInt8,
            "calibrate_method": CalibrationMethod.MinMax,
            "nodes_to_exclude": _last_steps(model),
            **(changes or {}),
        }
        quantize_static(model, str(result), _Reader(model.graph.input[0].name, shown), **settings)
        quantized = onnx.load(result)
    # The limits of a ReLU6 stay behind when it becomes part of a range; onnxruntime warns of each in each session.
    ONNXModel(quantized).remove_unused_constant()
    return _finished(quantized, card, "int8")


class _Reader(CalibrationDataReader):  # type: ignore[misc]
    """Hands one image after the other to onnxruntime."""

    def __init__(self, name: str, images: Sequence[NDArray[np.float32]]) -> None:
        self._left: Iterator[dict[str, NDArray[np.float32]]] = iter([{name: image} for image in images])

    def get_next(self) -> dict[str, NDArray[np.float32]] | None:
        return next(self._left, None)


@contextmanager
def _silent() -> Iterator[None]:
    """Keep onnxruntime's advice on preprocessing, and its progress, from the user's terminal."""
    logging.disable(logging.WARNING)
    try:
        with redirect_stdout(io.StringIO()):
            yield
    finally:
        logging.disable(logging.NOTSET)


def _opened(model_bytes: bytes) -> tuple[onnx.ModelProto, ModelCard]:
    model = onnx.load_from_string(model_bytes)
    card = next((card_from_json(entry.value) for entry in model.metadata_props if entry.key == METADATA_KEY), None)
    if card is None:
        raise ModelError("A file without a model card cannot be reduced in precision; `cpunet card add` writes one.")
    if "precision" in card.provenance:
        raise ModelError(
            f"{card.name} is of the precision {card.provenance['precision']} already. Give the float32 model."
        )
    return model, card


def _calibration_input(image: NDArray[np.float32], card: ModelCard) -> NDArray[np.float32]:
    """Cut the middle of an image, mirrored where it is too small, as onnxruntime asks for one size."""
    tops = [max(0, (size - CALIBRATION_SIDE_PX) // 2) for size in image.shape[1:]]
    rows, columns = (slice(top, top + CALIBRATION_SIDE_PX) for top in tops)
    side = max(CALIBRATION_SIDE_PX, card.input.min_size)
    middle, _ = mirror_to_size(image[:, rows, columns], card.input.divisible_by, side)
    return middle[np.newaxis]


def _last_steps(model: onnx.ModelProto) -> list[str]:
    """Name the nodes from the output back to the last convolution: rounded, they would leave 256 probabilities."""
    makers = {output: node for node in model.graph.node for output in node.output}
    names: list[str] = []
    node = makers.get(model.graph.output[0].name)
    while node is not None and node.op_type in LAST_STEPS:
        names.append(node.name)
        if node.op_type == "Conv":
            break
        node = makers.get(node.input[0])
    return names


def _finished(model: onnx.ModelProto, card: ModelCard, precision: str) -> bytes:
    """Give a model its card and a stored test of its own."""
    del model.metadata_props[:]
    onnx.checker.check_model(model, full_check=True)
    content = model.SerializeToString(deterministic=True)
    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])

    def predict(batch: NDArray[np.float32]) -> NDArray[np.float32]:
        result: NDArray[np.float32] = session.run(None, {model.graph.input[0].name: batch})[0]
        return result

    given = card.input
    # Rounding carries a change on that would fade in float32.
    halo = measure_halo(predict, len(given.channels), given.divisible_by, given.min_size)
    card = replace(
        card,
        name=f"{card.name}_{precision}",
        description=f"{card.description} Reduced precision: {MEANT_FOR[precision]}.",
        output=replace(card.output, halo=max(halo, card.output.halo)),
        provenance={**card.provenance, "precision": precision, "reduced_from": card.name},
    )
    return with_card_and_test(content, card, predict)
