"""The YAML file of a training on volumes, read into frozen dataclasses."""

from __future__ import annotations

from dataclasses import dataclass, field

from cpunet.errors import ConfigError
from cpunet.model.card import IMAGES, VOLUMES, Normalization, Postprocessing
from cpunet.training.config import DataSource, check_fields_of_every_training
from cpunet.training.network.losses import Loss
from cpunet.training.patches.targets import Targets
from cpunet.training.volumes.network import VolumeArchitecture
from cpunet.training.volumes.patches.augmentation import VOLUME_PRESETS, VolumeAugmentation

# Of exactly two planes, torch 2.13 computes the gradient of a 3x3x3 convolution in bf16 from memory that nobody wrote.
FEWEST_PLANES_IN_16_BITS = 3
FOREGROUND_AND_BORDER = Targets("foreground_border")
# As `cpunet.model.card` allows it.
SMALLEST_Z_STEP_PX, LARGEST_Z_STEP_PX = 0.05, 50.0


@dataclass(frozen=True)
class VolumeSource(DataSource):
    """One data set of a training on volumes.

    Attributes
    ----------
    dimensions : int
        3 for volumes. 2 for images: each is a volume of one plane, which teaches what objects look like in a plane.
    z_step_px : float
        Distance of the planes over the width of a pixel, of the volumes of which the index does not say it; 0: the
        index says it of all.
    """

    dimensions: int = VOLUMES
    z_step_px: float = 0.0

    def __post_init__(self) -> None:
        if self.dimensions not in (IMAGES, VOLUMES):
            raise ConfigError(f"data: dimensions must be 2 (images) or 3 (volumes); it is {self.dimensions}.")
        check_z_step("data: z_step_px", self.z_step_px)
        if self.dimensions == IMAGES and self.z_step_px:
            raise ConfigError("data: z_step_px belongs to volumes, and dimensions: 2 says that these are images.")
        if self.dimensions == VOLUMES and (self.stain or self.modalities):
            raise ConfigError("data: stain and modalities belong to images, and these are volumes. Leave them out.")


@dataclass(frozen=True)
class VolumeConfig:
    """Everything that determines a training on volumes.

    Attributes
    ----------
    name, version, description, licence, authors, citation, modality
        Go to the model card.
    data : tuple of VolumeSource
        One of them at least with volumes.
    channels : tuple of str
        Names of the volume's channels.
    targets : Targets
        As in 2-D; widths are physical, in widths of a pixel. Without the distance by default: most of a ball lies near
        its surface, so that a network has to learn much of it before its middle stands out.
    architecture : VolumeArchitecture
    normalization : Normalization
    augmentation : VolumeAugmentation
        In YAML also the name of a preset, or a mapping with ``preset`` and what differs from it.
    loss : Loss
    diameter_px : float
        Each set's volumes are scaled so that their objects have this median diameter, widths of a pixel. 0: not scaled.
    z_step_px : float
        All volumes are resampled so that their planes lie so many widths of a pixel apart. 0: as far as those of the
        sets, by their median.
    patch_planes, patch_size : int
        Planes, and height and width, of a training patch.
    batch_size, steps, optimizer, learning_rate, weight_decay, momentum, schedule, plateau_patience, precision, workers
        As in `cpunet.training.config.TrainingConfig`.
    gradient_norm : float
        Longer gradients are shortened to this length.
    validate_every : int
        Steps between validations. A checkpoint is written at each validation.
    validation_images : int
        Number of volumes of each set that are scored at each validation.
    early_stopping_patience, average_decay, decoding, seed
        As in `cpunet.training.config.TrainingConfig`.
    """

    name: str
    data: tuple[VolumeSource, ...]
    version: str = "1.0.0"
    description: str = ""
    licence: str = ""
    authors: tuple[str, ...] = ()
    citation: str = ""
    modality: str = "fluorescence"
    channels: tuple[str, ...] = ("nuclei",)
    targets: Targets = FOREGROUND_AND_BORDER
    architecture: VolumeArchitecture = field(default_factory=VolumeArchitecture)
    normalization: Normalization = field(default_factory=Normalization)
    augmentation: VolumeAugmentation = VOLUME_PRESETS["standard"]
    loss: Loss = field(default_factory=Loss)
    diameter_px: float = 0.0
    z_step_px: float = 0.0
    patch_planes: int = 32
    patch_size: int = 96
    batch_size: int = 2
    steps: int = 3000
    optimizer: str = "adamw"
    learning_rate: float = 2e-3
    weight_decay: float = 1e-4
    momentum: float = 0.9
    schedule: str = "one_cycle"
    plateau_patience: int = 5
    precision: str = "bf16-mixed"
    workers: int = 2
    gradient_norm: float = 12.0
    validate_every: int = 250
    validation_images: int = 6
    early_stopping_patience: int = 0
    average_decay: float = 0.0
    decoding: Postprocessing | None = None
    seed: int = 1

    presets = VOLUME_PRESETS
    # What a training of a 2-D U-Net may choose, and this one may not.
    devices = 1
    judged_by = "mean_f1"
    validation_loss = False

    def __post_init__(self) -> None:
        check_fields_of_every_training(self)
        if not any(source.dimensions == VOLUMES for source in self.data):
            raise ConfigError(
                "data: all sets are images (dimensions: 2). Name one with volumes, or use `cpunet train`."
            )
        if not self.channels:
            raise ConfigError("channels: name at least one.")
        check_z_step("z_step_px", self.z_step_px)
        self._check_patch()
        if not self.gradient_norm > 0:
            raise ConfigError(f"gradient_norm: must be larger than 0; it is {self.gradient_norm}.")
        if self.targets.kind in ("boundary", "boundary_gaussian"):
            raise ConfigError(
                "targets.kind: volumes are not cut into objects by their boundaries alone; it is "
                f"{self.targets.kind!r}. Choose another, such as foreground_border_distance."
            )
        self.loss.check(self.targets)

    def _check_patch(self) -> None:
        """Raise ConfigError if the network does not take patches of this size."""
        # Without flat levels, the multiple of planes is known when the data are.
        planes_known = self.architecture.flat_levels >= 0
        units = {
            "patch_size": self.architecture.divisible_by,
            "patch_planes": self.architecture.divisible_by_planes if planes_known else 1,
        }
        for name, multiple in units.items():
            value = getattr(self, name)
            if value < 1 or value % multiple:
                raise ConfigError(
                    f"{name}: must be a multiple of {multiple}, which a network of depth {self.architecture.depth} "
                    f"needs; it is {value}."
                )
        least = FEWEST_PLANES_IN_16_BITS * units["patch_planes"] if planes_known else 0
        if self.precision != "32-true" and self.patch_planes < least:
            raise ConfigError(
                f"patch_planes: must be {least} or more with the precision {self.precision}, so that "
                f"{FEWEST_PLANES_IN_16_BITS} planes are left at the coarsest level; it is {self.patch_planes}. Of two, "
                "a processor computes gradients in 16 bits that are no numbers. Or choose the precision 32-true."
            )


def check_z_step(name: str, z_step_px: float) -> None:
    """Raise ConfigError if planes cannot lie so far apart; 0 stands for a distance that is not given."""
    if z_step_px and not SMALLEST_Z_STEP_PX <= z_step_px <= LARGEST_Z_STEP_PX:
        raise ConfigError(
            f"{name}: must lie between {SMALLEST_Z_STEP_PX} and {LARGEST_Z_STEP_PX} widths of a pixel, or be 0; it is "
            f"{z_step_px}."
        )
