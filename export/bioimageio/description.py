"""The description of a model in bioimage.io's format, as bioimageio.spec holds it: read, and made from a card."""

from __future__ import annotations

import re
import warnings
from typing import Any

from bioimageio.spec import InvalidDescr, ValidationContext, build_description
from bioimageio.spec.generic.v0_3 import LicenseId
from bioimageio.spec.model.v0_5 import (
    AxisId,
    BatchAxis,
    ChannelAxis,
    ClipDescr,
    ClipKwargs,
    InputTensorDescr,
    ModelDescr,
    OnnxWeightsDescr,
    OutputTensorDescr,
    ParameterizedSize,
    ScaleRangeDescr,
    ScaleRangeKwargs,
    SizeReference,
    SpaceInputAxis,
    SpaceOutputAxis,
    SpaceOutputAxisWithHalo,
    TensorId,
    WeightsDescr,
    ZeroMeanUnitVarianceDescr,
    ZeroMeanUnitVarianceKwargs,
)
from loguru import logger

from cpunet.errors import ModelError
from cpunet.export.bioimageio.conversions import put_right, ready_to_read
from cpunet.model.axes import least_sizes, units
from cpunet.model.card import VOLUMES, InputCard, ModelCard

RDF, WEIGHTS, DOCUMENTATION, COVER = "rdf.yaml", "model.onnx", "README.md", "cover.png"
TEST_INPUT, TEST_OUTPUT = "test_input.npy", "test_output.npy"
INPUT, OUTPUT = TensorId("image"), TensorId("probabilities")
# `normalize` divides by the contrast alone; the format wants some number above 0 beside it.
EPSILON = 1e-12
LONGEST_REASON = 800
FORMATS_READ = (["0", "3"], ["0", "4"], ["0", "5"])
# Neither reads files nor asks the network.
OFFLINE = ValidationContext(perform_io_checks=False, log_warnings=False)
logger.disable("bioimageio")


def model_description(content: dict[str, Any]) -> ModelDescr:
    """Check the content of an rdf.yaml; bioimageio.spec converts formats 0.3 and 0.4 to 0.5.

    Raises
    ------
    ModelError
        If it is no sound description of a model.
    """
    if content.get("type") != "model":
        raise ModelError(f"it is a {content.get('type')}; a model is needed.")
    try:
        with OFFLINE, warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the package's own test decides, not the conversion's doubts
            found = build_description(ready_to_read(content), format_version="latest")
            if not isinstance(found, InvalidDescr):
                put_right(found, content)
        reason = found.get_reason() if isinstance(found, InvalidDescr) else ""
    except Exception as error:  # the conversion of an old format may fail with almost any
        reason = str(error)
    if reason:
        version = str(content.get("format_version", "none"))
        if version.split(".")[:2] not in FORMATS_READ:
            raise ModelError(
                f"its description is of the format {version[:20]!r}, and 0.3, 0.4 and 0.5 are read. Ask its author for "
                "one of these, or take the ONNX file out of the package and describe it with `cpunet card add`."
            )
        short = reason if len(reason) <= LONGEST_REASON else f"{reason[:LONGEST_REASON]}..."
        raise ModelError(
            f"its description does not follow the format of bioimage.io: {short}. Ask its author to correct it; "
            "`bioimageio validate-format PACKAGE` shows all."
        )
    return found


def description(card: ModelCard, sums: dict[str, str], opset: int, one_at_a_time: bool = False) -> ModelDescr:
    """Describe a model.

    Parameters
    ----------
    card : ModelCard
    sums : dict of str to str
        SHA-256 by file name.
    opset : int
        Of the ONNX file.
    one_at_a_time : bool
        Whether the network takes one image at a time.
    """

    def file(name: str) -> dict[str, str]:
        return {"source": name, "sha256": sums[name]}

    sizes = card.input.tile_shape or [
        ParameterizedSize(min=least, step=unit)
        for least, unit in zip(smallest_shape(card), units(card.input), strict=True)
    ]
    batch = BatchAxis(size=1) if one_at_a_time else BatchAxis()
    doi = re.search(r"10\.\d{4,9}/[^\s,;]+", card.citation)
    axes = [AxisId(axis) for axis in space(card.input)]
    scales = [_scale(card.input, axis) for axis in axes]
    with OFFLINE:
        return ModelDescr(
            name=package_name(card.name),
            version=card.version,
            description=card.description[:1024],
            authors=[{"name": re.sub(r"[/\\]", "-", name)} for name in card.authors],
            **({"cite": [{"text": card.citation, "doi": doi[0].rstrip(".")}]} if doi else {}),
            **_license(card.licence),
            tags=["cpunet", "CellProfiler", f"{card.input.dimensions}d", "segmentation", card.input.modality],
            documentation=file(DOCUMENTATION),
            covers=[file(COVER)],
            inputs=[
                InputTensorDescr(
                    id=INPUT,
                    description=f"{', '.join(card.input.channels)}; intensities in any units",
                    axes=[
                        batch,
                        ChannelAxis(channel_names=identifiers(card.input.channels)),
                        *[
                            SpaceInputAxis(id=axis, size=size, **scale)
                            for axis, size, scale in zip(axes, sizes, scales, strict=True)
                        ],
                    ],
                    test_tensor=file(TEST_INPUT),
                    preprocessing=preprocessing(card.input),
                )
            ],
            outputs=[
                OutputTensorDescr(
                    id=OUTPUT,
                    description="probabilities, 0 to 1",
                    axes=[
                        batch,
                        ChannelAxis(channel_names=list(card.output.roles)),
                        *[
                            _output_axis(axis, halo, scale)
                            for axis, halo, scale in zip(axes, _halos(card), scales, strict=True)
                        ],
                    ],
                    test_tensor=file(TEST_OUTPUT),
                )
            ],
            weights=WeightsDescr(onnx=OnnxWeightsDescr(**file(WEIGHTS), opset_version=opset)),
        )


def space(given: InputCard) -> str:
    """Return the axes of space that a network takes, ``yx`` or ``zyx``."""
    return "zyx" if given.dimensions == VOLUMES else "yx"


def _scale(given: InputCard, axis: str) -> dict[str, Any]:
    """Say how far apart two pixels, or two planes, lie: in micrometers, or planes in widths of a pixel."""
    step = float(given.z_step_px or 1.0) if axis == "z" else 1.0
    if given.pixel_size_um is not None:
        return {"scale": step * given.pixel_size_um, "unit": "micrometer"}
    return {"scale": step} if axis == "z" else {}


def _halos(card: ModelCard) -> list[int]:
    return [card.output.halo_planes if axis == "z" else card.output.halo for axis in space(card.input)]


def _output_axis(axis: AxisId, halo: int, scale: dict[str, Any]) -> SpaceOutputAxis | SpaceOutputAxisWithHalo:
    size = SizeReference(tensor_id=INPUT, axis_id=axis)
    if halo:
        return SpaceOutputAxisWithHalo(id=axis, size=size, halo=halo, **scale)
    return SpaceOutputAxis(id=axis, size=size, **scale)  # the format asks for a halo of 1 or more


def preprocessing(given: InputCard) -> list[Any]:
    """Say how cpunet normalizes the image or volume of a network in the format's own steps.

    Notes
    -----
    The two differ in three things. The format adds a small number to the contrast (bioimageio.core 0.11.0 adds 1e-6,
    even if the package says another). Percentiles of an image of more than two million pixels are exact there. Where
    both percentiles coincide in an image that is not constant, its minimum and maximum are not used instead.
    """
    normalization = given.normalization
    if normalization.kind == "none":
        return []
    together = () if normalization.per_channel or len(given.channels) == 1 else ("channel",)
    axes = tuple(map(AxisId, (*together, *space(given))))
    if normalization.kind == "zero_mean_unit_variance":
        return [ZeroMeanUnitVarianceDescr(kwargs=ZeroMeanUnitVarianceKwargs(axes=axes, eps=EPSILON))]
    if normalization.percentile_high <= 1:
        raise ModelError(
            f"The card's percentile_high is {normalization.percentile_high:g}, and a bioimage.io package cannot hold "
            "one of 1 or less."
        )
    percentiles = ScaleRangeKwargs(
        axes=axes,
        min_percentile=normalization.percentile_low,
        max_percentile=normalization.percentile_high,
        eps=EPSILON,
    )
    limits = ClipKwargs(min=normalization.clip_low, max=normalization.clip_high)
    return [ScaleRangeDescr(kwargs=percentiles), ClipDescr(kwargs=limits)]


def smallest_shape(card: ModelCard) -> tuple[int, ...]:
    """Return the smallest (Y, X) or (Z, Y, X) of which something is left once the halo is cut off."""
    return least_sizes(card.input, 2 * card.output.halo_planes + 1, 2 * card.output.halo + 1)


def package_name(name: str) -> str:
    """Return a model's name in the letters that the format allows, of five at least."""
    cleaned = re.sub(r"[^A-Za-z0-9_+\- ()]", "-", name)[:64]
    return cleaned if len(cleaned) >= 5 else f"model {cleaned}"


def identifiers(names: tuple[str, ...]) -> list[str]:
    """Return channel names as the format allows them, all different."""
    cleaned = [re.sub(r"\W", "_", name) for name in names]
    usable = len(set(cleaned)) == len(cleaned) and all(name.isidentifier() for name in cleaned)
    return cleaned if usable else [f"channel{number}" for number in range(len(names))]


def _license(licence: str) -> dict[str, LicenseId]:
    """Name the license if it has an SPDX identifier; the documentation holds it in any case."""
    try:
        return {"license": LicenseId(licence)}
    except ValueError:
        return {}
