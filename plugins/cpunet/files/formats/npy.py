"""Read numpy's NPY files, without ever running what they may hold."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from cpunet.errors import ImageError
from cpunet.files.formats.memory_at_hand import refuse_more_than_memory
from cpunet.files.formats.stored_image import StoredImage

MOST_CHANNELS = 4
OBJECTS_WAY_OUT = (
    "this holds Python objects, which could run code when they are read. Cellpose's NAME_seg.npy is such a file: "
    "`cpunet data import` makes a label image of it, and so does Cellpose (File > Save masks as PNG/tif)."
)


def read_npy(path: Path) -> StoredImage:
    """Read an array (Y, X), or (Y, X, C) with at most four channels; axes of length 1 in front are left out.

    Raises
    ------
    ImageError
        If the array has other axes or no numbers, is cut short, or is larger than the memory.
    """
    with path.open("rb") as stream:
        version = np.lib.format.read_magic(stream)
        read_header = {
            (1, 0): np.lib.format.read_array_header_1_0,
            (2, 0): np.lib.format.read_array_header_2_0,
        }.get(version)
        if read_header is None:
            raise ImageError(f"this is version {version[0]}.{version[1]} of NPY, and 1.0 and 2.0 are read. Use TIFF.")
        shape, _, dtype = read_header(stream)
        begin = stream.tell()
    if dtype.hasobject:
        raise ImageError(OBJECTS_WAY_OUT)
    if dtype.names is not None or not (np.issubdtype(dtype, np.number) or dtype.kind == "b"):
        raise ImageError(f"this holds {dtype} values; an image of real numbers is needed.")
    plane = tuple(shape)
    while len(plane) > 2 and plane[0] == 1:
        plane = plane[1:]
    if len(plane) == 3 and plane[2] == 1:
        plane = plane[:2]
    if len(plane) not in (2, 3) or (len(plane) == 3 and plane[2] > MOST_CHANNELS):
        raise ImageError(
            f"this has the shape {shape}, and NPY does not say what its axes are; (Y, X), or (Y, X, C) with at most "
            f"{MOST_CHANNELS} channels, is needed. Save each plane as a file."
        )
    if any(length < 1 for length in shape):
        raise ImageError(f"this has no pixels: its shape is {shape}.")
    channels = plane[2] if len(plane) == 3 else 1
    declared, there = dtype.itemsize * int(np.prod(shape, dtype=object)), path.stat().st_size - begin
    refuse_more_than_memory(plane[0], plane[1], channels * dtype.itemsize)
    if declared > there:
        raise ImageError(f"this is cut short: it declares {declared} bytes of pixels and holds {there}. Copy it again.")
    pixels = np.load(str(path), allow_pickle=False).reshape(plane)
    return StoredImage(pixels.astype(dtype.newbyteorder("="), copy=False), changed=True)
