"""``cpunet export``: trained weights in, one verified ONNX file with its card out."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from cpunet.errors import OptionError, WeightsError
from cpunet.export.average import export_average
from cpunet.export.export_model import export_model
from cpunet.export.precision import PRECISIONS
from cpunet.export.reduced_precision import export_reduced
from cpunet.files.find import identity
from cpunet.files.formats.volume import read_volume
from cpunet.files.images import read_image
from cpunet.files.outputs import check_output
from cpunet.model.card import VOLUMES
from cpunet.onnx_reader.metadata import read_card
from cpunet.training.data.data_sets import HELP, data_root
from cpunet.training.detection.packages import missing
from cpunet.training.folds.deal import FOLDS_FILE
from cpunet.training.planning.machine import stay_within_cores
from cpunet.training.quiet import quiet_libraries
from cpunet.training.weights import WEIGHTS_FILE, holds_detector, holds_volumes, load_training


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument(
        "weights",
        type=Path,
        metavar="CHECKPOINT",
        help="a run's .ckpt, or weights.safetensors; the folder of a run with folds; for --bioimageio alone, or "
        "--precision, an .onnx file with a card",
    )
    parser.add_argument("-o", "--output", type=Path, metavar="FILE", help="the .onnx file to write")
    parser.add_argument(
        "--data",
        nargs="+",
        type=Path,
        metavar="FOLDER",
        help=f"{HELP}: tunes the thresholds on the val images of those that it was trained on, and records the scores",
    )
    parser.add_argument(
        "--card",
        type=Path,
        metavar="MODEL",
        help="reuse the card of this .onnx file (an earlier export of the same weights) without tuning",
    )
    parser.add_argument("--command", default="", dest="rebuild", help="how the model is rebuilt, for its card")
    parser.add_argument(
        "--precision",
        choices=PRECISIONS,
        default=PRECISIONS[0],
        help="number format: float16 for GPUs, int8 for CPUs. Needs --data. Reports speed and accuracy, and writes no "
        "file if the mean F1 of a validation set falls by more than 0.005",
    )
    parser.add_argument("--bioimageio", type=Path, metavar="ZIP", help="write a bioimage.io package of the model, too")
    parser.add_argument(
        "--sample",
        type=Path,
        metavar="IMAGE",
        help="the package's test image, or volume, and cover (default: synthetic nuclei)",
    )
    parser.add_argument(
        "--overwrite",
        action="store_true",
        help="replace files that cpunet did not write, and weights of another training beside FILE",
    )


def run(arguments: argparse.Namespace) -> int:
    """Export the model, and write a package if requested."""
    with quiet_libraries():
        return _run(arguments)


def _run(arguments: argparse.Namespace) -> int:
    weights, output = arguments.weights, arguments.output
    inputs = {identity(path) for path in (weights, arguments.card, arguments.sample) if path is not None}
    for path in (output, arguments.bioimageio):
        if path is not None:
            check_output(path, inputs, arguments.overwrite)
    stay_within_cores()
    if (weights / FOLDS_FILE).is_file():
        return _export_folds(arguments)
    if weights.is_dir():
        raise WeightsError(f"{weights} is a folder. Give the file of weights in it, such as {weights / WEIGHTS_FILE}.")
    data = None if arguments.data is None else _data_root(weights, arguments.data)
    if arguments.precision != PRECISIONS[0]:
        beside = weights.with_name(WEIGHTS_FILE) if weights.suffix == ".onnx" else weights
        if holds_detector(beside):
            raise OptionError(f"{weights} holds Mask R-CNN, which is exported as float32 alone. Leave out --precision.")
        if holds_volumes(beside) or (weights.suffix == ".onnx" and read_card(weights).input.dimensions == VOLUMES):
            raise OptionError(
                f"{weights} holds a network of volumes (3-D), which is exported as float32 alone. Leave out "
                "--precision."
            )
        if output is None or output.suffix != ".onnx" or data is None:
            raise OptionError(
                f"--precision {arguments.precision} needs -o FILE.onnx, and --data FOLDER to see what it costs: the "
                "data sets of the training, or the folder that holds them."
            )
        export_reduced(weights, output, arguments.precision, data, arguments.rebuild, arguments.card)
    elif weights.suffix != ".onnx":
        if output is None:
            raise OptionError("Give the .onnx file to write with -o.")
        if holds_detector(weights):
            _export_detector(arguments, data)
        else:
            export_model(weights, output, data, arguments.rebuild, arguments.card, arguments.overwrite)
    elif arguments.bioimageio is None or output is not None:
        raise OptionError(f"{weights} is already exported. To make a package of it, give --bioimageio ZIP without -o.")
    if arguments.bioimageio is not None:
        from cpunet.export.bioimageio.package import write_bioimageio  # bioimageio takes seconds to import

        package, sample = arguments.bioimageio, arguments.sample
        model = output or weights
        write_bioimageio(model, package, None if sample is None else _read_sample(sample, model))
        print(f"{package}  {package.stat().st_size / 1e6:.2f} MB  bioimageio.core's test passed")
    return 0


def _read_sample(sample: Path, model: Path) -> NDArray[Any]:
    """Read an image, or a volume if the model is one of volumes."""
    return read_volume(sample).pixels if read_card(model).input.dimensions == VOLUMES else read_image(sample)


def _export_folds(arguments: argparse.Namespace) -> int:
    """Write the mean of a run with folds as one model file."""
    others = (arguments.data, arguments.card, arguments.bioimageio, arguments.sample)
    if arguments.output is None or any(each is not None for each in others) or arguments.precision != PRECISIONS[0]:
        raise OptionError(
            f"{arguments.weights} is a run with folds, whose thresholds were tuned when it was trained. Give -o "
            "FILE.onnx for the mean of its networks, with --command or --overwrite at most."
        )
    export_average(arguments.weights, arguments.output, arguments.rebuild)
    return 0


def _export_detector(arguments: argparse.Namespace, data: Path | None) -> None:
    if arguments.card is not None or arguments.bioimageio is not None:
        raise OptionError(
            f"{arguments.weights} holds Mask R-CNN, of which a bioimage.io package cannot be made, and whose card is "
            "written anew. Leave out --card and --bioimageio."
        )
    try:
        from cpunet.export.detection.export_detector import export_detector
    except ImportError as error:  # torchvision is not in every environment
        raise missing(error) from None
    export_detector(arguments.weights, arguments.output, data, arguments.rebuild, arguments.overwrite)


def _data_root(weights: Path, words: Sequence[Path]) -> Path:
    """Return the folder that holds the data sets on which weights, or those beside an ONNX file, were trained."""
    beside = weights.with_name(WEIGHTS_FILE) if weights.suffix == ".onnx" else weights
    if not beside.is_file():
        raise WeightsError(
            f"{beside} is not there: it says on which data sets the model was trained. Put it there, or leave out "
            "--data."
        )
    return data_root(words, [source.folder for source in load_training(beside).config.data])
