"""``cpunet evaluate``: score a model, and any folder of label images beside it, on labeled images."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from cpunet.commands.terminal import report, show_progress
from cpunet.errors import DataError, LabelFileError, OptionError
from cpunet.training.data.labeled_images import IndexRow, Key, read_index, read_labeled_image
from cpunet.training.evaluation.methods import Method, chosen_methods
from cpunet.training.evaluation.object_scores import true_objects
from cpunet.training.evaluation.report import write_report, write_scores
from cpunet.training.evaluation.score_texts import terminal_table
from cpunet.training.evaluation.scored_images import Evaluation, ScoredImage, ScoredMethod, score_labels

REPORT_FILE, SCORES_FILE = "report.html", "scores.json"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument(
        "--model",
        metavar="NAME|FILE",
        help="a model's name, its folder or .onnx file, or .safetensors or .ckpt of a run",
    )
    parser.add_argument(
        "--data",
        nargs="+",
        action="extend",
        required=True,
        type=Path,
        metavar="FOLDER",
        help="data sets: images/ labels/ index.csv",
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
        "--beside",
        nargs="+",
        action="extend",
        default=[],
        metavar="NAME=FOLDER",
        help="also score a folder of label images, TIFF or PNG, named by the images' ids",
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


def run(arguments: argparse.Namespace) -> int:
    """Evaluate, and return 1 if an image could not be scored."""
    output = arguments.output
    if arguments.worst < 0:
        raise OptionError(f"--worst must be 0 or more; it is {arguments.worst}.")
    rows = chosen_rows(arguments.data, arguments.split, arguments.modality)
    methods = chosen_methods(arguments.model, arguments.beside, rows, arguments.diameter, output)
    if output.exists() and not output.is_dir():
        raise OptionError(f"{output}: this is a file; -o needs a folder.")
    output.mkdir(parents=True, exist_ok=True)
    scored, failed = score_methods(methods, rows)
    if not scored[0].images:
        raise DataError("no image could be scored, so there is no report.")
    evaluation = Evaluation(arguments.split, arguments.diameter, tuple(scored), failed)
    report("\n".join(terminal_table(evaluation)))
    write_scores(output / SCORES_FILE, evaluation)
    write_report(output / REPORT_FILE, evaluation, arguments.worst)
    print(f"{len(scored[0].images)} images scored, {len(failed)} failed; open {output / REPORT_FILE}")
    return 1 if failed else 0


def chosen_rows(folders: Sequence[Path], split: str, modalities: Sequence[str]) -> list[IndexRow]:
    """Choose the images to score.

    Parameters
    ----------
    folders : sequence of Path
        Data sets.
    split : str
    modalities : sequence of str
        Empty for all.

    Returns
    -------
    list of IndexRow

    Raises
    ------
    DataError
        If a data set has no such image, or two images cannot be told apart by set and id.
    """
    chosen: dict[Key, IndexRow] = {}
    for folder in folders:
        index = read_index(folder.resolve())
        rows = [row for row in index if row.split == split and (not modalities or row.modality in modalities)]
        if not rows:
            there = ", ".join(sorted({f"{row.split} / {row.modality}" for row in index}))
            raise DataError(
                f"{folder}: no image has the split {split!r}"
                + (f" and a modality of {', '.join(modalities)}" if modalities else "")
                + f". It has, as split / modality: {there or 'no image at all'}."
            )
        for row in rows:
            if row.key in chosen:
                raise DataError(
                    f"{folder}: the image {'/'.join(row.key)} stands twice in the data. Give each data set once, and "
                    "rename a folder if two have the same name."
                )
            chosen[row.key] = row
    return list(chosen.values())


def score_methods(methods: Sequence[Method], rows: Sequence[IndexRow]) -> tuple[list[ScoredMethod], dict[Key, str]]:
    """Score all methods on the same images.

    Parameters
    ----------
    methods : sequence of Method
    rows : sequence of IndexRow

    Returns
    -------
    scored : list of ScoredMethod
        In the order of `methods`.
    failed : dict of tuple to str
        Why an image could not be scored, by `IndexRow.key`. It is left out of all methods, or their figures
        could not be compared.
    """
    images: list[list[ScoredImage]] = []
    failed = {}
    for done, row in enumerate(rows):
        show_progress(done, len(rows), row.id)
        try:
            images.append(score_row(methods, row))
        except Exception as error:  # whatever is wrong with this image, the others must be scored
            failed[row.key] = str(error) or type(error).__name__
            report(f"FAILED {'/'.join(row.key)}: {failed[row.key]}", sys.stderr)
    scored = [
        ScoredMethod(method.name, method.source, method.labels, tuple(of_methods[number] for of_methods in images))
        for number, method in enumerate(methods)
    ]
    return scored, failed


def score_row(methods: Sequence[Method], row: IndexRow) -> list[ScoredImage]:
    """Score one image, as each method segmented it.

    Parameters
    ----------
    methods : sequence of Method
    row : IndexRow

    Returns
    -------
    list of ScoredImage
        In the order of `methods`.

    Raises
    ------
    ValueError
        If the image, its truth or a label image cannot be read, or differs in shape.
    """
    truth = read_labeled_image(row)
    objects = true_objects(truth.labels)
    scored = []
    for method in methods:
        labels = method.segment(row, truth)
        if labels.shape != truth.labels.shape:
            raise LabelFileError(
                f"the labels of {method.name} have the shape {labels.shape} and the image {truth.labels.shape}. They "
                "must be saved at the size of the image, neither cropped nor rescaled."
            )
        scored.append(score_labels(row, truth.labels, objects, labels))
    return scored
