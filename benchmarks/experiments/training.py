"""Train the rows of an experiment one after the other, and score each on validation images: docs/models.md.

In the training environment: ``python -m benchmarks.experiments.training benchmarks/experiments/*.yaml --data DATA``.
A row that was stopped goes on where it was. A finished row is only printed.
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

from benchmarks.labeled_images import resized
from benchmarks.markdown import header, row
from cpunet.export.export_model import export_model
from cpunet.export.set_scores import image_sets, score_sets
from cpunet.files.written_beside import written_beside
from cpunet.model.card import METADATA_KEY, Postprocessing, card_to_json
from cpunet.model.protocol import Model
from cpunet.model.session import load_model
from cpunet.onnx_reader.write_metadata import with_metadata
from cpunet.options import Options
from cpunet.scores import ImageScores, pool_scores, score_image
from cpunet.segment import segment_image
from cpunet.training.config import read_config
from cpunet.training.data.labeled_images import IndexRow, read_labeled_image
from cpunet.training.evaluation.card_scores import scores_for_card
from cpunet.training.network.summary import summarize
from cpunet.training.tuning.search import tune_postprocessing
from cpunet.training.weights import WEIGHTS_FILE, load_trained

# Thresholds are tuned on every fourth validation image, and other sizes are tried on every fifth: the search takes
# longer than a short training.
TUNED_ON, RESIZED = 4, 5
FACTORS = (0.5, 2.0)
HEADER = ["row", "CPU minutes", "million parameters", "thousand multiply-accumulates a pixel", "BBBC039 mean F1", "mAP"]
HEADER += ["over / under", "DSB 2018 mean F1", "mAP", "over / under", "F1 at 0.7, x 0.5", "x 2"]


def main(arguments: Sequence[str]) -> int:
    """Train and score what is not done yet; print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("configs", nargs="+", type=Path, metavar="CONFIG.yaml")
    parser.add_argument("--data", required=True, type=Path, metavar="ROOT")
    parser.add_argument("--runs", type=Path, default=Path("runs/experiments"), metavar="DIR")
    options = parser.parse_args(arguments)
    results = {config: options.runs / config.stem / "result.json" for config in options.configs}
    for config, result in results.items():
        if not result.exists():
            found = experiment(config, options.data, result.parent)
            with written_beside(result) as beside:
                beside.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    print(header(HEADER))
    for config, result in results.items():
        found = json.loads(result.read_text(encoding="utf-8"))
        print(row([f"`{config.stem}`: {read_config(config).description}", *cells(found)]))
    return 0


def cells(found: dict[str, Any]) -> list[str]:
    """Lay out what `experiment` found as the cells of a table row."""
    made = [f"{found['cpu_minutes']:.0f}", f"{found['parameters'] / 1e6:.1f}", f"{found['macs_per_pixel'] / 1e3:.1f}"]
    for score in found["scores"].values():
        made += [f"{score['mean_f1']:.3f}", f"{score['mean_average_precision']:.3f}"]
        made.append(f"{score['over_segmented']} / {score['under_segmented']}")
    return made + [f"{value:.3f}" for value in found["resized"].values()]


def experiment(path: Path, data: Path, run_folder: Path) -> dict[str, Any]:
    """Train one row, described by a YAML file, and score it. Everything that is made lies in the run's folder.

    Returns
    -------
    dict
        ``cpu_minutes`` of all processes of the training, which other work on the machine hardly changes.
        ``parameters``, and ``macs_per_pixel`` of the network; ``decoding``; ``scores`` by data set; ``resized``: F1
        at IoU 0.7 on the first data set's images at other sizes, without rescaling.
    """
    command = [sys.executable, "-m", "cpunet", "train", str(path), "--data", str(data), "--run", str(run_folder)]
    before_s = cpu_time_of_children_s()
    subprocess.run(command, check=True)
    cpu_s = cpu_time_of_children_s() - before_s
    config = read_config(path)
    weights, model_file = run_folder / WEIGHTS_FILE, run_folder / "model.onnx"
    export_model(weights, model_file)
    trained = load_trained(weights)
    summary = summarize(trained.network, config.patch_size, config.precision)
    sets = image_sets(trained, data, "val")
    model = load_model(model_file, device="cpu")
    text = card_to_json(replace(model.card, postprocessing=tune(model, [each.rows for each in sets])))
    model_file.write_bytes(with_metadata(model_file.read_bytes(), METADATA_KEY, text))
    model = load_model(model_file, device="cpu")
    return {
        "cpu_minutes": round(cpu_s / 60, 1),
        "parameters": summary.parameters,
        "macs_per_pixel": round(summary.macs_per_patch / config.patch_size**2),
        "decoding": vars(model.card.postprocessing),
        "scores": {name: scores_for_card(scores) for name, scores in score_sets(model, sets).items()},
        "resized": {
            str(factor): round(pool_scores(resized_scores(model, sets[0].rows[::RESIZED], factor)).f1[0.7], 4)
            for factor in FACTORS
        },
    }


def cpu_time_of_children_s() -> float:
    """Return the processor time, in seconds, of all processes that this one has started and that have ended."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def tune(model: Model, sets: Sequence[Sequence[IndexRow]]) -> Postprocessing:
    """Tune the post-processing of a model on some of the validation images of each set."""
    return tune_postprocessing(model, [rows[::TUNED_ON] for rows in sets], [None for _ in sets])


def resized_scores(model: Model, rows: Sequence[IndexRow], factor: float) -> list[ImageScores]:
    """Score a model on images at another size, without rescaling them for it."""
    options = Options(scale=1.0)
    truths = (resized(read_labeled_image(row), factor) for row in rows)
    return [score_image(truth.labels, segment_image(truth.image, model, options).labels) for truth in truths]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
