"""The YAML file of a training run, read into frozen dataclasses."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any, TypeVar

import yaml

from cpunet.errors import ConfigError
from cpunet.model.card import Normalization, Postprocessing
from cpunet.plain_content import dataclass_from
from cpunet.training.data.stained_images import STAINS
from cpunet.training.network.encoders.choose import PUBLISHED
from cpunet.training.network.losses import Loss
from cpunet.training.network.unet import Architecture
from cpunet.training.patches.augmentation import PRESETS, Augmentation
from cpunet.training.patches.targets import Targets


@dataclass(frozen=True)
class DataSource:
    """One data set of a run.

    Attributes
    ----------
    folder : str
        Below the data root; holds images/, labels/ and index.csv.
    share : float
        How often its images are used, relative to the other sets.
    modalities : tuple of str
        The modalities of the index that are used; all if empty.
    stain : str
        Color images are read as the density of this stain, one of `STAINS`: gray, with bright nuclei; as they are if
        empty.
    licence, source : str
        License and origin of the images, for the model's README.
    """

    folder: str
    share: float = 1.0
    modalities: tuple[str, ...] = ()
    stain: str = ""
    licence: str = ""
    source: str = ""


def source_names(sources: Sequence[DataSource]) -> list[str]:
    """Name the sources of a run by their folders, and by modalities and stain too if a folder is listed again."""
    folders = [source.folder for source in sources]
    in_full = [" ".join((source.folder, *source.modalities, source.stain)).rstrip() for source in sources]
    return [full if folders.count(folder) > 1 else folder for folder, full in zip(folders, in_full, strict=True)]


OPTIMIZERS = ("adamw", "adam", "rmsprop", "sgd")
SCHEDULES = ("one_cycle", "cosine", "plateau", "constant")
PRECISIONS = ("32-true", "bf16-mixed", "16-mixed")
FROZEN = ("nothing", "encoder")
JUDGES = ("mean_f1", "loss")


@dataclass(frozen=True)
class TrainingConfig:
    """Everything that determines a training run.

    Attributes
    ----------
    name, version, description, licence, authors, citation, modality
        Go to the model card.
    data : tuple of DataSource
    targets : Targets
        What the network is asked to predict.
    architecture : Architecture
    normalization : Normalization
    augmentation : Augmentation
        In YAML also the name of a preset, or a mapping with ``preset`` and what differs from it.
    loss : Loss
    diameter_px : float
        Each set's images are scaled so that their objects have this median diameter, pixels. 0: not scaled.
    patch_size : int
        Height and width of a training patch, pixels.
    batch_size, steps : int
        Patches per step, over all devices. Number of optimizer steps.
    optimizer : str
        ``adamw``, ``adam``, ``rmsprop`` or ``sgd``.
    learning_rate, weight_decay, momentum : float
        Highest rate of the schedule; weight decay; momentum of sgd and rmsprop.
    schedule : str
        ``one_cycle``, ``cosine``, ``plateau`` or ``constant``.
    plateau_patience : int
        Number of validations that are not better, by `judged_by`, after which ``plateau`` halves the rate.
    precision : str
        As lightning names it: ``32-true``, ``bf16-mixed`` or ``16-mixed``.
    devices : int
        Number of GPUs, or of processes on a CPU. Each gets an equal part of a batch.
    workers : int
        Number of processes per device that prepare patches.
    validate_every : int
        Steps between validations. A checkpoint is written at each validation.
    validation_images : int
        Number of images of each set that are scored at each validation.
    validation_loss : bool
        Whether the loss of these images is computed too, of the same patches at each validation.
    judged_by : str
        ``mean_f1`` or ``loss`` of the validation images: by what early stopping, ``plateau`` and the best weights go.
    early_stopping_patience : int
        Number of validations that are not better than the best one, by `judged_by`, after which training stops and
        restores the best weights. 0: train all steps and keep the last weights.
    pretrained : str
        Where the weights of a published encoder come from: ``imagenet``, those that are published for it, or the path
        of a file. Empty: random weights.
    start_from : str
        The model to fine-tune: its name, its folder or a file of weights. Empty: random weights.
    frozen : str
        The part whose weights are not trained: ``nothing`` or ``encoder``.
    start_share : float
        0 to below 1: the part of the model to start from in the weights that are kept; the rest are the trained ones.
    average_with : str
        The model that has this part instead, such as an earlier one. Empty: the one to start from.
    average_decay : float
        0 to below 1: the weights that are kept are an exponential moving average over the steps with this decay, such
        as 0.999. 0: the last weights are kept.
    teachers : tuple of str
        Trained models whose mean probability is learned beside the labels: names, folders or files of weights. They
        must have the channels and targets of this run.
    teacher_share : float
        0 to 1: the part of the teachers in what is learned; the rest are the labels.
    decoding : Postprocessing, optional
        How probabilities become objects, where it was found on sets that the run leaves out. Without it `cpunet export`
        tunes it on the validation images of the run's own sets.
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
    targets: Targets = field(default_factory=Targets)
    architecture: Architecture = field(default_factory=Architecture)
    normalization: Normalization = field(default_factory=Normalization)
    augmentation: Augmentation = PRESETS["standard"]
    loss: Loss = field(default_factory=Loss)
    diameter_px: float = 0.0
    patch_size: int = 192
    batch_size: int = 8
    steps: int = 12000
    optimizer: str = "adamw"
    learning_rate: float = 2e-3
    weight_decay: float = 1e-4
    momentum: float = 0.9
    schedule: str = "one_cycle"
    plateau_patience: int = 5
    precision: str = "bf16-mixed"
    devices: int = 1
    workers: int = 2
    validate_every: int = 500
    validation_images: int = 12
    validation_loss: bool = False
    judged_by: str = "mean_f1"
    early_stopping_patience: int = 0
    pretrained: str = ""
    start_from: str = ""
    frozen: str = "nothing"
    start_share: float = 0.0
    average_with: str = ""
    average_decay: float = 0.0
    teachers: tuple[str, ...] = ()
    teacher_share: float = 0.5
    decoding: Postprocessing | None = None
    seed: int = 1

    def __post_init__(self) -> None:
        check_fields_of_every_training(self)
        if self.patch_size % self.architecture.divisible_by:
            raise ConfigError(
                f"patch_size: {self.patch_size} is no multiple of {self.architecture.divisible_by}, which a network "
                f"of depth {self.architecture.depth} and stem {self.architecture.stem!r} needs."
            )
        if self.patch_size < self.architecture.min_size:
            raise ConfigError(
                f"patch_size: must be at least {self.architecture.min_size} with padding "
                f"{self.architecture.padding!r}; it is {self.patch_size}."
            )
        if not self.channels:
            raise ConfigError("channels: name at least one.")
        check_choices(self, {"frozen": FROZEN, "judged_by": JUDGES})
        self._check_pretrained()
        if self.frozen != "nothing" and not self.start_from and not self.pretrained:
            raise ConfigError(
                "frozen: an encoder with random weights cannot be kept; give start_from a model, or pretrained a file "
                "of weights, as well."
            )
        if self.judged_by == "loss" and not self.validation_loss:
            raise ConfigError("judged_by: the loss of validation images is not computed; set validation_loss to true.")
        if not 0 <= self.start_share < 1:
            raise ConfigError(f"start_share: must be 0 to below 1; it is {self.start_share}.")
        if self.start_share and not self.start_from:
            raise ConfigError("start_share: there is no model to start from; give start_from one as well.")
        if self.average_with and not self.start_share:
            raise ConfigError("average_with: give start_share as well, which says how large its part is.")
        if not 0 <= self.teacher_share <= 1:
            raise ConfigError(f"teacher_share: must lie between 0 and 1; it is {self.teacher_share}.")
        if self.batch_size % self.devices:
            raise ConfigError(f"batch_size: {self.batch_size} cannot be divided among {self.devices} devices.")
        self.loss.check(self.targets)

    def _check_pretrained(self) -> None:
        """Raise ConfigError if there can be no pretrained weights."""
        if not self.pretrained:
            return
        if self.architecture.encoder not in PUBLISHED:
            raise ConfigError(
                f"pretrained: there are no such weights for the encoder {self.architecture.encoder!r}. Choose one of "
                f"{', '.join(PUBLISHED)} under architecture, or leave pretrained out."
            )
        if not self.architecture.batch_normalization:
            raise ConfigError("pretrained: these weights need batch_normalization, which architecture switches off.")
        if self.start_from:
            raise ConfigError(
                f"pretrained: start_from {self.start_from} brings the weights of the encoder too. Leave one of the two "
                "out."
            )


# The section of a YAML file that says which numbers `cpunet search` tries.
SEARCH = "search"


def check_choices(config: Any, choices: Mapping[str, Sequence[str]]) -> None:
    """Raise ConfigError if a field, by its name, is none of its choices."""
    for name, allowed in choices.items():
        if getattr(config, name) not in allowed:
            raise ConfigError(f"{name}: must be one of {', '.join(allowed)}; it is {getattr(config, name)!r}.")


def check_fields_of_every_training(config: Any) -> None:
    """Raise ConfigError if a field that trainings of all kinds of networks have cannot have its value."""
    if not config.data:
        raise ConfigError("data: name at least one data set.")
    names = source_names(config.data)
    twice = [name for name in names if names.count(name) > 1]
    if twice:
        raise ConfigError(f"data: {twice[0]} is listed twice. Remove one, or give each its own modalities or stain.")
    for stain in (source.stain for source in config.data):
        if stain and stain not in STAINS:
            raise ConfigError(f"data: stain must be one of {', '.join(STAINS)}; it is {stain!r}.")
    if any(source.share <= 0 for source in config.data):
        raise ConfigError("data: each share must be larger than 0.")
    check_choices(config, {"optimizer": OPTIMIZERS, "schedule": SCHEDULES, "precision": PRECISIONS})
    for name in ("batch_size", "steps", "validate_every", "validation_images", "devices", "plateau_patience"):
        if getattr(config, name) < 1:
            raise ConfigError(f"{name}: must be 1 or more; it is {getattr(config, name)}.")
    for name in ("seed", "workers", "early_stopping_patience", "diameter_px", "weight_decay", "momentum"):
        if not getattr(config, name) >= 0:
            raise ConfigError(f"{name}: must be 0 or more; it is {getattr(config, name)}.")
    if not config.learning_rate > 0:
        raise ConfigError(f"learning_rate: must be larger than 0; it is {config.learning_rate}.")
    if not 0 <= config.average_decay < 1:
        raise ConfigError(f"average_decay: must be 0 to below 1; it is {config.average_decay}.")


# Fields of the augmentation as version 1 spelled them, in YAML files and in weights.
RENAMED = {"colour": "color", "grey_fraction": "gray_fraction"}


Config = TypeVar("Config")


def config_from_dict(content: object, kind: type[Config] = TrainingConfig) -> Config:
    """Build a configuration from plain YAML or JSON content.

    Parameters
    ----------
    content : object
        A mapping with the fields of `kind`. A field that is left out has its default. ``search``, which says what
        `cpunet search` tries, is no such field and is skipped.
    kind : type
        Of the configuration.

    Raises
    ------
    ConfigError
        If the content is not a mapping, or a field is unknown, missing or out of its range.
    """
    if not isinstance(content, dict):
        raise ConfigError("The training configuration is not a mapping of field names to values.")
    values = dict(content)
    values["data"] = values.get("data") or ()
    values.pop(SEARCH, None)
    if "augmentation" in values:
        values["augmentation"] = _augmentation(values["augmentation"], getattr(kind, "presets", PRESETS))
    config = dataclass_from(kind, values, ConfigError)
    if config.normalization.kind == "none" and not config.normalization.units:
        # Said in every card from now on, because the numbers of a file mean another brightness in another type.
        config = replace(config, normalization=replace(config.normalization, units="zero_to_one"))
    return config


class _YamlLoader(yaml.SafeLoader):
    """Safe, and takes 1e-3 for a number, which YAML 1.1 takes for a text."""


_YamlLoader.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(r"[-+]?\d+(\.\d*)?[eE][-+]?\d+$"), list("-+0123456789")
)


def read_content(path: Path) -> dict[str, Any]:
    """Read the plain content of a training run's YAML file.

    Raises
    ------
    ConfigError
        If the file is missing, is not YAML, or holds no mapping.
    """
    try:
        content = yaml.load(Path(path).read_text(encoding="utf-8"), Loader=_YamlLoader)
    except FileNotFoundError:
        raise ConfigError(f"{path}: there is no such file.") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: this is not readable YAML: {error}") from None
    if not isinstance(content, dict):
        raise ConfigError(f"{path}: The training configuration is not a mapping of field names to values.")
    return content


def read_config(path: Path, kind: type[Config] = TrainingConfig) -> Config:
    """Read a training run's YAML file; `kind` as in `config_from_dict`.

    Raises
    ------
    ConfigError
        If the file is missing, is not YAML, or holds a field that is unknown, missing or out of its range.
    """
    content = read_content(path)
    try:
        return config_from_dict(content, kind)
    except ValueError as error:
        raise ConfigError(f"{path}: {error}") from None


def without_description(config: Config) -> Config:
    """Return a configuration with only what determines the weights: no description, no workers, no decoding."""
    empty = dict.fromkeys(("name", "version", "description", "licence", "citation", "modality", "start_licence"), "")
    data = tuple(replace(source, licence="", source="") for source in config.data)
    values = {**empty, "authors": (), "workers": 0, "decoding": None, "data": data}
    return replace(config, **{each.name: values[each.name] for each in fields(config) if each.name in values})


def config_to_dict(config: TrainingConfig) -> dict[str, Any]:
    """Return a configuration as plain content that `config_from_dict` takes back."""
    return asdict(config)


def _augmentation(content: object, presets: Mapping[str, Any]) -> object:
    """Replace a preset's name by its fields. A mapping may name a preset under ``preset`` and change single fields."""
    changes = {"preset": content} if isinstance(content, str) else content
    if not isinstance(changes, dict):
        return content
    changes = {RENAMED.get(name, name): value for name, value in changes.items()}
    preset = changes.pop("preset", "standard")
    if preset not in presets:
        raise ConfigError(f"augmentation: there is no preset {preset!r}; the presets are {', '.join(presets)}.")
    return {**asdict(presets[preset]), **changes}
