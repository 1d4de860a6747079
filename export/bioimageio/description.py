"""A model's description as bioimage.io's format 0.5 asks for it: what stands in a package's rdf.yaml."""

from __future__ import annotations

import re
from typing import Any

from cpunet.errors import ModelError
from cpunet.model.card import ModelCard, Normalization

FORMAT_VERSION = "0.5.12"
RDF, WEIGHTS, DOCUMENTATION, COVER = "rdf.yaml", "model.onnx", "README.md", "cover.png"
TEST_INPUT, TEST_OUTPUT = "test_input.npy", "test_output.npy"
INPUT, OUTPUT = "image", "probabilities"
# `normalize` divides by the contrast alone; the format wants some number above 0 beside it.
EPSILON = 1e-12


def description(card: ModelCard, sums: dict[str, str], opset: int) -> dict[str, Any]:
    """Describe a model as the format 0.5 asks for.

    Parameters
    ----------
    card : ModelCard
    sums : dict of str to str
        SHA-256 by file name.
    opset : int
        Of the ONNX file.

    Returns
    -------
    dict
        What rdf.yaml holds.
    """

    def file(name: str) -> dict[str, str]:
        return {"source": name, "sha256": sums[name]}

    smallest, unit = smallest_side(card), card.input.divisible_by
    scale = {} if card.input.pixel_size_um is None else {"scale": card.input.pixel_size_um, "unit": "micrometer"}
    doi = re.search(r"10\.\d{4,9}/[^\s,;]+", card.citation)
    return {
        "format_version": FORMAT_VERSION,
        "type": "model",
        "name": package_name(card.name),
        "version": card.version,
        "description": card.description[:1024],
        "authors": [{"name": re.sub(r"[/\\]", "-", name)} for name in card.authors],
        **({"cite": [{"text": card.citation, "doi": doi[0].rstrip(".")}]} if doi else {}),
        **_licence(card.licence),
        "tags": ["cpunet", "CellProfiler", "2d", "segmentation", card.input.modality],
        "documentation": file(DOCUMENTATION),
        "covers": [file(COVER)],
        "inputs": [
            {
                "id": INPUT,
                "description": f"{', '.join(card.input.channels)}; intensities in any units",
                "axes": [
                    {"type": "batch"},
                    {"type": "channel", "channel_names": identifiers(card.input.channels)},
                    *[{"type": "space", "id": a, "size": {"min": smallest, "step": unit}, **scale} for a in "yx"],
                ],
                "data": {"type": "float32"},
                "test_tensor": file(TEST_INPUT),
                "preprocessing": preprocessing(card.input.normalization),
            }
        ],
        "outputs": [
            {
                "id": OUTPUT,
                "description": "probabilities, 0 to 1",
                "axes": [
                    {"type": "batch"},
                    {"type": "channel", "channel_names": list(card.output.roles)},
                    *[
                        {
                            "type": "space",
                            "id": axis,
                            "size": {"tensor_id": INPUT, "axis_id": axis},
                            **({"halo": card.output.halo} if card.output.halo else {}),  # 1 or more
                            **scale,
                        }
                        for axis in "yx"
                    ],
                ],
                "data": {"type": "float32"},
                "test_tensor": file(TEST_OUTPUT),
            }
        ],
        "weights": {"onnx": {**file(WEIGHTS), "opset_version": opset}},
    }


def preprocessing(normalization: Normalization) -> list[dict[str, Any]]:
    """Say `cpunet.steps.prepare.normalize` in the format's own steps.

    Parameters
    ----------
    normalization : Normalization

    Returns
    -------
    list of dict

    Notes
    -----
    The same but for three things: the format adds a small number to the contrast (bioimageio.core 0.11.0 adds 1e-6
    whatever the package says); percentiles of an image of more than two million pixels are exact there; and where
    both percentiles coincide in an image that is not constant, its minimum and maximum are not used instead.
    """
    if normalization.kind == "none":
        return []
    percentiles = {"min_percentile": normalization.percentile_low, "max_percentile": normalization.percentile_high}
    if normalization.percentile_high <= 1:
        raise ModelError(
            f"The card's percentile_high is {normalization.percentile_high:g}, and a bioimage.io package cannot hold "
            "one of 1 or less."
        )
    return [
        {"id": "scale_range", "kwargs": {"axes": ["y", "x"], **percentiles, "eps": EPSILON}},
        {"id": "clip", "kwargs": {"min": -1.0, "max": normalization.clip_high}},
    ]


def smallest_side(card: ModelCard) -> int:
    """Return the smallest height and width, pixels, of which something is left once the halo is cut off."""
    return -(-max(card.input.min_size, 2 * card.output.halo + 1) // card.input.divisible_by) * card.input.divisible_by


def package_name(name: str) -> str:
    """Return a model's name in the letters that the format allows, of five at least."""
    cleaned = re.sub(r"[^A-Za-z0-9_+\- ()]", "-", name)[:64]
    return cleaned if len(cleaned) >= 5 else f"model {cleaned}"


def identifiers(names: tuple[str, ...]) -> list[str]:
    """Return channel names as the format allows them, all different."""
    cleaned = [re.sub(r"\W", "_", name) for name in names]
    usable = len(set(cleaned)) == len(cleaned) and all(name.isidentifier() for name in cleaned)
    return cleaned if usable else [f"channel{number}" for number in range(len(names))]


def _licence(licence: str) -> dict[str, str]:
    """Name the licence if it has an SPDX identifier; the documentation holds it in any case."""
    from bioimageio.spec.generic.v0_3 import LicenseId

    try:
        return {"license": str(LicenseId(licence))}
    except ValueError:
        return {}
