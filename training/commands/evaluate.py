"""``cpunet evaluate``: score a model, and any folder of label images beside it, on labeled images."""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Sequence
from pathlib import Path

from cpunet.commands.model_arguments import add_averaging, opened_chooser, views_of
from cpunet.errors import OptionError
from cpunet.files.find import identity
from cpunet.files.formats.volume import holds_volume
from cpunet.files.images import write_text
from cpunet.files.mark import source_of
from cpunet.files.outputs import check_output
from cpunet.options import Options
from cpunet.terminal import report, word_of
from cpunet.training.data.data_sets import HELP, find_data_sets
from cpunet.training.data.labeled_images import IndexRow
from cpunet.training.evaluation.methods import LabelFolder, Method, ModelMethod, chosen_methods
from cpunet.training.evaluation.report.score_texts import overlap_table, terminal_table
from cpunet.training.evaluation.report.write_report import write_report, write_scores
from cpunet.training.evaluation.scoring import chosen_rows, evaluate
from cpunet.training.planning.machine import stay_within_cores
from cpunet.training.volumes.evaluation.evaluate import evaluate_volumes, volumes_of_rows

REPORT_FILE, SCORES_FILE, REVIEW_FILE = "report.html", "scores.json", "review.html"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument(
        "--model",
        metavar="MODEL",
        help="a model's name, folder or .onnx file; or a run's folder, .safetensors or .ckpt",
    )
    parser.add_argument(
        "--data",
        nargs="+",
        action="extend",
        required=True,
        type=Path,
        metavar="FOLDER",
        help=HELP,
    )
    parser.add_argument("--split", default="val", help="which images of index.csv are scored (val)")
    parser.add_argument(
        "--modality",
        nargs="+",
        action="extend",
        default=[],
        metavar="M",
        help="only images of these; all by default",
    )
    parser.add_argument(
        "--diameter",
        type=float,
        metavar="PX",
        help="typical diameter of the objects; by default it is measured on each image",
    )
    parser.add_argument(
        "--z-step",
        type=float,
        metavar="PX",
        help="of volumes of which index.csv does not say it: distance of the planes over the width of a pixel",
    )
    add_averaging(parser)
    parser.add_argument(
        "--beside",
        nargs="+",
        action="extend",
        default=[],
        metavar="NAME=FOLDER",
        help="also score a folder of label images, TIFF or PNG, named by the images' ids",
    )
    parser.add_argument(
        "--noisy-labels",
        action="store_true",
        help="the labels are not exact, such as those made from a stain: also score pixels, and objects by any overlap",
    )
    parser.add_argument("--worst", type=int, default=12, metavar="N", help="images in the gallery of the worst (12)")
    parser.add_argument(
        "-o",
        "--output",
        type=Path,
        default=Path("evaluation"),
        metavar="DIR",
        help="folder for the results (evaluation)",
    )
    parser.add_argument(
        "--overwrite", action="store_true", help="replace files in DIR that cpunet did not write, or that were changed"
    )


def run(arguments: argparse.Namespace) -> int:
    """Evaluate, and return 1 if an image could not be scored."""
    output = arguments.output
    stay_within_cores()
    if arguments.worst < 0:
        raise OptionError(f"--worst must be 0 or more; it is {arguments.worst}.")
    rows = chosen_rows(find_data_sets(arguments.data), arguments.split, arguments.modality)
    models = () if arguments.model is None else (arguments.model, *arguments.average_with)
    options = Options(diameter_px=arguments.diameter, **views_of(arguments))
    if arguments.model is None and (arguments.average_with or options != Options()):
        raise OptionError(
            "--diameter, --average-with, --views, --view-scales and --crops are for a model, and there is no --model."
        )
    chooser = opened_chooser(arguments)
    if arguments.model is None and chooser is not None:
        raise OptionError("--combine and --chooser are for models, and there is no --model.")
    methods = chosen_methods(models, arguments.beside, rows, options, output, chooser)
    if holds_volume(rows[0].image_path):
        return _evaluate_volumes(arguments, methods, rows)
    if arguments.z_step is not None:
        raise OptionError("--z-step is for volumes, and these are images.")
    check_outputs(output, methods, rows, arguments.overwrite)
    output.mkdir(parents=True, exist_ok=True)
    seen = sorted({row.folder.name for row in rows if row.split != arguments.split})
    if seen:
        report(
            f"{', '.join(seen)}: no image has the split 'val', so those for training are scored. A model that was "
            "trained on them looks better than it is: score it on images that it never saw."
        )
    splits = " and ".join(sorted({row.split for row in rows}))
    evaluation = evaluate(methods, rows, splits, arguments.diameter, arguments.noisy_labels)
    report("\n".join(terminal_table(evaluation)))
    if evaluation.noisy_labels:
        report("\n".join(["", *overlap_table(evaluation)]))
    write_scores(output / SCORES_FILE, evaluation)
    write_report(output / REPORT_FILE, evaluation, arguments.worst)
    scored = len(evaluation.methods[0].images)
    print(f"{scored} images scored, {len(evaluation.failed)} failed; open {output / REPORT_FILE}")
    if isinstance(methods[0], ModelMethod):
        print(f"For experts who judge these objects in a browser: {review_command(methods[0], rows, output)}")
    return 1 if evaluation.failed else 0


def _evaluate_volumes(arguments: argparse.Namespace, methods: Sequence[Method], rows: Sequence[IndexRow]) -> int:
    """Evaluate on volumes, and return 1 if one could not be scored."""
    if arguments.noisy_labels:
        raise OptionError("--noisy-labels is for images, and these are volumes.")
    output = arguments.output
    volumes = volumes_of_rows(rows, arguments.z_step)
    check_outputs(output, methods, rows, arguments.overwrite, (SCORES_FILE,))
    output.mkdir(parents=True, exist_ok=True)
    done = evaluate_volumes(methods, rows, volumes)
    report("\n".join(done.table()))
    write_text(output / SCORES_FILE, json.dumps(done.as_json(), indent=1, allow_nan=False) + "\n")
    print(f"{done.scored} volumes scored, {len(done.failed)} failed; the scores: {output / SCORES_FILE}")
    return 1 if done.failed else 0


def review_command(method: ModelMethod, rows: Sequence[IndexRow], output: Path) -> str:
    """Return the command that makes a page for experts of the images that have labels of the model."""
    folders = dict.fromkeys(row.folder for row in rows)
    words = [*folders, "--labels", method.folder, "-o", output / REVIEW_FILE]
    return f"cpunet review make {' '.join(map(word_of, words))}"


def check_outputs(
    output: Path,
    methods: Sequence[Method],
    rows: Sequence[IndexRow],
    overwrite: bool,
    names: Sequence[str] = (REPORT_FILE, SCORES_FILE),
) -> None:
    """Raise OutputError before the work if one of its files would replace an input or something of the user's."""
    if output.exists() and not output.is_dir():
        raise OptionError(f"{output}: this is a file; -o needs a folder.")
    inputs = {identity(path) for row in rows for path in (row.image_path, row.labels_path)}
    inputs |= {
        identity(path) for method in methods if isinstance(method, LabelFolder) for path in method.files.values()
    }
    for name in names:
        check_output(output / name, inputs, overwrite)
    for method in methods:
        if isinstance(method, ModelMethod):
            for row in rows:
                if row.image_path.is_file():  # else it will be named among the images that failed
                    labels = method.files[row.key]
                    source = source_of(row.image_path) if os.path.lexists(labels) else None
                    check_output(labels, inputs, overwrite, source)
