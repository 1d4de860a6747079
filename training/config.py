"""The YAML file of a training run, read into frozen dataclasses."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any, TypeVar

import yaml

from cpunet.model_card import Normalization
from cpunet.training.targets import ROLES
from cpunet.training.unet import Architecture

Part = TypeVar("Part")


class ConfigError(ValueError):
    """A training configuration that cannot be used; the message names the field."""


@dataclass(frozen=True)
class DataSource:
    """One data set of a run.

    Attributes
    ----------
    folder : str
        Below the data root; holds images/, labels/ and index.csv.
    share : float
        How often its images are drawn, relative to the other sets.
    modalities : tuple of str
        Which of the index's modalities are used; all if empty.
    licence, source : str
        For the model's README: under what terms, and from where, the images come.
    """

    folder: str
    share: float = 1.0
    modalities: tuple[str, ...] = ()
    licence: str = ""
    source: str = ""


@dataclass(frozen=True)
class Augmentation:
    """How far training images are changed.

    Attributes
    ----------
    scale_low, scale_high : float
        Range of the zoom, drawn evenly on a logarithmic scale.
    shear : float
        Largest shear.
    gamma_low, gamma_high : float
        Exponent on the normalised intensities; below 1 lifts dim objects.
    noise : float
        Largest standard deviation of added Gaussian noise, in normalised intensity.
    blur_px : float
        Largest standard deviation of a Gaussian blur.
    empty_fraction : float
        Share of patches that are pure noise without an object: what an empty well looks like once
        its contrast has been stretched.
    """

    scale_low: float = 0.6
    scale_high: float = 1.7
    shear: float = 0.15
    gamma_low: float = 0.6
    gamma_high: float = 1.6
    noise: float = 0.08
    blur_px: float = 1.0
    empty_fraction: float = 0.01


@dataclass(frozen=True)
class Loss:
    """Weights of the loss's parts.

    Attributes
    ----------
    border_reach_px : int
        See `cpunet.training.targets.border_between_objects`.
    border_weight : float
        How much more a pixel between close objects counts in the cross-entropy.
    distance_weight : float
        Weight of the distance channel's cross-entropy; foreground and border have 1.
    dice_weight : float
        Weight of the Dice loss of foreground and border.
    """

    border_reach_px: int = 2
    border_weight: float = 4.0
    distance_weight: float = 1.0
    dice_weight: float = 0.5


@dataclass(frozen=True)
class TrainingConfig:
    """All that decides a training run.

    Attributes
    ----------
    name, version, description, licence, authors, citation, modality
        Go to the model card.
    data : tuple of DataSource
    patch_size : int
        Height and width of a training patch, pixels.
    batch_size, steps : int
        Patches a step, and optimiser steps in all.
    learning_rate, weight_decay : float
        Peak of the one-cycle schedule, and AdamW's decay.
    precision : str
        lightning's word: ``32-true`` or ``bf16-mixed``.
    workers : int
        Processes that prepare patches.
    validate_every : int
        Steps between validations; a checkpoint is written at each.
    validation_images : int
        How many images of each set a validation during training looks at.
    seed : int
    """

    name: str
    data: tuple[DataSource, ...]
    version: str = "1.0.0"
    description: str = ""
    licence: str = ""
    authors: tuple[str, ...] = ()
    citation: str = ""
    modality: str = "fluorescence"
    channels: tuple[str, ...] = ("nuclei",)
    architecture: Architecture = field(default_factory=Architecture)
    normalization: Normalization = field(default_factory=Normalization)
    augmentation: Augmentation = field(default_factory=Augmentation)
    loss: Loss = field(default_factory=Loss)
    patch_size: int = 192
    batch_size: int = 8
    steps: int = 12000
    learning_rate: float = 2e-3
    weight_decay: float = 1e-4
    precision: str = "bf16-mixed"
    workers: int = 2
    validate_every: int = 500
    validation_images: int = 12
    seed: int = 1

    def __post_init__(self) -> None:
        if not self.data:
            raise ConfigError("data: name at least one data set.")
        if self.patch_size % self.architecture.divisible_by:
            raise ConfigError(
                f"patch_size: {self.patch_size} is no multiple of {self.architecture.divisible_by}, which a network "
                f"of depth {self.architecture.depth} needs."
            )
        if self.architecture.in_channels != len(self.channels):
            raise ConfigError(
                f"architecture.in_channels is {self.architecture.in_channels}, but channels names {len(self.channels)}."
            )
        if self.architecture.out_channels != len(ROLES):
            raise ConfigError(
                f"architecture.out_channels: must be {len(ROLES)}, one each for {', '.join(ROLES)}; it is "
                f"{self.architecture.out_channels}."
            )
        if self.seed < 0:
            raise ConfigError(f"seed: must be 0 or more; it is {self.seed}.")
        if any(source.share <= 0 for source in self.data):
            raise ConfigError("data: each share must be larger than 0.")
        for name in ("batch_size", "steps", "validate_every", "validation_images"):
            if getattr(self, name) < 1:
                raise ConfigError(f"{name}: must be 1 or more; it is {getattr(self, name)}.")


_PARTS = {
    "architecture": Architecture,
    "normalization": Normalization,
    "augmentation": Augmentation,
    "loss": Loss,
}


def config_from_dict(content: object) -> TrainingConfig:
    """Build a configuration from plain YAML or JSON content.

    Parameters
    ----------
    content : object
        A mapping with the fields of `TrainingConfig`; whatever is left out has its default.

    Returns
    -------
    TrainingConfig

    Raises
    ------
    ConfigError
        If it is no mapping, or a field is unknown, missing or impossible.
    """
    if not isinstance(content, dict):
        raise ConfigError("The training configuration is not a mapping of field names to values.")
    values = dict(content)
    values["data"] = tuple(_part(DataSource, source, "data") for source in values.get("data") or ())
    for name, kind in _PARTS.items():
        if name in values:
            values[name] = _part(kind, values[name], name)
    return _part(TrainingConfig, values, "the file")


def read_config(path: Path) -> TrainingConfig:
    """Read a training run's YAML file.

    Parameters
    ----------
    path : Path

    Returns
    -------
    TrainingConfig

    Raises
    ------
    ConfigError
        If the file is missing, is no YAML, or holds something that cannot be.
    """
    try:
        content = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ConfigError(f"{path}: there is no such file.") from None
    except yaml.YAMLError as error:
        raise ConfigError(f"{path}: this is not readable YAML: {error}") from None
    try:
        return config_from_dict(content)
    except ValueError as error:
        raise ConfigError(f"{path}: {error}") from None


def without_description(config: TrainingConfig) -> TrainingConfig:
    """Return a configuration with only what decides the weights; what merely describes the model is emptied."""
    return replace(
        config,
        name="",
        version="",
        description="",
        licence="",
        authors=(),
        citation="",
        modality="",
        data=tuple(replace(source, licence="", source="") for source in config.data),
    )


def config_to_dict(config: TrainingConfig) -> dict[str, Any]:
    """Return a configuration as plain content that `config_from_dict` takes back."""
    return asdict(config)


def _part(kind: type[Part], content: object, name: str) -> Part:
    if not isinstance(content, dict):
        raise ConfigError(f"{name}: should be a mapping of field names to values; it is {content!r}.")
    known = [f.name for f in fields(kind)]  # type: ignore[arg-type]
    unknown = [key for key in content if key not in known]
    if unknown:
        raise ConfigError(f"{name}: there is no field {unknown[0]!r}; the fields are {', '.join(known)}.")
    values = {
        f.name: _value(content[f.name], str(f.type), f"{name}: {f.name}") for f in fields(kind) if f.name in content
    }  # type: ignore[arg-type]
    try:
        return kind(**values)
    except TypeError as error:
        raise ConfigError(f"{name}: {error}") from None


def _value(value: object, wanted: str, name: str) -> object:
    """Check a field's type; a number such as 1e-3, which YAML takes for a text, becomes one."""
    if wanted == "float" and isinstance(value, (int, str)) and not isinstance(value, bool):
        try:
            return float(value)
        except ValueError:
            raise ConfigError(f"{name} should be a number; it is {value!r}.") from None
    if wanted in ("int", "str") and (
        not isinstance(value, {"int": int, "str": str}[wanted]) or isinstance(value, bool)
    ):
        raise ConfigError(f"{name} should be a {'whole number' if wanted == 'int' else 'text'}; it is {value!r}.")
    if wanted.startswith("tuple") and not isinstance(value, (list, tuple)):
        raise ConfigError(f"{name} should be a list; it is {value!r}.")
    return tuple(value) if isinstance(value, list) else value
