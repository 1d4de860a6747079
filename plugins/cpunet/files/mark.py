"""The mark inside each result file: that this program wrote it, what it was made from, and whether it was changed."""

from __future__ import annotations

import hashlib
import json
import os
import re
from pathlib import Path
from typing import Any, Dict, NamedTuple, Optional, Tuple

import numpy as np
import numpy.typing as npt
import PIL.Image
import tifffile

from cpunet import __version__
from cpunet.errors import ImageError
from cpunet.files.find import is_zarr
from cpunet.files.formats.without_log import without_log

PROGRAM = "cpunet"
# Where TIFF and PNG files say which program wrote them.
TIFF_TAG, PNG_KEY = "Software", "Software"
TEXT_MARK = re.compile(r"^.*written by cpunet \S+, sum ([0-9a-f]{16}).*\n", re.MULTILINE)
COMMENTS = {".html": "<!-- {} -->\n", ".md": "<!-- {} -->\n", ".yaml": "# {}\n"}
JSON_KEY = "written_by"
PNG_SIGNATURE, LONGEST_TEXT_BYTES = b"\x89PNG\r\n\x1a\n", 2**20
# A source is recognized by its size, its beginning and its end; a slide of gigabytes is not read once more for it.
BLOCK_BYTES = 2**20


class Source(NamedTuple):
    """The image that a result was made from: its name, and hashes of its place and of its content."""

    name: str
    place: str
    content: str


class Mark(NamedTuple):
    """What a result file says of itself.

    Attributes
    ----------
    pixels : str
        Hash of the pixels as they were written.
    source : Source or None
        None where it was made from no single image.
    is_image : bool
        Whether it is an image in which objects can be found, such as an aligned frame; else it shows objects.
    """

    pixels: str
    source: Optional[Source]
    is_image: bool = False


def source_of(path: Path) -> Source:
    """Describe an image file for the marks of its results; an image that is moved keeps its content.

    Raises ImageError where there is no such file, and for what is none: to open a named pipe would wait for ever. Of an
    image that is a folder, as OME-Zarr is, the names, sizes and times of its files count.
    """
    if is_zarr(path):
        return _source_of_folder(path)
    if not os.path.isfile(path):
        link = " It is a link that leads nowhere." if os.path.islink(path) else ""
        kind = "this is a folder" if os.path.isdir(path) else "this is no file" if os.path.exists(path) else None
        raise ImageError(f"{path}: {kind or 'there is no such file'}.{link}")
    digest = hashlib.blake2b(digest_size=8)
    with Path(path).open("rb") as stream:
        size = stream.seek(0, 2)
        digest.update(str(size).encode("ascii"))
        for start in {0, max(0, size - BLOCK_BYTES)}:
            stream.seek(start)
            digest.update(stream.read(BLOCK_BYTES))
    place = hashlib.blake2b(os.fsencode(os.path.realpath(path)), digest_size=8)
    return Source(Path(path).name, place.hexdigest(), digest.hexdigest())


def _source_of_folder(path: Path) -> Source:
    digest = hashlib.blake2b(digest_size=8)
    for folder, folders, names in os.walk(path):
        folders.sort()
        for name in sorted(names):
            file = Path(folder, name)
            state = file.stat()
            digest.update(f"{file.relative_to(path).as_posix()} {state.st_size} {state.st_mtime_ns}\n".encode())
    place = hashlib.blake2b(os.fsencode(os.path.realpath(path)), digest_size=8)
    return Source(path.name, place.hexdigest(), digest.hexdigest())


def mark_text(pixels: npt.NDArray[Any], source: Optional[Source], is_image: bool = False) -> str:
    """Return the mark of a picture as ASCII text, for the field that names the program which wrote a file."""
    return mark_text_of_hash(_hash(pixels), source, is_image)


def mark_text_of_hash(pixels: str, source: Optional[Source], is_image: bool = False) -> str:
    """Return the mark of a picture whose hash is known; see `mark_text`."""
    content: Dict[str, Any] = {"pixels": pixels, **({"is_image": True} if is_image else {})}
    if source is not None:
        content["source"] = source._asdict()
    return f"{PROGRAM} {__version__} {json.dumps(content)}"


def read_mark(path: Path) -> Optional[Mark]:
    """Return the mark of a TIFF or PNG file; None where it has none, or cannot be read."""
    if not os.path.isfile(path):
        return None
    try:
        return mark_of_text(_program_that_wrote(path))
    except Exception:  # each image format brings exceptions of its own; what cannot be read carries no mark
        return None


def mark_of_text(text: str) -> Optional[Mark]:
    """Return the mark that `mark_text` made a text of; None for what another program says of itself."""
    program, _, content = text.partition("{")
    if program.split(" ")[0] != PROGRAM:
        return None
    read = json.loads("{" + content)
    source = Source(**read["source"]) if "source" in read else None
    return Mark(read["pixels"], source, bool(read.get("is_image", False)))


def is_as_written(path: Path, mark: Mark) -> bool:
    """Return True if the pixels of a file are those that its mark was made for."""
    try:
        if path.suffix.lower() == ".png":
            pixels, _ = _png_header(path)
            if pixels > (PIL.Image.MAX_IMAGE_PIXELS or pixels):
                return True  # Pillow takes it for a bomb; an overlay of that size is hardly worked on by hand
            with PIL.Image.open(path) as picture:
                return _hash(np.array(picture)) == mark.pixels
        return _hash(tifffile.imread(str(path))) == mark.pixels
    except Exception:
        return False


def is_result(path: Path) -> bool:
    """Return True if an image file shows objects that this program found, and so is no image to be segmented."""
    mark = read_mark(path) if path.suffix.lower() in (".tif", ".tiff", ".png") else None
    return mark is not None and not mark.is_image


def marked_text(text: str, suffix: str) -> str:
    """Add a mark to the text of a report: a comment at its end, or in JSON (an object with indents) its first entry."""
    text = text if text.endswith("\n") else text + "\n"  # the mark is a line of its own
    words = f"written by {PROGRAM} {__version__}, sum {_sum(text)}"
    if suffix == ".json":
        start = text.index("\n") + 1
        return f"{text[:start]} {json.dumps(JSON_KEY)}: {json.dumps(words)},\n{text[start:]}"
    return text + COMMENTS[suffix].format(words)


def text_is_as_written(text: str) -> Optional[bool]:
    """Return whether a text is unchanged since it was marked; None if it has no mark."""
    found = TEXT_MARK.search(text)
    return None if found is None else _sum(TEXT_MARK.sub("", text, count=1)) == found[1]


def _program_that_wrote(path: Path) -> str:
    if path.suffix.lower() == ".png":
        return _png_header(path)[1]
    with without_log("tifffile"), tifffile.TiffFile(str(path)) as file:
        return str(file.pages[0].tags[TIFF_TAG].value)


def _png_header(path: Path) -> Tuple[int, str]:
    """Read the number of pixels, and the program that wrote a PNG, without Pillow, which refuses slides.

    A PNG is a signature of 8 bytes and chunks: length (4 bytes, big-endian), kind (4 bytes), content, check sum (4).
    """
    pixels = 0
    with path.open("rb") as stream:
        if stream.read(len(PNG_SIGNATURE)) != PNG_SIGNATURE:
            return 0, ""
        while True:
            length, kind = int.from_bytes(stream.read(4), "big"), stream.read(4)
            if kind in (b"IDAT", b"IEND", b"") or length > LONGEST_TEXT_BYTES:
                return pixels, ""
            content = stream.read(length)
            stream.read(4)
            if kind == b"IHDR":
                pixels = int.from_bytes(content[:4], "big") * int.from_bytes(content[4:8], "big")
            elif kind == b"tEXt" and content.startswith(PNG_KEY.encode("ascii") + b"\0"):
                return pixels, content[len(PNG_KEY) + 1 :].decode("ascii")


class PixelHash:
    """The hash of a picture of this shape and type, whose rows are added from top to bottom."""

    def __init__(self, shape: Tuple[int, ...], dtype: np.dtype[Any]) -> None:
        shape = tuple(size for size in shape if size > 1)  # readers may drop axes of length 1
        self._digest = hashlib.blake2b(f"{dtype.str[1:]} {shape}".encode("ascii"), digest_size=8)

    def add(self, rows: npt.NDArray[Any]) -> None:
        """Add the next rows."""
        self._digest.update(np.ascontiguousarray(rows).data)

    def text(self) -> str:
        """Return the hash of all rows."""
        return self._digest.hexdigest()


def _hash(pixels: npt.NDArray[Any]) -> str:
    found = PixelHash(pixels.shape, pixels.dtype)
    found.add(pixels)
    return found.text()


def _sum(text: str) -> str:
    return hashlib.blake2b(text.encode("utf-8"), digest_size=8).hexdigest()
