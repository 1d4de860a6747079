"""The module's advanced settings of revision 3: how to separate, limit, augment and cut into tiles."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, List, Optional

from cellprofiler_core.setting import Binary
from cellprofiler_core.setting.choice import Choice
from cellprofiler_core.setting.text import Float, Integer, Text

from cpunet.options import Options

DECLUMP_PROBABILITY, DECLUMP_NONE = "Probability", "None"
DECLUMP_CHOICES = (DECLUMP_PROBABILITY, "Shape", "Intensity", DECLUMP_NONE)
FILL_BY_MODEL, FILL_NEVER = "By the model", "Never"
FILL_CHOICES = {
    FILL_BY_MODEL: None,
    FILL_NEVER: "never",
    "After both thresholding and declumping": "after thresholding",
    "After declumping only": "after declumping",
}
LIMIT_CONTINUE, LIMIT_ERASE = "Continue", "Erase"
AUGMENTATION_CHOICES = ("None", "Flips", "Flips and rotations")
BYTES_PER_GB = 10**9


class AdvancedSettings:
    """Setting objects with what they mean, in the order of the pipeline file."""

    def __init__(self) -> None:
        self.smoothing_automatic = Binary(
            "Automatically calculate the smoothing for declumping?",
            True,
            doc="""\
*(Used only with advanced settings, if touching objects are separated)*

Before seeds are sought, what they are sought in is smoothed: for "*Shape*" and "*Intensity*" over a third of
the typical diameter, for "*Probability*" not at all, as the network's answer is smooth already. Select "*No*" to
give the width yourself.""",
        )
        self.smoothing_px = Float(
            "Size of the smoothing filter, in pixel units",
            5.0,
            minval=0,
            doc="""\
*(Used only if the smoothing is not calculated automatically)*

The width of a Gaussian at half its height. If objects are cut into pieces, enter more; if touching objects stay
together, enter less.""",
        )
        self.distance_automatic = Binary(
            "Automatically calculate the minimum distance between seeds?",
            True,
            doc="""\
*(Used only with advanced settings, if touching objects are separated)*

Of two seeds in one clump that lie closer than this, one is dropped: for "*Shape*" and "*Intensity*" a third of the
typical diameter, for "*Probability*" none is. Select "*No*" to give the distance yourself.""",
        )
        self.distance_px = Float(
            "Minimum distance between seeds, in pixel units",
            7.0,
            minval=0,
            doc="""\
*(Used only if the distance is not calculated automatically)*

Enter about the radius of the smallest objects that you expect in a clump. More gives fewer objects.""",
        )
        self.fill_holes = Choice(
            "Fill holes in identified objects?",
            list(FILL_CHOICES),
            doc=f"""\
*(Used only with advanced settings)*

-  *{FILL_BY_MODEL}:* as the model's author found best.
-  *{FILL_NEVER}:* rings stay rings.
-  *After both thresholding and declumping:* holes no larger than a typical object are filled before touching
   objects are separated, and those inside an object afterward.
-  *After declumping only:* holes inside an object are filled at the end.""",
        )
        self.limit_choice = Choice(
            "Handling of objects if excessive number of objects identified",
            [LIMIT_CONTINUE, LIMIT_ERASE],
            doc=f"""\
*(Used only with advanced settings)*

An image that is out of focus or full of dirt can give very many objects, which makes the modules downstream slow.

-  *{LIMIT_CONTINUE}:* keep them all.
-  *{LIMIT_ERASE}:* if there are more than the number below, keep none of this image.""",
        )
        self.object_limit = Integer(
            "Maximum number of objects",
            500,
            minval=1,
            doc=f'*(Used only with "{LIMIT_ERASE}")*\n\nAn image with more objects than this keeps none.',
        )
        self.augmentation = Choice(
            "Look at the image several times?",
            list(AUGMENTATION_CHOICES),
            doc="""\
*(Used only with advanced settings)*

The network can see the image mirrored and turned as well, and the mean of its answers counts. This can help where
it is unsure, and takes as many times as long: 4 times for "*Flips*", 8 times for "*Flips and rotations*".""",
        )
        self.tiles_automatic = Binary(
            "Automatically choose the tile size?",
            True,
            doc="""\
*(Used only with advanced settings)*

A large image goes through the network in overlapping tiles, by default of up to 1024 x 1024 pixels, one at a time. The
result does not depend on them. If the memory is too small, smaller tiles are tried by themselves.""",
        )
        self.tile_px = Integer(
            "Tile size, in pixel units",
            1024,
            minval=64,
            doc="""\
*(Used only if the tile size is not chosen automatically)*

Height and width of a tile with its overlap, at most. Smaller tiles need less memory and more time.""",
        )
        self.batch_size = Integer(
            "Tiles at a time",
            1,
            minval=1,
            maxval=64,
            doc="""\
*(Used only if the tile size is not chosen automatically)*

More than one can be faster on a GPU, and needs as many times the memory.""",
        )
        self.memory_automatic = Binary(
            "Automatically limit the GPU's memory?",
            True,
            doc="""\
*(Used only with advanced settings, and only on a GPU)*

In an analysis several copies of CellProfiler share the GPU. By default each gets its share of 80 % of the memory.
Select "*No*" to give each a fixed amount.""",
        )
        self.memory_gb = Float(
            "GPU memory for each copy of CellProfiler, in GB",
            4.0,
            minval=0.25,
            doc="""\
*(Used only if the GPU's memory is not limited automatically)*

What the network may use at most; times the number of workers, it must fit the GPU.""",
        )
        self.further_models = Text(
            "Further models to average with",
            "",
            doc="""\
*(Used only with advanced settings)*

Names of models from the list above, or paths of .onnx files, with commas between them. All must take the same
channels and give the same kinds of probability; the mean of their answers counts. Leave it empty to use one model.""",
        )

    def all(self) -> List[Any]:
        """Return the settings in the order of the pipeline file: append only."""
        return [
            self.smoothing_automatic,
            self.smoothing_px,
            self.distance_automatic,
            self.distance_px,
            self.fill_holes,
            self.limit_choice,
            self.object_limit,
            self.augmentation,
            self.tiles_automatic,
            self.tile_px,
            self.batch_size,
            self.memory_automatic,
            self.memory_gb,
            self.further_models,
        ]

    def visible_for_declumping(self) -> List[Any]:
        """Return those that have a meaning if touching objects are separated."""
        visible: List[Any] = [self.smoothing_automatic]
        if not self.smoothing_automatic.value:
            visible += [self.smoothing_px]
        visible += [self.distance_automatic]
        if not self.distance_automatic.value:
            visible += [self.distance_px]
        return visible

    def visible_for_objects(self) -> List[Any]:
        """Return those on holes and on too many objects."""
        visible: List[Any] = [self.fill_holes, self.limit_choice]
        return [*visible, self.object_limit] if self.limit_choice.value == LIMIT_ERASE else visible

    def visible_for_network(self) -> List[Any]:
        """Return those on how the network is run."""
        visible: List[Any] = [self.further_models, self.augmentation, self.tiles_automatic]
        if not self.tiles_automatic.value:
            visible += [self.tile_px, self.batch_size]
        visible += [self.memory_automatic]
        return visible if self.memory_automatic.value else [*visible, self.memory_gb]

    def options(self, basis: Options, typical_diameter_px: float) -> Options:
        """Add to the options what is set here.

        Parameters
        ----------
        basis : cpunet.options.Options
            With its declumping method.
        typical_diameter_px : float
            The middle of the user's diameter range. Where the image is not rescaled by it, it still tells the
            smoothing for shape and intensity: measured on the image, unsplit clumps would make it too large.

        Returns
        -------
        cpunet.options.Options
        """
        by_range = None if basis.declump_method == "probability" else typical_diameter_px / 3
        tile = int(self.tile_px.value)
        return replace(
            basis,
            smoothing_px=by_range if self.smoothing_automatic.value else float(self.smoothing_px.value),
            min_distance_px=by_range if self.distance_automatic.value else float(self.distance_px.value),
            fill_holes=FILL_CHOICES[self.fill_holes.value],
            augmentation=self.augmentation.value.lower(),
            tile_shape=basis.tile_shape if self.tiles_automatic.value else (tile, tile),
            batch_size=1 if self.tiles_automatic.value else int(self.batch_size.value),
        )

    def most_objects(self) -> Optional[int]:
        """Return above how many objects an image keeps none, or None if any number is right."""
        return int(self.object_limit.value) if self.limit_choice.value == LIMIT_ERASE else None

    def gpu_memory_bytes(self) -> Optional[int]:
        """Return how much of the GPU's memory the user gives the network, or None if that is automatic."""
        return None if self.memory_automatic.value else int(float(self.memory_gb.value) * BYTES_PER_GB)

    def further_model_names(self) -> List[str]:
        """Return the names or paths of the models to average with."""
        return [name.strip() for name in self.further_models.value.split(",") if name.strip()]
