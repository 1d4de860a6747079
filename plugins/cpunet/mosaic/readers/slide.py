"""Read parts of a whole-slide image with OpenSlide."""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from typing import Any, Iterator, Tuple

import numpy as np
import numpy.typing as npt
import PIL.Image

from cpunet.errors import ImageError
from cpunet.mosaic.readers.open_mosaic import EXTRA

WHITE = (255, 255, 255, 255)


class Slide:
    """The level of highest resolution of a slide, in red, green and blue; white where the scanner saw nothing."""

    def __init__(self, path: Path, slide: Any) -> None:
        self._path, self._slide = path, slide
        width, height = slide.dimensions
        self.shape: Tuple[int, ...] = (height, width, 3)
        self.dtype: np.dtype[Any] = np.dtype(np.uint8)

    def read(self, rows: slice, columns: slice) -> npt.NDArray[Any]:
        """Return a part of the slide."""
        size = columns.stop - columns.start, rows.stop - rows.start
        try:
            part = self._slide.read_region((columns.start, rows.start), 0, size)
        except Exception as error:  # OpenSlide's own errors share no base class with those of the system
            raise ImageError(f"{self._path}: a part cannot be decoded ({error}). Copy the slide again.") from error
        return np.asarray(PIL.Image.alpha_composite(PIL.Image.new("RGBA", size, WHITE), part))[..., :3]


@contextmanager
def opened_slide(path: Path) -> Iterator[Slide]:
    """Open a slide, and close it at the end; ImageError if OpenSlide is missing or cannot open the file."""
    try:
        import openslide
    except Exception as error:  # the library behind the package may be missing too, which has errors of its own
        raise ImageError(f"{path}: to read slides, OpenSlide is needed: {EXTRA}") from error
    if not path.is_file():
        raise ImageError(f"{path}: there is no such file.")
    try:
        slide = openslide.OpenSlide(str(path))
    except openslide.OpenSlideError as error:
        raise ImageError(f"{path}: OpenSlide cannot open this ({error}). Copy the slide again.") from error
    try:
        yield Slide(path, slide)
    finally:
        slide.close()
