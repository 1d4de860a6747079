"""Write a network and its card as one ONNX file, and let it pass only if it computes the same."""

from __future__ import annotations

import copy
import io
import warnings
from pathlib import Path

import numpy as np
import onnx
import torch
from numpy.typing import NDArray

from cpunet.checks.stored_test import STORED_TEST_KEY, StoredTest, stored_test_to_json, synthetic_input
from cpunet.checks.verify import Reference, verify_model
from cpunet.errors import ExportError
from cpunet.export.batch_norm import fold_batch_norm
from cpunet.files.images import written_beside
from cpunet.model.card import METADATA_KEY, ModelCard, card_to_json
from cpunet.steps.tiling import Predict

# The newest onnxruntime for CellProfiler's Python loads more; these are old enough for every release in use.
OPSET, LARGEST_IR = 17, 8
INPUT, OUTPUT = "image", "probabilities"


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
        If a check of `cpunet.checks.verify.verify_model` fails, such as onnxruntime's values against torch's.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with written_beside(path) as beside:
        beside.write_bytes(onnx_bytes(model, card))
        for finding in verify_model(beside, Reference("torch", predict_with(model))):
            if not finding.passed:
                text = finding.text.replace(str(beside.resolve()), str(path))
                raise ExportError(f"the exported file fails the check of its {finding.check}: {text}")


def onnx_bytes(model: torch.nn.Module, card: ModelCard) -> bytes:
    """Trace a model into a self-contained ONNX file with its card.

    Parameters
    ----------
    model : Module
        Turns (N, C, Y, X) into probabilities; in evaluation mode, on the CPU.
    card : ModelCard

    Returns
    -------
    bytes
        Dynamic batch, height and width; batch normalization folded into the convolutions; no external data; with the
        card and a stored test. The same weights and card give the same bytes, on any machine.
    """
    model = fold_batch_norm(model)
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
    stored = stored_test_to_json(stored_test(model, card))
    for key, value in ((METADATA_KEY, card_to_json(card)), (STORED_TEST_KEY, stored)):
        content.metadata_props.append(onnx.StringStringEntryProto(key=key, value=value))
    onnx.checker.check_model(content, full_check=True)
    serialized: bytes = content.SerializeToString(deterministic=True)
    return serialized


def stored_test(model: torch.nn.Module, card: ModelCard) -> StoredTest:
    """Compute the test that the file carries.

    Parameters
    ----------
    model : Module
        As it is exported.
    card : ModelCard

    Returns
    -------
    StoredTest
        Computed in double precision, so that its last digit depends on no machine.
    """
    image = synthetic_input(card.input)
    with torch.inference_mode():
        output = copy.deepcopy(model).double()(torch.from_numpy(image).double())
    return StoredTest(image, output.float().numpy())


def predict_with(model: torch.nn.Module) -> Predict:
    """Return a function that runs a torch network on arrays.

    Parameters
    ----------
    model : Module
        In evaluation mode, on the CPU.

    Returns
    -------
    callable
        Turns an ndarray (N, C, Y, X), float32, into probabilities, float32.
    """

    def predict(batch: NDArray[np.float32]) -> NDArray[np.float32]:
        precision = next(model.parameters()).dtype
        with torch.inference_mode():
            result: NDArray[np.float32] = model(torch.from_numpy(batch).to(precision)).float().numpy()
        return result

    return predict
