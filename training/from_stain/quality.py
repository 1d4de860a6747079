"""Measure a stain, its image and its labels, and say why a pair is of no use for training."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from skimage.segmentation import find_boundaries

from cpunet.errors import OptionError
from cpunet.steps.diameter import typical_diameter

# Gradients and fine structure are measured at this scale, pixels, above the noise of single pixels.
SIGMA_PX = 1.0
# The rim of a sharp nucleus is so wide, as it is measured at this scale.
SHARP_RIM_PX, AROUND_PX = 3, 12


@dataclass(frozen=True)
class QualityLimits:
    """What a pair must have to be kept.

    Attributes
    ----------
    drop_fewest : float
        This share of all pairs is dropped, 0..1: those with the fewest nucleus pixels.
    most_nucleus : float
        Largest share of nucleus pixels in an image, 0..1.
    widest_rim : float
        Largest width of the nuclei's rim in the stain beyond that of a sharp one, in diameters. A stain out of focus
        has a wide rim: 0.10, 0.15, 0.19 and 0.19 where points became discs with a radius of 0.1, 0.2, 0.3 and 0.5
        diameters. All stains of BBBC039's validation images have 0.07 or less.
    least_sharpness : float
        Least sharpness of an image, in multiples of the median of all.
    most_saturated : float
        Largest share of nucleus pixels in the stain, or of all pixels in the image, that are as bright as the brightest
        (or, in the image, as dark as the darkest), 0..1.
    """

    drop_fewest: float = 0.25
    most_nucleus: float = 0.5
    widest_rim: float = 0.15
    least_sharpness: float = 0.5
    most_saturated: float = 0.3

    def __post_init__(self) -> None:
        for name in ("drop_fewest", "most_nucleus", "most_saturated"):
            if not 0 <= getattr(self, name) <= 1:
                raise OptionError(f"--{name.replace('_', '-')} {getattr(self, name):g}: a share from 0 to 1 is needed.")
        for name in ("widest_rim", "least_sharpness"):
            if not getattr(self, name) >= 0:
                raise OptionError(f"--{name.replace('_', '-')} {getattr(self, name):g}: 0 or more is needed.")


@dataclass(frozen=True)
class PairQuality:
    """Measurements of one pair.

    Attributes
    ----------
    nucleus_px : int
    nucleus_share : float
        Of all pixels, 0..1.
    rim : float
        Width of the nuclei's rim in the stain beyond that of a sharp one, in their diameters; 0 without nuclei.
    sharpness : float
        Standard deviation of the image's fine structure over that of its coarser structure.
    stain_saturated, image_saturated : float
        Shares of pixels, 0..1.
    """

    nucleus_px: int
    nucleus_share: float
    rim: float
    sharpness: float
    stain_saturated: float
    image_saturated: float


def quality_of(
    image: NDArray[np.generic], stain: NDArray[np.float32], saturated: NDArray[np.bool_], labels: NDArray[np.int32]
) -> PairQuality:
    """Measure an aligned pair.

    Parameters
    ----------
    image : ndarray of shape (Y, X) or (Y, X, C), any real dtype
    stain : ndarray of shape (Y, X), float32
        Moved onto the image.
    saturated : ndarray of shape (Y, X), bool
        Where the stain, as its file has it, is as bright as its brightest pixel.
    labels : ndarray of shape (Y, X), int32
        1..n without gaps.
    """
    nuclei = labels > 0
    count = int(nuclei.sum())
    gray = np.asarray(image, np.float32)
    extremes = (gray == gray.min()) | (gray == gray.max())
    plane = gray if gray.ndim == 2 else gray.mean(axis=2)
    return PairQuality(
        nucleus_px=count,
        nucleus_share=count / labels.size,
        rim=_rim(stain, labels) if count else 0.0,
        sharpness=_sharpness(plane),
        stain_saturated=float(saturated[nuclei].mean()) if count else 0.0,
        image_saturated=float(extremes.mean()),
    )


def _rim(stain: NDArray[np.float32], labels: NDArray[np.int32]) -> float:
    """Return over how many diameters the stain rises from the background to the nuclei: its step over its slope."""
    nuclei = labels > 0
    # Without the cuts between nuclei, where the stain does not fall to the background.
    regions = ndimage.label(nuclei)[0].astype(np.int32)
    away = ndimage.distance_transform_edt(~nuclei)
    # Near the nuclei, as the light may be uneven.
    around = (away > SHARP_RIM_PX) & (away <= AROUND_PX)
    if not around.any():
        return 0.0
    step = float(np.median(stain[nuclei]) - np.median(stain[around]))
    slopes = ndimage.gaussian_gradient_magnitude(stain, SIGMA_PX)
    slope = float(np.median(slopes[find_boundaries(regions, mode="inner")]))
    width_px = step / slope if slope > 0 else 0.0
    return max(0.0, width_px - SHARP_RIM_PX) / typical_diameter(regions)


def _sharpness(plane: NDArray[np.float32]) -> float:
    fine = ndimage.gaussian_filter(plane, SIGMA_PX) - ndimage.gaussian_filter(plane, 2 * SIGMA_PX)
    coarse = ndimage.gaussian_filter(plane, 2 * SIGMA_PX) - ndimage.gaussian_filter(plane, 16 * SIGMA_PX)
    spread = float(coarse.std())
    return float(fine.std()) / spread if spread > 0 else 0.0


def reasons_to_drop(measured: Sequence[PairQuality], limits: QualityLimits) -> list[str]:
    """Say of each pair why it is dropped; an empty text for those that are kept.

    The share with the fewest nucleus pixels is taken of the pairs that pass all other tests, rounded down, so that one
    in four pairs is dropped by the default, and none of three.
    """
    median = float(np.median([each.sharpness for each in measured])) if measured else 0.0
    reasons = [_reason(each, median, limits) for each in measured]
    passed = [number for number, reason in enumerate(reasons) if not reason]
    fewest = sorted(passed, key=lambda number: measured[number].nucleus_px)[: int(limits.drop_fewest * len(passed))]
    for number in fewest:
        reasons[number] = (
            f"among the {limits.drop_fewest:.0%} with the fewest nucleus pixels ({measured[number].nucleus_px}; "
            "--drop-fewest)"
        )
    return reasons


def _reason(seen: PairQuality, median_sharpness: float, limits: QualityLimits) -> str:
    if seen.nucleus_share > limits.most_nucleus:
        return f"more nucleus than background ({seen.nucleus_share:.0%} of the pixels; --most-nucleus)"
    if seen.rim > limits.widest_rim:
        return (
            f"the stain is out of focus: its nuclei rise over {seen.rim:.2f} diameters, {limits.widest_rim:g} at most "
            "(--widest-rim)"
        )
    if seen.sharpness < limits.least_sharpness * median_sharpness:
        return (
            f"the image is out of focus: it is {seen.sharpness / median_sharpness:.2f} times as sharp as the median, "
            f"{limits.least_sharpness:g} at least (--least-sharpness)"
        )
    for share, what in (
        (seen.stain_saturated, "nucleus pixels of the stain"),
        (seen.image_saturated, "pixels of the image"),
    ):
        if share > limits.most_saturated:
            return f"{share:.0%} of the {what} are saturated, {limits.most_saturated:.0%} at most (--most-saturated)"
    return ""
