"""How to segment an image: the options, and what they may be."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Callable, Dict, Optional, Tuple

import numpy as np
import numpy.typing as npt

from cpunet.errors import OptionError
from cpunet.model.card import LARGEST_Z_STEP_PX, SMALLEST_Z_STEP_PX

SMALLEST_SCALE, LARGEST_SCALE = 1 / 16, 4.0
DECLUMP_METHODS = ("probability", "shape", "intensity", "none")
FILL_HOLES = ("never", "after thresholding", "after declumping")
# The least height and width of the tiles into which a large image is cut, unless others are asked for.
TILE_PX = 1024
# The views of an image that are averaged: quarter turns, and whether it is mirrored left to right before.
AUGMENTATIONS: Dict[str, Tuple[Tuple[int, bool], ...]] = {
    "none": ((0, False),),
    "flips": ((0, False), (0, True), (2, False), (2, True)),
    "flips and rotations": tuple((turns, mirrored) for mirrored in (False, True) for turns in range(4)),
}
# By how much more, or less, the image may be enlarged for a further view than for the first.
SMALLEST_VIEW, LARGEST_VIEW = 0.5, 2.0
SMALLEST_CROP_PX = 64
Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Options:
    """How to segment; the defaults need no adjustment for most images.

    Attributes
    ----------
    diameter_px : float, optional
        Typical diameter of the objects. The image is rescaled for the network if the model does not know objects of
        this size. None: measured on the image itself, with the objects that the model finds in it.
    scale : float, optional
        Factor by which the image is enlarged for the network; 1 does not rescale it. The diameter is then ignored.
    foreground_threshold : float, optional
        0..1; the model card's by default. A lower one makes objects larger.
    outline_level : float, optional
        0..1, between the brightness of the background (0) and that of an object (1). Outlines are moved toward this
        level of the image itself; a lower one makes objects larger. None: the model card's level or, if it has none,
        outlines as the model learned to draw them.
    declump_method : str
        How touching objects are separated: ``probability`` (by the model's probabilities of their centers and
        boundaries), ``shape`` (by roundness), ``intensity`` (by peaks of brightness, or of darkness if the objects are
        darker than the background), or ``none``.
    smoothing_px : float, optional
        The image in which seeds are found is smoothed first, by a Gaussian of this full width at half maximum. More
        gives fewer objects; 0 smooths nothing. None: a third of the typical diameter; 0 for ``probability``.
    min_distance_px : float, optional
        Of two seeds in one clump that are closer, one is dropped. More gives fewer objects. None: a third of the
        typical diameter; 0 for ``probability``.
    fill_holes : str, optional
        ``after thresholding``: holes of the mask that are no larger than a typical object, before objects are
        separated, and the holes of each object at the end. ``after declumping``: only the latter. ``never``: none.
        None: as the model's card says.
    augmentation : str
        Which views of the image the network sees, whose mean counts: ``none`` (the image alone), ``flips`` (4: as it
        is, mirrored left to right, top to bottom, and both) or ``flips and rotations`` (8: these turned by 90 degrees
        too).
    view_scales : tuple of float
        0.5..2 each. The image is seen once at each of these times its scale, and the mean counts. With (0.8, 1, 1.25)
        the network sees three views of different sizes.
    crop_px : int, optional
        The network sees squares of this side, pixels of the rescaled image, that overlap by half or more. The mean
        counts, in which a crop's middle weighs more than its edge. None: the image is not cut into crops.
    z_step_px : float, optional
        Only for models of volumes: the distance between two planes of the image in widths of its pixels, such as 2.2.
        None: as far as in the volumes that the model was trained on.
    mask : ndarray of shape (Y, X), bool, optional
        The usable part of the image. Nothing outside it sets the contrast or becomes an object.
    tile_shape : tuple of int, optional
        Height and width of a tile that the network sees at once, pixels. None: as few tiles as about 1 GB of memory
        allows, see `cpunet.steps.tile_shape.automatic_tile_shape`.
    tile_planes : int, optional
        Only for models of volumes: planes of a tile. None: as the memory allows.
    batch_size : int
        Tiles in one call of the network.
    on_progress : callable, optional
        Called between tiles with the tiles done and their number; an error that it raises ends the work. Where the
        objects must be measured first, each pass over the image counts from 0 again.

    Notes
    -----
    All lengths are pixels of the image as it is given, also where it is rescaled for the network.
    """

    diameter_px: Optional[float] = None
    scale: Optional[float] = None
    foreground_threshold: Optional[float] = None
    outline_level: Optional[float] = None
    declump_method: str = "probability"
    smoothing_px: Optional[float] = None
    min_distance_px: Optional[float] = None
    fill_holes: Optional[str] = None
    augmentation: str = "none"
    view_scales: Tuple[float, ...] = (1.0,)
    crop_px: Optional[int] = None
    z_step_px: Optional[float] = None
    mask: Optional[npt.NDArray[np.bool_]] = None
    tile_shape: Optional[Tuple[int, int]] = None
    tile_planes: Optional[int] = None
    batch_size: int = 1
    on_progress: Optional[Progress] = None


def progress_of_part(on_progress: Optional[Progress], index: int, count: int) -> Optional[Progress]:
    """Return a function that counts the tiles of one of `count` equal parts of the work among those of all parts."""
    if on_progress is None:
        return None
    report = on_progress
    return lambda done, total: report(index * total + done, count * total)


def sees_once(options: Options) -> bool:
    """Return True if the network sees each pixel in one view, at the image's scale."""
    return options.augmentation == "none" and tuple(options.view_scales) == (1.0,) and options.crop_px is None


def check_options(options: Options) -> None:
    """Raise OptionError if an option is out of range."""
    if options.diameter_px is not None and not options.diameter_px > 0:
        raise OptionError(f"The typical diameter must be larger than 0 pixels; it is {options.diameter_px}.")
    if options.scale is not None and not SMALLEST_SCALE <= options.scale <= LARGEST_SCALE:
        raise OptionError(
            f"The image can be enlarged for the network by a factor of {SMALLEST_SCALE:g} to {LARGEST_SCALE:g}; it is "
            f"{options.scale}."
        )
    threshold, level = options.foreground_threshold, options.outline_level
    if threshold is not None and not 0 < threshold < 1:
        raise OptionError(f"The foreground threshold must lie between 0 and 1; it is {threshold}.")
    if level is not None and not 0 < level < 1:
        raise OptionError(
            f"The level of the outlines must lie between 0 (the background) and 1 (the inside); it is {level}."
        )
    _check_choice("way to separate touching objects", options.declump_method, DECLUMP_METHODS)
    _check_choice("augmentation", options.augmentation, tuple(AUGMENTATIONS))
    if not options.view_scales or not all(SMALLEST_VIEW <= each <= LARGEST_VIEW for each in options.view_scales):
        raise OptionError(
            f"A view of the image can be enlarged by a factor of {SMALLEST_VIEW:g} to {LARGEST_VIEW:g}, and there must "
            f"be one at least; the factors are {', '.join(map(str, options.view_scales)) or 'none'}."
        )
    if options.crop_px is not None and not options.crop_px >= SMALLEST_CROP_PX:
        raise OptionError(f"Crops must be {SMALLEST_CROP_PX} pixels wide or more; they are {options.crop_px}.")
    if options.mask is not None and options.mask.dtype != bool:  # numbers would be taken as places
        raise OptionError(
            f"The mask must hold True where the image is usable, and False elsewhere; it holds {options.mask.dtype} "
            "values. In Python: mask != 0."
        )
    step = options.z_step_px
    if step is not None and not SMALLEST_Z_STEP_PX <= step <= LARGEST_Z_STEP_PX:  # so that NaN is refused too
        raise OptionError(
            f"The z step, the distance of two planes over the width of a pixel, must lie between "
            f"{SMALLEST_Z_STEP_PX:g} and {LARGEST_Z_STEP_PX:g}; it is {step}."
        )
    if options.tile_planes is not None and not options.tile_planes >= 1:
        raise OptionError(f"Tiles must have one plane or more; they have {options.tile_planes}.")
    if options.fill_holes is not None:
        _check_choice("way to fill holes", options.fill_holes, FILL_HOLES)
    for what, value in (
        ("The smoothing before declumping", options.smoothing_px),
        ("The smallest distance between the centers of two objects", options.min_distance_px),
    ):
        if value is not None and not 0 <= value < np.inf:
            raise OptionError(f"{what} must be 0 pixels or more; it is {value}.")


def _check_choice(what: str, value: object, choices: Tuple[str, ...]) -> None:
    if value not in choices:
        raise OptionError(f"There is no {what} called {value!r}; choose one of: {', '.join(choices)}.")
