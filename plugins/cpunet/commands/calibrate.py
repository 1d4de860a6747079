"""``cpunet calibrate``: fit a model's settings to a few labeled images, and write a model file that has them."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import List, Optional, Sequence

from cpunet.calibration.calibrate import calibrate
from cpunet.calibration.calibrated_model import write_calibrated
from cpunet.calibration.settings import candidates
from cpunet.calibration.texts import advice, how_to_use, scores_table, settings_table, what_was_held_out
from cpunet.commands.model_arguments import add_device_and_diameter
from cpunet.errors import OptionError
from cpunet.files.find import find_files, find_folders, identity
from cpunet.files.labeled_images import LabeledFiles, pairs_in_folder, pairs_of_files, read_labeled_image
from cpunet.files.outputs import check_output
from cpunet.model.find import DEFAULT_MODEL, find_model
from cpunet.model.session import open_model
from cpunet.onnx_reader.metadata import sha256
from cpunet.onnx_reader.model_file import read_model_file
from cpunet.options import Options, check_options
from cpunet.steps.scale import scale_of_options
from cpunet.terminal import printable, report, show_progress

# More take longer and hardly change what is chosen.
MOST_IMAGES = 12


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument(
        "model",
        nargs="?",
        default=DEFAULT_MODEL,
        metavar="MODEL",
        help=f"a model's name or .onnx file ({DEFAULT_MODEL})",
    )
    parser.add_argument(
        "--data",
        nargs="+",
        required=True,
        type=Path,
        metavar="FOLDER|IMAGE",
        help="a folder with images/ and labels/, in which files of one name belong together; or image files, a folder "
        "of them, or a pattern such as 'images/*.tif', with --labels",
    )
    parser.add_argument(
        "--labels",
        nargs="+",
        type=Path,
        metavar="FILE",
        help="the label images of the image files, in the same order; or their folder or pattern",
    )
    parser.add_argument("--first", type=int, metavar="N", help="use only the first N images")
    parser.add_argument(
        "-o", "--output", type=Path, metavar="FILE", help="write a copy of the model with the new settings, .onnx"
    )
    parser.add_argument("--overwrite", action="store_true", help="replace FILE also if cpunet did not write it")
    add_device_and_diameter(parser)


def run(arguments: argparse.Namespace) -> int:
    """Calibrate; return 1 if a file was to be written, and no settings are better than the model's own."""
    options = Options(diameter_px=arguments.diameter)
    check_options(options)
    output: Optional[Path] = arguments.output
    file = read_model_file(find_model(arguments.model))
    pairs = _pairs(arguments.data, arguments.labels, arguments.first)
    if output is not None:
        _check_output(output, pairs, file.path, arguments.overwrite)
    images = [read_labeled_image(pair) for pair in pairs]
    model = open_model(file, arguments.device)
    scale_of_options(model.card.input, options)  # raises where the model cannot see objects of that diameter
    found = calibrate(model, images, options, show_progress)
    report(
        f"{model.card.name} {model.card.version} on {len(images)} image{'s' if len(images) > 1 else ''}, "
        f"{found.before.truth_count} objects; {what_was_held_out(found)} were held out in turn"
    )
    tried = candidates(model.card)
    for lines in (scores_table(found), settings_table(found, tried), advice(found, tried)):
        if lines:
            print("\n".join(["", *lines]))
    if output is None:
        if found.is_better:
            print("\nNothing was written. To use these settings, add -o FILE.onnx: a copy of the model that has them.")
        return 0
    if not found.is_better:
        print(f"\n{printable(output)} was not written.")
        return 1
    write_calibrated(output, file, found, images)
    print("\n".join(["", *how_to_use(printable(output), sha256(output))]))
    return 0


def _pairs(data: Sequence[Path], labels: Optional[Sequence[Path]], first: Optional[int]) -> List[LabeledFiles]:
    """Find the images with their labels; of many, some that are spread evenly."""
    if first is not None and first < 1:
        raise OptionError(f"--first must be 1 or more; it is {first}.")
    if labels is not None:
        pairs = pairs_of_files(find_files(data), find_files(labels))
    elif any(path.is_file() for path in data):
        raise OptionError(
            "Image files need their label images, in the same order: --labels FILE ... Or give a folder with images/ "
            "and labels/."
        )
    else:
        pairs = [pair for folder in find_folders(data) for pair in pairs_in_folder(folder)]
    if first is not None:
        return pairs[:first]
    if len(pairs) > MOST_IMAGES:
        report(f"{MOST_IMAGES} of the {len(pairs)} images are used, spread evenly; --first N uses the first N instead")
        pairs = [pairs[place * len(pairs) // MOST_IMAGES] for place in range(MOST_IMAGES)]
    return pairs


def _check_output(output: Path, pairs: Sequence[LabeledFiles], model: Path, overwrite: bool) -> None:
    if output.suffix.lower() != ".onnx":
        raise OptionError(f"-o {output}: the model is written into a file whose name ends in .onnx.")
    check_output(output, {identity(path) for pair in pairs for path in pair} | {identity(model)}, overwrite)
