"""Read the one image of a TIFF file, by what the file says of its axes, colors and companions."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Callable, List, NamedTuple, Optional, Sequence, Tuple
from xml.etree import ElementTree

import numpy as np
import numpy.typing as npt
import tifffile

from cpunet.errors import ImageError
from cpunet.files.formats.memory_at_hand import refuse_more_than_memory
from cpunet.files.formats.stored_image import StoredImage
from cpunet.files.formats.tiff_pixels import (
    CONVERTED,
    JPEGS,
    LACKS_PLANES,
    WHITE_IS_ZERO,
    Planes,
    bits_of,
    decoded,
    palette_of_page,
    refuse_broken_chain,
    refuse_cut_short,
    refuse_other_numbers,
)
from cpunet.files.formats.without_log import without_log

MASK, REDUCED = 4, 1  # bits of the tag NewSubfileType
MOST_CHANNELS = 4
SHOWN_IMAGES, LONGEST_NAME = 5, 40
AXES = {
    "Z": "depths (Z)",
    "T": "times (T)",
    "C": "channels (C)",
    "S": "samples (S)",
    "P": "positions (P)",
    "Q": "planes of which the file does not say what they are (Q)",
    "I": "planes of which the file does not say what they are (I)",
}
PLANES_WAY_OUT = (
    "Save each plane as a file; or, if they are channels, save them with the axes CYX (in Fiji: Image > Properties, "
    "and then File > Save As > Tiff)."
)
TIMES_WAY_OUT = " Time-lapses are read by `cpunet segment`, `count` and `align`, with the axes TYX or TCYX."
STACK_WAY_OUT = (
    " A 3-D stack with the axes ZYX, or with --z-step, is segmented by `cpunet segment`, in CellProfiler ('Process as "
    "3D?' in NamesAndTypes) and in Python (cpunet.segment.segment_stack)."
)


class ChosenImage(NamedTuple):
    """The pages of a file that make its image."""

    pages: Sequence[Any]
    shape: Tuple[int, ...]
    axes: str
    read: Callable[[], npt.NDArray[Any]]
    of_many: bool
    note: str = ""


def read_tiff(
    path: Path,
    take_planes_as_channels: bool = False,
    series: Optional[int] = None,
    depths_as_channels: bool = False,
) -> StoredImage:
    """Read the image of a TIFF file.

    Parameters
    ----------
    path : Path
    take_planes_as_channels : bool
        Whether two to four planes of which the file does not say what they are become channels, with a note.
    series : int, optional
        Which image to take, from 1 on, of a file with several of similar size.
    depths_as_channels : bool
        Whether depths (Z), and any number of planes of which the file does not say what they are, become channels.

    Raises
    ------
    ImageError
        If the file holds several images of similar size, and `series` names none of them; if it holds axes, colors or
        a compression that are not understood; if it is cut short, or larger than the memory.

    Notes
    -----
    Of several images the largest is taken if all others are at most half as high and wide, or are said to be previews.
    If the OME metadata name other files, only the planes of this file are read.
    """
    with without_log("tifffile"), tifffile.TiffFile(str(path)) as file:
        chosen = chosen_image(file, path, series)
        page = chosen.pages[0].keyframe
        refuse_other_numbers(page)
        axes, shape, note = plane_axes(chosen, take_planes_as_channels, depths_as_channels)
        height, width = shape[axes.index("Y")], shape[axes.index("X")]
        channels = int(np.prod(shape, dtype=object)) // max(1, height * width)
        refuse_more_than_memory(height, width, channels * page.dtype.itemsize)
        refuse_cut_short(chosen.pages, path.stat().st_size)
        palette = palette_of_page(page)
        pixels = decoded(Planes(chosen.pages, axes, shape, chosen.read), path)
    return StoredImage(
        np.ascontiguousarray(pixels).astype(pixels.dtype.newbyteorder("="), copy=False),
        palette,
        min_is_white=int(page.photometric) == WHITE_IS_ZERO,
        bits=bits_of(page),
        lossy=JPEGS.get(int(page.compression), ""),
        changed=chosen.of_many or pixels.shape != tuple(chosen.shape) or int(page.photometric) in CONVERTED,
        note=note or chosen.note,
    )


def chosen_image(file: Any, path: Path, wanted: Optional[int]) -> ChosenImage:
    """Choose the image of an open TIFF file; see `read_tiff`."""
    refuse_broken_chain(file)
    own = _own_axes_of_ome(file, path)
    if own:
        return _pages_as_image(list(file.pages), own)
    series = [each for each in file.series if each.shape and not int(each.keyframe.subfiletype) & MASK]
    if not series:
        raise ImageError("this holds no image. Save it again.")
    largest = max(series, key=_plane_size)
    equals = [each for each in series if each is largest or not _is_preview(each, largest)]
    note = f"the largest of {len(series)} images; the others are previews" if len(series) > 1 else ""
    if len(equals) > 1:
        largest = _wanted_of(equals, wanted)
        note = f"image {wanted} of {len(equals)}"
    try:
        pages = list(largest.pages)
    except IndexError as error:
        raise ImageError(LACKS_PLANES) from error
    of_many = len(pages) > 1 or len(series) > 1
    return ChosenImage(pages, tuple(largest.shape), str(largest.axes), largest.asarray, of_many, note)


def _wanted_of(equals: Sequence[Any], wanted: Optional[int]) -> Any:
    """Return one of several images by its number, from 1 on; ImageError names all of them."""
    if wanted is not None and 1 <= wanted <= len(equals):
        return equals[wanted - 1]
    listed = [_named(each, number) for number, each in enumerate(equals, start=1)]
    more = f" and {len(equals) - SHOWN_IMAGES} more" if len(equals) > SHOWN_IMAGES else ""
    what = "which of them is meant is not clear" if wanted is None else f"none is number {wanted}"
    raise ImageError(
        f"this holds {len(equals)} images ({', '.join(listed[:SHOWN_IMAGES])}{more}), and {what}. Save each as a file "
        "of its own, or say --series N in `cpunet data import`."
    )


def _named(series: Any, number: int) -> str:
    name = " ".join(str(getattr(series, "name", "")).split())[:LONGEST_NAME]
    height, width = _height_width(series)
    return f"{number}: {name + ', ' if name else ''}{width} x {height} pixels"


def _pages_as_image(pages: List[Any], axis: str) -> ChosenImage:
    first = pages[0]
    if len(pages) == 1:
        return ChosenImage(pages, tuple(first.shape), str(first.axes), first.asarray, True)
    if len({page.shape for page in pages}) > 1:
        raise ImageError("this holds planes of different sizes. Save each as a file of its own.")

    def read() -> npt.NDArray[Any]:
        return np.stack([page.asarray() for page in pages])

    return ChosenImage(pages, (len(pages), *first.shape), f"{axis}{first.axes}", read, True)


def _own_axes_of_ome(file: Any, path: Path) -> str:
    """Return the axis along which a file's own planes lie if its OME metadata also name other files; else ''."""
    if not file.is_ome:
        return ""
    try:
        root = ElementTree.fromstring(file.pages[0].description)
    except ElementTree.ParseError:
        return ""
    own_uuid, positions, names = root.get("UUID"), [], set()
    for data in (each for each in root.iter() if tag_name(each) == "TiffData"):
        uuid = next((child for child in data if tag_name(child) == "UUID"), None)
        name = "" if uuid is None else uuid.get("FileName") or ""
        names.add(name)
        if uuid is None or name == path.name or (own_uuid and (uuid.text or "").strip() == own_uuid):
            positions.append(tuple(int(data.get(f"First{axis}", 0)) for axis in "CZT"))
    if len(names) < 2:
        return ""
    varying = [axis for axis, values in zip("CZT", zip(*positions)) if len(set(values)) > 1]
    return varying[0] if len(varying) == 1 else "Q"


def tag_name(element: ElementTree.Element) -> str:
    """Return the name of an element of OME metadata without its namespace."""
    return element.tag.rpartition("}")[2]


def plane_axes(
    chosen: ChosenImage, take_planes_as_channels: bool, depths_as_channels: bool = False
) -> Tuple[str, Tuple[int, ...], str]:
    """Return the axes and shape of one plane, with a channel axis or without, and a note; refuse all else."""
    axes, shape = chosen.axes, chosen.shape
    if "Y" not in axes or "X" not in axes:
        raise ImageError(f"this has the axes {axes}; an image needs Y and X. Save it as a plane.")
    kept = [number for number, axis in enumerate(axes) if axis in "YX" or shape[number] != 1]
    axes, shape = "".join(axes[number] for number in kept), tuple(shape[number] for number in kept)
    if 0 in shape:
        raise ImageError(f"this has no pixels: its shape is {shape}.")
    more = [(axis, length) for axis, length in zip(axes, shape) if axis not in "YX"]
    if not more or (len(more) == 1 and more[0][0] in "CS"):
        return axes, shape, ""
    if len(more) == 1 and more[0][0] in "QI" and axes[1:] == "YX":
        if shape[2] <= MOST_CHANNELS < min(shape[:2]):
            # tifffile writes an array (Y, X, C) as so many planes of a few columns, unless it is told otherwise.
            return ("YX", shape[:2], "") if shape[2] == 1 else ("YXC", shape, "")
        if take_planes_as_channels and shape[0] <= MOST_CHANNELS:
            return "CYX", shape, f"its {shape[0]} planes, of which the file does not say what they are, are channels"
    if depths_as_channels and len(more) == 1 and more[0][0] in "ZQI" and axes[1:] == "YX":
        return "CYX", shape, f"its {shape[0]} {'depths' if axes[0] == 'Z' else 'planes'} are channels"
    held = " and ".join(f"{length} {AXES.get(axis, f'planes along {axis}')}" for axis, length in more)
    unknown = "Q" in axes or "I" in axes
    ways_out = PLANES_WAY_OUT
    if unknown or ("T" in axes and "Z" not in axes):
        ways_out += TIMES_WAY_OUT
    if unknown or "Z" in axes:
        ways_out += STACK_WAY_OUT
    raise ImageError(f"this holds {held} (axes {axes}, shape {shape}), and one plane is needed. {ways_out}")


def _plane_size(series: Any) -> int:
    height, width = _height_width(series)
    return height * width


def _height_width(series: Any) -> Tuple[int, int]:
    axes, shape = str(series.axes), series.shape
    return (shape[axes.index("Y")] if "Y" in axes else 0), (shape[axes.index("X")] if "X" in axes else 0)


def _is_preview(series: Any, largest: Any) -> bool:
    height, width = _height_width(series)
    full_height, full_width = _height_width(largest)
    smaller = height * width < full_height * full_width
    return smaller and (
        bool(int(series.keyframe.subfiletype) & REDUCED) or (2 * height <= full_height and 2 * width <= full_width)
    )
