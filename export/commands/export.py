"""``cpunet export``: trained weights in, one verified ONNX file with its card out."""

from __future__ import annotations

import argparse
import tempfile
from dataclasses import replace
from pathlib import Path

from cpunet.checks.agreement import Tolerance
from cpunet.errors import (
    ModelError,
    OptionError,
    WeightsError,
)
from cpunet.export.bioimageio.package import write_bioimageio
from cpunet.export.card.kept import kept_card
from cpunet.export.precision import PRECISIONS
from cpunet.export.readme import write_readme
from cpunet.export.reduced_precision import write_reduced
from cpunet.export.to_onnx import predict_with, write_onnx
from cpunet.export.training_card import card_from_training, scores_for_card
from cpunet.files.images import read_image
from cpunet.model.find import MODEL_FILE
from cpunet.model.protocol import Model
from cpunet.model.session import load_model
from cpunet.onnx_reader.metadata import sha256
from cpunet.options import Options
from cpunet.scores import pool_scores
from cpunet.training.config import source_names
from cpunet.training.data.labeled_images import rows_of_split
from cpunet.training.evaluation.torch_model import TorchModel, score_images
from cpunet.training.evaluation.tuning import tune_postprocessing
from cpunet.training.facts import set_diameters
from cpunet.training.network.unet import Probabilities
from cpunet.training.weights import WEIGHTS_FILE, load_trained, save_trained


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument(
        "weights",
        type=Path,
        metavar="CHECKPOINT",
        help="a run's .ckpt, or weights.safetensors; for --bioimageio alone, or --precision, an .onnx file with a card",
    )
    parser.add_argument("-o", "--output", type=Path, metavar="FILE", help="the .onnx file to write")
    parser.add_argument(
        "--data",
        type=Path,
        metavar="ROOT",
        help="folder that holds the data sets: tunes the thresholds on their val split and records the scores",
    )
    parser.add_argument(
        "--card",
        type=Path,
        metavar="MODEL",
        help="keep the card of this .onnx file, which was exported from the same weights before: nothing is tuned",
    )
    parser.add_argument("--command", default="", dest="rebuild", help="how the model is rebuilt, for its card")
    parser.add_argument(
        "--precision",
        choices=PRECISIONS,
        default=PRECISIONS[0],
        help="of the weights and the arithmetic: float16 for GPUs, int8 for CPUs; needs --data, says what it gives and "
        "costs, and is not written if it loses more than 0.005 of mean F1 on a validation set",
    )
    parser.add_argument("--bioimageio", type=Path, metavar="ZIP", help="write a bioimage.io package of the model, too")
    parser.add_argument("--sample", type=Path, metavar="IMAGE", help="the package's test image and cover (drawn)")


def run(arguments: argparse.Namespace) -> int:
    """Export, and package where that is asked for."""
    if arguments.precision != PRECISIONS[0]:
        export_reduced(arguments)
    elif arguments.weights.suffix != ".onnx":
        if arguments.output is None:
            raise OptionError("Give the .onnx file to write with -o.")
        export(arguments.weights, arguments.output, arguments.data, arguments.rebuild, arguments.card)
    elif arguments.bioimageio is None or arguments.output is not None:
        raise OptionError(
            f"{arguments.weights} is exported already. Give --bioimageio ZIP, and no -o, to make a package of it."
        )
    if arguments.bioimageio is not None:
        write_package(arguments.output or arguments.weights, arguments.bioimageio, arguments.sample)
    return 0


def export_reduced(arguments: argparse.Namespace) -> None:
    """Export with reduced precision: of an ONNX file with its card as it is, or of weights that are tuned first."""
    output: Path | None = arguments.output
    if output is None or output.suffix != ".onnx" or arguments.data is None:
        raise ModelError(
            f"--precision {arguments.precision} needs -o FILE.onnx, and --data ROOT to see what it costs: the folder "
            "that holds the data sets of the training."
        )
    if arguments.weights.suffix == ".onnx":
        write_reduced(arguments.weights, output, arguments.precision, arguments.data, arguments.rebuild)
    else:
        with tempfile.TemporaryDirectory() as folder:
            draft = Path(folder) / MODEL_FILE
            kept: Path | None = arguments.card
            print("first the float32 model, to compare with")
            export(arguments.weights, draft, None if kept else arguments.data, "", kept)
            again = f"cpunet export {arguments.weights} -o {output} --precision {arguments.precision} --data DATA"
            write_reduced(draft, output, arguments.precision, arguments.data, arguments.rebuild or again)
    print(f"{output}  {output.stat().st_size / 1e6:.2f} MB  sha256 {sha256(output)}")


def write_package(model: Path, package: Path, sample: Path | None) -> None:
    """Write a bioimage.io package of an ONNX file, and say so."""
    image = None if sample is None else read_image(sample)
    write_bioimageio(model, package, image)
    print(f"{package}  {package.stat().st_size / 1e6:.2f} MB  bioimageio.core's test passed")


def export(weights: Path, output: Path, data: Path | None, rebuild: str, card_of: Path | None = None) -> None:
    """Write the ONNX file, and beside it weights.safetensors to fine-tune from and a README.

    Parameters
    ----------
    weights : Path
        A checkpoint, or a safetensors file.
    output : Path
        Ends in ``.onnx``.
    data : Path, optional
        The folder that holds the data sets of the training's configuration.
    rebuild : str
        The command that rebuilds the model.
    card_of : Path, optional
        An ONNX file of the same weights whose card is kept.

    Raises
    ------
    ValueError, RuntimeError
        If the weights, the data or the result cannot be used; nothing is written then.
    """
    if output.suffix != ".onnx":
        raise ModelError(f"{output}: the name of a model file must end in .onnx, such as models/NAME/{MODEL_FILE}.")
    trained = load_trained(weights)
    if "diameter_px" not in trained.facts:
        raise WeightsError(f"{weights}: its training has not finished: finish it with `cpunet train` first.")
    if card_of is not None and (data is not None or rebuild):
        raise ModelError("--card keeps a card as it is: give it without --data and --command.")
    card = card_from_training(trained, rebuild)
    network = Probabilities(trained.network, trained.config.targets.activation).eval()
    if card_of is not None:
        card = kept_card(card_of, predict_with(network), card)
    if data is not None:
        sets = rows_of_split(trained.config.data, data, "val")
        print(f"tuning thresholds on {sum(len(rows) for rows in sets)} validation images")
        diameters = set_diameters(trained.config, trained.facts)
        model: Model = TorchModel(trained.network, trained.config.targets.activation, card)
        card = replace(card, postprocessing=tune_postprocessing(model, sets, diameters))
        print(f"    {card.postprocessing}")
        # Scored on a draft, so that the model before stays in its place until all is known of the new one.
        with tempfile.TemporaryDirectory() as folder:
            draft = Path(folder) / MODEL_FILE
            write_onnx(draft, network, card)
            model = load_model(draft, device="cpu")
            scores = {
                name: scores_for_card(pool_scores(score_images(model, rows, Options(diameter_px=diameter))))
                for name, rows, diameter in zip(source_names(trained.config.data), sets, diameters, strict=True)
            }
        card = replace(card, scores=scores)
        for name, values in scores.items():
            print(f"    {name} val: {values}")
    write_onnx(output, network, card)
    beside = output.with_name(WEIGHTS_FILE)
    if weights.resolve() != beside.resolve():
        save_trained(beside, trained)
    sums = {path.name: sha256(path) for path in (output, beside)}
    for path in (output, beside):
        print(f"{path}  {path.stat().st_size / 1e6:.2f} MB  sha256 {sums[path.name]}")
    print(f"onnxruntime and torch agree ({Tolerance()}); halo measured: {card.output.halo} pixels")
    if not write_readme(output.parent, card, sums):
        print(f"{output.parent / 'README.md'} was written by hand and is left as it is; check the sums in it")
