"""Train four folds and one network on dsb2018, and score them on sets that none of them saw.

In the training environment; what was stopped goes on:

    .venv/training/bin/python -m benchmarks.folds measure --data ROOT
    .venv/training/bin/python -m benchmarks.folds table

ROOT is a folder with the data sets dsb2018, mnfinder and aitslab. All five trainings are those of small.yaml, with the
same number of steps, on the fluorescence images of dsb2018. The one network is trained on the images of the split
train, nine tenths of them; each fold leaves out a quarter of train and val. The thresholds of all rows are the same:
those that were tuned on the predictions of the images left out. Only the networks and the views differ. Scored are all
images of mnfinder and aitslab. The cost is the processor time of this process for an image, the first image not
counted, which other work on the machine hardly changes.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from benchmarks.folds.rows import FOLDS, MEAN, MODELS, ONE, Row, fold_name, rows
from benchmarks.markdown import header, row
from cpunet.export.average import export_average
from cpunet.export.export_model import export_model
from cpunet.files.written_beside import written_beside
from cpunet.model.find import MODEL_FILE
from cpunet.model.session import load_model
from cpunet.progress import Progress
from cpunet.scores import ImageScores, pool_scores, score_image
from cpunet.segment import segment_image
from cpunet.training.config import TrainingConfig, read_config
from cpunet.training.data.labeled_images import read_index, read_labeled_image
from cpunet.training.evaluation.card_scores import scores_for_card
from cpunet.training.folds.run import train_folds
from cpunet.training.planning.machine import stay_within_cores
from cpunet.training.quiet import quiet_libraries
from cpunet.training.train import train
from cpunet.training.weights import WEIGHTS_FILE, load_trained, save_trained

CONFIG = Path(__file__).with_name("small.yaml")
NEVER_SEEN = ("mnfinder", "aitslab")
COST = "cpu_seconds_an_image"


def main(arguments: Sequence[str]) -> int:
    """Train and score what is not done yet, or print the table."""
    parser = argparse.ArgumentParser(prog="benchmarks.folds", description=__doc__.splitlines()[0])
    parser.add_argument("action", choices=("measure", "table"))
    parser.add_argument("--data", type=Path, metavar="ROOT", help="folder that holds the data sets")
    parser.add_argument("--folder", type=Path, default=Path("runs/folds_benchmark"), metavar="DIR", help="what is made")
    parser.add_argument("--config", type=Path, default=CONFIG, metavar="YAML", help="another training")
    parser.add_argument("--most", type=int, metavar="N", help="score no more than N images of each set")
    options = parser.parse_args(arguments)
    if options.action == "table":
        print(table(options.folder))
        return 0
    if options.data is None:
        parser.error("--data is needed to measure")
    stay_within_cores()
    with quiet_libraries():
        make_models(read_config(options.config), options.data, options.folder)
    for each in rows():
        result = options.folder / "scores" / f"{each.name}.json"
        if not result.exists():
            found = measure(each, options.data, options.folder, options.most)
            result.parent.mkdir(parents=True, exist_ok=True)
            with written_beside(result) as beside:
                beside.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    print(table(options.folder))
    return 0


def make_models(config: TrainingConfig, root: Path, folder: Path) -> None:
    """Train the folds and one network, and export each and the mean, all with the settings of the folds."""
    done = train_folds(config, root, folder / "folds", FOLDS)
    one = train(config, root, folder / "one")
    models = folder / MODELS
    if not (models / MEAN / MODEL_FILE).exists():
        export_average(folder / "folds", models / MEAN / MODEL_FILE)
    for name, weights in zip((ONE, *map(fold_name, range(1, FOLDS + 1))), (one, *done.weights), strict=True):
        if not (models / name / MODEL_FILE).exists():
            trained = load_trained(weights)
            # Beside the model, as the weights of the run must stay as they are.
            beside = models / name / WEIGHTS_FILE
            beside.parent.mkdir(parents=True, exist_ok=True)
            save_trained(beside, replace(trained, config=replace(trained.config, decoding=done.found.settings)))
            export_model(beside, models / name / MODEL_FILE)


def measure(each: Row, root: Path, folder: Path, most: int | None = None) -> dict[str, Any]:
    """Score one row on the images of the sets that no network saw."""
    model = load_model(folder / MODELS / each.model / MODEL_FILE, device="cpu")
    images = {name: read_index(root / name)[:most] for name in NEVER_SEEN}
    progress, seconds = Progress(f"scoring {each.name}: image", sum(map(len, images.values()))), []
    scores: dict[str, list[ImageScores]] = {name: [] for name in images}
    for name, of_set in images.items():
        for image in of_set:
            truth = read_labeled_image(image)
            before = time.process_time()
            labels = segment_image(truth.image, model, each.options).labels
            seconds.append(time.process_time() - before)
            scores[name].append(score_image(truth.labels, labels))
            progress.show(len(seconds), image.id)
    progress.end()
    found = {name: scores_for_card(pool_scores(of_set)) for name, of_set in scores.items()}
    return {"row": each.name, "scores": found, COST: round(sum(seconds[1:]) / max(1, len(seconds) - 1), 3)}


def table(folder: Path) -> str:
    """Return what was measured so far as a table; the cost is that of one network in one view times a factor."""
    found = {}
    for each in rows():
        path = folder / "scores" / f"{each.name}.json"
        if path.exists():
            found[each] = json.loads(path.read_text(encoding="utf-8"))
    base = next((result[COST] for each, result in found.items() if each.name == "one"), None)
    heads = [
        "",
        *(f"{name}: {what}" for name in NEVER_SEEN for what in ("mean F1", "F1 at 0.7")),
        "CPU seconds",
        "times",
    ]
    lines = [header(heads)]
    for each, result in found.items():
        scores = [f"{result['scores'][name][score]:.3f}" for name in NEVER_SEEN for score in ("mean_f1", "f1_at_0.7")]
        times = f"{result[COST] / base:.1f}" if base else ""
        lines.append(row([each.words, *scores, f"{result[COST]:.2f}", times]))
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
