"""Run ``cpunet data``, and write the files that it imports."""

import struct

import numpy as np
import PIL.Image
import tifffile

from cpunet.__main__ import main
from cpunet.checks.synthetic import synthetic_field


def data(*words):
    """Run ``cpunet data`` with these words."""
    return main(["data", *map(str, words)])


def put(path, array):
    """Write an array as PNG or TIFF, with its folder; return the path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".png":
        PIL.Image.fromarray(array).save(path)
    else:
        tifffile.imwrite(path, array, photometric="rgb" if array.shape[2:] == (3,) else "minisblack")
    return path


def field(seed, **options):
    """Draw a small field; return its image, uint16, and its labels."""
    drawn = synthetic_field((64, 64), columns=3, diameter_px=13, seed=seed, **options)
    return (drawn.image * 60000).astype(np.uint16), drawn.labels


def put_lzw(path, array):
    """Write a color image of 16 bits as TIFF with LZW, which tifffile alone cannot; return the path."""
    clear, end = 256, 257
    raw = array.astype("<u2").tobytes()
    # Clearing the dictionary often keeps each code at 9 bits.
    codes = [code for start in range(0, len(raw), 200) for code in (clear, *raw[start : start + 200])] + [end]
    bits = "".join(f"{code:09b}" for code in codes)
    strip = int(bits.ljust(-(-len(bits) // 8) * 8, "0"), 2).to_bytes(-(-len(bits) // 8), "big")
    strip += b"\0" * (len(strip) % 2)
    depths = 8 + len(strip)
    tags = [(256, 1, array.shape[1]), (257, 1, array.shape[0]), (258, 3, depths), (259, 1, 5), (262, 1, 2)]
    tags += [(273, 1, 8), (277, 1, 3), (278, 1, array.shape[0]), (279, 1, len(strip)), (284, 1, 1)]
    directory = struct.pack("<H", len(tags)) + b"".join(
        struct.pack("<HHII", tag, 4 if tag in (273, 279) else 3, count, value) for tag, count, value in tags
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    header = struct.pack("<2sHI", b"II", 42, depths + 6)
    path.write_bytes(header + strip + struct.pack("<3H", 16, 16, 16) + directory + bytes(4))
    return path
