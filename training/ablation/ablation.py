"""Train and score all models of an ablation; what is trained already is not trained again."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from cpunet.files.images import write_text
from cpunet.files.outputs import check_output
from cpunet.scores import SetScores, pool_scores
from cpunet.terminal import report
from cpunet.training.ablation.runs import ALL, ablation_runs
from cpunet.training.config import TrainingConfig
from cpunet.training.cross.cross import score_sets
from cpunet.training.cross.runs import left_out_rows
from cpunet.training.evaluation.card_scores import scores_for_card
from cpunet.training.evaluation.methods import open_weights
from cpunet.training.train import train

PAGE, SCORES_FILE = "ablation.md", "ablation.json"
# Score, column, and whether the table shows it with its difference.
COLUMNS = {"mean_f1": "mean F1", "f1_at_0.5": "F1 at 0.5", "f1_at_0.7": "F1 at 0.7"}


@dataclass(frozen=True)
class AblationScore:
    """The scores of one training.

    Attributes
    ----------
    what : str
    repeat : int
    scores : SetScores
        Of the images of all sets that were left out.
    """

    what: str
    repeat: int
    scores: SetScores


def train_ablation(
    config: TrainingConfig, root: Path, folder: Path, split: str, repeats: int, overwrite: bool = False
) -> list[AblationScore]:
    """Train with all augmentations and without each in turn, and score each model on the images left out.

    Parameters
    ----------
    config : TrainingConfig
    root : Path
        The folder that holds the data sets.
    folder : Path
        Gets a folder for each training, and ablation.md and ablation.json, anew after each training. A training that is
        finished there is not repeated, and one that was stopped goes on.
    split : str
        The images that are scored: ``val`` or ``test``.
    repeats : int
        How often each is trained, with another seed each time.
    overwrite : bool
        Whether the results are replaced if they were not written here, or changed by hand.

    Raises
    ------
    ConfigError, DataError
        If the configuration or a data set cannot be used.
    OutputError
        If a file of the user would be replaced.
    """
    runs, rows = ablation_runs(config, repeats), left_out_rows(config, root, split)
    for name in (PAGE, SCORES_FILE):
        check_output(folder / name, overwrite=overwrite)
    found: list[AblationScore] = []
    for number, run in enumerate(runs, start=1):
        report(f"training {number} of {len(runs)}: {run.what}")
        model = open_weights(train(run.config, root, folder / run.folder), needs_diameter=True)
        scored = score_sets(model, rows, run.what)
        pooled = pool_scores([score for scores, _ in scored.values() for score in scores])
        found.append(AblationScore(run.what, run.repeat, pooled))
        write_text(folder / PAGE, as_markdown(found, config.name, split))
        write_text(folder / SCORES_FILE, json.dumps({"trainings": list(map(_content, found))}, indent=1) + "\n")
    return found


def as_table(found: Sequence[AblationScore]) -> list[list[str]]:
    """Return a row for each kind of training, with heads: mean scores of its repeats, and what of them is lost."""
    kinds = list(dict.fromkeys(each.what for each in found))
    values = {what: [each.scores.mean_f1 for each in found if each.what == what] for what in kinds}
    rows = [["augmentation", "trainings", *COLUMNS.values(), "lost of mean F1", "lowest to highest mean F1"]]
    for what in kinds:
        of_kind = [scores_for_card(each.scores) for each in found if each.what == what]
        means = [f"{np.mean([scores[name] for scores in of_kind]):.3f}" for name in COLUMNS]
        lost = "" if what == ALL else f"{np.mean(values[ALL]) - np.mean(values[what]):+.3f}"
        rows.append([what, str(len(of_kind)), *means, lost, f"{min(values[what]):.3f} to {max(values[what]):.3f}"])
    return rows


def as_text(found: Sequence[AblationScore]) -> str:
    """Return the table for the terminal."""
    rows = as_table(found)
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return "\n".join(
        "  ".join([row[0].ljust(widths[0]), *map(str.rjust, row[1:], widths[1:])]).rstrip() for row in rows
    )


def as_markdown(found: Sequence[AblationScore], name: str, split: str) -> str:
    """Return the table as a page."""
    head, *rows = as_table(found)
    lines = [f"| {' | '.join(head)} |", f"|---|{'---:|' * (len(head) - 1)}"]
    parts = [
        f"# What each augmentation is worth: {name}",
        f"Each model is scored on the images of the split {split!r}, which no model was trained on; the objects of all "
        "sets are pooled. All trainings have the same configuration and number of steps; only the augmentation "
        "differs, and between repeats the seed. The thresholds are the usual ones. What is lost may be chance if it is "
        "less than the spread between repeats.",
        "\n".join([*lines, *(f"| {' | '.join(row)} |" for row in rows)]),
    ]
    return "\n\n".join(parts) + "\n"


def _content(each: AblationScore) -> dict[str, Any]:
    return {"augmentation": each.what, "repeat": each.repeat, **scores_for_card(each.scores)}
