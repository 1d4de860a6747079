"""Train on labels with faults, and score against true ones: labels corrupted on purpose, and those of a threshold.

In the training environment; `benchmarks.imperfect_labels.primary` makes the labels of IdentifyPrimaryObjects first:

    .venv/training/bin/python -m benchmarks.imperfect_labels --data DATA/bbbc039 --primary LABELS --steps 3000

The images are those of BBBC039's training split, the networks start from random weights, and the scores are those of
its validation split, which is used for nothing else. What is done already is not done again.

Networks learn the rule behind labels whose faults follow no rule: Rolnick et al. 2017, Deep Learning is Robust to
Massive Label Noise, arXiv:1705.10694.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.data_set_with_labels import Labels, by_hand, write_data_set
from benchmarks.imperfect_labels.corrupt import corrupt
from benchmarks.markdown import header, row
from cpunet.export.export_model import export_model
from cpunet.files.images import read_image, read_label_numbers
from cpunet.files.written_beside import written_beside
from cpunet.model.session import load_model
from cpunet.scores import pool_scores, score_image
from cpunet.segment import segment_image
from cpunet.training.data.labeled_images import IndexRow, read_index
from cpunet.training.planning.machine import this_machine
from cpunet.training.planning.plan import make_plan
from cpunet.training.quiet import quiet_libraries
from cpunet.training.train import train

SEED = 1
FIELDS_LABELED_BY_HAND = 5
THRESHOLDS = (0.5, 0.7, 0.9)


def main(arguments: Sequence[str]) -> int:
    """Train and score what is asked for, and print the table."""
    parser = argparse.ArgumentParser(prog="benchmarks.imperfect_labels", description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="folder of BBBC039")
    parser.add_argument("--primary", type=Path, metavar="LABELS", help="labels of IdentifyPrimaryObjects")
    parser.add_argument("--steps", type=int, default=3000, help="of a training from random weights (3000)")
    parser.add_argument("--fine-tuning-steps", type=int, default=600, help="on images labeled by hand (600)")
    parser.add_argument("--folder", type=Path, default=Path("runs/imperfect_labels"), help="what is made")
    options = parser.parse_args(arguments)
    taught, scored = ([row for row in read_index(options.data) if row.split == split] for split in ("train", "val"))
    few = taught[:: len(taught) // FIELDS_LABELED_BY_HAND][:FIELDS_LABELED_BY_HAND]
    found = Results(options.folder, scored)
    with quiet_libraries():
        found.labels("corrupted labels themselves", corrupted)
        found.model("trained on corrupted labels", taught, corrupted, "", options.steps)
        if options.primary is not None:

            def thresholded(row: IndexRow) -> NDArray[np.integer]:
                return read_label_numbers(options.primary / f"{row.id}.png")

            found.labels("IdentifyPrimaryObjects itself", thresholded)
            start = found.model("trained on its labels", taught, thresholded, "", options.steps)
            found.model("then fine-tuned on 5 fields", few, by_hand, str(start), options.fine_tuning_steps)
            found.model("trained on the 5 fields alone", few, by_hand, "", options.steps)
    print(found.table())
    return 0


def corrupted(row: IndexRow) -> NDArray[np.uint16]:
    """Return the labels of an image with faults that its name decides."""
    return corrupt(by_hand(row), np.random.default_rng([SEED, *row.id.encode()]))


class Results:
    """Scores of labels and of models, each kept in a file.

    Parameters
    ----------
    folder : Path
        Gets everything that is made.
    scored : list of IndexRow
        Images with true labels.
    """

    def __init__(self, folder: Path, scored: list[IndexRow]) -> None:
        self.folder, self._scored = folder, scored
        self._found: dict[str, dict[str, float]] = {}

    def labels(self, name: str, labels: Labels) -> None:
        """Score labels with faults of the images that are scored."""
        self._keep(name, labels)

    def model(self, name: str, rows: list[IndexRow], labels: Labels, start: str, steps: int) -> Path:
        """Train, export and score a model; return its weights."""
        folder = self.folder / f"{name.replace(' ', '_')}_{steps}"
        write_data_set(rows, folder / "data" / "fields", labels)
        config = make_plan("imperfect", [folder / "data" / "fields"], this_machine(), start, {"steps": steps}).config
        weights = train(config, folder / "data", folder / "run")
        file = folder / "model.onnx"
        if not file.exists():
            export_model(weights, file, folder / "data")
        model = load_model(file, device="cpu")
        self._keep(name, lambda row: segment_image(read_image(row.image_path), model).labels, folder)
        return weights

    def _keep(self, name: str, labels: Labels, folder: Path | None = None) -> None:
        path = (folder or self.folder) / f"{name.replace(' ', '_')}.json"
        if not path.exists():
            scores = pool_scores([score_image(by_hand(row), labels(row)) for row in self._scored])
            path.parent.mkdir(parents=True, exist_ok=True)
            kept = {"mean_f1": scores.mean_f1, **{f"f1_at_{each}": scores.f1[each] for each in THRESHOLDS}}
            with written_beside(path) as beside:
                beside.write_text(json.dumps(kept) + "\n", encoding="utf-8")
        self._found[name] = json.loads(path.read_text(encoding="utf-8"))

    def table(self) -> str:
        """Return all scores as Markdown."""
        lines = [header(["labels", "mean F1", *(f"F1 at {threshold}" for threshold in THRESHOLDS)])]
        for name, each in self._found.items():
            scores = (each["mean_f1"], *(each[f"f1_at_{threshold}"] for threshold in THRESHOLDS))
            lines.append(row([name, *(f"{score:.3f}" for score in scores)]))
        return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
