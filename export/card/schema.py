"""The JSON Schema of the model card, built from the card's dataclasses, and the check against it."""

from __future__ import annotations

import inspect
import re
from collections.abc import Mapping
from dataclasses import MISSING, Field, fields
from functools import lru_cache
from typing import Any

from jsonschema import Draft202012Validator

from cpunet.errors import ModelError
from cpunet.export.card.fields import PLACES
from cpunet.model.card import (
    IMAGES,
    KINDS,
    LARGEST_SHIFT_PX,
    NORMALIZATIONS,
    ROLES,
    SMALLEST_Z_STEP_PX,
    UNITS,
    VOLUMES,
)
from cpunet.model.card_limits import LARGEST, LARGEST_TILE_PX, MOST_CHANNELS

TYPES: dict[str, dict[str, Any]] = {
    "str": {"type": "string"},
    "int": {"type": "integer"},
    "float": {"type": "number"},
    "bool": {"type": "boolean"},
    "Optional[float]": {"type": ["number", "null"]},
    "Optional[Tuple[int, ...]]": {"type": ["array", "null"], "items": {"type": "integer"}},
    "Tuple[str, ...]": {"type": "array", "items": {"type": "string"}},
    "Dict[str, Any]": {"type": "object"},
}
ABOVE_0, COUNT, SHARE = {"exclusiveMinimum": 0}, {"type": "integer", "minimum": 0}, {"minimum": 0, "maximum": 1}
BETWEEN_0_AND_1 = {"exclusiveMinimum": 0, "exclusiveMaximum": 1}
SHA256 = {"type": "string", "pattern": "^[0-9a-f]{64}$"}
# What the dataclasses check, in JSON Schema's words; the upper limits of sizes are those of `card_limits`.
RULES: dict[str, dict[str, Any]] = {
    "name": {"minLength": 1},
    "version": {"minLength": 1},
    "input.channels": {"minItems": 1, "maxItems": MOST_CHANNELS},
    "input.divisible_by": {"minimum": 1},
    "input.min_size": {"minimum": 1},
    "input.normalization.kind": {"enum": list(NORMALIZATIONS)},
    "input.normalization.units": {"enum": ["", *UNITS]},
    "input.normalization.percentile_low": {"minimum": 0, "exclusiveMaximum": 100},
    "input.normalization.percentile_high": {"exclusiveMinimum": 0, "maximum": 100},
    "input.normalization.clip_high": ABOVE_0,
    "input.tile_shape": {
        "items": {"type": "integer", "minimum": 1, "maximum": LARGEST_TILE_PX},
        "minItems": 2,
        "maxItems": 2,
    },
    "input.diameter_px": ABOVE_0,
    "input.diameter_low_px": ABOVE_0,
    "input.diameter_high_px": ABOVE_0,
    "input.pixel_size_um": ABOVE_0,
    "input.dimensions": {"enum": [IMAGES, VOLUMES]},
    "input.z_step_px": {"minimum": SMALLEST_Z_STEP_PX},
    "input.divisible_by_planes": {"minimum": 1},
    "input.min_planes": {"minimum": 1},
    "output.roles": {
        "items": {"enum": list(ROLES)},
        "minItems": 1,
        "uniqueItems": True,
        "contains": {"enum": ["foreground", "interior", "boundary"]},
    },
    "output.halo": {"minimum": 0},
    "output.halo_planes": {"minimum": 0},
    "output.kind": {"enum": list(KINDS)},
    "postprocessing.foreground_threshold": BETWEEN_0_AND_1,
    "postprocessing.outline_level": BETWEEN_0_AND_1,
    "postprocessing.outline_shift_px": {"minimum": -LARGEST_SHIFT_PX, "maximum": LARGEST_SHIFT_PX},
    "postprocessing.marker_threshold": BETWEEN_0_AND_1,
    "postprocessing.boundary_threshold": BETWEEN_0_AND_1,
    "postprocessing.marker_min_size_px": {"minimum": 0},
    "postprocessing.min_size_px": {"minimum": 0},
    "postprocessing.dilation_px": {"minimum": 0},
    "postprocessing.score_threshold": BETWEEN_0_AND_1,
    "postprocessing.mask_threshold": BETWEEN_0_AND_1,
    "postprocessing.overlap_threshold": BETWEEN_0_AND_1,
    "postprocessing.max_objects": {"minimum": 1},
}
# Fields of which the dataclass's docstring says less than an author of a card must know.
TEXTS = {
    "name": "The model's name, also that of its folder below `models/`.",
    "version": "The model's own version.",
    "description": "What the model is for: objects, stain or contrast, bright or dark.",
    "licence": "License of the weights; an SPDX identifier such as `CC0-1.0` where there is one.",
    "authors": "Who made the model.",
    "citation": "What to cite, with its DOI.",
    "input": "What the network takes: one tensor, float32 (N, C, Y, X), or (N, C, Z, Y, X) of volumes.",
    "output": "What the network gives: one tensor, float32 (N, C, Y, X), of the input's height and width, each value "
    "0 to 1; of volumes (N, C, Z, Y, X); or the objects themselves, see `kind`.",
    "postprocessing": "How the output becomes objects. Areas and lengths are those of the image as the network "
    "sees it; of volumes, a size in pixels is a number of voxels.",
}
# What the two free objects hold.
DATA_SET = {
    "name": ("Name of the set.", {"type": "string"}),
    "images": ("Training images.", COUNT),
    "objects": ("Objects in them.", COUNT),
    "licence": ("License of the images.", {"type": "string"}),
    "source": ("Publication or address of the images.", {"type": "string"}),
    "sha256": ("One sum over images and labels, in the order of their ids.", SHA256),
    "z_step_px": (
        "Of volumes: distance between two planes before they were resampled, in widths of a pixel.",
        {"type": ["number", "null"], "exclusiveMinimum": 0},
    ),
    "image_diameter_px": (
        "Median diameter of the objects before the images were scaled, pixels.",
        {"type": "number", "minimum": 0},
    ),
}
CALIBRATED = {
    "name": ("Name of the model that was calibrated.", {"type": "string"}),
    "version": ("Its version.", {"type": "string"}),
    "sha256": ("Sum of its file.", SHA256),
    "images": ("Images that it was calibrated on.", COUNT),
    "objects": ("Labeled objects in them.", COUNT),
    "images_sha256": ("One sum over the pixels of images and labels, in their order.", SHA256),
    "mean_f1_before": ("Mean F1 on them with the settings of that model.", {"type": "number", **SHARE}),
}
AVERAGED = {
    "name": ("Name of the model.", {"type": "string"}),
    "sha256": ("Sum of its weights.", SHA256),
}
FOLD = {
    **AVERAGED,
    "seed": ("Seed of its training.", COUNT),
    "images_left_out": ("Images that it was not trained on.", COUNT),
    "mean_f1": ("Its mean F1 on these images.", {"type": "number", **SHARE}),
}
START = {
    **AVERAGED,
    "val_mean_f1": ("Its mean F1 on the validation images, before fine-tuning.", {"type": "number", **SHARE}),
}
PRETRAINED = {
    "encoder": ("Its name among the architecture's encoders.", {"type": "string"}),
    "source": ("Origin of the weights.", {"type": "string"}),
    "licence": ("Their license; empty if not known.", {"type": "string"}),
    "sha256": ("Sum of their file.", SHA256),
}
SCORES = {
    **{
        name: (text, {"type": "number", **SHARE})
        for name, text in (
            ("seg", "Of volumes: SEG, the mean IoU of the true objects with those found for them."),
            ("iou", "Of volumes: the IoU of all voxels in objects."),
            ("mucov", "Of volumes: MUCov, the mean IoU of the objects found with the true ones."),
        )
    },
    "images": ("Images that were scored.", COUNT),
    "objects": ("True objects in them.", COUNT),
    "mean_f1": ("F1 averaged over IoU 0.50, 0.55 to 0.90.", {"type": "number", **SHARE}),
    "mean_average_precision": (
        "TP / (TP + FP + FN) averaged over IoU 0.50, 0.55 to 0.95.",
        {"type": "number", **SHARE},
    ),
    **{f"f1_at_{iou}": (f"F1 at IoU {iou}.", {"type": "number", **SHARE}) for iou in ("0.5", "0.7", "0.9")},
    "over_segmented": ("True objects cut into pieces.", COUNT),
    "under_segmented": ("True objects merged with a neighbor.", COUNT),
}


def _holding(parts: Mapping[str, tuple[str, dict[str, Any]]]) -> dict[str, Any]:
    properties = {name: {"description": text, **rules} for name, (text, rules) in parts.items()}
    return {"type": "object", "properties": properties}


PROVENANCE = {
    "data": ("The data sets of the training.", {"type": "array", "items": _holding(DATA_SET)}),
    "seed": ("Seed of the training.", COUNT),
    "steps": ("Optimizer steps.", COUNT),
    "commit": ("Commit of the code that trained; empty if not known.", {"type": "string"}),
    "command": ("Command that rebuilds the model.", {"type": "string"}),
    "pretrained": ("The weights of others that the encoder began with.", _holding(PRETRAINED)),
    "start_from": ("The model that was fine-tuned.", _holding(START)),
    "average_with": ("The model whose weights these are averaged with.", _holding(AVERAGED)),
    "folds": (
        "The networks that the model averages, each trained without another part of the images.",
        {"type": "array", "items": _holding(FOLD)},
    ),
    "calibrated": ("What `cpunet calibrate` began with, and on what images.", _holding(CALIBRATED)),
}


@lru_cache(maxsize=1)
def card_schema() -> dict[str, Any]:
    """Return the JSON Schema of the model card (draft 2020-12)."""
    version = {
        "description": "Version of this format, major.minor. A reader refuses a newer major version.",
        "type": "string",
        "pattern": r"^1\.[0-9]+$",
    }
    card = _section("")
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": "urn:cpunet:model-card:1",
        "title": "cpunet model card 1",
        "description": "The card of a segmentation model: JSON text in the metadata_props of its ONNX file, under the "
        "key cpunet.model_card. Fields that are not named here are those of newer minor versions; they are kept.",
        "type": "object",
        "required": ["card_version", *card["required"]],
        "properties": {"card_version": version, **card["properties"]},
    }


def _section(place: str) -> dict[str, Any]:
    """Build the schema of one dataclass."""
    texts = _attributes(PLACES[place])
    required, properties = [], {}
    for field in fields(PLACES[place]):
        name = f"{place}.{field.name}".lstrip(".")
        if name == "extra":
            continue
        text = TEXTS.get(name) or texts[field.name]
        optional = _has_default(field) or name in ("input.normalization", "postprocessing")
        properties[field.name] = {"description": text, **_rules(name, field)}
        if not optional:
            required.append(field.name)
    return {"type": "object", "required": required, "properties": properties}


def _rules(name: str, field: Field[Any]) -> dict[str, Any]:
    if name in PLACES:
        return _section(name)
    place, _, last = name.rpartition(".")
    largest = LARGEST.get(place, {}).get(last)
    rules = {**TYPES[str(field.type)], **RULES.get(name, {}), **({} if largest is None else {"maximum": largest})}
    if name == "provenance":
        rules |= _holding(PROVENANCE)
    if name == "scores":
        rules |= {"additionalProperties": _holding(SCORES)}
    if _has_default(field):
        default = field.default if field.default is not MISSING else field.default_factory()  # type: ignore[misc]
        rules["default"] = list(default) if isinstance(default, tuple) else default
    return rules


def _has_default(field: Field[Any]) -> bool:
    return field.default is not MISSING or field.default_factory is not MISSING


def _attributes(kind: type[Any]) -> dict[str, str]:
    """Return what a dataclass's docstring says of each attribute."""
    listed = (inspect.getdoc(kind) or "").partition("Attributes\n----------\n")[2]
    found = {}
    for names, text in re.findall(r"^(\w[\w, ]*)(?: : .*)?\n((?:(?:    .*)?(?:\n|$))+)", listed, re.M):
        for name in names.split(", "):
            found[name] = " ".join(text.replace("``", "`").split())
    return found


def schema_errors(content: Any) -> list[str]:
    """Say where the content of a card departs from its schema, each with the field's dotted name.

    Examples
    --------
    >>> schema_errors([])
    ["the card: [] is not of type 'object'"]
    """
    found = sorted(Draft202012Validator(card_schema()).iter_errors(content), key=lambda error: error.json_path)
    return [f"{error.json_path.removeprefix('$').lstrip('.') or 'the card'}: {error.message}" for error in found]


def check_against_schema(content: Mapping[str, Any]) -> None:
    """Refuse a card that departs from its schema, and name every departure."""
    errors = schema_errors(content)
    if errors:
        raise ModelError(f"The model card does not follow its schema (model_card.schema.json): {'; '.join(errors)}.")
