"""The journal of a search: a text file from which a search goes on that was stopped or killed."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import optuna
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend, JournalFileOpenLock
from optuna.study import Study
from optuna.trial import FrozenTrial, Trial, TrialState

from cpunet.errors import ConfigError

JOURNAL_FILE = "trials.log"
NAME, ABOUT = "search", "about"


def open_study(folder: Path, about: dict[str, Any], direction: str, first_step: int) -> Study:
    """Open the journal in a folder, or begin one.

    Parameters
    ----------
    folder : Path
    about : dict
        What all trials share, as plain content.
    direction : str
        ``maximize`` or ``minimize``.
    first_step : int
        Trials are not stopped early before this step.

    Raises
    ------
    ConfigError
        If the journal cannot be read, or is of another search.

    Notes
    -----
    A trial is stopped early if its best score so far is worse than the median of the earlier trials at the same step
    (Golovin et al. 2017, doi:10.1145/3097983.3098043). Optuna: Akiba et al. 2019, doi:10.1145/3292500.3330701.
    """
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    path = folder / JOURNAL_FILE
    _drop_line_cut_short(path)
    try:
        storage = JournalStorage(JournalFileBackend(str(path), lock_obj=JournalFileOpenLock(str(path))))
        study = optuna.create_study(
            storage=storage,
            study_name=NAME,
            direction=direction,
            load_if_exists=True,
            pruner=optuna.pruners.MedianPruner(n_startup_trials=4, n_warmup_steps=first_step),
        )
        known = study.user_attrs.get(ABOUT)
    except (ValueError, KeyError, TypeError, AttributeError, AssertionError) as error:
        raise ConfigError(
            f"{path}: this journal cannot be read ({type(error).__name__}: {error}). Move it away to search anew."
        ) from None
    if known is None:
        study.set_user_attr(ABOUT, about)
    elif known != about:
        different = [name for name in about if known.get(name) != about[name]]
        raise ConfigError(
            f"{path} is of another search, which differs in: {', '.join(different)}. Give what it had, or another "
            "folder with -o."
        )
    return study


def _drop_line_cut_short(path: Path) -> None:
    """Remove the end of a journal that a kill or a full disk cut short, or what follows would be glued to it."""
    if not path.exists():
        return
    content = path.read_bytes()
    end = content.rfind(b"\n") + 1
    if end < len(content):
        os.truncate(path, end)


def next_trial(study: Study, seed: int) -> Trial:
    """Return the trial that was stopped, or else a new one; a new one always draws the same for its number."""
    running = study.get_trials(deepcopy=False, states=(TrialState.RUNNING,))
    if running:
        return Trial(study, running[0]._trial_id)
    study.sampler = optuna.samplers.RandomSampler(seed=seed + len(study.get_trials(deepcopy=False)))
    return study.ask()


def finished(study: Study) -> list[FrozenTrial]:
    """Return all trials that are over, in their order."""
    states = (TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAIL)
    return study.get_trials(deepcopy=False, states=states)


def best_first(study: Study) -> list[FrozenTrial]:
    """Return the trials that ran to their end, the best first."""
    complete = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
    lower_is_better = study.direction == optuna.study.StudyDirection.MINIMIZE
    return sorted(complete, key=lambda trial: (trial.value or 0.0) * (1 if lower_is_better else -1))
