"""The model card: what a model file says about its input, output, postprocessing and origin."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Dict, Optional, Set, Tuple, Type

from cpunet.errors import ModelError
from cpunet.plain_content import dataclass_from

CARD_VERSION = "1.0"
METADATA_KEY = "cpunet.model_card"
OWNER = "The model card's "

ROLES = ("background", "interior", "boundary", "foreground", "border", "distance")
NORMALIZATIONS = ("percentile", "zero_mean_unit_variance", "none")
UNITS = ("zero_to_one", "as_stored")
PROBABILITIES, INSTANCES = "probabilities", "instances"
KINDS = (PROBABILITIES, INSTANCES)
LARGEST_SHIFT_PX = 50
IMAGES, VOLUMES = 2, 3
SMALLEST_Z_STEP_PX, LARGEST_Z_STEP_PX = 0.05, 50.0


@dataclass(frozen=True)
class Normalization:
    """How an image is scaled to the intensity range that the network was trained on.

    Attributes
    ----------
    kind : str
        ``percentile`` (each image by its own percentiles), ``zero_mean_unit_variance`` (each image by its own mean and
        standard deviation) or ``none``.
    percentile_low, percentile_high : float
        0 to 100; these intensities become 0 and 1. Only for ``percentile``.
    clip_low, clip_high : float
        Smaller and larger normalized values are set to these values. Only for ``percentile``.
    per_channel : bool
        Whether each channel of an image is scaled by itself; otherwise all its channels are scaled alike.
    units : str
        In which units the model reads an image that is not normalized. ``zero_to_one``: 1 is the largest number of the
        file's type (255 in 8 bits, 65535 in 16), as CellProfiler gives images. ``as_stored``: the numbers of the
        file. Empty: not stated, which is read as ``zero_to_one``, and said. Percentiles need no units.
    """

    kind: str = "percentile"
    percentile_low: float = 1.0
    percentile_high: float = 99.8
    clip_high: float = 8.0
    clip_low: float = -1.0
    per_channel: bool = True
    units: str = ""

    @property
    def reads_zero_to_one(self) -> bool:
        """Whether numbers of an integer type must be divided by the largest of the type."""
        return self.kind != "percentile" and self.units != "as_stored"

    def __post_init__(self) -> None:
        if self.units and self.units not in UNITS:
            raise ModelError(
                f"The model card says that the model reads the units {self.units!r}; the units are {', '.join(UNITS)}. "
                "Update the plugin, or correct it: cpunet card edit MODEL.onnx --set "
                f"input.normalization.units={UNITS[0]}"
            )
        if self.kind not in NORMALIZATIONS:
            raise ModelError(
                f"The model asks for the normalization {self.kind!r}; this version knows "
                f"{', '.join(NORMALIZATIONS)}. Update the plugin, or export the model again."
            )
        if not self.clip_high > 0:
            raise ModelError(f"The model card's clip_high must be larger than 0; it is {self.clip_high}.")
        if not self.clip_low < self.clip_high:  # so that NaN is refused too
            raise ModelError(
                f"The model card's clip_low must be smaller than its clip_high, {self.clip_high}; it is "
                f"{self.clip_low}."
            )
        if not 0 <= self.percentile_low < self.percentile_high <= 100:
            raise ModelError(
                "The model card's percentiles must satisfy 0 <= percentile_low < percentile_high <= 100; "
                f"they are {self.percentile_low} and {self.percentile_high}."
            )


@dataclass(frozen=True)
class InputCard:
    """The input of the network: float32 (N, C, Y, X), or (N, C, Z, Y, X) of volumes.

    Attributes
    ----------
    channels : tuple of str
        A name for each channel.
    divisible_by : int
        Height and width must be multiples of it.
    min_size : int
        Smallest height and width, pixels.
    normalization : Normalization
        Applied by the runtime before the network.
    diameter_px : float
        Median diameter of the training objects, of a disk of the same area. Of volumes: of a ball of the same volume,
        in widths of a pixel.
    diameter_low_px, diameter_high_px : float
        Smallest and largest diameter in training. An image whose objects lie between them is not rescaled.
    pixel_size_um : float, optional
        Micrometers, if all training images had the same.
    modality : str
        Such as ``fluorescence``.
    tile_shape : tuple of int, optional
        Height and width, pixels, of a network that takes no other: images are cut into tiles of exactly this shape.
    dimensions : int
        2 for images, 3 for volumes. The four fields that follow say nothing of images.
    z_step_px : float, optional
        Only for volumes, which need it: the distance between two planes in training, in widths of a pixel.
    divisible_by_planes : int
        Only for volumes: the number of planes must be a multiple of it.
    min_planes : int
        Only for volumes: the smallest number of planes.
    """

    channels: Tuple[str, ...]
    divisible_by: int
    min_size: int
    normalization: Normalization
    diameter_px: float
    diameter_low_px: float
    diameter_high_px: float
    modality: str
    pixel_size_um: Optional[float] = None
    tile_shape: Optional[Tuple[int, ...]] = None
    dimensions: int = IMAGES
    z_step_px: Optional[float] = None
    divisible_by_planes: int = 1
    min_planes: int = 1

    def __post_init__(self) -> None:
        if not self.channels:
            raise ModelError("The model card names no input channel.")
        if self.divisible_by < 1 or self.min_size < 1:
            raise ModelError(
                "The model card's divisible_by and min_size must be 1 or more; they are "
                f"{self.divisible_by} and {self.min_size}."
            )
        if not 0 < self.diameter_low_px <= self.diameter_px <= self.diameter_high_px:
            raise ModelError(
                "The model card's diameters must satisfy 0 < diameter_low_px <= diameter_px <= diameter_high_px; they "
                f"are {self.diameter_low_px}, {self.diameter_px} and {self.diameter_high_px}."
            )
        shape = self.tile_shape
        if shape is not None and (len(shape) != 2 or any(side < 1 or side % self.divisible_by for side in shape)):
            raise ModelError(
                "The model card's tile_shape must be a height and a width, both multiples of divisible_by, "
                f"{self.divisible_by}; it is {list(shape)}."
            )
        self._check_planes()

    def _check_planes(self) -> None:
        """Refuse fields of volumes in a card of images, and wrong ones in a card of volumes."""
        if self.dimensions not in (IMAGES, VOLUMES):
            raise ModelError(
                f"The model card's input.dimensions must be {IMAGES} (images) or {VOLUMES} (volumes); it is "
                f"{self.dimensions}."
            )
        if self.dimensions == IMAGES:
            given = (self.z_step_px, self.divisible_by_planes, self.min_planes)
            if given != (None, 1, 1):
                raise ModelError(
                    "The model card gives input.z_step_px, divisible_by_planes or min_planes "
                    f"({', '.join(map(str, given))}), which only volumes have, and its input.dimensions is {IMAGES}. "
                    f"Set input.dimensions to {VOLUMES}, or leave them out."
                )
            return
        step = self.z_step_px
        if step is None or not SMALLEST_Z_STEP_PX <= step <= LARGEST_Z_STEP_PX:  # so that NaN is refused too
            raise ModelError(
                "The model card's input.z_step_px, the distance between two planes in widths of a pixel, must lie "
                f"between {SMALLEST_Z_STEP_PX:g} and {LARGEST_Z_STEP_PX:g} for a network of volumes; it is {step}."
            )
        if self.divisible_by_planes < 1 or self.min_planes < 1:
            raise ModelError(
                "The model card's input.divisible_by_planes and input.min_planes must be 1 or more; they are "
                f"{self.divisible_by_planes} and {self.min_planes}."
            )
        if self.tile_shape is not None:
            raise ModelError(
                "The model card's input.tile_shape is for networks of images; a network of volumes must take any size. "
                "Export the network again with dynamic axes."
            )


@dataclass(frozen=True)
class OutputCard:
    """The output of the network: probabilities, each value 0..1, or the objects themselves.

    Probabilities are float32 (N, C, Y, X), or (N, C, Z, Y, X) of volumes.

    Attributes
    ----------
    roles : tuple of str
        One a channel: background, interior, boundary, foreground, border (between close or
        touching objects) or distance (0 at an object's edge, 1 at its middle). ``foreground`` alone for ``instances``.
    halo : int
        Pixels on each side of a tile that are predicted and then dropped. For ``instances``: by which tiles overlap on
        each side, so that each object up to twice as long is whole in one tile.
    kind : str
        ``probabilities``, or ``instances``: boxes (n, 4), scores (n,) and masks (n, M, M) of objects, as of a Mask
        R-CNN.
    halo_planes : int
        Only for volumes: planes on each side of a tile that are predicted and then dropped.
    """

    roles: Tuple[str, ...]
    halo: int
    kind: str = PROBABILITIES
    halo_planes: int = 0

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ModelError(
                f"The model card's output is of the kind {self.kind!r}; this version knows {', '.join(KINDS)}. Update "
                "the plugin, or export the model again."
            )
        if self.kind == INSTANCES and tuple(self.roles) != ("foreground",):
            raise ModelError(
                f"The model card's output is of the kind {INSTANCES}, whose only role is foreground; the card names "
                f"{', '.join(self.roles) or 'none'}. Set it with `cpunet card edit --set output.roles=foreground`."
            )
        unknown = [role for role in self.roles if role not in ROLES]
        if unknown:
            raise ModelError(
                f"The model card gives an output channel the role {unknown[0]!r}; the roles are {', '.join(ROLES)}."
            )
        if len(set(self.roles)) != len(self.roles):
            raise ModelError(f"The model card names a role twice: {', '.join(self.roles)}.")
        if not {"foreground", "interior", "boundary"} & set(self.roles):
            raise ModelError(
                "The model has no channel that says where objects are: one must have the role "
                f"foreground, interior or boundary, and the card names {', '.join(self.roles) or 'none'}."
            )
        if self.halo < 0:
            raise ModelError(f"The model card's halo must be 0 or more; it is {self.halo}.")
        if self.halo_planes < 0:
            raise ModelError(f"The model card's output.halo_planes must be 0 or more; it is {self.halo_planes}.")


@dataclass(frozen=True)
class Postprocessing:
    """Settings that turn the network's output into objects, tuned on validation images.

    Where they speak of an area in pixels, that of volumes is a number of voxels.

    Attributes
    ----------
    foreground_threshold : float
        0..1; pixels above it belong to objects.
    marker_threshold : float
        0..1; each connected region of a marker score above it becomes one seed.
    marker_min_size_px : float
        Smaller seeds are dropped as texture inside an object; area in pixels.
    min_size_px : float
        Smaller objects are dropped as noise; area in pixels.
    boundary_threshold : float
        0..1; only for models that predict boundaries alone: pixels above it separate objects.
    dilation_px : float
        Objects are grown by this many pixels at the end, to restore the half of the boundary that was removed.
    fill_holes : bool
        Whether holes inside one object are filled.
    outline_level : float, optional
        0..1, between the brightness of the background (0) and that of an object (1): outlines are moved toward this
        level of the image itself. Null: they stay as the network draws them.
    outline_shift_px : float
        Outlines are moved outward by this many pixels of the image itself at last, or inward if it is negative.
        Objects that touch stay apart.
    score_threshold : float
        0..1; only for ``instances``: objects of a lower score are dropped.
    mask_threshold : float
        0..1; only for ``instances``: pixels of a mask above it belong to its object.
    overlap_threshold : float
        0..1; only for ``instances``: of two boxes of different tiles with a higher IoU, that of the lower score is
        dropped as the same object.
    max_objects : int
        Only for ``instances``: the most objects that the network gives for a tile. A tile that is full is cut into
        smaller ones.
    """

    foreground_threshold: float = 0.5
    marker_threshold: float = 0.5
    marker_min_size_px: float = 0
    min_size_px: float = 0
    boundary_threshold: float = 0.5
    dilation_px: float = 0
    fill_holes: bool = False
    outline_level: Optional[float] = None
    outline_shift_px: float = 0
    score_threshold: float = 0.5
    mask_threshold: float = 0.5
    overlap_threshold: float = 0.5
    max_objects: int = 100

    def __post_init__(self) -> None:
        for name in (
            *("foreground_threshold", "marker_threshold", "boundary_threshold"),
            *("score_threshold", "mask_threshold", "overlap_threshold"),
        ):
            if not 0 < getattr(self, name) < 1:
                raise ModelError(f"The model card's {name} must lie between 0 and 1; it is {getattr(self, name)}.")
        for name in ("marker_min_size_px", "min_size_px", "dilation_px"):
            if not getattr(self, name) >= 0:  # so that NaN is refused too
                raise ModelError(f"The model card's {name} must be 0 or more; it is {getattr(self, name)}.")
        if self.max_objects < 1:
            raise ModelError(f"The model card's max_objects must be 1 or more; it is {self.max_objects}.")
        if self.outline_level is not None and not 0 < self.outline_level < 1:
            raise ModelError(f"The model card's outline_level must lie between 0 and 1; it is {self.outline_level}.")
        if not -LARGEST_SHIFT_PX <= self.outline_shift_px <= LARGEST_SHIFT_PX:
            raise ModelError(
                f"The model card's outline_shift_px must lie between -{LARGEST_SHIFT_PX} and {LARGEST_SHIFT_PX}; it is "
                f"{self.outline_shift_px}."
            )


@dataclass(frozen=True)
class ModelCard:
    """Everything that the runtime and a reader need to know about a model.

    Attributes
    ----------
    name, version, description, licence : str
        For people. `name` is also the name of the folder under models/.
    input, output, postprocessing
        The contract with the runtime.
    authors : tuple of str
    citation : str
    provenance : dict
        Data sets with their checksums, commit, seed, and the command that rebuilds the model.
    scores : dict
        Validation scores by data set.
    extra : dict
        Fields of a newer minor version, unchanged; those of a section under the section's name.
    """

    name: str
    version: str
    description: str
    licence: str
    input: InputCard
    output: OutputCard
    postprocessing: Postprocessing
    authors: Tuple[str, ...] = ()
    citation: str = ""
    provenance: Dict[str, Any] = field(default_factory=dict)
    scores: Dict[str, Any] = field(default_factory=dict)
    extra: Dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        shape, halo = self.input.tile_shape, self.output.halo
        if shape is not None and -(-halo // self.input.divisible_by) * self.input.divisible_by * 2 >= min(shape):
            raise ModelError(
                f"The model card's halo of {halo} pixels a side leaves nothing of a tile of {list(shape)} pixels, and "
                "the network takes no other. Set a smaller one with `cpunet card edit --set output.halo=PX`."
            )
        if self.input.dimensions == IMAGES and self.output.halo_planes:
            raise ModelError(
                f"The model card's output.halo_planes is {self.output.halo_planes}, which only volumes have, and its "
                f"input.dimensions is {IMAGES}. Set input.dimensions to {VOLUMES}, or leave it out."
            )
        if self.input.dimensions == VOLUMES:
            _check_of_volumes(self.output, self.postprocessing)


def _check_of_volumes(output: OutputCard, settings: Postprocessing) -> None:
    """Refuse what a network of volumes cannot give, or cannot be asked for."""
    if output.kind == INSTANCES:
        raise ModelError(
            f"The model card's output is of the kind {INSTANCES} and its input.dimensions is {VOLUMES}. Objects "
            f"themselves are read from networks of images only; export the network with {PROBABILITIES}."
        )
    if not {"foreground", "interior"} & set(output.roles):
        raise ModelError(
            "A model of volumes must have a channel with the role foreground or interior; the card names "
            f"{', '.join(output.roles)}. Train it with one of these targets."
        )


# Fields that only the cards of networks of volumes are written with.
OF_VOLUMES = {
    "input": ("dimensions", "z_step_px", "divisible_by_planes", "min_planes"),
    "output": ("halo_planes",),
}
# Fields that only the cards of this kind are written with.
OF_INSTANCES = {
    "output": ("kind",),
    "postprocessing": ("score_threshold", "mask_threshold", "overlap_threshold", "max_objects"),
}
SECTIONS: Dict[str, Type[Any]] = {"input": InputCard, "output": OutputCard, "postprocessing": Postprocessing}


def card_to_json(card: ModelCard) -> str:
    """Write a card as JSON for the ONNX file's metadata; sorted keys, so that a card always gives the same bytes."""
    content = asdict(card)
    left_out = [OF_INSTANCES] if card.output.kind == PROBABILITIES else []
    left_out += [OF_VOLUMES] if card.input.dimensions == IMAGES else []
    for sections in left_out:
        for section, names in sections.items():
            for name in names:
                del content[section][name]
    for name, value in content.pop("extra").items():
        content[name] = {**content[name], **value} if name in SECTIONS else value
    content["card_version"] = CARD_VERSION
    return json.dumps(content, sort_keys=True)


def card_from_content(given: object) -> ModelCard:
    """Build a card from its parsed JSON, which is not changed.

    Raises
    ------
    ModelError
        If the content is not an object, has a newer major version, lacks a field or holds a value out of its range.
    """
    if not isinstance(given, dict):
        raise ModelError("The model card is not a JSON object.")
    content = dict(given)
    check_card_version(content.pop("card_version", None))
    content.setdefault("postprocessing", {})
    if isinstance(content.get("input"), dict):
        content["input"] = dict(content["input"])
        content["input"]["normalization"] = _with_units(
            _known(Normalization, content["input"].get("normalization", {})), content.get("provenance")
        )
    sections = {name: _known(kind, content.get(name)) for name, kind in SECTIONS.items() if name in content}
    extra = {key: value for key, value in content.items() if key not in _names(ModelCard) - {"extra"}}
    for name, section in sections.items():
        if isinstance(section, dict) and section.keys() != content[name].keys():
            extra[name] = {key: value for key, value in content[name].items() if key not in section}
    top = _known(ModelCard, content)
    return dataclass_from(ModelCard, {**top, **sections, "extra": extra}, ModelError, OWNER)


def _with_units(normalization: Any, provenance: Any) -> Any:
    """Add the units to what version 1 exported from its own training, which read the numbers of the files.

    Its exports hold all fields of a normalization but the units, and the seed and steps of the training.
    """
    if not isinstance(normalization, dict) or not isinstance(provenance, dict) or normalization.get("kind") != "none":
        return normalization
    exported = {"percentile_low", "percentile_high", "clip_high"} <= normalization.keys()
    if exported and "units" not in normalization and {"seed", "steps"} <= provenance.keys():
        return {**normalization, "units": "as_stored"}
    return normalization


def _names(kind: Type[Any]) -> Set[str]:
    return {each.name for each in fields(kind)}


def _known(kind: Type[Any], content: Any) -> Any:
    """Drop the fields that a newer minor version added. Content that is not a mapping is returned unchanged."""
    return {key: content[key] for key in content if key in _names(kind)} if isinstance(content, dict) else content


def check_card_version(version: object) -> None:
    """Raise an error for a card version, ``major.minor`` as text, that this plugin cannot read.

    Raises
    ------
    ModelError
        If the version is not readable, or its major version is newer.
    """
    major = str(version).split(".")[0]
    if not (major.isascii() and major.isdecimal() and len(major) <= 4):
        raise ModelError(f"The model card's version is {version!r}; it should be a text such as {CARD_VERSION!r}.")
    if int(major) > int(CARD_VERSION.split(".")[0]):
        raise ModelError(
            f"The model card has version {version}, and this plugin reads up to version {CARD_VERSION}. "
            "Update the plugin, or export the model with the version that you have."
        )
