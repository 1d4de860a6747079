"""Trace Mask R-CNN into the bytes of one ONNX file."""

from __future__ import annotations

import io
import warnings

import torch
from torchvision.models.detection import MaskRCNN

from cpunet.export.to_onnx import INPUT, OPSET, readable_by_all
from cpunet.model.instances import OUTPUTS
from cpunet.training.detection.exportable import ExportableDetector

# Not a multiple of the pyramid's strides, so that no size is taken for one that always fits.
EXAMPLE_PX = (150, 210)


def trace_detector(network: MaskRCNN, channels: int) -> bytes:
    """Trace Mask R-CNN into a self-contained ONNX file without a card.

    Parameters
    ----------
    network : MaskRCNN
        In evaluation mode, on the CPU.
    channels : int
        Of the image: 1 or 3.

    Returns
    -------
    bytes
        Takes one image (1, C, Y, X) of any height and width, and gives boxes (n, 4), scores (n,) and masks
        (n, 28, 28).
    """
    generator = torch.Generator().manual_seed(0)
    example = torch.rand(1, channels, *EXAMPLE_PX, generator=generator)
    buffer = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch announces that this exporter will go one day
        torch.onnx.export(
            ExportableDetector(network).eval(),
            (example,),
            buffer,
            opset_version=OPSET,
            input_names=[INPUT],
            output_names=list(OUTPUTS),
            dynamic_axes={INPUT: {2: "Y", 3: "X"}, **{name: {0: "n"} for name in OUTPUTS}},
            dynamo=False,
        )
    return readable_by_all(buffer.getvalue())
