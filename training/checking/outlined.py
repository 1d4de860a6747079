"""Every image of a data set with the outlines of its labels, small enough for a page of hundreds."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from skimage.transform import resize

from cpunet.files.images import read_image
from cpunet.files.overlay import draw_outlines, picture
from cpunet.report.html_page import photo_uri
from cpunet.training.checking.image_facts import ImageFacts
from cpunet.training.data.labeled_images import read_labeled_image
from cpunet.training.volumes.checking.shown_planes import planes_side_by_side

# The longer side of a picture, by how many images the page shows, so that it stays at some megabytes.
LARGE_PX, MIDDLE_PX, SMALL_PX = 640, 400, 240
FEW_IMAGES, MANY_IMAGES = 40, 200


def picture_side(images: int) -> int:
    """Return the longer side, in pixels, of each picture of a page with so many images."""
    return LARGE_PX if images <= FEW_IMAGES else MIDDLE_PX if images <= MANY_IMAGES else SMALL_PX


def outlined_images(facts: Sequence[ImageFacts]) -> list[dict[str, str]]:
    """Return the name, the count and the picture of each image that could be read; of a volume, of a few planes."""
    side = picture_side(len(facts))
    shown = []
    for seen in facts:
        what = f"{len(seen.diameters_px)} objects, {seen.row.split or 'no split'}"
        if seen.depth > 1:
            drawn, planes = outlined_planes(seen, side)
            what += f", planes {planes} of {seen.depth}"
        else:
            drawn = outlined_picture(seen, side)
        shown.append({"name": "/".join(seen.row.key), "what": what, "picture": photo_uri(drawn)})
    return shown


def outlined_picture(seen: ImageFacts, side_px: int) -> NDArray[np.uint8]:
    """Draw an image of a data set with the outlines of its objects, see `small_outlined`."""
    return small_outlined(read_image(seen.row.image_path), read_labeled_image(seen.row).labels, side_px)


def outlined_planes(seen: ImageFacts, side_px: int) -> tuple[NDArray[np.uint8], str]:
    """Draw a few planes of a volume side by side, and one section along z, with the outlines of their objects.

    Returns
    -------
    picture : ndarray of shape (y, x, 3), uint8
        Twice as wide as a picture of one plane may be.
    planes : str
        The numbers of the planes, from 1 on.
    """
    image, labels, planes = planes_side_by_side(seen.row, seen.z_step_px)
    return small_outlined(image, labels, 2 * side_px), planes


def small_outlined(image: NDArray[np.generic], labels: NDArray[np.int32], side_px: int) -> NDArray[np.uint8]:
    """Draw an image with the outlines of its objects, at most `side_px` pixels wide and high; uint8 (y, x, 3).

    The image is (Y, X) or (Y, X, C), any real dtype, and the labels are (Y, X), int32.
    """
    shown = picture(image)
    longest = max(labels.shape)
    if longest > side_px:
        height, width = (max(1, round(size * side_px / longest)) for size in labels.shape)
        shown = resize(shown, (height, width, 3), order=1, anti_aliasing=True, preserve_range=True).astype(np.uint8)
        rows, columns = (
            np.linspace(0, size - 1, drawn).round().astype(int)
            for size, drawn in zip(labels.shape, (height, width), strict=True)
        )
        labels = labels[np.ix_(rows, columns)]
    return draw_outlines(shown, labels)
