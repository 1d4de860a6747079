"""What bioimageio.spec changes or drops as it reads a description: put right before and after."""

from __future__ import annotations

import copy
from typing import Any

from bioimageio.spec.model.v0_5 import AxisId, ModelDescr, ScaleRangeDescr


def ready_to_read(content: dict[str, Any]) -> dict[str, Any]:
    """Return a description's content that bioimageio.spec reads without the network, and converts if it is old.

    Two things are changed. ``output_of`` of an input would make bioimageio.spec fetch another package. Of format 0.4,
    it converts no output of a fixed size with a halo; such a size is put as that of the input, if it is the same.
    """
    content = copy.deepcopy(content)
    inputs, outputs = (_mappings(content, name) for name in ("inputs", "outputs"))
    for tensor in inputs:
        tensor.pop("output_of", None)
    if _is_older(content) and len(inputs) == 1:
        for tensor in outputs:
            _refer_to_input(tensor, inputs[0])
    return content


def _refer_to_input(output: dict[str, Any], given: dict[str, Any]) -> None:
    axes, shape, taken = output.get("axes"), output.get("shape"), given.get("shape")
    fixed = isinstance(axes, str) and isinstance(shape, list) and isinstance(taken, list) and given.get("axes") == axes
    if not fixed or not any(output.get("halo") or ()) or not len(axes) == len(shape) == len(taken):
        return
    if any(axis in "yx" and size != ours for axis, size, ours in zip(axes, shape, taken, strict=True)):
        return
    same = [axis != "c" for axis in axes]
    output["shape"] = {
        "reference_tensor": given.get("name"),
        "scale": [1.0 if one else 0.0 for one in same],
        # An axis without a scale is new, and twice its offset long.
        "offset": [0.0 if one else size / 2 for one, size in zip(same, shape, strict=True)],
    }


def put_right(found: ModelDescr, content: dict[str, Any]) -> None:
    """Give a description back what bioimageio.spec dropped, and take away what it added.

    1. The conversion of format 0.4 drops the sum of the weights, and that percentiles are those of a whole data set.
    2. bioimageio.spec ends the preprocessing with a conversion to the type of the images, if the package has none. A
       network of images in whole numbers would get its normalized image cut off.
    """
    weights = content.get("weights")
    entry = weights.get("onnx") if isinstance(weights, dict) else None
    promised = entry.get("sha256") if isinstance(entry, dict) else None
    if found.weights.onnx is not None and promised:
        found.weights.onnx.sha256 = promised
    for tensor, raw in zip(found.inputs, _mappings(content, "inputs"), strict=False):
        steps = [step for step in raw.get("preprocessing") or [] if isinstance(step, dict)]
        ends = steps and steps[-1].get("id") in ("ensure_dtype", "binarize")
        if not _is_older(content) and not ends:
            tensor.preprocessing.pop()
        else:
            ranges = [step.get("kwargs") or {} for step in steps if step.get("name") == "scale_range"]
            converted = [step for step in tensor.preprocessing if isinstance(step, ScaleRangeDescr)]
            for old, new in zip(ranges, converted, strict=False):
                if old.get("mode") == "per_dataset" and new.kwargs.axes is not None:
                    new.kwargs.axes = [AxisId("batch"), *new.kwargs.axes]


def _is_older(content: dict[str, Any]) -> bool:
    return str(content.get("format_version", "")).startswith(("0.3", "0.4"))


def _mappings(content: dict[str, Any], name: str) -> list[dict[str, Any]]:
    found = content.get(name)
    return [each for each in found if isinstance(each, dict)] if isinstance(found, list) else []
