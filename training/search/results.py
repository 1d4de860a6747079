"""What a search found, in files: a table, a picture, and the best configuration."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState

from cpunet.files.images import write_picture, write_text
from cpunet.files.outputs import check_output
from cpunet.training.config import SEARCH
from cpunet.training.optimizers import VALIDATION_LOSS, VALIDATION_SCORE
from cpunet.training.search.picture import as_pixels, search_figure
from cpunet.training.search.run import COARSE, REASON, VALUES, Search, score_of
from cpunet.training.search.space import with_values
from cpunet.training.search.study import best_first, finished

TABLE_FILE, PICTURE_FILE, BEST_FILE, JSON_FILE = "search.md", "search.png", "best.yaml", "search.json"
# What trials are compared by, in words.
METRICS = {VALIDATION_SCORE: "mean F1 of the validation images", VALIDATION_LOSS: "loss of the validation images"}
STATES = {TrialState.COMPLETE: "to its end", TrialState.PRUNED: "stopped early", TrialState.FAIL: "failed"}


def check_results(folder: Path, overwrite: bool) -> None:
    """Raise OutputError if a file of the user would be replaced."""
    for name in (TABLE_FILE, PICTURE_FILE, BEST_FILE, JSON_FILE):
        check_output(folder / name, overwrite=overwrite)


def write_results(search: Search, study: Study, metric: str) -> FrozenTrial:
    """Write search.md, search.json, search.png and best.yaml, each whole or not at all; return the best trial."""
    trials, best, metric = finished(study), best_first(study)[0], METRICS[metric]
    write_text(search.folder / BEST_FILE, best_yaml(search.content, best.user_attrs[VALUES]))
    write_text(search.folder / JSON_FILE, json.dumps({"trials": list(map(_content, trials))}, indent=1) + "\n")
    write_text(search.folder / TABLE_FILE, as_markdown(search, trials, best.number, metric))
    picture = as_pixels(search_figure(trials, search.space, best.number, metric))
    write_picture(search.folder / PICTURE_FILE, picture)
    return best


def best_yaml(content: Mapping[str, Any], values: Mapping[str, Any]) -> str:
    """Return a configuration with the values of a trial, as YAML for `cpunet train`; its length is as it was."""
    changed = with_values({name: value for name, value in content.items() if name != SEARCH}, values)
    text: str = yaml.safe_dump(changed, sort_keys=False, allow_unicode=True)
    return text


def as_markdown(search: Search, trials: Sequence[FrozenTrial], best: int, metric: str) -> str:
    """Return the trials as a table, the best marked."""
    names = [number.name for number in search.space]
    lines = [
        "# Numbers that were searched",
        "",
        f"{len(trials)} trials of {search.steps} steps. The first ones are drawn from the whole ranges (coarse), later "
        "ones near the best so far (fine). The score of a trial that was stopped early is its last one.",
        "",
        f"![score over each number]({PICTURE_FILE})",
        "",
        f"| trial | drawn | ran | {metric} | {' | '.join(names)} | note |",
        f"|---|---|---|---|{'---|' * len(names)}---|",
    ]
    for trial in trials:
        score = score_of(trial)
        values = trial.user_attrs[VALUES]
        cells = [
            f"{trial.number + 1}",
            "coarse" if trial.user_attrs[COARSE] else "fine",
            STATES[trial.state],
            "" if score is None else f"{score:.4f}",
            *(f"{values[name]:.4g}" if isinstance(values[name], float) else str(values[name]) for name in names),
            "best" if trial.number == best else str(trial.user_attrs.get(REASON, "")).replace("|", "/"),
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def _content(trial: FrozenTrial) -> dict[str, Any]:
    return {
        "trial": trial.number + 1,
        "coarse": trial.user_attrs[COARSE],
        "ran": STATES[trial.state],
        "score": score_of(trial),
        "values": trial.user_attrs[VALUES],
        "reason": trial.user_attrs.get(REASON, ""),
    }
