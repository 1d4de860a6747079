"""Run the trials of a search: each a short training with other numbers."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import lightning
import torch
from optuna.study import Study
from optuna.trial import FrozenTrial, Trial, TrialState

from cpunet.errors import ConfigError, CpunetError
from cpunet.interruption import stop_if_requested
from cpunet.terminal import report
from cpunet.training.config import TrainingConfig, config_from_dict, config_to_dict
from cpunet.training.curves import read_metrics
from cpunet.training.data.labeled_images import rows_of_split
from cpunet.training.facts import data_sum
from cpunet.training.optimizers import judging_metric
from cpunet.training.search.draw import BEST_SHARE, LEAST_BEST, draw, is_coarse
from cpunet.training.search.space import SearchedNumber, Value, with_values
from cpunet.training.search.study import best_first, finished, next_trial, open_study
from cpunet.training.train import check_is_folder, train
from cpunet.training.weights import load_trained

# How often a trial is validated, and before which of these it is not stopped early.
VALIDATIONS, FIRST_STOP = 6, 2
COARSE, VALUES, REASON = "coarse", "values", "reason"


@dataclass(frozen=True)
class Search:
    """What is searched, and how.

    Attributes
    ----------
    content : mapping
        Of a configuration, with its data and channels.
    root : Path
        The folder that holds the data sets.
    space : sequence of SearchedNumber
    trials, steps : int
        Number of trials, and optimizer steps of each.
    folder : Path
        Gets trials.log, and a run's folder for each trial.
    images : sequence of str
        See `sums_of_images`. A search does not go on with other images: its scores could not be compared.
    """

    content: Mapping[str, Any]
    root: Path
    space: Sequence[SearchedNumber]
    trials: int
    steps: int
    folder: Path
    images: Sequence[str] = ()

    @property
    def validate_every(self) -> int:
        """Steps between the validations of a trial."""
        return max(1, self.steps // VALIDATIONS)


class StopsPoorTrial(lightning.Callback):
    """End a trial that does worse than the earlier ones did at the same step.

    Parameters
    ----------
    trial : Trial
    metric : str
        The logged metric by which trials are compared.
    """

    def __init__(self, trial: Trial, metric: str) -> None:
        self.trial = trial
        self.metric = metric
        self.known = set(trial.study.get_trials(deepcopy=False)[trial.number].intermediate_values)

    def on_train_epoch_end(self, trainer: lightning.Trainer, _: lightning.LightningModule) -> None:
        """Report the validation; a resumed trial may come to one that it has reported before."""
        step = trainer.global_step
        if step not in self.known:
            self.trial.report(float(trainer.callback_metrics[self.metric]), step)
            self.known.add(step)
        if self.trial.should_prune():
            trainer.should_stop = True


def run_search(search: Search) -> Study:
    """Run the trials that are missing; a trial that was stopped goes on.

    Raises
    ------
    ConfigError
        If the folder holds another search, or no trial could be trained.
    """
    config = config_from_dict(search.content)
    metric, best = judging_metric(config)
    # Through JSON, as the journal gives it back.
    about = json.loads(
        json.dumps(
            {
                "configuration": config_to_dict(config),
                "search": [asdict(number) for number in search.space],
                "steps": search.steps,
                "images or labels": list(search.images),
            }
        )
    )
    check_is_folder(search.folder)
    search.folder.mkdir(parents=True, exist_ok=True)
    study = open_study(search.folder, about, f"{best}imize", FIRST_STOP * search.validate_every)
    while len(finished(study)) < search.trials:
        stop_if_requested()
        trial = next_trial(study, config.seed)
        values = trial.user_attrs.get(VALUES)
        if values is None:
            coarse = is_coarse(trial.number, search.trials)
            ranked = best_first(study)
            chosen = [] if coarse else ranked[: max(LEAST_BEST, math.ceil(len(ranked) * BEST_SHARE))]
            values = draw(trial, search.space, [each.params for each in chosen])
            trial.set_user_attr(COARSE, coarse)
            trial.set_user_attr(VALUES, values)
        said = ", ".join(f"{name} {_short(value)}" for name, value in values.items())
        report(f"trial {trial.number + 1} of {search.trials}: {said}")
        _run_trial(search, study, trial, values, metric)
    if not best_first(study):
        reasons = [str(trial.user_attrs[REASON]) for trial in finished(study) if REASON in trial.user_attrs]
        raise ConfigError(
            f"no trial ran to its end; the last one: {reasons[-1] if reasons else 'it was stopped early'}"
        )
    return study


def sums_of_images(config: TrainingConfig, root: Path) -> list[str]:
    """Return one SHA-256 for the training images of each set and their labels, and one for those for validation."""
    return [data_sum(rows) for split in ("train", "val") for rows in rows_of_split(config.data, root, split)]


def _run_trial(search: Search, study: Study, trial: Trial, values: Mapping[str, Value], metric: str) -> None:
    """Train a trial, and tell the study its score, that it was stopped early, or why it failed."""
    changes = {
        **values,
        "name": f"trial_{trial.number + 1}",
        "steps": search.steps,
        "validate_every": search.validate_every,
        "early_stopping_patience": 0,
    }
    folder = folder_of_trial(search.folder, trial.number)
    try:
        config = config_from_dict(with_values(search.content, changes))
        weights = train(config, search.root, folder, callbacks=[StopsPoorTrial(trial, metric)])
    except (CpunetError, torch.OutOfMemoryError) as error:
        stop_if_requested()
        _fail(study, trial, str(error))
        return
    # From the log and not from the callback: a trial may have ended just before the search was killed.
    _, score = read_metrics(folder)[metric][-1]
    step = load_trained(weights).facts["steps"]
    if not math.isfinite(score):
        _fail(study, trial, f"its {metric} is {score}")
    elif step < search.steps:
        study.tell(trial, state=TrialState.PRUNED)
        report(f"trial {trial.number + 1}: stopped early at step {step}, {metric} {score:.3f}")
    else:
        study.tell(trial, score)
        report(f"trial {trial.number + 1}: {metric} {score:.3f}")


def _fail(study: Study, trial: Trial, reason: str) -> None:
    trial.set_user_attr(REASON, reason)
    study.tell(trial, state=TrialState.FAIL)
    report(f"trial {trial.number + 1} FAILED: {reason}")


def folder_of_trial(folder: Path, number: int) -> Path:
    """Return the run's folder of a trial, whose number counts from 0."""
    return folder / "trials" / f"{number + 1:03d}"


def score_of(trial: FrozenTrial) -> float | None:
    """Return the score of a trial; of one that was stopped early the last, and None of one that failed."""
    if trial.state == TrialState.FAIL:
        return None
    if trial.value is not None:
        return float(trial.value)
    return None if trial.last_step is None else float(trial.intermediate_values[trial.last_step])


def _short(value: Value) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)
