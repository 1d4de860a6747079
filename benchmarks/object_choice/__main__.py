"""Choose per object among models, and score single models, their average and the choice on images that none has seen.

In the training environment:

    .venv/training/bin/python -m benchmarks.object_choice --data DATA --results benchmarks/object_choice/results.json

DATA holds the data sets. Scored is dsb2018 val, fluorescence. No model was trained on it, nor on what is learned from:

- *other sets*: BBBC039 val, aitslab and mnfinder val, which none of the shipped models was trained on;
- *held out*: dsb2018 val itself, each image chosen by trees that were learned on four other fifths of it;
- *both*: the other sets and those four fifths.

What stands in the results is not measured again.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.markdown import header, row
from cpunet.files.written_beside import written_beside
from cpunet.model.find import find_model
from cpunet.model.session import load_model
from cpunet.options import Options
from cpunet.scores import ImageScores, pool_scores
from cpunet.training.choosing.examples import Candidates, CandidatesOfImage, candidates_of, table_of
from cpunet.training.choosing.learn import folds_of, gain_over, score_of_choice
from cpunet.training.choosing.regressor import fitted, predicted
from cpunet.training.choosing.texts import COLUMNS
from cpunet.training.data.labeled_images import IndexRow, read_index

SCORED = ("dsb2018", ("val",), "fluorescence")
OTHERS = (("bbbc039", ("val",), ""), ("aitslab", ("train", "val"), ""), ("mnfinder", ("val",), ""))
GROUPS = (
    ("nuclei_fluorescence_float32", "nuclei_fluorescence_1"),
    ("nuclei_fluorescence_float32", "nuclei_fluorescence_1", "nuclei_generalist"),
)
Images = Sequence[CandidatesOfImage]


def main(arguments: Sequence[str]) -> int:
    """Measure what is missing, and print the table."""
    parser = argparse.ArgumentParser(prog="benchmarks.object_choice", description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="the folder that holds the data sets")
    parser.add_argument("--results", type=Path, default=Path("runs/object_choice.json"), help="JSON, read and written")
    parser.add_argument(
        "--models",
        nargs="+",
        action="append",
        metavar="MODEL",
        help="a group of models, again for each group (the shipped models of fluorescence)",
    )
    options = parser.parse_args(arguments)
    results = json.loads(options.results.read_text(encoding="utf-8")) if options.results.exists() else {}
    for names in options.models or GROUPS:
        key = " + ".join(names)
        if key not in results:
            results[key] = measured(names, options.data)
            options.results.parent.mkdir(parents=True, exist_ok=True)
            with written_beside(options.results) as beside:
                beside.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    print(table(results))
    return 0


def rows_of(root: Path, name: str, splits: Sequence[str], modality: str) -> list[IndexRow]:
    """Return the images of a data set of some splits, and of one modality unless it is empty."""
    rows = read_index(root / name)
    return [each for each in rows if each.split in splits and modality in ("", each.modality)]


def measured(names: Sequence[str], root: Path) -> dict[str, Any]:
    """Score a group of models alone, averaged, and chosen among in three ways."""
    models = [load_model(find_model(name)) for name in names]
    scored = candidates_of(models, rows_of(root, *SCORED), Options())
    others = candidates_of(models, [each for given in OTHERS for each in rows_of(root, *given)], Options(), False)
    methods: dict[str, Sequence[ImageScores]] = {
        model.card.name: [image.scores[number] for image in scored.images] for number, model in enumerate(models)
    }
    best = max(methods, key=lambda name: pool_scores(methods[name]).mean_f1)
    of_average = [image.of_average for image in scored.images if image.of_average is not None]
    if of_average:
        methods["average"] = of_average
    choices = {
        "choice, learned on other sets": from_others(scored, others),
        "choice, held out": held_out(scored, ()),
        "choice, learned on both": held_out(scored, others.images),
    }
    methods.update(choices)
    gains = {name: gain_over(best, methods[best], each) for name, each in choices.items()}
    return {
        "models": {model.card.name: model.sha256 for model in models},
        "images": len(scored.images),
        "objects": pool_scores(methods[best]).truth_count,
        "failed": {**scored.failed, **others.failed},
        "not averaged": scored.not_averaged,
        "candidates learned from": {"other sets": len(table_of(others.images)[1])},
        "methods": {name: numbers_of(each) for name, each in methods.items()},
        "gains": {name: {"over": each.over, **_rounded(vars(each))} for name, each in gains.items()},
    }


def from_others(scored: Candidates, others: Candidates) -> list[ImageScores]:
    """Choose by trees that were learned on other sets."""
    regressor = fitted(*table_of(others.images))
    return [score_of_choice(image, predicted(regressor, image.features)) for image in scored.images]


def held_out(scored: Candidates, more: Images) -> list[ImageScores]:
    """Choose in each fold by trees that were learned on the other folds, and on more images."""
    images = scored.images
    scores: dict[int, ImageScores] = {}
    for fold in folds_of(images):
        regressor = fitted(*table_of([*more, *(each for place, each in enumerate(images) if place not in fold)]))
        scores.update({at: score_of_choice(images[at], predicted(regressor, images[at].features)) for at in fold})
    return [scores[place] for place in range(len(images))]


def numbers_of(scores: Sequence[ImageScores]) -> dict[str, float]:
    """Return the pooled scores of a method, by the heads of the table."""
    pooled = pool_scores(scores)
    return {name: round(getattr(pooled, field), 4) for name, field in COLUMNS.items()}


def _rounded(values: dict[str, Any]) -> dict[str, float]:
    return {name: round(value, 4) for name, value in values.items() if isinstance(value, float)}


def _text(number: float) -> str:
    return f"{number:.3f}" if isinstance(number, float) else str(number)


def table(results: dict[str, Any]) -> str:
    """Lay out the results as Markdown."""
    lines = []
    for key, result in results.items():
        lines += [f"\n{key}: {result['images']} images, {result['objects']} objects\n"]
        lines += [header(["method", *COLUMNS, "gain in mean F1 (90 %)"])]
        for name, numbers in result["methods"].items():
            gain = result["gains"].get(name)
            said = f"{gain['mean_f1']:+.3f} ({gain['low']:+.3f} to {gain['high']:+.3f})" if gain else ""
            lines += [row([name, *map(_text, numbers.values()), said])]
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
