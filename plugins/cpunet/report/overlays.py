"""Pictures of an image with what became of its objects."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from skimage.segmentation import find_boundaries
from skimage.transform import resize

from cpunet.files.overlay import Color, gray_picture, picture
from cpunet.outcomes import Outcomes


class Style(NamedTuple):
    """How the objects of one fate are drawn, and what the legend says of them."""

    fate: str
    color: Color
    color_name: str
    is_dashed: bool
    is_filled: bool
    meaning: str


# Told apart by color-blind readers too: kept objects have no area, missed ones are dashed, and each area is named.
STYLES = (
    Style("kept", (0, 205, 80), "green", False, False, "kept: found, with a good outline"),
    Style(
        "wrong_size", (255, 70, 230), "magenta", False, True, "wrong size: found, but too large or small, or shifted"
    ),
    Style("merged", (255, 150, 0), "orange", False, True, "merged: one object covers several true ones"),
    Style("cut", (0, 215, 255), "cyan", False, True, "cut: pieces of one true object"),
    Style("invented", (255, 45, 45), "red", False, True, "invented: there is no such object"),
    Style("missed", (70, 130, 255), "blue", True, True, "missed: a true object that was not found"),
)
WANTED: Color = (255, 255, 255)
FILL = 0.3
DASH_PX = 3
# A picture's side in its file; zoomed, its pixels are shown larger.
WINDOW_PX = 448
WINDOW_DIAMETERS = 12
# Small objects are drawn larger, or their outlines would hide them.
FEWEST_PIXELS_A_DIAMETER, MOST_ENLARGED = 24, 3


class Window(NamedTuple):
    """The part of an image that is shown, and how many pixels of the picture show one of the image."""

    rows: slice
    columns: slice
    zoom: float


def worst_window(wrong: NDArray[np.bool_], diameter_px: float) -> Window:
    """Choose the part of an image with the most wrong pixels.

    Parameters
    ----------
    wrong : ndarray of shape (Y, X), bool
        Pixels of objects that are wrong.
    diameter_px : float
        Typical diameter of the objects; the window is `WINDOW_DIAMETERS` of them wide or more. 0 if there is none.

    Returns
    -------
    Window
        A square, or less where the image ends; at most `WINDOW_PX` pixels a side are drawn.
    """
    zoom = float(np.clip(np.ceil(FEWEST_PIXELS_A_DIAMETER / diameter_px), 1, MOST_ENLARGED)) if diameter_px else 1.0
    side = max(round(WINDOW_PX / zoom), round(WINDOW_DIAMETERS * diameter_px))
    height, width = min(side, wrong.shape[0]), min(side, wrong.shape[1])
    sums = np.pad(wrong.astype(np.int64).cumsum(axis=0).cumsum(axis=1), ((1, 0), (1, 0)))
    inside = sums[height:, width:] - sums[:-height, width:] - sums[height:, :-width] + sums[:-height, :-width]
    top, left = (int(start) for start in np.unravel_index(inside.argmax(), inside.shape))
    return Window(slice(top, top + height), slice(left, left + width), min(zoom, WINDOW_PX / max(height, width)))


def plain_picture(image: NDArray[np.generic], window: Window) -> NDArray[np.uint8]:
    """Show a part of an image (Y, X) or (Y, X, C) without anything drawn on it; its contrast is that of the whole."""
    return _zoomed(picture(image)[window.rows, window.columns], window.zoom)


def outcome_picture(image: NDArray[np.generic], window: Window, shown: Outcomes) -> NDArray[np.uint8]:
    """Draw what became of the objects over the gray image, in the colors of `STYLES`.

    Parameters
    ----------
    image : ndarray of shape (Y, X) or (Y, X, C), any real dtype
        Whole, since its contrast is that of all its pixels.
    window : Window
    shown : Outcomes
        Of the whole image.

    Returns
    -------
    ndarray of shape (y, x, 3), uint8
        A dashed white line is the true outline of an object that was cut, merged or has a wrong size.
    """
    drawn = _zoomed(gray_picture(image)[window.rows, window.columns], window.zoom).astype(np.float64)
    y, x = np.indices(drawn.shape[:2])
    dashes = (y + x) // DASH_PX % 2 == 0
    labels_of = {style: _labels(getattr(shown, style.fate), window, drawn.shape[:2]) for style in STYLES}
    for style, labels in labels_of.items():
        if style.is_filled:
            drawn[labels != 0] = (1 - FILL) * drawn[labels != 0] + FILL * np.array(style.color)
    drawn[find_boundaries(_labels(shown.wanted, window, drawn.shape[:2]), mode="inner") & dashes] = WANTED
    for style, labels in labels_of.items():
        line = find_boundaries(labels, mode="inner")
        drawn[line & dashes if style.is_dashed else line] = style.color
    return drawn.astype(np.uint8)


def _zoomed(shown: NDArray[np.uint8], zoom: float) -> NDArray[np.uint8]:
    if zoom == 1:
        return shown
    shape = tuple(max(1, round(size * zoom)) for size in shown.shape[:2])
    resized = resize(shown, (*shape, 3), order=1, anti_aliasing=zoom < 1, preserve_range=True)
    return np.asarray(resized).round().astype(np.uint8)


def _labels(labels: NDArray[np.integer], window: Window, shape: tuple[int, ...]) -> NDArray[np.integer]:
    part = labels[window.rows, window.columns]
    rows, columns = (
        np.minimum((np.arange(drawn) + 0.5) * size / drawn, size - 1).astype(int)
        for drawn, size in zip(shape, part.shape)
    )
    return part[np.ix_(rows, columns)]
