"""The trainings of an ablation: with all augmentations, without each one in turn, and without any."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace

from cpunet.errors import ConfigError
from cpunet.training.config import TrainingConfig
from cpunet.training.patches.augmentation import Augmentation

ALL, NONE = "with all", "without any"
# Ranges are switched off by making both their ends 1; everything else by 0.
RANGES = {
    "scale": ("scale_low", "scale_high"),
    "gamma": ("gamma_low", "gamma_high"),
    "brightness": ("brightness_low", "brightness_high"),
}


@dataclass(frozen=True)
class AblationRun:
    """One training.

    Attributes
    ----------
    what : str
        `ALL`, `NONE`, or ``without`` and what is left out.
    repeat : int
        From 1 on; each has a seed of its own.
    config : TrainingConfig
    """

    what: str
    repeat: int
    config: TrainingConfig

    @property
    def folder(self) -> str:
        """The name of its folder."""
        return f"{self.what.replace(' ', '_')}_{self.repeat}"


def switches(augmentation: Augmentation) -> dict[str, Mapping[str, float]]:
    """Return what switches off each augmentation that is on: by its name, the fields and their values.

    >>> from cpunet.training.patches.augmentation import PRESETS
    >>> switches(PRESETS["gentle"])
    {'scale': {'scale_low': 1, 'scale_high': 1}, 'shear': {'shear': 0}, 'shift_px': {'shift_px': 0}}
    """
    found: dict[str, Mapping[str, float]] = {
        name: dict.fromkeys(ends, 1)
        for name, ends in RANGES.items()
        if any(getattr(augmentation, end) != 1 for end in ends)
    }
    ends = {end for pair in RANGES.values() for end in pair}
    for field in fields(augmentation):
        if field.name not in ends and getattr(augmentation, field.name):
            found[field.name] = {field.name: 0}
    return found


def ablation_runs(config: TrainingConfig, repeats: int) -> list[AblationRun]:
    """Return the trainings, first those with all augmentations and last those without any.

    Parameters
    ----------
    config : TrainingConfig
        All but its augmentation and seed is the same in each training.
    repeats : int
        How often each is trained, with the next seed each time.

    Raises
    ------
    ConfigError
        If no augmentation is on, or there is no repeat.
    """
    if repeats < 1:
        raise ConfigError(f"--repeats must be 1 or more; it is {repeats}.")
    off = switches(config.augmentation)
    if not off:
        raise ConfigError("augmentation: none is on, so that none can be left out. Choose a preset, such as standard.")
    everything = {name: value for values in off.values() for name, value in values.items()}
    changes = {ALL: {}, **{f"without {name}": values for name, values in off.items()}, NONE: everything}
    return [
        AblationRun(
            what,
            repeat,
            replace(
                config,
                name=f"{config.name}_{what.replace(' ', '_')}_{repeat}",
                augmentation=replace(config.augmentation, **values),
                seed=config.seed + repeat - 1,
            ),
        )
        for what, values in changes.items()
        for repeat in range(1, repeats + 1)
    ]
