"""``cpunet segment``: image files in, label images and overlays out; a bad file costs only itself."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Dict

from cpunet.commands.model_arguments import add_model_arguments
from cpunet.errors import OptionError
from cpunet.files.find import find_images
from cpunet.files.segment_file import segment_file
from cpunet.model.find import find_model
from cpunet.model.session import load_model
from cpunet.options import Options, check_options
from cpunet.terminal import report, show_progress


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument(
        "images",
        nargs="+",
        type=Path,
        metavar="IMAGE",
        help="image files, folders of images, or patterns such as 'images/*.tif'",
    )
    parser.add_argument("-o", "--output", required=True, type=Path, metavar="DIR", help="folder for the results")
    add_model_arguments(parser)
    parser.add_argument("--foreground-threshold", type=float, metavar="P", help="0 to 1; lower makes objects larger")
    parser.add_argument(
        "--outline-level",
        type=float,
        metavar="L",
        help="move outlines toward this level between background (0) and inside (1); lower makes objects larger; by "
        "default outlines stay as the model learned to draw them",
    )
    parser.add_argument("--no-declump", action="store_true", help="keep touching objects as one")
    parser.add_argument(
        "--diameter-range", type=float, nargs=2, metavar=("MIN", "MAX"), help="discard objects outside it, pixels"
    )
    parser.add_argument("--discard-border", action="store_true", help="discard objects that touch the image's frame")


def run(arguments: argparse.Namespace) -> int:
    """Segment each image, and return 1 if any failed."""
    options = Options(
        diameter_px=arguments.diameter,
        foreground_threshold=arguments.foreground_threshold,
        outline_level=arguments.outline_level,
        declump_method="none" if arguments.no_declump else "probability",
    )
    diameter_range = tuple(arguments.diameter_range) if arguments.diameter_range else None
    check_options(options)
    if diameter_range and not 0 < diameter_range[0] <= diameter_range[1]:
        raise OptionError(
            f"--diameter-range {diameter_range[0]:g} {diameter_range[1]:g}: the minimum is larger than the "
            "maximum, or not above 0."
        )
    model = load_model(find_model(arguments.model), arguments.device)
    if arguments.output.exists() and not arguments.output.is_dir():
        raise OptionError(f"{arguments.output}: this is a file; -o needs a folder.")
    arguments.output.mkdir(parents=True, exist_ok=True)
    found = find_images(arguments.images)
    paths = found.paths
    for each in found.left_out:
        report(each.why, sys.stderr)
    for line in found.problems:
        report(f"FAILED {line}", sys.stderr)
    failed = len(found.problems)
    written: Dict[str, Path] = {}
    for done, path in enumerate(paths):
        show_progress(done, len(paths), path.name)
        try:
            if path.stem in written:
                raise OptionError(
                    f"{path}: its results would replace those of {written[path.stem]}, which has the same name. Run "
                    "the two into different folders."
                )
            count = segment_file(path, model, options, arguments.output, diameter_range, arguments.discard_border)
            written[path.stem] = path
            report(f"{path}: {count} objects")
        except Exception as error:  # a bad file must not keep the others from being done
            failed += 1
            reason = str(error) if str(path) in str(error) else f"{path}: {error}"
            report(f"FAILED {reason}", sys.stderr)
    show_progress(len(paths), len(paths), "done")
    if model.file_has_changed():
        report(
            f"NOTE {model.path} was changed, replaced or removed meanwhile. All images were segmented with the network "
            f"that was read at the beginning, SHA-256 {model.sha256}.",
            sys.stderr,
        )
    print(f"\n{len(written)} images done, {failed} failed; results in {arguments.output}")
    return 1 if failed else 0
