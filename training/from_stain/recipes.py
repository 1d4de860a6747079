"""The two ways to make labels from a stain: with a model, and as a thesis did it with ImageJ and CellProfiler."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from skimage.exposure import equalize_adapthist

from cpunet.errors import OptionError
from cpunet.model.find import DEFAULT_MODEL, find_model
from cpunet.model.session import load_model
from cpunet.options import Options
from cpunet.segment import segment_image
from cpunet.training.from_stain.primary_objects import DECLUMP_METHODS, primary_objects

# (Y, X), float32 -> (Y, X), int32
Labeler = Callable[[NDArray[np.float32]], NDArray[np.int32]]


@dataclass(frozen=True)
class ThesisRecipe:
    """CLAHE of ImageJ and IdentifyPrimaryObjects of CellProfiler, with the settings of the thesis.

    Attributes
    ----------
    clahe_block_px : int
        Side of the blocks in which the contrast is equalized.
    clahe_bins : int
        Gray levels of their histograms.
    clahe_slope : float
        The most by which contrast is raised; 1 changes nothing.
    threshold_window_px : int
        Side of the windows of the adaptive threshold.
    threshold_bounds : tuple of float
        Lowest and highest threshold, 0..1 from the darkest to the brightest pixel.
    declump : str
        ``intensity``, ``shape`` or ``none``.
    diameters_px : tuple of float
        Objects of other diameters are dropped.

    References
    ----------
    Salomon-Sörensen, thesis, Lund 2023. Zuiderveld, Contrast limited adaptive histogram equalization, Graphics Gems IV
    (1994) 474-485.
    """

    clahe_block_px: int = 127
    clahe_bins: int = 256
    clahe_slope: float = 3.0
    threshold_window_px: int = 20
    threshold_bounds: tuple[float, float] = (0.05, 1.0)
    declump: str = "intensity"
    diameters_px: tuple[float, float] = (5.0, 30.0)

    @property
    def words(self) -> str:
        """The recipe in one line."""
        low, high = self.threshold_bounds
        smallest, largest = self.diameters_px
        return (
            f"thesis: CLAHE (block {self.clahe_block_px} px, {self.clahe_bins} bins, slope {self.clahe_slope:g}), "
            f"adaptive Otsu (window {self.threshold_window_px} px, bounds {low:g} to {high:g}), separated by "
            f"{self.declump}, diameters {smallest:g} to {largest:g} px"
        )

    def __post_init__(self) -> None:
        low, high = self.threshold_bounds
        smallest, largest = self.diameters_px
        for holds, message in (
            (self.clahe_block_px >= 3, f"--clahe-block {self.clahe_block_px}: 3 pixels or more are needed."),
            (2 <= self.clahe_bins <= 65536, f"--clahe-bins {self.clahe_bins}: 2 to 65536 are possible."),
            (1 <= self.clahe_slope < np.inf, f"--clahe-slope {self.clahe_slope:g}: 1 or more is needed."),
            (
                self.threshold_window_px >= 2,
                f"--threshold-window {self.threshold_window_px}: 2 pixels or more are needed.",
            ),
            (0 <= low < high <= 1, f"--threshold-bounds {low:g} {high:g}: two numbers from 0 to 1, the lower first."),
            (0 < smallest < largest < np.inf, f"--diameters {smallest:g} {largest:g}: the smaller first, above 0."),
            (self.declump in DECLUMP_METHODS, f"--declump {self.declump}: one of {', '.join(DECLUMP_METHODS)}."),
        ):
            if not holds:
                raise OptionError(message)


def equalized(stain: NDArray[np.float32], recipe: ThesisRecipe) -> NDArray[np.float32]:
    """Equalize the contrast of a stain in blocks, without raising it by more than the slope; 0..1.

    It is the fast form of ImageJ's *Enhance Local Contrast (CLAHE)*: histograms of blocks, and between their middles a
    blend of the neighbors. Gray levels run from the darkest to the brightest pixel, as ImageJ shows a 32-bit image.
    """
    low, high = float(stain.min()), float(stain.max())
    unit = (stain - low) / ((high - low) or 1.0)
    clip_limit = recipe.clahe_slope / recipe.clahe_bins
    even: NDArray[np.float64] = equalize_adapthist(unit, recipe.clahe_block_px, clip_limit, recipe.clahe_bins)
    return even.astype(np.float32)


def labels_by_thesis(stain: NDArray[np.float32], recipe: ThesisRecipe) -> NDArray[np.int32]:
    """Label nuclei in a stain as the thesis did.

    Parameters
    ----------
    stain : ndarray of shape (Y, X), float32
        Gray levels of any range.
    recipe : ThesisRecipe

    Returns
    -------
    ndarray of shape (Y, X), int32
        Nuclei at the frame are kept, unlike the default of IdentifyPrimaryObjects: training needs them.
    """
    window, bounds = recipe.threshold_window_px, recipe.threshold_bounds
    return primary_objects(equalized(stain, recipe), window, bounds, recipe.declump, recipe.diameters_px)


@dataclass(frozen=True)
class ModelRecipe:
    """A shipped model, or one of the user's, on the stain.

    Attributes
    ----------
    model : str
        Name, folder or file.
    diameter_px : float, optional
        Typical diameter of the nuclei; None measures it on each stain.
    device : str
    """

    model: str = DEFAULT_MODEL
    diameter_px: float | None = None
    device: str = "automatic"

    @property
    def words(self) -> str:
        """The recipe in one line."""
        size = "measured on each stain" if self.diameter_px is None else f"{self.diameter_px:g} px"
        return f"model {self.model}, typical diameter {size}"


def labeler(recipe: ThesisRecipe | ModelRecipe) -> Labeler:
    """Return the function that labels a stain; ModelError if there is no such model."""
    if isinstance(recipe, ThesisRecipe):
        return lambda stain: labels_by_thesis(stain, recipe)
    model = load_model(find_model(recipe.model), recipe.device)
    options = Options(diameter_px=recipe.diameter_px)
    return lambda stain: segment_image(stain, model, options).labels
