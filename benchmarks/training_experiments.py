"""Train the rows of an experiment one after the other, and score each on validation images: docs/models.md.

In the training environment: ``python -m benchmarks.training_experiments benchmarks/experiments/*.yaml --data DATA``.
A row that was stopped goes on where it was; one that is done is not done again.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from benchmarks.resized_images import resized
from cpunet.export.card.file import with_metadata
from cpunet.export.export_model import export_model
from cpunet.export.set_scores import scores_for_card
from cpunet.files.images import written_beside
from cpunet.model.card import METADATA_KEY, card_to_json
from cpunet.model.session import load_model
from cpunet.scores import ImageScores, pool_scores, score_image
from cpunet.segment import Model, Options, segment_image
from cpunet.training.config import read_config, source_names
from cpunet.training.data.labeled_images import IndexRow, read_labeled_image, rows_of_split
from cpunet.training.evaluation.torch_model import score_images
from cpunet.training.evaluation.tuning import tune_postprocessing
from cpunet.training.network.summary import summarize
from cpunet.training.weights import WEIGHTS_FILE, load_trained

# Thresholds are tuned on every fourth validation image, and sizes other than the own are tried on every fifth: the
# search takes longer than a short training.
TUNED_ON, RESIZED = 4, 5
FACTORS = (0.5, 2.0)
HEADER = (
    "| row | CPU minutes | million parameters | thousand multiply-accumulates a pixel "
    "| BBBC039 mean F1 | mAP | over / under | DSB 2018 mean F1 | mAP | over / under | F1 at 0.7, x 0.5 | x 2 |"
)


def main(arguments: Sequence[str]) -> int:
    """Train and score what is not done yet; print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("configs", nargs="+", type=Path, metavar="CONFIG.yaml")
    parser.add_argument("--data", required=True, type=Path, metavar="ROOT")
    parser.add_argument("--runs", type=Path, default=Path("runs/experiments"), metavar="DIR")
    options = parser.parse_args(arguments)
    for config in options.configs:
        result = options.runs / config.stem / "result.json"
        if not result.exists():
            row = experiment(config, options.data, result.parent)
            with written_beside(result) as beside:
                beside.write_text(json.dumps(row, indent=1) + "\n", encoding="utf-8")
    print(f"{HEADER}\n" + "|---" * HEADER.count("|", 1) + "|")
    for config in options.configs:
        row = json.loads((options.runs / config.stem / "result.json").read_text(encoding="utf-8"))
        print(table_row(config.stem, read_config(config).description, row))
    return 0


def table_row(name: str, description: str, row: dict[str, Any]) -> str:
    """Lay out what `experiment` found as a row of a Markdown table."""
    cells = [f"`{name}`: {description}", f"{row['cpu_minutes']:.0f}", f"{row['parameters'] / 1e6:.1f}"]
    cells.append(f"{row['macs_per_pixel'] / 1e3:.1f}")
    for score in row["scores"].values():
        cells += [f"{score['mean_f1']:.3f}", f"{score['mean_average_precision']:.3f}"]
        cells.append(f"{score['over_segmented']} / {score['under_segmented']}")
    return "| " + " | ".join([*cells, *(f"{value:.3f}" for value in row["resized"].values())]) + " |"


def experiment(path: Path, data: Path, run_folder: Path) -> dict[str, Any]:
    """Train one row and score it.

    Parameters
    ----------
    path : Path
        The row's YAML.
    data : Path
        Folder that holds the data sets.
    run_folder : Path
        Gets checkpoints, weights and a model file.

    Returns
    -------
    dict
        ``cpu_minutes`` of all processes of the training: what else the machine does at the time hardly changes them.
        ``parameters``, and ``macs_per_pixel`` of the network; ``decoding``; ``scores`` by data set; ``resized``: F1
        at IoU 0.7 on the first data set's images at other sizes, which the model is not told.
    """
    command = [sys.executable, "-m", "cpunet", "train", str(path), "--data", str(data), "--run", str(run_folder)]
    before_s = cpu_time_of_children_s()
    subprocess.run(command, check=True)
    cpu_s = cpu_time_of_children_s() - before_s
    config = read_config(path)
    weights, model_file = run_folder / WEIGHTS_FILE, run_folder / "model.onnx"
    export_model(weights, model_file)
    summary = summarize(load_trained(weights).network, config.patch_size, config.precision)
    sets = rows_of_split(config.data, data, "val")
    model = load_model(model_file, device="cpu")
    decoding = tune_postprocessing(model, [rows[::TUNED_ON] for rows in sets], [None for _ in sets])
    text = card_to_json(replace(model.card, postprocessing=decoding))
    model_file.write_bytes(with_metadata(model_file.read_bytes(), METADATA_KEY, text))
    model = load_model(model_file, device="cpu")
    return {
        "cpu_minutes": round(cpu_s / 60, 1),
        "parameters": summary.parameters,
        "macs_per_pixel": round(summary.macs_per_patch / config.patch_size**2),
        "decoding": vars(decoding),
        "scores": {
            name: scores_for_card(pool_scores(score_images(model, rows)))
            for name, rows in zip(source_names(config.data), sets, strict=True)
        },
        "resized": {
            str(factor): round(pool_scores(resized_scores(model, sets[0][::RESIZED], factor)).f1[0.7], 4)
            for factor in FACTORS
        },
    }


def cpu_time_of_children_s() -> float:
    """Return the processor time of all processes that this one has started and that have ended, seconds."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def resized_scores(model: Model, rows: Sequence[IndexRow], factor: float) -> list[ImageScores]:
    """Score a model on images at another size, which nobody rescales for it."""
    options = Options(scale=1.0)
    truths = (resized(read_labeled_image(row), factor) for row in rows)
    return [score_image(truth.labels, segment_image(truth.image, model, options).labels) for truth in truths]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
