"""What a file is by its first bytes, whatever its name says."""

from __future__ import annotations

from pathlib import Path

from cpunet.errors import ImageError

TIFF, NPY, PICTURE = "TIFF", "NPY", "picture"
TIFF_STARTS = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
NPY_START = b"\x93NUMPY"
MICROSCOPE_WAY_OUT = (
    "Save each plane as a TIFF file, in the microscope's program or in Fiji (File > Import > Bio-Formats, then File > "
    "Save As > Tiff)."
)
DOWNLOAD_WAY_OUT = "Download the file again."
# The first bytes of files that are no images for this program, what they are, and the way out.
OTHER_CONTENTS = (
    (b"ZISRAWFILE", "a Zeiss CZI file", MICROSCOPE_WAY_OUT),
    (b"\xda\xce\xbe\x0a", "a Nikon ND2 file", MICROSCOPE_WAY_OUT),
    (b"\x70\x00\x00\x00", "a Leica LIF file", MICROSCOPE_WAY_OUT),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an Olympus OIB, Zeiss ZVI or old Office file", MICROSCOPE_WAY_OUT),
    (b"\x89HDF", "an HDF5 file (Imaris, ilastik or another program's)", MICROSCOPE_WAY_OUT),
    (b"%PDF", "a PDF document", "Save the image itself as TIFF or PNG."),
    (
        b"PK\x03\x04",
        "a ZIP archive, such as ImageJ's set of ROIs or numpy's NPZ",
        "Unpack an archive of images. `cpunet data import` makes label images of ROIs.",
    ),
    (
        b"Iout",
        "a ROI of ImageJ",
        "`cpunet data import` makes label images of ROIs.",
    ),
    (b"version https://git-lfs", "a pointer of Git LFS, not the image itself", "Run `git lfs pull`."),
    (b"<!DOCTYPE", "a web page, perhaps of a failed download", DOWNLOAD_WAY_OUT),
    (b"<html", "a web page, perhaps of a failed download", DOWNLOAD_WAY_OUT),
    (b"\x1f\x8b", "a file compressed with gzip", "Unpack it first."),
)
LONGEST_START = 512


def content_of(path: Path) -> str:
    """Recognize a file by its first bytes.

    Returns
    -------
    str
        `TIFF`, `NPY`, or `PICTURE` for what Pillow may read.

    Raises
    ------
    ImageError
        If the file is missing, empty, or known to be no image; the message names what it is.
    """
    if path.is_dir():
        raise ImageError(f"{path}: this is a folder; an image file is needed.")
    if not path.is_file():
        raise ImageError(f"{path}: there is no such file.")
    with path.open("rb") as stream:
        start = stream.read(LONGEST_START)
    if not start:
        raise ImageError(f"{path}: the file is empty (0 bytes). Copy or save it again.")
    if start.startswith(TIFF_STARTS):
        return TIFF
    if start.startswith(NPY_START):
        return NPY
    for first, what, way_out in OTHER_CONTENTS:
        if start.startswith(first):
            raise ImageError(f"{path}: this is {what}. {way_out}")
    if not start.strip(b"\0"):
        raise ImageError(f"{path}: the file begins with {len(start)} zero bytes, as if never written. Copy it again.")
    return PICTURE
