"""What a microscope makes of a specimen: blur, haze, loss of light with depth, uneven light and bleaching."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

# Refractive index of air, water and oil, with the numerical apertures of objectives that are made for them.
OBJECTIVES = ((1.0, 0.3, 0.95), (1.33, 0.5, 1.2), (1.515, 0.8, 1.4))
WAVELENGTHS_UM = (0.45, 0.67)
# Excitation light is shorter than emitted light by about a tenth.
STOKES = 0.9
# Of the diameter of a nucleus: beyond it, nothing is left that could be labeled.
LARGEST_AXIAL_SIGMA = 0.5
# What the square pixel of a camera adds: the deviation of a box of the width 1.
PIXEL_SIGMA = 1 / np.sqrt(12)
HAZE_STEP = 4


@dataclass(frozen=True)
class PointSpread:
    """A point spread function, by the deviations of a Gaussian, in widths of a pixel.

    Attributes
    ----------
    lateral, axial : float
    """

    lateral: float
    axial: float


def point_spread(
    wavelength_um: float, numerical_aperture: float, refractive_index: float, confocal: bool
) -> tuple[float, float]:
    """Return the lateral and axial deviation, in micrometers, of the Gaussian nearest to a point spread function.

    Parameters
    ----------
    wavelength_um : float
        Of the emitted light.
    numerical_aperture : float
        Of the objective; less than the refractive index.
    refractive_index : float
        Of the medium: 1 for air, 1.33 for water, 1.515 for oil.
    confocal : bool
        Whether a pinhole that is small beside the Airy disk lets light in, so that the point spread functions of
        excitation and emission multiply.

    Notes
    -----
    Widefield, paraxial: lateral sqrt(2) / (k NA) and axial 2 sqrt(6) n / (k NA^2), with k = 2 pi / wavelength. Zhang,
    Zerubia, Olivo-Marin 2007, Appl Opt 46:1819-1829, doi:10.1364/AO.46.001819. Aberrations are left out.

    Examples
    --------
    >>> [round(sigma, 3) for sigma in point_spread(0.5, 0.5, 1.0, confocal=False)]
    [0.225, 1.559]
    """
    wave_number = 2 * np.pi / wavelength_um
    lateral = np.sqrt(2) / (wave_number * numerical_aperture)
    axial = 2 * np.sqrt(6) * refractive_index / (wave_number * numerical_aperture**2)
    narrower = 1 / np.sqrt(1 + STOKES**-2) if confocal else 1.0
    return float(lateral * narrower), float(axial * narrower)


def draw_point_spread(diameter_px: float, pixel_size_um: float, rng: np.random.Generator) -> PointSpread:
    """Draw an objective and a wavelength, and return the blur that they give nuclei of this diameter."""
    index, lowest, highest = OBJECTIVES[rng.integers(len(OBJECTIVES))]
    aperture = np.exp(rng.uniform(np.log(lowest), np.log(highest)))
    lateral, axial = point_spread(rng.uniform(*WAVELENGTHS_UM), aperture, index, bool(rng.random() < 0.6))
    # Aberrations and thick specimens lengthen the spread along z; how far was chosen by eye beside BBBC050's volumes.
    axial *= np.exp(rng.uniform(0, np.log(8)))
    return PointSpread(
        float(np.hypot(lateral / pixel_size_um, PIXEL_SIGMA)),
        float(min(axial / pixel_size_um, LARGEST_AXIAL_SIGMA * diameter_px)),
    )


def haze(signal: NDArray[np.float32], sigma_px: float, z_step_px: float) -> NDArray[np.float32]:
    """Return the light of a volume from far out of focus: the same, blurred by many pixels."""
    sides = [-(-side // step) for side, step in zip(signal.shape, (1, HAZE_STEP, HAZE_STEP), strict=True)]
    small = signal[:, ::HAZE_STEP, ::HAZE_STEP]
    blurred = ndimage.gaussian_filter(
        small, (sigma_px / z_step_px, sigma_px / HAZE_STEP, sigma_px / HAZE_STEP), truncate=2.5
    )
    back = [side / few for side, few in zip(signal.shape, sides, strict=True)]
    return ndimage.zoom(blurred, back, order=1, mode="nearest", grid_mode=True).astype(np.float32)


def uneven_light(shape: tuple[int, int], strength: float, rng: np.random.Generator) -> NDArray[np.float32]:
    """Return how bright a plane is lit, (Y, X): most at one place, and less by `strength` where it is least."""
    y, x = (np.linspace(-1, 1, side)[:, None] - rng.uniform(-0.6, 0.6) for side in shape)
    fall = y**2 + x.T**2
    return (1 - strength * (fall - fall.min()) / max(float(np.ptp(fall)), 1e-6)).astype(np.float32)


def light_of_planes(depth: int, z_step_px: float, diameter_px: float, rng: np.random.Generator) -> NDArray[np.float32]:
    """Draw how much of its light each plane keeps, (Z,), 0..1.

    Light is lost with depth, from one side; the lamp flickers; the dye bleaches from the first plane to the last; and
    in some volumes a plane or two are darker.
    """
    depths = np.arange(depth) * z_step_px
    attenuation = np.exp(-rng.uniform(0, 0.12) * depths / diameter_px)
    attenuation = np.maximum(attenuation, 0.2)
    if rng.random() < 0.5:
        attenuation = attenuation[::-1]
    bleaching = 1 - rng.uniform(0, 0.4) * rng.random() * np.linspace(0, 1, depth)
    light = attenuation * bleaching * rng.normal(1, rng.uniform(0, 0.04), depth)
    if rng.random() < 0.15:
        light[rng.integers(0, depth, rng.integers(1, 3))] *= rng.uniform(0.3, 0.8)
    return np.clip(light, 0.02, None).astype(np.float32)
