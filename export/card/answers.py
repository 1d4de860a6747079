"""The answers that fill the card of a file without one: given as flags, in a YAML file, or both."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import yaml

from cpunet.errors import ModelError
from cpunet.export.card.declared import Declared
from cpunet.export.card.fields import card_fields, check_known, field_value, flattened, with_field
from cpunet.model.card import CARD_VERSION, IMAGES, KINDS, NORMALIZATIONS, ROLES, UNITS, VOLUMES, check_card_version
from cpunet.training.facts import LARGEST_RATIO_ABOVE, LARGEST_RATIO_BELOW

LOW, HIGH = "input.diameter_low_px", "input.diameter_high_px"
PERCENTILES = ("input.normalization.percentile_low", "input.normalization.percentile_high")
KIND, UNITS_FIELD = "input.normalization.kind", "input.normalization.units"

# Only the model's author, or its paper, can know these.
NEEDED = {
    "name": "--name NAME: a short name for the model",
    "description": "--description TEXT: what it is for: objects, stain or contrast, bright or dark",
    "licence": "--licence TEXT: of the weights, as their author gave it",
    "input.channels": "--channels NAME ...: what each channel of the image shows",
    "input.modality": "--modality NAME: such as fluorescence, phase_contrast or brightfield",
    "input.diameter_px": "--diameter PX: typical diameter of the objects that it was trained on",
    "output.roles": f"--roles ROLE ...: what each output channel means: {', '.join(ROLES)}",
}
NEEDED_NORMALIZATION = (
    "--percentiles LOW HIGH, or --normalization zero_mean_unit_variance or none: how images were normalized for its "
    "training"
)
NEEDED_Z_STEP = (
    "--z-step PX: how many times as far apart as two pixels two planes were in training, such as 2.2; the network "
    "takes volumes"
)
NEEDED_HALO_PLANES = "--halo-planes N: half of the planes that the network sees at once, for the same reason"
NEEDED_HALO = (
    "--halo PX: half the width of what the network sees at once; it cannot be measured without a normalization, as "
    "the range of the images is not known"
)
NEEDED_UNITS = (
    f"--units {' or '.join(UNITS)}: whether the network reads values of 0 to 1 (1 is the largest number of the file's "
    "type) or the numbers of the file; either, if it normalizes images itself"
)
# What argparse must know of a flag, by the type of its field.
ARGUMENTS: dict[str, dict[str, Any]] = {
    "str": {},
    "int": {"type": int},
    "float": {"type": float},
    "Optional[float]": {"type": float},
    "Tuple[str, ...]": {"nargs": "+"},
    "Optional[Tuple[int, ...]]": {"type": int, "nargs": 2},
}
# Flag, field, placeholder and help, by the title of their group. The flags for a pair of fields are added by hand.
FLAGS = {
    "what it is": (
        ("--name", "name", "NAME", "a short name"),
        ("--version", "version", "X.Y.Z", "the model's own version (1.0.0)"),
        ("--description", "description", "TEXT", "what it is for"),
        ("--licence", "licence", "TEXT", "of the weights"),
        ("--authors", "authors", "NAME", "who made it"),
        ("--citation", "citation", "TEXT", "what to cite, with its DOI"),
    ),
    "input": (
        ("--channels", "input.channels", "NAME", "the image's channels, in their order"),
        ("--modality", "input.modality", "NAME", "such as fluorescence, phase_contrast or brightfield"),
        ("--clip-low", "input.normalization.clip_low", "X", "smallest normalized value that is let through (-1)"),
        ("--clip-high", "input.normalization.clip_high", "X", "largest normalized value that is let through (8)"),
        ("--diameter", "input.diameter_px", "PX", "typical diameter of the objects in training, pixels"),
        ("--pixel-size", "input.pixel_size_um", "UM", "micrometers, if all training images had the same"),
        ("--divisible-by", "input.divisible_by", "PX", "height and width must be multiples of it (measured)"),
        ("--min-size", "input.min_size", "PX", "smallest height and width (measured)"),
        ("--tile-shape", "input.tile_shape", "PX", "height and width, if the network takes no other (read)"),
        ("--dimensions", "input.dimensions", "N", f"{IMAGES} for images, {VOLUMES} for volumes (read)"),
        ("--z-step", "input.z_step_px", "PX", "of volumes, distance of two planes in training, widths of a pixel"),
        ("--divisible-by-planes", "input.divisible_by_planes", "N", "of volumes, planes must be multiples of it"),
        ("--min-planes", "input.min_planes", "N", "of volumes, smallest number of planes"),
    ),
    "output": (
        ("--roles", "output.roles", "ROLE", f"one a channel: {', '.join(ROLES)}"),
        ("--kind", "output.kind", "KIND", f"{' or '.join(KINDS)} (read from its outputs)"),
        ("--halo", "output.halo", "PX", "pixels a side that a tile needs around the part that is kept (measured)"),
        ("--halo-planes", "output.halo_planes", "N", "of volumes, planes a side that a tile needs"),
    ),
    "from probabilities to objects": (
        ("--foreground-threshold", "postprocessing.foreground_threshold", "P", "between 0 and 1 (0.5)"),
        ("--marker-threshold", "postprocessing.marker_threshold", "P", "between 0 and 1 (0.5)"),
        ("--boundary-threshold", "postprocessing.boundary_threshold", "P", "between 0 and 1 (0.5)"),
        ("--score-threshold", "postprocessing.score_threshold", "P", "for instances, between 0 and 1 (0.5)"),
        ("--mask-threshold", "postprocessing.mask_threshold", "P", "for instances, between 0 and 1 (0.5)"),
        ("--overlap-threshold", "postprocessing.overlap_threshold", "IOU", "for instances, between 0 and 1 (0.5)"),
        ("--max-objects", "postprocessing.max_objects", "N", "for instances, the most for a tile (100)"),
        ("--marker-min-size", "postprocessing.marker_min_size_px", "PX", "smallest seed, pixels of area (0)"),
        ("--min-object-size", "postprocessing.min_size_px", "PX", "smallest object, pixels of area (0)"),
        ("--dilation", "postprocessing.dilation_px", "PX", "by how far objects are grown (0)"),
        (
            "--outline-level",
            "postprocessing.outline_level",
            "L",
            "outlines are moved toward it, between 0 and 1 (none)",
        ),
        (
            "--outline-shift",
            "postprocessing.outline_shift_px",
            "PX",
            "outlines are moved outward at last, pixels of the image; negative is inward (0)",
        ),
    ),
}


def add_answers(parser: argparse.ArgumentParser) -> None:
    """Declare a flag for each field of a card; `argparse` stores it under the field's dotted name."""
    parser.add_argument("--yaml", type=Path, metavar="YAML", help="a file with the card's fields; flags win over it")
    groups, types = {}, card_fields()
    for title, flags in FLAGS.items():
        groups[title] = parser.add_argument_group(title)
        for flag, field, placeholder, text in flags:
            groups[title].add_argument(flag, dest=field, metavar=placeholder, help=text, **ARGUMENTS[types[field]])
    ways = groups["input"].add_mutually_exclusive_group()
    ways.add_argument(
        "--percentiles", nargs=2, type=float, metavar=("LOW", "HIGH"), help="of each image, that become 0 and 1"
    )
    ways.add_argument("--normalization", dest=KIND, choices=NORMALIZATIONS, help="none: images go in as they are")
    groups["input"].add_argument(
        "--units", dest=UNITS_FIELD, choices=UNITS, help="with --normalization none: in which units the network reads"
    )
    groups["input"].add_argument(
        "--per-channel",
        dest="input.normalization.per_channel",
        action=argparse.BooleanOptionalAction,
        help="each channel of an image is normalized by itself, not all together (yes)",
    )
    groups["input"].add_argument(
        "--diameter-range",
        nargs=2,
        type=float,
        metavar=("LOW", "HIGH"),
        help="diameters for which no image is rescaled (the diameter / "
        f"{LARGEST_RATIO_BELOW:g}, and times {LARGEST_RATIO_ABOVE:g})",
    )
    groups["from probabilities to objects"].add_argument(
        "--fill-holes",
        dest="postprocessing.fill_holes",
        action=argparse.BooleanOptionalAction,
        help="a hole in one object becomes part of it (no)",
    )


def answered(arguments: argparse.Namespace) -> dict[str, Any]:
    """Collect the answers into a card's content, as far as it was answered.

    Raises
    ------
    ModelError
        If the YAML file cannot be read, or names an unknown field.
    """
    content = _from_yaml(arguments.yaml) if arguments.yaml else {}
    flags = vars(arguments)
    answers = {name: flags[name] for name in card_fields() if flags.get(name) is not None}
    if arguments.percentiles:
        answers |= {KIND: "percentile", **dict(zip(PERCENTILES, arguments.percentiles, strict=True))}
    if arguments.diameter_range:
        answers |= dict(zip((LOW, HIGH), arguments.diameter_range, strict=True))
    for name, value in answers.items():
        content = with_field(content, name, value)
    return content


def _from_yaml(path: Path) -> dict[str, Any]:
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ModelError(f"{path}: this is not readable YAML: {error}") from None
    if not isinstance(content, dict):
        raise ModelError(f"{path}: this is not a mapping of the card's fields to values; docs/model-card.md has one.")
    content = {str(key): value for key, value in content.items()}
    version = content.pop("card_version", CARD_VERSION)
    values = flattened(content)
    try:
        check_card_version(version)
        check_known(values)
    except ModelError as error:
        raise ModelError(f"{path}: {error}") from None
    for name, value in values.items():
        if card_fields()[name] == "float" and isinstance(value, str):  # YAML takes 1e-3 for a text
            content = with_field(content, name, _number_in(value))
    return content


def _number_in(text: str) -> float | str:
    try:
        return float(text)
    except ValueError:
        return text  # the card's own check says which field it is


def check_complete(content: dict[str, Any], declared: Declared) -> None:
    """Ask for all missing answers at once, and compare the given ones with the file.

    Raises
    ------
    ModelError
        If an answer is missing, or the network has another number of channels than were named.
    """
    missing = [asked for name, asked in NEEDED.items() if field_value(content, name) in (None, "", [])]
    if not field_value(content, "input.normalization"):
        missing.append(NEEDED_NORMALIZATION)
    of_volumes = field_value(content, "input.dimensions") == VOLUMES
    if of_volumes and field_value(content, "input.z_step_px") is None:
        missing.append(NEEDED_Z_STEP)
    if field_value(content, KIND) == "none" and field_value(content, "output.halo") is None:
        missing.append(NEEDED_HALO)
    if of_volumes and field_value(content, KIND) == "none" and field_value(content, "output.halo_planes") is None:
        missing.append(NEEDED_HALO_PLANES)
    if field_value(content, KIND) == "none" and not field_value(content, UNITS_FIELD):
        missing.append(NEEDED_UNITS)
    ends = (("input", declared.in_channels, "input.channels"), ("output", declared.out_channels, "output.roles"))
    counts = {name: f"{count} {what} channel{'s' if count != 1 else ''}" for what, count, name in ends if count}
    if missing:
        raise ModelError(
            f"{len(missing)} answer{'s are' if len(missing) > 1 else ' is'} missing"
            f"{'; the network has ' + ' and '.join(counts.values()) if counts else ''}. Give each by its flag, or in a "
            "file with --yaml:\n    " + "\n    ".join(missing)
        )
    for _, count, name in ends:
        named = field_value(content, name)
        if count and isinstance(named, list) and len(named) != count:
            raise ModelError(
                f"the network has {counts[name]}, and {name.partition('.')[2]} names {len(named)}: "
                f"{', '.join(map(str, named))}. Name each, in the network's order."
            )


def with_defaults(content: dict[str, Any]) -> dict[str, Any]:
    """Complete a card's content; sizes and halo that must be measured get their smallest values."""
    defaults: dict[str, Any] = {"version": "1.0.0", "input.divisible_by": 1, "input.min_size": 1, "output.halo": 0}
    middle = field_value(content, "input.diameter_px")
    if isinstance(middle, (int, float)):
        defaults |= {LOW: round(middle / LARGEST_RATIO_BELOW, 1), HIGH: round(middle * LARGEST_RATIO_ABOVE, 1)}
    for name, value in defaults.items():
        if field_value(content, name) is None:
            content = with_field(content, name, value)
    return {**content, "card_version": CARD_VERSION}
