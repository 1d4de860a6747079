"""Optimizers and learning-rate schedules, by the names of the configuration."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch.nn import Parameter
from torch.optim import Optimizer, lr_scheduler

from cpunet.training.config import TrainingConfig

VALIDATION_SCORE, VALIDATION_LOSS = "val_mean_f1", "val_loss"
# By how much a plateau lowers the rate, and the part of a one-cycle run in which it rises.
# Not quite a tenth: of ten steps that would be one, for which torch divides by 0.
PLATEAU_FACTOR, RISING = 0.5, 0.1 + 1e-6


def judging_metric(config: TrainingConfig) -> tuple[str, str]:
    """Return the logged metric by which validations are compared, and whether ``min`` or ``max`` of it is best."""
    return (VALIDATION_LOSS, "min") if config.judged_by == "loss" else (VALIDATION_SCORE, "max")


def build_optimizer(parameters: Iterable[Parameter], config: TrainingConfig) -> Optimizer:
    """Make the optimizer that a configuration names, for the trainable parameters.

    Notes
    -----
    AdamW: Loshchilov, Hutter 2019, doi:10.48550/arXiv.1711.05101. Adam: Kingma, Ba 2015,
    doi:10.48550/arXiv.1412.6980. RMSprop: Hinton's lecture 6e, 2012. SGD with momentum: Sutskever et al. 2013.
    """
    rate, decay = config.learning_rate, config.weight_decay
    if config.optimizer == "adamw":
        return torch.optim.AdamW(parameters, lr=rate, weight_decay=decay)
    if config.optimizer == "adam":
        return torch.optim.Adam(parameters, lr=rate, weight_decay=decay)
    if config.optimizer == "rmsprop":
        return torch.optim.RMSprop(parameters, lr=rate, weight_decay=decay, momentum=config.momentum)
    return torch.optim.SGD(parameters, lr=rate, weight_decay=decay, momentum=config.momentum)


def build_schedule(optimizer: Optimizer, config: TrainingConfig) -> dict[str, Any] | None:
    """Make the schedule that a configuration names, as lightning takes it; None keeps the rate constant.

    Notes
    -----
    One cycle: Smith, Topin 2019, doi:10.1117/12.2520589. Cosine: Loshchilov, Hutter 2017,
    doi:10.48550/arXiv.1608.03983, without restarts. Plateau: the rate is halved when `plateau_patience` validations
    were not better.
    """
    if config.schedule == "one_cycle":
        # The configuration says what momentum the others have.
        cycles = config.optimizer in ("adam", "adamw")
        one_cycle = lr_scheduler.OneCycleLR(
            optimizer,
            max_lr=config.learning_rate,
            total_steps=config.steps,
            pct_start=RISING,
            cycle_momentum=cycles,
        )
        return {"scheduler": one_cycle, "interval": "step"}
    if config.schedule == "cosine":
        return {"scheduler": lr_scheduler.CosineAnnealingLR(optimizer, config.steps), "interval": "step"}
    if config.schedule == "plateau":
        metric, best = judging_metric(config)
        plateau = lr_scheduler.ReduceLROnPlateau(
            optimizer,
            mode=best,  # type: ignore[arg-type]
            factor=PLATEAU_FACTOR,
            patience=config.plateau_patience,
        )
        return {"scheduler": plateau, "interval": "epoch", "monitor": metric}
    return None
