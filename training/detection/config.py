"""The YAML file of a training of Mask R-CNN, read into frozen dataclasses."""

from __future__ import annotations

from dataclasses import dataclass, field

from cpunet.errors import ConfigError
from cpunet.model.card import Normalization
from cpunet.training.config import DataSource, check_fields_of_every_training
from cpunet.training.patches.augmentation import PRESETS, Augmentation

BACKBONES = ("resnet18", "resnet34", "resnet50")
NORMALIZATION_LAYERS = ("group", "batch", "frozen_batch")
# Of the levels of the feature pyramid, pixels of the image; the last is that of the coarsest anchors.
STRIDES_PX = (4, 8, 16, 32, 64)
CHANNEL_NUMBERS = (1, 3)
# torchvision stops at 100 objects; a field of nuclei holds more.
MOST_OBJECTS = 500
# Less sure objects are never drawn.
LOWEST_SCORE = 0.05


@dataclass(frozen=True)
class Detector:
    """The parts of Mask R-CNN that can be chosen.

    Attributes
    ----------
    backbone : str
        ``resnet18``, ``resnet34`` or ``resnet50``, each with a feature pyramid.
    normalization_layers : str
        ``group``: in backbone, pyramid and mask head; trains from random weights and in small batches. ``batch``: in
        the backbone, and trained. ``frozen_batch``: in the backbone, with the statistics of the weights to start from.
    anchor_px : tuple of float
        Side of the square anchors of each level of the pyramid, from the finest to the coarsest, pixels. The first ones
        should be near the objects' diameters.
    aspect_ratios : tuple of float
        Height over width of the anchors.
    mask_channels : int
        Features of the layers that draw the masks; torchvision has 256, and fewer are faster.
    proposals : int
        How many regions of an image are looked at more closely, at most.
    proposals_before_suppression : int
        How many regions of each level are compared, of which the less sure ones that overlap are dropped.
    sampled_anchors, sampled_proposals : int
        How many anchors and regions of a patch are learned from at each step.
    max_objects : int
        How many objects of an image, or of a tile of it, are kept at most.
    overlap_threshold : float
        0..1; of two boxes with a larger intersection over union, the less sure one is dropped.
    score_threshold : float
        0.05 to below 1; less sure objects are dropped. `cpunet export --data` puts the best one in its place.

    Notes
    -----
    Mask R-CNN: He et al. 2017, doi:10.1109/ICCV.2017.322. Feature pyramid: Lin et al. 2017,
    doi:10.1109/CVPR.2017.106. Group normalization: Wu, He 2018, doi:10.48550/arXiv.1803.08494; in Mask R-CNN from
    random weights: He et al. 2019, doi:10.1109/ICCV.2019.00502. torchvision's own is ``frozen_batch`` with anchors of
    32 to 512 pixels.
    """

    backbone: str = "resnet50"
    normalization_layers: str = "group"
    anchor_px: tuple[float, ...] = (16.0, 32.0, 64.0, 128.0, 256.0)
    aspect_ratios: tuple[float, ...] = (0.5, 1.0, 2.0)
    mask_channels: int = 256
    proposals: int = 1000
    proposals_before_suppression: int = 1000
    sampled_anchors: int = 256
    sampled_proposals: int = 256
    max_objects: int = 300
    overlap_threshold: float = 0.5
    score_threshold: float = 0.5

    def __post_init__(self) -> None:
        for name, choices in (("backbone", BACKBONES), ("normalization_layers", NORMALIZATION_LAYERS)):
            if getattr(self, name) not in choices:
                raise ConfigError(
                    f"detector.{name}: must be one of {', '.join(choices)}; it is {getattr(self, name)!r}."
                )
        if len(self.anchor_px) != len(STRIDES_PX) or not all(side > 0 for side in self.anchor_px):
            raise ConfigError(
                f"detector.anchor_px: give {len(STRIDES_PX)} sides larger than 0, one for each level of the pyramid; "
                f"it is {list(self.anchor_px)}."
            )
        if not self.aspect_ratios or not all(ratio > 0 for ratio in self.aspect_ratios):
            raise ConfigError(
                f"detector.aspect_ratios: give ratios larger than 0; they are {list(self.aspect_ratios)}."
            )
        if self.mask_channels < 1 or (self.normalization_layers == "group" and self.mask_channels % 32):
            raise ConfigError(
                "detector.mask_channels: must be a multiple of 32, the groups of group normalization; it is "
                f"{self.mask_channels}."
            )
        for name in ("proposals", "proposals_before_suppression", "sampled_anchors", "sampled_proposals"):
            if getattr(self, name) < 1:
                raise ConfigError(f"detector.{name}: must be 1 or more; it is {getattr(self, name)}.")
        if not 1 <= self.max_objects <= MOST_OBJECTS:
            raise ConfigError(f"detector.max_objects: must lie between 1 and {MOST_OBJECTS}; it is {self.max_objects}.")
        if not 0 < self.overlap_threshold < 1:
            raise ConfigError(f"detector.overlap_threshold: must lie between 0 and 1; it is {self.overlap_threshold}.")
        if not LOWEST_SCORE <= self.score_threshold < 1:
            raise ConfigError(
                f"detector.score_threshold: must be {LOWEST_SCORE} to below 1; it is {self.score_threshold}."
            )


@dataclass(frozen=True)
class DetectionConfig:
    """Everything that determines a training of Mask R-CNN.

    Attributes
    ----------
    name, version, description, licence, authors, citation, modality
        Go to the model card.
    data : tuple of DataSource
    channels : tuple of str
        Names of the image's channels: one, which the network gets three times, or three.
    detector : Detector
    normalization : Normalization
    augmentation : Augmentation
        In YAML also the name of a preset, or a mapping with ``preset`` and what differs from it.
    diameter_px : float
        Each set's images are scaled so that their objects have this median diameter, pixels. 0: not scaled.
    patch_size : int
        Height and width of a training patch, pixels.
    batch_size, steps : int
        Patches per step. Number of optimizer steps.
    optimizer, learning_rate, weight_decay, momentum, schedule, plateau_patience, precision, workers
        As in `cpunet.training.config.TrainingConfig`.
    gradient_norm : float
        Longer gradients are shortened to this length; detection from random weights fails at once without.
    validate_every : int
        Steps between validations. A checkpoint is written at each validation.
    validation_images : int
        Number of images of each set that are scored at each validation.
    early_stopping_patience : int
        Number of validations whose mean F1 is not better than the best one, after which training stops and restores
        the best weights. 0: train all steps and keep the last weights.
    average_decay : float
        0 to below 1: the weights that are kept are an exponential moving average over the steps with this decay.
    start_from : str
        A file of weights: torchvision's (``.pth``) of Mask R-CNN, Faster R-CNN or a ResNet, or the ``.safetensors`` of
        a run. Empty: random weights.
    start_licence : str
        License of these weights, for the card.
    seed : int

    Notes
    -----
    Fields of the same name as in `cpunet.training.config.TrainingConfig` mean the same, so that the code that reads
    data, makes patches and builds optimizers takes either.
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
    detector: Detector = field(default_factory=Detector)
    normalization: Normalization = field(default_factory=Normalization)
    augmentation: Augmentation = PRESETS["standard"]
    diameter_px: float = 0.0
    patch_size: int = 192
    batch_size: int = 4
    steps: int = 8000
    optimizer: str = "adamw"
    learning_rate: float = 3e-4
    weight_decay: float = 1e-4
    momentum: float = 0.9
    schedule: str = "one_cycle"
    plateau_patience: int = 5
    precision: str = "bf16-mixed"
    workers: int = 2
    gradient_norm: float = 5.0
    validate_every: int = 250
    validation_images: int = 12
    early_stopping_patience: int = 0
    average_decay: float = 0.0
    start_from: str = ""
    start_licence: str = ""
    seed: int = 1

    # What a training of a U-Net may choose, and this one may not.
    devices = 1
    judged_by = "mean_f1"
    validation_loss = False

    def __post_init__(self) -> None:
        check_fields_of_every_training(self)
        if len(self.channels) not in CHANNEL_NUMBERS:
            raise ConfigError(f"channels: name one or three; there are {len(self.channels)}.")
        if self.patch_size < STRIDES_PX[-1]:
            raise ConfigError(f"patch_size: must be at least {STRIDES_PX[-1]}; it is {self.patch_size}.")
        if not self.gradient_norm > 0:
            raise ConfigError(f"gradient_norm: must be larger than 0; it is {self.gradient_norm}.")
        if self.detector.normalization_layers == "frozen_batch" and not self.start_from:
            raise ConfigError(
                "detector.normalization_layers: frozen batch normalization needs the statistics of trained weights, "
                "and random ones have none. Give start_from a file, or choose group."
            )
        if self.start_licence and not self.start_from:
            raise ConfigError("start_licence: there are no weights to start from; give start_from a file as well.")
