"""Read frames of a time-lapse stack in TIFF, one at a time: (T, Y, X), (T, C, Y, X) or frames in color."""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from typing import Any, Dict, Iterator, List, Optional, Sequence, Tuple
from xml.etree import ElementTree

import numpy as np
import numpy.typing as npt
import tifffile

from cpunet.errors import ImageError, OptionError
from cpunet.files.formats.content import TIFF, content_of
from cpunet.files.formats.memory_at_hand import refuse_more_than_memory
from cpunet.files.formats.opened_tiff import opened_tiff
from cpunet.files.formats.stored_image import StoredImage, as_shown
from cpunet.files.formats.tiff import AXES, chosen_image, plane_axes, tag_name
from cpunet.files.formats.tiff_pixels import (
    JPEGS,
    SAVE_PLAIN,
    WHITE_IS_ZERO,
    bits_of,
    name_of,
    palette_of_page,
    refuse_cut_short,
    refuse_other_numbers,
    without_alpha,
)
from cpunet.files.formats.without_log import without_log

DEPTH_WAY_OUT = (
    "A time-lapse is read plane by plane. Project the depths onto one plane (in Fiji: Image > Stacks > Z Project), or "
    "save one depth. Stacks of depths of one time are segmented by `cpunet segment`, in CellProfiler ('Process as 3D?' "
    "in NamesAndTypes) and in Python (cpunet.segment.segment_stack)."
)
FEWEST_FRAMES = 2


class TimeStack:
    """The frames of an open file; made by `opened_time_stack`.

    Attributes
    ----------
    frames : int
        How many there are.
    shape : tuple of int
        (Y, X) of a frame.
    channels : tuple of str
        The names of the channels, or their numbers from 1 on where the file does not name them; one for gray or color.
    """

    def __init__(self, path: Path, file: Any) -> None:
        chosen = chosen_image(file, path, None)
        page = chosen.pages[0].keyframe
        refuse_other_numbers(page)
        refuse_cut_short(chosen.pages, path.stat().st_size)
        lengths = dict(zip(chosen.axes, chosen.shape))
        more = [
            f"{length} {AXES.get(axis, f'planes along {axis}')}"
            for axis, length in lengths.items()
            if axis not in "YX" and length > 1
        ]
        _refuse_axes(lengths, f"this holds {' and '.join(more)} (axes {chosen.axes}, shape {chosen.shape})")
        self.frames, self.shape = lengths["T"], (lengths["Y"], lengths["X"])
        self.channels = _channel_names(file, lengths.get("C", 1))
        self._path, self._page, self._pages = path, page, list(chosen.pages)
        self._whole: Optional[npt.NDArray[Any]] = None
        self._order = [axis for axis in chosen.axes if axis in "TC" and lengths[axis] > 1]
        if len(self._pages) != self.frames * len(self.channels):
            # ImageJ declares one page for all planes of a large file, which is then not compressed.
            refuse_more_than_memory(*self.shape, len(self.channels) * self.frames * page.dtype.itemsize)
            planes = np.asarray(chosen.read())
            self._whole = planes.reshape(-1, *self.shape, *([lengths["S"]] if lengths.get("S", 1) > 1 else []))

    def read(self, frame: int, channel: int = 0) -> StoredImage:
        """Read one frame, from 0 on, of one channel, from 0 on: (Y, X), or (Y, X, 3) in color."""
        number = self._number(frame, channel)
        page = self._page
        try:
            pixels = self._pages[number].asarray() if self._whole is None else self._whole[number]
        except Exception as error:  # each codec brings exceptions of its own
            what = " ".join(str(error).split()) or type(error).__name__
            raise ImageError(
                f"{self._path}: frame {frame + 1} is compressed with {name_of(page.compression)} and cannot be decoded "
                f"here ({what}). {SAVE_PLAIN}"
            ) from error
        pixels = np.asarray(pixels)
        if pixels.ndim == 3 and pixels.shape[:2] != self.shape:  # samples stored plane by plane
            pixels = np.moveaxis(pixels, 0, 2)
        pixels = without_alpha(pixels, page)
        return StoredImage(
            np.ascontiguousarray(pixels).astype(pixels.dtype.newbyteorder("="), copy=False),
            palette_of_page(page),
            min_is_white=int(page.photometric) == WHITE_IS_ZERO,
            bits=bits_of(page),
            lossy=JPEGS.get(int(page.compression), ""),
        )

    def _number(self, frame: int, channel: int) -> int:
        number = 0
        for axis in self._order:
            number = number * (self.frames if axis == "T" else len(self.channels)) + (frame if axis == "T" else channel)
        return number


def frame_image(stack: TimeStack, frame: int, channels: Sequence[int]) -> npt.NDArray[Any]:
    """Return a frame as it is to be seen: (Y, X), or (Y, X, C) of several channels or in color."""
    planes = [as_shown(stack.read(frame, channel)) for channel in channels]
    return planes[0] if len(planes) == 1 else np.stack(planes, axis=-1)


@contextmanager
def opened_time_stack(path: Path) -> Iterator[TimeStack]:
    """Open a time-lapse stack, and close it at the end.

    Raises
    ------
    ImageError
        If the file is cut short or damaged, or holds depths (Z) or planes of which it does not say what they are.
    """
    with opened_tiff(path, TimeStack) as stack:
        yield stack


def is_time_stack(path: Path) -> bool:
    """Return True for a TIFF file that says that it holds two or more times; False for what cannot be read."""
    try:
        if content_of(path) != TIFF:
            return False
        with without_log("tifffile"), tifffile.TiffFile(str(path)) as file:
            chosen = chosen_image(file, path, None)
            return dict(zip(chosen.axes, chosen.shape)).get("T", 1) >= FEWEST_FRAMES
    except Exception:  # the reader of images says what is wrong with it
        return False


def check_one_plane(path: Path) -> None:
    """Raise ImageError for what is no image of one time and depth, without reading its pixels."""

    def axes_of(path: Path, file: tifffile.TiffFile) -> str:
        return plane_axes(chosen_image(file, path, None), take_planes_as_channels=False)[0]

    if content_of(path) == TIFF:
        with opened_tiff(path, axes_of):
            pass


def channel_number(channels: Tuple[str, ...], wanted: Optional[str]) -> int:
    """Return the number, from 0 on, of a channel that is given by its name or its number from 1 on.

    Raises
    ------
    OptionError
        If there are several and none is given, or if there is none of this name or number; the message names all.
    """
    named = ", ".join(f"{number}: {name}" if name != str(number) else name for number, name in enumerate(channels, 1))
    if wanted is None:
        if len(channels) == 1:
            return 0
        raise OptionError(f"it holds {len(channels)} channels ({named}); say which with --channel, by number or name.")
    if wanted in channels:
        return channels.index(wanted)
    if wanted.isdecimal() and 1 <= int(wanted) <= len(channels):
        return int(wanted) - 1
    raise OptionError(f"--channel {wanted}: it has no such channel. It has {named}.")


def _refuse_axes(lengths: Dict[str, int], held: str) -> None:
    if lengths.get("Z", 1) > 1:
        raise ImageError(f"{held}. {DEPTH_WAY_OUT}")
    other = [axis for axis, length in lengths.items() if length > 1 and axis not in "TCYXS"]
    if other or lengths.get("T", 1) < FEWEST_FRAMES:
        raise ImageError(f"{held}; a time-lapse has the axes TYX or TCYX. Save it so (in Fiji: Image > Properties).")
    if lengths.get("C", 1) > 1 and lengths.get("S", 1) > 1:
        raise ImageError(f"{held}, channels in color. Save each channel in gray.")


def _channel_names(file: Any, count: int) -> Tuple[str, ...]:
    """Return the names that OME metadata give the channels; their numbers where some have none or two have the same."""
    numbers = tuple(map(str, range(1, count + 1)))
    if not file.is_ome:
        return numbers
    try:
        root = ElementTree.fromstring(file.pages[0].description)
    except ElementTree.ParseError:
        return numbers
    pixels = next((each for each in root.iter() if tag_name(each) == "Pixels"), None)
    found: List[str] = [] if pixels is None else [e.get("Name") or "" for e in pixels if tag_name(e) == "Channel"]
    return tuple(found) if len(found) == count and all(found) and len(set(found)) == count else numbers
