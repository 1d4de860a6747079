"""What lenses and light do: magnification, focus, uneven light, and a frame that was turned."""

import numpy as np
from scipy import ndimage
from skimage.segmentation import relabel_sequential
from skimage.transform import rotate

from benchmarks.labeled_images import BenchmarkImage, resized
from benchmarks.stress.camera import Field, levels_of, photographed


def magnified(image: np.ndarray, labels: np.ndarray, rng: np.random.Generator, factor: float) -> Field:
    """Take the field with another objective. The camera's noise stays as fine as its pixels.

    Interpolation is linear, so that nuclei enlarged four times have soft outlines, as a large magnification without a
    larger aperture gives them.
    """
    dark = float(image.min())
    truth = resized(BenchmarkImage("", image, labels), factor)
    light = truth.image.astype(float)
    return photographed(light, rng, light - dark), relabel_sequential(truth.labels)[0].astype(np.int32)


def out_of_focus(image: np.ndarray, labels: np.ndarray, rng: np.random.Generator, share: float) -> Field:
    """Focus on another plane: each point becomes a disc whose radius is this share of the nuclei's diameter."""
    levels = levels_of(image, labels)
    radius = share * levels.diameter_px
    light = blurred_by_disc(image.astype(float), radius)
    return photographed(light, rng, light - levels.dark), labels


def blurred_by_disc(light: np.ndarray, radius: float) -> np.ndarray:
    """Spread each point over a disc with a soft rim, as a lens out of focus does."""
    reach = int(np.ceil(radius)) + 1
    y, x = np.ogrid[-reach : reach + 1, -reach : reach + 1]
    disc = np.clip(radius + 0.5 - np.hypot(y, x), 0, 1)
    spread = ndimage.convolve(light, disc / disc.sum(), mode="reflect")
    return ndimage.gaussian_filter(spread, max(0.7, 0.25 * radius))


def blurred(light: np.ndarray, sigma: float) -> np.ndarray:
    """Blur by a Gaussian; a wide one is three boxes in turn, which cost the same for any width."""
    if sigma < 6:
        return ndimage.gaussian_filter(light, sigma)
    width = round(np.sqrt(4 * sigma**2 + 1))
    for _ in range(3):
        light = ndimage.uniform_filter(light, width)
    return light


def vignetted(image: np.ndarray, labels: np.ndarray, rng: np.random.Generator, corner: float) -> Field:
    """Light the field unevenly: the lamp's center is a little off, and the farthest corner gets this share of it."""
    height, width = image.shape
    center = np.array(image.shape) * rng.uniform(0.4, 0.6, 2)
    y, x = np.ogrid[:height, :width]
    away = np.hypot(y - center[0], x - center[1])
    light = corner ** ((away / away.max()) ** 2)
    dark = float(image.min())
    return photographed(dark + (image - dark) * light, rng, np.zeros(image.shape)), labels


def lit_from_one_side(image: np.ndarray, labels: np.ndarray, rng: np.random.Generator, least: float) -> Field:
    """Light falls off across a field in a bright medium, to this share.

    The medium is 0.6 times as bright as the nuclei are above it, so that the background of the bright side is as bright
    as the nuclei of the dark one.
    """
    levels = levels_of(image, labels)
    angle = rng.uniform(0, 2 * np.pi)
    y, x = np.ogrid[: image.shape[0], : image.shape[1]]
    along = np.sin(angle) * y + np.cos(angle) * x
    along = (along - along.min()) / np.ptp(along)
    medium = 0.6 * levels.contrast
    light = (image - levels.dark + medium) * (least + (1 - least) * along)
    return photographed(levels.dark + light, rng, medium * along), labels


def rotated_on_black(image: np.ndarray, labels: np.ndarray, rng: np.random.Generator) -> Field:
    """Turn the frame by 8 to 40 degrees; the corners that it does not fill are 0."""
    angle = rng.uniform(8, 40) * rng.choice([-1, 1])
    kept = {"resize": True, "preserve_range": True}
    turned = rotate(labels.astype(float), angle, order=0, **kept)
    light = rotate(image.astype(float), angle, order=1, **kept)
    return photographed(light, rng), relabel_sequential(np.rint(turned).astype(np.int32))[0].astype(np.int32)


def padded_with_black(image: np.ndarray, labels: np.ndarray, rng: np.random.Generator) -> Field:
    """Put the frame into a larger black one, as stitched wells and exported slides come: 30 to 50 % wider."""
    margins = [
        np.rint(size * rng.uniform(0.3, 0.5) * np.array([part, 1 - part])).astype(int)
        for size, part in zip(image.shape, rng.uniform(0.1, 0.9, 2))
    ]
    return photographed(np.pad(image.astype(float), margins), rng), np.pad(labels, margins)
