"""The size of voxels as TIFF files of OME and ImageJ say it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Mapping, Optional
from xml.etree import ElementTree

from cpunet.files.formats.tiff import tag_name

# How many micrometers a unit has, by the names that OME, ImageJ and OME-Zarr give it.
MICROMETERS = {
    "pm": 1e-6,
    "picometer": 1e-6,
    "\N{ANGSTROM SIGN}": 1e-4,
    "angstrom": 1e-4,
    "nm": 1e-3,
    "nanometer": 1e-3,
    "um": 1.0,
    "\N{MICRO SIGN}m": 1.0,
    "\N{GREEK SMALL LETTER MU}m": 1.0,
    "\\u00B5m": 1.0,
    "micron": 1.0,
    "microns": 1.0,
    "micrometer": 1.0,
    "mm": 1e3,
    "millimeter": 1e3,
    "cm": 1e4,
    "centimeter": 1e4,
    "in": 25400.0,
    "inch": 25400.0,
    "m": 1e6,
    "meter": 1e6,
}
OME_DEFAULT_UNIT = "\N{MICRO SIGN}m"


@dataclass(frozen=True)
class VoxelSize:
    """The size of voxels.

    Attributes
    ----------
    pixel_size_um : float, optional
        Width of a pixel, in micrometers; None where nothing is said. Pixels are taken to be square.
    z_step_um : float, optional
        Distance of neighboring planes, in micrometers.
    """

    pixel_size_um: Optional[float] = None
    z_step_um: Optional[float] = None

    @property
    def z_step_px(self) -> Optional[float]:
        """Distance of neighboring planes over the width of a pixel; None where one of them is not said.

        >>> VoxelSize(0.5, 2.0).z_step_px
        4.0
        """
        if self.pixel_size_um is None or self.z_step_um is None:
            return None
        return self.z_step_um / self.pixel_size_um


NOTHING_SAID = VoxelSize()


def voxel_size_of_tiff(file: Any) -> VoxelSize:
    """Return what an open TIFF file says of the size of its voxels, in the metadata of OME or ImageJ.

    The resolution of other files is meant for print, and says nothing.
    """
    if file.is_ome:
        return _size_of_ome(file.pages[0].description)
    if file.is_imagej and file.imagej_metadata:
        return _size_of_imagej(file.imagej_metadata, file.pages[0].tags)
    return NOTHING_SAID


def micrometers(value: Any, unit: Any) -> Optional[float]:
    """Return a length in micrometers; None where it is no positive number or the unit is not known.

    >>> micrometers("250", "nm"), micrometers(1, "pixel")
    (0.25, None)
    """
    factor = MICROMETERS.get(str(unit).strip()) or MICROMETERS.get(str(unit).strip().lower())
    try:
        length = float(value)
    except (TypeError, ValueError):
        return None
    return length * factor if factor is not None and math.isfinite(length) and length > 0 else None


def _size_of_ome(description: str) -> VoxelSize:
    try:
        root = ElementTree.fromstring(description)
    except ElementTree.ParseError:
        return NOTHING_SAID
    pixels = next((each for each in root.iter() if tag_name(each) == "Pixels"), None)
    if pixels is None:
        return NOTHING_SAID

    def size_along(axis: str) -> Optional[float]:
        name = f"PhysicalSize{axis}"
        return micrometers(pixels.get(name), pixels.get(f"{name}Unit", OME_DEFAULT_UNIT))

    return VoxelSize(size_along("X"), size_along("Z"))


def _size_of_imagej(metadata: Mapping[str, Any], tags: Any) -> VoxelSize:
    unit = metadata.get("unit", "")
    resolution = tags.get("XResolution")
    pixel_size = None
    if resolution is not None and resolution.value[0]:
        pixels, units = resolution.value  # so many pixels in so many units
        pixel_size = micrometers(units / pixels, unit)
    spacing = metadata.get("spacing")
    if isinstance(spacing, (int, float)):
        spacing = abs(spacing)  # negative for a stage that goes down; ImageJ drops the sign as well
    return VoxelSize(pixel_size, micrometers(spacing, unit))
