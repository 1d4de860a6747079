"""Pre- and postprocessing of a bioimage.io package: what cpunet does itself, and what goes into the network.

What depends on the whole image (percentiles, mean and standard deviation) cannot be done in a network that sees one
tile at a time. It becomes the normalization of the card. All other steps work pixel by pixel, and become operators.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from bioimageio.spec.model.v0_5 import (
    BinarizeDescr,
    ClipDescr,
    EnsureDtypeDescr,
    FixedZeroMeanUnitVarianceDescr,
    ScaleLinearDescr,
    ScaleRangeDescr,
    SigmoidDescr,
    SoftmaxDescr,
    ZeroMeanUnitVarianceDescr,
)

from cpunet.errors import ModelError
from cpunet.export.bioimageio.tensors import Layout
from cpunet.model.card import Normalization

# cpunet adds nothing to the contrast that it divides by; a larger number than this would show in images from 0 to 1.
LARGEST_EPSILON = 1e-5
# bioimageio.core adds it to a fixed standard deviation.
FIXED_EPSILON = 1e-6
# Limits no image, for a package that limits none.
UNLIMITED = 1e6
FLOATS = ("float32", "float64")
IMPLEMENTED = (
    "zero_mean_unit_variance and scale_range before the network; fixed_zero_mean_unit_variance, scale_linear, clip to "
    "fixed values, binarize, sigmoid, softmax and ensure_dtype before and after it"
)


@dataclass(frozen=True)
class Step:
    """One operation on each pixel, or over its channels.

    Attributes
    ----------
    kind : str
        ``add``, ``multiply``, ``clip``, ``above``, ``sigmoid``, ``softmax`` or ``cast``.
    values : tuple of float
        One for all channels, or one for each; for ``clip`` the lowest and the highest, which may be infinite; none for
        the last three kinds.
    dtype : str
        For ``cast``: values become this type, cut off or wrapped as numpy does, and float32 again.
    """

    kind: str
    values: tuple[float, ...] = ()
    dtype: str = ""


@dataclass(frozen=True)
class Preprocessing:
    """What happens to an image before the network.

    Attributes
    ----------
    normalization : Normalization
        Done by cpunet, on the whole image.
    inside : tuple of Step
        Done after it, inside the network.
    of_data_set : bool
        Whether the package takes percentiles, or mean and standard deviation, over all images together.
    notes : tuple of str
        In what cpunet differs from the package, a sentence each.
    """

    normalization: Normalization
    inside: tuple[Step, ...]
    of_data_set: bool = False
    notes: tuple[str, ...] = ()


def read_preprocessing(steps: Sequence[Any], layout: Layout, tensor: str, dtype: str) -> Preprocessing:
    """Translate a package's preprocessing.

    Parameters
    ----------
    steps : sequence of PreprocessingDescr
    layout : Layout
        Of the input.
    tensor : str
        The input's name.
    dtype : str
        Of the images that the package takes.

    Raises
    ------
    ModelError
        Names the step that cannot be done.

    Notes
    -----
    A positive gain and an offset before percentiles, or before mean and standard deviation, change nothing, since the
    image is scaled by its own values afterward. They are left out. A step before these that is no such scaling, such as
    a clip, would have to see the whole image too; it is refused.
    """
    found = Preprocessing(Normalization(kind="none"), ())
    whole_numbers = dtype not in FLOATS
    for step in steps:
        if isinstance(step, (ScaleRangeDescr, ZeroMeanUnitVarianceDescr)):
            found = _then_of_whole_image(found, step, layout, tensor)
        elif not (isinstance(step, EnsureDtypeDescr) and whole_numbers and not found.inside and _is_none(found)):
            found = replace(found, inside=(*found.inside, *_pixelwise(step, layout, "preprocessing")))
    if found.normalization.kind == "percentile" and found.inside and found.inside[0].kind == "clip":
        low, high = found.inside[0].values
        if high > 0:  # a card holds these limits itself
            limits = {"clip_low": max(low, -UNLIMITED), "clip_high": min(high, UNLIMITED)}
            found = replace(found, normalization=replace(found.normalization, **limits), inside=found.inside[1:])
    return found


def _is_none(found: Preprocessing) -> bool:
    return found.normalization.kind == "none"


def _then_of_whole_image(found: Preprocessing, step: Any, layout: Layout, tensor: str) -> Preprocessing:
    given = step.kwargs
    axes = layout.names if given.axes is None else tuple(map(str, given.axes))
    kinds = {layout.kind_of.get(axis, axis) for axis in axes}
    if not set(layout.space) <= kinds:
        together = " and ".join(layout.space)
        raise _not_done("preprocessing", step, f"over {', '.join(axes)}; cpunet takes {together} together")
    if getattr(given, "reference_tensor", None) not in (None, tensor):
        raise _not_done("preprocessing", step, f"by the values of another tensor, {given.reference_tensor}")
    per_channel = "channel" not in kinds or layout.channels == 1
    for before in found.inside:
        if before.kind not in ("add", "multiply") or (before.kind == "multiply" and min(before.values) <= 0):
            raise _not_done(
                "preprocessing", step, f"after a step that is no scaling by a positive number ({before.kind})"
            )
        if not per_channel and len(set(before.values)) > 1:
            raise _not_done("preprocessing", step, "over all channels, after each was scaled by itself")
    if not per_channel and not _is_none(found) and found.normalization.per_channel and layout.channels > 1:
        raise _not_done("preprocessing", step, "over all channels, after each was scaled by itself")
    notes = list(found.notes)
    if given.eps > LARGEST_EPSILON:
        notes.append(
            f"the package's {step.id} adds {given.eps:g} to the contrast that it divides by; cpunet adds nothing, "
            "which shows in images of low contrast"
        )
    # All axes together is what the format takes for granted, and is meant for one image.
    of_data_set = given.axes is not None and "batch" in kinds
    if of_data_set:
        notes.append(
            f"the package's {step.id} takes the values of a whole data set together; cpunet scales each image by "
            "its own"
        )
    if isinstance(step, ZeroMeanUnitVarianceDescr):
        normalization = Normalization("zero_mean_unit_variance", per_channel=per_channel)
    else:
        normalization = Normalization(
            "percentile", given.min_percentile, given.max_percentile, UNLIMITED, -UNLIMITED, per_channel
        )
    return Preprocessing(normalization, (), of_data_set, tuple(notes))


def read_postprocessing(steps: Sequence[Any], layout: Layout) -> tuple[Step, ...]:
    """Translate a package's postprocessing; all of it goes into the network.

    Raises
    ------
    ModelError
        Names the step that cannot be done.
    """
    return tuple(each for step in steps for each in _pixelwise(step, layout, "postprocessing"))


def _pixelwise(step: Any, layout: Layout, where: str) -> list[Step]:
    given = getattr(step, "kwargs", None)

    def values(of: Any) -> tuple[float, ...]:
        listed = tuple(map(float, of)) if isinstance(of, (list, tuple)) else (float(of),)
        kind = layout.kind_of.get(str(getattr(given, "axis", "channel")))
        if len(listed) > 1 and (kind != "channel" or len(listed) != layout.channels):
            raise _not_done(where, step, f"with {given}; one number, or one for each of {layout.channels} channels, is")
        if not all(math.isfinite(np.float32(number)) for number in listed):
            raise ModelError(f"its {where} has the step {step.id} with a value that is no number: {given}.")
        return listed

    if isinstance(step, EnsureDtypeDescr):
        return [] if given.dtype in FLOATS else [Step("cast", dtype=given.dtype)]
    if isinstance(step, ClipDescr) and given.min_percentile is None and given.max_percentile is None:
        low, high = (-math.inf if given.min is None else given.min), (math.inf if given.max is None else given.max)
        if not low < high:  # so that NaN is refused too
            raise ModelError(f"its {where} has the step clip with limits that let nothing through: {given}.")
        return [Step("clip", (low, high))]
    if isinstance(step, ScaleLinearDescr):
        return [Step("multiply", values(given.gain)), Step("add", values(given.offset))]
    if isinstance(step, FixedZeroMeanUnitVarianceDescr):
        deviations = values(given.std)
        if min(deviations) <= 0:
            raise ModelError(f"its {where} has the step {step.id} with a std that is not larger than 0: {given}.")
        return [
            Step("add", tuple(-mean for mean in values(given.mean))),
            Step("multiply", tuple(1 / (deviation + FIXED_EPSILON) for deviation in deviations)),
        ]
    if isinstance(step, BinarizeDescr):
        return [Step("above", values(given.threshold))]
    if isinstance(step, SigmoidDescr):
        return [Step("sigmoid")]
    if isinstance(step, SoftmaxDescr) and layout.kind_of.get(str(given.axis)) == "channel":
        return [Step("softmax")]
    if where == "postprocessing" and isinstance(step, (ScaleRangeDescr, ZeroMeanUnitVarianceDescr)):
        raise _not_done(where, step, "by values of the whole image, and the network sees one tile at a time")
    raise _not_done(where, step, f"with {given}" if given is not None else "")


def _not_done(where: str, step: Any, how: str) -> ModelError:
    return ModelError(
        f"its {where} has the step {step.id}{' ' + how if how else ''}, which is not implemented. Implemented are "
        f"{IMPLEMENTED}. Train or export the model with these, or ask for the step."
    )
