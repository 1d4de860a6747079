"""How to segment an image: the options, and what they may be."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Callable, Optional, Tuple

import numpy as np
import numpy.typing as npt

from cpunet.errors import OptionError
from cpunet.steps.scale import LARGEST_SCALE, SMALLEST_SCALE
from cpunet.steps.views import AUGMENTATIONS

DECLUMP_METHODS = ("probability", "shape", "intensity", "none")
FILL_HOLES = ("never", "after thresholding", "after declumping")


@dataclass(frozen=True)
class Options:
    """How to segment; every default is right for any image.

    Attributes
    ----------
    diameter_px : float, optional
        Typical diameter of the objects. The image is rescaled for the network if the model does not know such
        sizes. None: measured on the image itself, by what the model finds in it.
    scale : float, optional
        Enlarge the image by this for the network, whatever the diameter; 1 leaves it as it is.
    foreground_threshold : float, optional
        0..1; the model card's by default. Lower makes objects larger.
    declump_method : str
        How touching objects are told apart: ``probability`` (by what the model says of their middles and rims),
        ``shape`` (roundness), ``intensity`` (each has its own peak of brightness, or of darkness if the objects are
        darker than the background), or ``none``.
    smoothing_px : float, optional
        Width (full, at half maximum) of the Gaussian that is put over what the seeds are sought in; more gives
        fewer objects, 0 smooths nothing. None: a third of the typical diameter; nothing for ``probability``.
    min_distance_px : float, optional
        Of two seeds in one clump that lie closer, one is dropped; more gives fewer objects. None: a third of the
        typical diameter; 0 for ``probability``.
    fill_holes : str, optional
        ``after thresholding``: holes of the mask, if no larger than a typical object, before objects are told apart,
        and each object's own at last; ``after declumping``: each object's own at last; ``never``. None: as the
        model's card says.
    augmentation : str
        ``flips`` or ``flips and rotations``: the network sees the image 4 or 8 times, mirrored and turned, and the
        mean counts; see `cpunet.steps.views`. ``none``: once.
    mask : ndarray of shape (Y, X), bool, optional
        The usable part of the image. Nothing outside it sets the contrast or becomes an object.
    tile_shape : tuple of int
        Height and width of a piece that the network sees at once, pixels.
    batch_size : int
        Pieces a call of the network.
    on_progress : callable, optional
        Called between tiles with the tiles done and their number; what it raises ends the work. Where the objects'
        size must be measured first, each look at the image counts from 0 again.

    Notes
    -----
    All lengths are pixels of the image as it is given, also where it is rescaled for the network.
    """

    diameter_px: Optional[float] = None
    scale: Optional[float] = None
    foreground_threshold: Optional[float] = None
    declump_method: str = "probability"
    smoothing_px: Optional[float] = None
    min_distance_px: Optional[float] = None
    fill_holes: Optional[str] = None
    augmentation: str = "none"
    mask: Optional[npt.NDArray[np.bool_]] = None
    tile_shape: Tuple[int, int] = (1024, 1024)
    batch_size: int = 1
    on_progress: Optional[Callable[[int, int], None]] = None


def check_options(options: Options) -> None:
    """Raise ValueError, in words for a person, if an option cannot be."""
    if options.diameter_px is not None and not options.diameter_px > 0:
        raise OptionError(f"The typical diameter must be larger than 0 pixels; it is {options.diameter_px}.")
    if options.scale is not None and not SMALLEST_SCALE <= options.scale <= LARGEST_SCALE:
        raise OptionError(
            f"The image can be enlarged for the network by a factor of {SMALLEST_SCALE:g} to {LARGEST_SCALE:g}; it is "
            f"{options.scale}."
        )
    threshold = options.foreground_threshold
    if threshold is not None and not 0 < threshold < 1:
        raise OptionError(f"The foreground threshold must lie between 0 and 1; it is {threshold}.")
    _check_choice("way to separate touching objects", options.declump_method, DECLUMP_METHODS)
    _check_choice("augmentation", options.augmentation, AUGMENTATIONS)
    if options.fill_holes is not None:
        _check_choice("way to fill holes", options.fill_holes, FILL_HOLES)
    for what, value in (
        ("The smoothing before declumping", options.smoothing_px),
        ("The smallest distance between two objects' middles", options.min_distance_px),
    ):
        if value is not None and not 0 <= value < np.inf:
            raise OptionError(f"{what} must be 0 pixels or more; it is {value}.")


def _check_choice(what: str, value: object, choices: Tuple[str, ...]) -> None:
    if value not in choices:
        raise OptionError(f"There is no {what} called {value!r}; choose one of: {', '.join(choices)}.")
