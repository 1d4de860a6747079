"""``cpunet combine``: learn, on labeled images, which of several models found each object best."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from cpunet import __version__
from cpunet.choice.card import ChooserCard, ListedModel
from cpunet.choice.features import feature_names
from cpunet.choice.model_choice import choice_card
from cpunet.errors import OptionError
from cpunet.export.trees_to_onnx import write_chooser
from cpunet.files.find import identity
from cpunet.files.outputs import check_output
from cpunet.model.find import find_model
from cpunet.model.session import OnnxModel, load_model
from cpunet.onnx_reader.metadata import sha256
from cpunet.options import Options, check_options
from cpunet.terminal import printable, report, word_of
from cpunet.training.choosing.examples import candidates_of
from cpunet.training.choosing.learn import Learned, learn
from cpunet.training.choosing.regressor import predicted
from cpunet.training.choosing.texts import advice, gain_text, pays, scores_as_json, scores_table
from cpunet.training.data.data_sets import HELP, find_data_sets
from cpunet.training.data.labeled_images import IndexRow
from cpunet.training.evaluation.scoring import chosen_rows


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("models", nargs="+", metavar="MODEL", help="two models or more: names, folders or .onnx files")
    parser.add_argument(
        "--data",
        nargs="+",
        action="extend",
        required=True,
        type=Path,
        metavar="FOLDER",
        help=f"{HELP}; no model may have been trained on the images",
    )
    parser.add_argument("--split", default="val", help="which images of index.csv are learned from (val)")
    parser.add_argument(
        "--modality", nargs="+", action="extend", default=[], metavar="M", help="only images of these; all by default"
    )
    parser.add_argument(
        "--diameter",
        type=float,
        metavar="PX",
        help="typical diameter of the objects; by default it is measured on each image",
    )
    parser.add_argument("-o", "--output", required=True, type=Path, metavar="FILE", help="the file that chooses, .onnx")
    parser.add_argument("--overwrite", action="store_true", help="replace FILE also if cpunet did not write it")


def run(arguments: argparse.Namespace) -> int:
    """Learn and write; return 1 if choosing does not pay, so that nothing was written, or if an image failed."""
    output: Path = arguments.output
    if output.suffix.lower() != ".onnx":
        raise OptionError(f"-o {output}: what chooses is written into a file whose name ends in .onnx.")
    if len(arguments.models) < 2:
        raise OptionError("There is one model, and nothing to choose among. Name two or more.")
    options = Options(diameter_px=arguments.diameter)
    check_options(options)
    rows = chosen_rows(find_data_sets(arguments.data), arguments.split, arguments.modality)
    models = [load_model(find_model(name)) for name in arguments.models]
    check_models(models)
    inputs = {identity(path) for row in rows for path in (row.image_path, row.labels_path)}
    check_output(output, inputs | {identity(model.path) for model in models}, arguments.overwrite)
    for line in trained_on(models, rows):
        report(line, sys.stderr)
    candidates = candidates_of(models, rows, options)
    if candidates.not_averaged:
        report(f"There is no average to compare with. {candidates.not_averaged}")
    learned = learn(candidates, [model.card.name for model in models])
    gains = [gain for gain in (learned.gain, learned.gain_over_average) if gain is not None]
    report(
        "\n".join(
            [
                f"{len(learned.images)} images; each was held out in turn, with its group, while the others were "
                "learned from",
                *scores_table(learned.pooled()),
                *map(gain_text, gains),
                f"predicted and true IoU of what was held out correlate by {learned.correlation:.2f}",
                *advice(learned),
            ]
        )
    )
    if not pays(learned):
        print(f"{printable(output)} was not written.")
        return 1
    card = card_of(models, rows, learned, arguments)
    write_chooser(output, learned.regressor, card, learned.features, predicted(learned.regressor, learned.features))
    first, *further = arguments.models
    words = ["--model", first, "--further-models", *further, "--combine", "choose", "--chooser", output]
    print(
        f"written: {printable(output)}, SHA-256 {sha256(output)}\n"
        "use it in CellProfiler: advanced settings, Further models, Combine models: Choose per object\n"
        f"or: cpunet segment IMAGES -o RESULTS {' '.join(map(word_of, words))}"
    )
    return 1 if candidates.failed else 0


def check_models(models: Sequence[OnnxModel]) -> None:
    """Raise an error if a model is given twice, or they do not take the same images."""
    sums = [model.sha256 for model in models]
    for model in models:
        if sums.count(model.sha256) > 1:
            raise OptionError(f"The model {model.card.name} (SHA-256 {model.sha256[:12]}...) is given twice.")
    choice_card([model.card for model in models])


def trained_on(models: Sequence[OnnxModel], rows: Sequence[IndexRow]) -> list[str]:
    """Name the models that were trained on images of the same set and split, as far as their cards say it."""
    given = {(row.folder.name, row.split) for row in rows}
    lines = []
    for model in models:
        data = model.card.provenance.get("data")
        names = [str(each.get("name", "")).split() for each in data or () if isinstance(each, dict)]
        for folder, split in sorted(given):
            if any(words and words[0] == folder and split in words[1:] for words in names):
                lines.append(
                    f"NOTE {model.card.name} was trained on images of {folder}, {split}: its objects there are better "
                    "than on new images, and the choice will trust it too much. Give images that no model has seen."
                )
    return lines


def card_of(
    models: Sequence[OnnxModel], rows: Sequence[IndexRow], learned: Learned, arguments: argparse.Namespace
) -> ChooserCard:
    """Make the card of the file that chooses."""
    sets = sorted({row.folder.name for row in rows})
    return ChooserCard(
        features=feature_names(len(models)),
        models=tuple(ListedModel(model.card.name, model.card.version, model.sha256) for model in models),
        provenance={
            "data": [
                {"name": name, "images": sum(row.folder.name == name for row in rows), "split": arguments.split}
                for name in sets
            ],
            "cpunet": __version__,
        },
        scores=scores_as_json(learned),
    )
