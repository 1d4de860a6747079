"""``cpunet labels``: make labels without annotators."""

from __future__ import annotations

import argparse
from dataclasses import fields
from pathlib import Path

from cpunet.commands.model_arguments import add_device_and_diameter
from cpunet.errors import OptionError
from cpunet.model.find import DEFAULT_MODEL
from cpunet.training.from_stain.crops import Crops
from cpunet.training.from_stain.make import FromStainOptions, make_data_set
from cpunet.training.from_stain.pairing import EXAMPLE, pair_stains
from cpunet.training.from_stain.primary_objects import DECLUMP_METHODS
from cpunet.training.from_stain.quality import QualityLimits
from cpunet.training.from_stain.recipes import ModelRecipe, ThesisRecipe

RECIPES = ("model", "thesis")
THESIS, LIMITS = ThesisRecipe(), QualityLimits()
THESIS_CROP_PX = 512
# Which option belongs to which field of a recipe.
THESIS_OPTIONS = {
    "clahe_block": "clahe_block_px",
    "clahe_bins": "clahe_bins",
    "clahe_slope": "clahe_slope",
    "threshold_window": "threshold_window_px",
    "threshold_bounds": "threshold_bounds",
    "declump": "declump",
    "diameters": "diameters_px",
}
MODEL_OPTIONS = {"model": "model", "diameter": "diameter_px"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    text = "label images without a stain by a nuclear stain of the same cells"
    made = actions.add_parser("from-stain", help=text, description=text)
    made.add_argument("stains", type=Path, metavar="STAIN_DIR", help="stain images, one a field")
    made.add_argument("images", type=Path, metavar="IMAGE_DIR", help="the images to be labeled, such as phase contrast")
    made.add_argument("-o", "--output", type=Path, required=True, metavar="DATASET", help="the new data set")
    escaped = EXAMPLE.replace("%", "%%")
    made.add_argument("--pattern", metavar="PATTERN", help=f"pair by named parts of the names: {escaped}")
    made.add_argument("--stain-pattern", metavar="PATTERN", help="another pattern, with the same parts, for the stains")
    made.add_argument(
        "--largest-shift",
        type=int,
        default=FromStainOptions.largest_shift_px,
        metavar="PX",
        help=f"look for the stain up to so far from its image ({FromStainOptions.largest_shift_px})",
    )
    made.add_argument(
        "--recipe",
        choices=RECIPES,
        default=RECIPES[0],
        help="how nuclei are found: by a model, or as in a thesis, by CLAHE and IdentifyPrimaryObjects (model)",
    )
    made.add_argument(
        "--crop", type=int, metavar="PX", help="side of the crops; 0: whole fields (thesis: 512, model: 0)"
    )
    made.add_argument(
        "--crops", type=int, default=Crops.most, metavar="N", help=f"crops of a field at most ({Crops.most})"
    )
    made.add_argument(
        "--modality", default=FromStainOptions.modality, metavar="NAME", help="of the images (phase_contrast)"
    )
    _add_model_recipe(made.add_argument_group("with --recipe model"))
    _add_thesis_recipe(made.add_argument_group("with --recipe thesis"))
    _add_limits(made.add_argument_group("which pairs are left out"))


def _add_model_recipe(group: argparse._ArgumentGroup) -> None:
    group.add_argument("--model", metavar="MODEL", help=f"a model's name, folder or .onnx file ({DEFAULT_MODEL})")
    add_device_and_diameter(group)


def _add_thesis_recipe(group: argparse._ArgumentGroup) -> None:
    low, high = THESIS.threshold_bounds
    smallest, largest = THESIS.diameters_px
    group.add_argument("--clahe-block", type=int, metavar="PX", help=f"side of the blocks ({THESIS.clahe_block_px})")
    group.add_argument("--clahe-bins", type=int, metavar="N", help=f"bins of the histograms ({THESIS.clahe_bins})")
    group.add_argument(
        "--clahe-slope",
        type=float,
        metavar="X",
        help=f"contrast is raised so many times at most ({THESIS.clahe_slope:g})",
    )
    group.add_argument(
        "--threshold-window",
        type=int,
        metavar="PX",
        help=f"side of the windows of the adaptive threshold ({THESIS.threshold_window_px})",
    )
    group.add_argument(
        "--threshold-bounds",
        type=float,
        nargs=2,
        metavar=("LOW", "HIGH"),
        help=f"lowest and highest threshold, 0 to 1 ({low:g} {high:g})",
    )
    group.add_argument(
        "--declump", choices=DECLUMP_METHODS, help=f"how touching nuclei are separated ({THESIS.declump})"
    )
    group.add_argument(
        "--diameters", type=float, nargs=2, metavar=("LOW", "HIGH"), help=f"of nuclei, px ({smallest:g} {largest:g})"
    )


def _add_limits(group: argparse._ArgumentGroup) -> None:
    for name, metavar, what in (
        ("drop_fewest", "SHARE", "of the pairs, those with the fewest nucleus pixels"),
        ("most_nucleus", "SHARE", "of nucleus pixels in an image, at most"),
        (
            "widest_rim",
            "DIAMETERS",
            "over which the stain rises at the rim of a nucleus, at most; a stain out of focus has a wide rim",
        ),
        ("least_sharpness", "X", "sharpness of an image, in multiples of the median, at least"),
        ("most_saturated", "SHARE", "of nuclei in the stain, or of the image, that may be saturated"),
    ):
        default = getattr(LIMITS, name)
        option = f"--{name.replace('_', '-')}"
        group.add_argument(option, type=float, default=default, metavar=metavar, help=f"{what} ({default:g})")


def run(arguments: argparse.Namespace) -> int:
    """Make the data set."""
    options = _options(arguments)
    pairing = pair_stains(arguments.stains, arguments.images, arguments.pattern, arguments.stain_pattern)
    notes = make_data_set(pairing, arguments.output, options)
    print("\n".join([*notes, f"next: cpunet data check {arguments.output} --report check.html"]))
    return 0


def _options(arguments: argparse.Namespace) -> FromStainOptions:
    limits = QualityLimits(**{each.name: getattr(arguments, each.name) for each in fields(QualityLimits)})
    thesis, model = (_given(arguments, table) for table in (THESIS_OPTIONS, MODEL_OPTIONS))
    unused = list(model if arguments.recipe == "thesis" else thesis)
    if unused:
        other = "model" if arguments.recipe == "thesis" else "thesis"
        table = MODEL_OPTIONS if arguments.recipe == "thesis" else THESIS_OPTIONS
        option = next(option for option, name in table.items() if name == unused[0]).replace("_", "-")
        raise OptionError(f"--{option} goes with --recipe {other}.")
    if arguments.recipe == "thesis" and arguments.device != "automatic":
        raise OptionError("--device goes with --recipe model: the thesis' recipe has no network.")
    if arguments.recipe == "thesis":
        recipe: ModelRecipe | ThesisRecipe = ThesisRecipe(**thesis)
        crop = THESIS_CROP_PX if arguments.crop is None else arguments.crop
    else:
        recipe = ModelRecipe(device=arguments.device, **model)
        crop = arguments.crop or 0
    return FromStainOptions(recipe, Crops(crop, arguments.crops), arguments.largest_shift, limits, arguments.modality)


def _given(arguments: argparse.Namespace, table: dict[str, str]) -> dict[str, object]:
    """Return the fields of a recipe whose options were given."""
    values = {name: getattr(arguments, option) for option, name in table.items()}
    return {
        name: tuple(value) if isinstance(value, list) else value for name, value in values.items() if value is not None
    }
