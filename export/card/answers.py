"""What a person answers for a model that has no card: by flags, by a YAML file, or both."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import yaml

from cpunet.errors import ModelError
from cpunet.export.card.declared import Declared
from cpunet.export.card.fields import card_fields, check_known, field_value, flattened, with_field
from cpunet.model.card import CARD_VERSION, NORMALIZATIONS, ROLES, check_card_version
from cpunet.training.facts import LARGEST_RATIO_ABOVE, LARGEST_RATIO_BELOW

LOW, HIGH = "input.diameter_low_px", "input.diameter_high_px"
PERCENTILES = ("input.normalization.percentile_low", "input.normalization.percentile_high")
KIND = "input.normalization.kind"

# Nobody but the model's author, or its paper, can know these.
NEEDED = {
    "name": "--name NAME: a short name for the model",
    "description": "--description TEXT: what it is for: objects, stain or contrast, bright or dark",
    "licence": "--licence TEXT: of the weights, as their author gave it",
    "input.channels": "--channels NAME ...: what each channel of the image shows",
    "input.modality": "--modality NAME: such as fluorescence, phase_contrast or brightfield",
    "input.diameter_px": "--diameter PX: typical diameter of the objects that it was trained on",
    "output.roles": f"--roles ROLE ...: what each output channel means: {', '.join(ROLES)}",
}
NEEDED_NORMALIZATION = "--percentiles LOW HIGH, or --normalization none: how images were normalized for its training"
NEEDED_HALO = (
    "--halo PX: half the width of what the network sees at once; it cannot be measured without a normalization, as "
    "the range of the images is not known"
)


def add_answers(parser: argparse.ArgumentParser) -> None:
    """Declare a flag for each field; those of `argparse`'s namespace are named as the card's fields are."""
    parser.add_argument("--yaml", type=Path, metavar="YAML", help="a file with the card's fields; flags win over it")
    about = parser.add_argument_group("what it is")
    _texts(about, "--name", "name", "a short name")
    _texts(about, "--version", "version", "the model's own version (1.0.0)", "X.Y.Z")
    _texts(about, "--description", "description", "what it is for", "TEXT")
    _texts(about, "--licence", "licence", "of the weights", "TEXT")
    about.add_argument("--authors", dest="authors", nargs="+", metavar="NAME", help="who made it")
    _texts(about, "--citation", "citation", "what to cite, with its DOI", "TEXT")
    given = parser.add_argument_group("what it takes")
    given.add_argument(
        "--channels", dest="input.channels", nargs="+", metavar="NAME", help="the image's channels, in their order"
    )
    _texts(given, "--modality", "input.modality", "such as fluorescence, phase_contrast or brightfield")
    ways = given.add_mutually_exclusive_group()
    ways.add_argument(
        "--percentiles", nargs=2, type=float, metavar=("LOW", "HIGH"), help="of each image, that become 0 and 1"
    )
    ways.add_argument("--normalization", dest=KIND, choices=NORMALIZATIONS, help="none: images go in as they are")
    _number(given, "--clip-high", "input.normalization.clip_high", "largest normalized value that is let through (8)")
    _number(given, "--diameter", "input.diameter_px", "typical diameter of the objects in training, pixels", "PX")
    given.add_argument(
        "--diameter-range",
        nargs=2,
        type=float,
        metavar=("LOW", "HIGH"),
        help="diameters for which no image is rescaled (the diameter / "
        f"{LARGEST_RATIO_BELOW:g}, and times {LARGEST_RATIO_ABOVE:g})",
    )
    _number(given, "--pixel-size", "input.pixel_size_um", "micrometers, if all training images had the same", "UM")
    _whole(given, "--divisible-by", "input.divisible_by", "height and width must be multiples of it (measured)")
    _whole(given, "--min-size", "input.min_size", "smallest height and width (measured)")
    gives = parser.add_argument_group("what it gives")
    gives.add_argument(
        "--roles", dest="output.roles", nargs="+", metavar="ROLE", help=f"one a channel: {', '.join(ROLES)}"
    )
    _whole(gives, "--halo", "output.halo", "pixels a side that a tile needs around the part that is kept (measured)")
    decoding = parser.add_argument_group("how that becomes objects")
    for threshold in ("foreground", "marker", "boundary"):
        name = f"{threshold}_threshold"
        _number(decoding, f"--{threshold}-threshold", f"postprocessing.{name}", "between 0 and 1 (0.5)", "P")
    for flag, field, what in (
        ("--marker-min-size", "marker_min_size_px", "smaller seeds do not count, pixels of area (0)"),
        ("--min-object-size", "min_size_px", "smaller objects are dropped, pixels of area (0)"),
        ("--dilation", "dilation_px", "objects are grown by so much (0)"),
    ):
        _number(decoding, flag, f"postprocessing.{field}", what, "PX")
    decoding.add_argument(
        "--fill-holes",
        dest="postprocessing.fill_holes",
        action=argparse.BooleanOptionalAction,
        help="a hole in one object becomes part of it (no)",
    )


def _texts(group: Any, flag: str, field: str, what: str, metavar: str = "NAME") -> None:
    group.add_argument(flag, dest=field, metavar=metavar, help=what)


def _number(group: Any, flag: str, field: str, what: str, metavar: str = "X") -> None:
    group.add_argument(flag, dest=field, type=float, metavar=metavar, help=what)


def _whole(group: Any, flag: str, field: str, what: str) -> None:
    group.add_argument(flag, dest=field, type=int, metavar="PX", help=what)


def answered(arguments: argparse.Namespace) -> dict[str, Any]:
    """Collect the answers into a card's content.

    Parameters
    ----------
    arguments : Namespace
        Of `add_answers`.

    Returns
    -------
    dict
        As in the card's JSON, as far as it was answered.

    Raises
    ------
    ModelError
        If the YAML file cannot be read, or names a field that there is not.
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
    """Ask for all that is missing at once, and compare what is there with the file.

    Parameters
    ----------
    content : dict
        See `answered`.
    declared : Declared

    Raises
    ------
    ModelError
        If an answer is missing, or the network has another number of channels than were named.
    """
    missing = [asked for name, asked in NEEDED.items() if field_value(content, name) in (None, "", [])]
    if not field_value(content, "input.normalization"):
        missing.append(NEEDED_NORMALIZATION)
    if field_value(content, KIND) == "none" and field_value(content, "output.halo") is None:
        missing.append(NEEDED_HALO)
    if missing:
        counts = [
            f"{count} {what} channel{'s' if count > 1 else ''}"
            for count, what in ((declared.in_channels, "input"), (declared.out_channels, "output"))
            if count
        ]
        raise ModelError(
            f"{len(missing)} answer{'s are' if len(missing) > 1 else ' is'} missing"
            f"{'; the network has ' + ' and '.join(counts) if counts else ''}. Give each by its flag, or in a "
            "file with --yaml:\n    " + "\n    ".join(missing)
        )
    for count, name, what in (
        (declared.in_channels, "input.channels", "input"),
        (declared.out_channels, "output.roles", "output"),
    ):
        named = field_value(content, name)
        if count is not None and isinstance(named, list) and len(named) != count:
            raise ModelError(
                f"the network has {count} {what} channel{'s' if count > 1 else ''}, and {name.partition('.')[2]} names "
                f"{len(named)}: {', '.join(str(item) for item in named)}. Name each, in the network's order."
            )


def with_defaults(content: dict[str, Any]) -> dict[str, Any]:
    """Return a complete card's content; sizes and halo that must be measured hold what asks least of the network.

    Parameters
    ----------
    content : dict
        Passed `check_complete`.

    Returns
    -------
    dict
    """
    middle = field_value(content, "input.diameter_px")
    if isinstance(middle, (int, float)):
        content = _unless_there(content, LOW, round(middle / LARGEST_RATIO_BELOW, 1))
        content = _unless_there(content, HIGH, round(middle * LARGEST_RATIO_ABOVE, 1))
    for name, value in (
        ("version", "1.0.0"),
        ("input.divisible_by", 1),
        ("input.min_size", 1),
        ("output.halo", 0),
    ):
        content = _unless_there(content, name, value)
    return {**content, "card_version": CARD_VERSION}


def _unless_there(content: dict[str, Any], name: str, value: Any) -> dict[str, Any]:
    return content if field_value(content, name) is not None else with_field(content, name, value)
