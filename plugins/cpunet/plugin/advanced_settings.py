"""The module's advanced settings: thresholds, outlines, touching objects, holes, tiles, device and memory."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, List, Optional

from cellprofiler_core.setting import Binary, ValidationError
from cellprofiler_core.setting.choice import Choice
from cellprofiler_core.setting.text import Float, Integer, Text

from cpunet.model.card import INSTANCES, ModelCard
from cpunet.options import TILE_PX, Options
from cpunet.plugin.batch import AlterPath, join_names, map_models, split_names
from cpunet.steps.tiling import check_tile

DECLUMP_PROBABILITY, DECLUMP_NONE = "Probability", "None"
DEVICE_CHOICES = {"Automatic": "automatic", "CPU": "cpu", "CUDA (NVIDIA GPU)": "cuda"}
FILL_BY_MODEL, FILL_NEVER = "By the model", "Never"
FILL_CHOICES = {
    FILL_BY_MODEL: None,
    FILL_NEVER: "never",
    "After both thresholding and declumping": "after thresholding",
    "After declumping only": "after declumping",
}
OUTLINES_BY_MODEL, OUTLINES_AT_LEVEL = "As the model learned", "At a level of the edge"
LIMIT_CONTINUE, LIMIT_ERASE = "Continue", "Erase"
AUGMENTATION_CHOICES = ("None", "Flips", "Flips and rotations")
BYTES_PER_GB = 10**9
ADVANCED = "*(Used only with advanced settings)*\n\n"


class AdvancedSettings:
    """The settings and their meaning. With their defaults, they also stand for settings that are not shown."""

    def __init__(self) -> None:
        self.use_model_threshold = Binary(
            "Use the model's own foreground threshold?",
            True,
            doc=ADVANCED
            + """\
Each model carries the threshold that gave the best outlines on its validation
images. Select "*No*" to choose another threshold.""",
        )
        self.foreground_threshold = Float(
            "Foreground threshold",
            0.5,
            minval=0.01,
            maxval=0.99,
            doc="""\
*(Used only with advanced settings, if the model's own threshold is not used)*

A pixel belongs to an object if its probability is higher than this threshold. Lower
values make objects larger and find fainter ones. Higher values make objects smaller.""",
        )
        self.declump_method = Choice(
            "Method to separate touching objects",
            [DECLUMP_PROBABILITY, "Shape", "Intensity", DECLUMP_NONE],
            doc=ADVANCED
            + f"""\
-  *{DECLUMP_PROBABILITY}:* uses the centers and borders of objects that the network predicts. This is the best
   choice for most images.
-  *Shape:* uses the roundness of objects. A clump is cut where it is narrow.
-  *Intensity:* uses brightness. Each bright object has its own peak; each dark object has its own minimum.
-  *{DECLUMP_NONE}:* touching objects stay one object, for example to measure clumps or colonies.

A model that gives objects itself, such as a Mask R-CNN, has separated them already. The settings of this method are not
shown for it.""",
        )
        self.device = Choice(
            "Select the device",
            list(DEVICE_CHOICES),
            doc=ADVANCED
            + """\
-  *Automatic:* an NVIDIA GPU if there is one that works, otherwise
   the CPU.
-  *CPU:* always the CPU.
-  *CUDA (NVIDIA GPU):* the GPU. If it cannot be used, an error says what is missing. Needs the
   package onnxruntime-gpu.

The button below shows which device is used.""",
        )
        self.smoothing_automatic = Binary(
            "Automatically calculate the smoothing for declumping?",
            True,
            doc="""\
*(Used only with advanced settings, if touching objects are separated)*

The image in which seeds are found is smoothed first. For "*Shape*" and "*Intensity*", the width of the filter is a
third of the middle of the diameter range. For "*Probability*", the image is not smoothed, because the network's output
is smooth already. Select "*No*" to enter the width.""",
        )
        self.smoothing_px = Float(
            "Size of the smoothing filter, in pixel units",
            5.0,
            minval=0,
            maxval=1000,  # more would take minutes for each image
            doc="""\
*(Used only if the smoothing is not calculated automatically)*

The full width at half maximum of a Gaussian filter. If objects are cut into pieces, enter a larger value. If touching
objects stay together, enter a smaller value.""",
        )
        self.distance_automatic = Binary(
            "Automatically calculate the minimum distance between seeds?",
            True,
            doc="""\
*(Used only with advanced settings, if touching objects are separated)*

If two seeds in one clump are closer than the minimum distance, one is removed. For "*Shape*" and "*Intensity*", the
distance is a third of the middle of the diameter range. For "*Probability*", no seed is removed. Select "*No*" to
enter the distance.""",
        )
        self.distance_px = Float(
            "Minimum distance between seeds, in pixel units",
            7.0,
            minval=0,
            doc="""\
*(Used only if the distance is not calculated automatically)*

Enter about the radius of the smallest objects that you expect in a clump. A larger distance gives fewer objects.""",
        )
        self.fill_holes = Choice(
            "Fill holes in identified objects?",
            list(FILL_CHOICES),
            doc=ADVANCED
            + f"""\
-  *{FILL_BY_MODEL}:* as the model's author chose.
-  *{FILL_NEVER}:* holes are kept, for example in ring-shaped objects.
-  *After both thresholding and declumping:* holes no larger than a typical object are filled before touching
   objects are separated. Holes inside an object are filled afterward.
-  *After declumping only:* holes inside an object are filled after touching objects are separated.""",
        )
        self.limit_choice = Choice(
            "Handling of objects if excessive number of objects identified",
            [LIMIT_CONTINUE, LIMIT_ERASE],
            doc=ADVANCED
            + f"""\
An image that is out of focus or full of debris can give very many objects, which slows the modules downstream.

-  *{LIMIT_CONTINUE}:* keep all objects.
-  *{LIMIT_ERASE}:* if an image has more objects than the number below, keep none of them.""",
        )
        self.object_limit = Integer(
            "Maximum number of objects",
            500,
            minval=1,
            doc=f'*(Used only with "{LIMIT_ERASE}")*\n\nIf an image has more objects than this, none is kept.',
        )
        self.augmentation = Choice(
            "Look at the image several times?",
            list(AUGMENTATION_CHOICES),
            doc=ADVANCED
            + """\
The network also processes mirrored and rotated copies of the image, and the probabilities are averaged. This can help
with doubtful objects. It takes about 4 times as long for "*Flips*" and 8 to 9 times as long for "*Flips and
rotations*". It is not shown for a model that gives objects itself, since that computes no probabilities.""",
        )
        self.tiles_automatic = Binary(
            "Automatically choose the tile size?",
            True,
            doc=ADVANCED
            + """\
The network processes a large image in overlapping tiles, one at a time. The result does not depend on the tiles. By
default, they are as large as about 1 GB of memory allows: most images are one tile, and no pixel is processed twice.
If the memory is too small, smaller tiles are tried automatically.""",
        )
        self.tile_px = Integer(
            "Tile size, in pixel units",
            TILE_PX,
            minval=64,
            doc="""\
*(Used only if the tile size is not chosen automatically)*

The largest height and width of a tile, with its overlap. Smaller tiles need less memory and more time.""",
        )
        self.batch_size = Integer(
            "Tiles at a time",
            1,
            minval=1,
            maxval=64,
            doc="""\
*(Used only if the tile size is not chosen automatically)*

The number of tiles that the network processes together. More than one can be faster on a GPU. The memory grows
with the number.""",
        )
        self.memory_automatic = Binary(
            "Automatically limit the GPU's memory?",
            True,
            doc="""\
*(Used only with advanced settings, and only on a GPU)*

In an analysis, several copies of CellProfiler share the GPU. By default, they share 80 % of its memory equally.
Select "*No*" to give each copy a fixed amount.""",
        )
        self.memory_gb = Float(
            "GPU memory for each copy of CellProfiler, in GB",
            4.0,
            minval=0.25,
            doc="""\
*(Used only if the GPU's memory is not limited automatically)*

The most memory that the network may use. Multiplied by the number of workers, it must fit the GPU.""",
        )
        self.further_models = Text(
            "Further models to average with",
            "",
            doc=ADVANCED
            + """\
Enter names of models from the list above, or paths of .onnx files, separated by commas. Put a path that has a comma
in double quotes. All models must take the same channels and compute the same kinds of probability. Their probabilities
are averaged. Leave this empty to use one model.""",
        )
        self.outlines = Choice(
            "Outlines",
            [OUTLINES_BY_MODEL, OUTLINES_AT_LEVEL],
            doc=ADVANCED
            + f"""\
How tight outlines are is a laboratory's habit. Some draw them where the edge of an object is half as bright as its
inside; others include the faint glow around it.

-  *{OUTLINES_BY_MODEL}:* as in the images on which the model was trained or calibrated.
-  *{OUTLINES_AT_LEVEL}:* each outline is moved, by a few pixels at most, toward a level of brightness between that of
   the object's inside and that of its background. The same objects are found as before, and the line between two
   objects that touch stays where it is. An object that is hardly brighter (or darker) than the noise keeps its
   outline.""",
        )
        self.outline_level = Float(
            "Level of the edge, from background (0) to inside (1)",
            0.5,
            minval=0.2,
            maxval=0.6,
            doc=f"""\
*(Used only with "{OUTLINES_AT_LEVEL}")*

0.5 is half of the way from the brightness of the background to that of the object's inside. A lower level makes objects
larger; a higher level makes them smaller. Look at the outlines in the figure, and change the level by 0.1 until they
lie where you would draw them. If you have a few images with outlines drawn by hand, ``cpunet calibrate`` writes a
model file that draws them so: choose it, and leave "*Outlines*" at "*{OUTLINES_BY_MODEL}*".""",
        )

    def all(self) -> List[Any]:
        """Return the settings in the order of their creation, which is that of the pipeline file: append only."""
        return list(vars(self).values())

    def visible(self, gives_objects: bool = False) -> List[Any]:
        """Return the settings that are shown, as far as the device.

        For a model that gives objects there are no clumps to be separated, and no probabilities to be averaged.
        """
        visible = [self.use_model_threshold, *_unless(self.use_model_threshold, self.foreground_threshold)]
        visible += [self.outlines]
        if self.outlines.value == OUTLINES_AT_LEVEL:
            visible += [self.outline_level]
        if not gives_objects:
            visible += [self.declump_method]
        if not gives_objects and self.declump_method.value != DECLUMP_NONE:
            visible += [self.smoothing_automatic, *_unless(self.smoothing_automatic, self.smoothing_px)]
            visible += [self.distance_automatic, *_unless(self.distance_automatic, self.distance_px)]
        visible += [self.fill_holes, self.limit_choice]
        if self.limit_choice.value == LIMIT_ERASE:
            visible += [self.object_limit]
        visible += [self.further_models]
        if not gives_objects:
            visible += [self.augmentation]
        visible += [self.tiles_automatic, *_unless(self.tiles_automatic, self.tile_px, self.batch_size)]
        visible += [self.memory_automatic, *_unless(self.memory_automatic, self.memory_gb)]
        return [*visible, self.device]

    def options(self, basis: Options, typical_diameter_px: float) -> Options:
        """Add these settings to the options.

        The middle of the user's diameter range sets the smoothing for shape and intensity even if the image is not
        rescaled by it: clumps would make a diameter measured in the image too large.
        """
        method = self.declump_method.value.lower()
        by_range = None if method == "probability" else typical_diameter_px / 3
        at_level = self.outlines.value == OUTLINES_AT_LEVEL
        tile = int(self.tile_px.value)
        return replace(
            basis,
            foreground_threshold=None if self.use_model_threshold.value else float(self.foreground_threshold.value),
            outline_level=float(self.outline_level.value) if at_level else None,
            declump_method=method,
            smoothing_px=by_range if self.smoothing_automatic.value else float(self.smoothing_px.value),
            min_distance_px=by_range if self.distance_automatic.value else float(self.distance_px.value),
            fill_holes=FILL_CHOICES[self.fill_holes.value],
            augmentation=self.augmentation.value.lower(),
            tile_shape=basis.tile_shape if self.tiles_automatic.value else (tile, tile),
            batch_size=1 if self.tiles_automatic.value else int(self.batch_size.value),
        )

    def check_tile(self, card: ModelCard) -> None:
        """Raise ValidationError if the tiles are too small for the model."""
        if self.tiles_automatic.value or card.input.tile_shape is not None:
            return
        try:
            check_tile(int(self.tile_px.value), card.output.halo, card.input.divisible_by, card.input.min_size)
        except ValueError as error:
            raise ValidationError(str(error), self.tile_px) from error

    def most_objects(self) -> Optional[int]:
        """Return the most objects that an image may have, or None if there is no limit."""
        return int(self.object_limit.value) if self.limit_choice.value == LIMIT_ERASE else None

    def gpu_memory_bytes(self) -> Optional[int]:
        """Return the most GPU memory that the network may use, or None if that is automatic."""
        return None if self.memory_automatic.value else int(float(self.memory_gb.value) * BYTES_PER_GB)

    def further_model_names(self) -> List[str]:
        """Return the names or paths of the models to average with."""
        return split_names(self.further_models.value)

    def map_paths(self, alter_path: AlterPath) -> None:
        """Rewrite the paths of models to average with for the computers of a cluster."""
        self.further_models.value = join_names(map_models(self.further_model_names(), alter_path))


def for_kind(options: Options, card: ModelCard) -> Options:
    """Return options without what the settings that are hidden for a model would ask for."""
    if card.output.kind != INSTANCES:
        return options
    return replace(options, declump_method="probability", smoothing_px=None, min_distance_px=None, augmentation="none")


def _unless(automatic: Binary, *settings: Any) -> List[Any]:
    """Return the settings if the answer is No."""
    return [] if automatic.value else list(settings)
