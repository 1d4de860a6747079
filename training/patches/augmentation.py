"""Random patches: cut, warped, flipped and disturbed, always the same for the same seed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from functools import lru_cache

import numpy as np
import torch
from monai.data import set_track_meta
from monai.transforms import (
    RandAdjustContrastd,
    RandAffineGrid,
    RandFlipd,
    RandGaussianNoised,
    RandGaussianSmoothd,
    Randomizable,
    RandRotate90d,
    RandScaleIntensityFixedMeand,
    Resample,
)
from monai.transforms.utils import create_grid
from numpy.typing import NDArray
from scipy.interpolate import BSpline

from cpunet.training.data.ignored_pixels import without_ignored
from cpunet.training.patches.clumps import paste_touching
from cpunet.training.patches.color_transfer import ColorStatistics, color_statistics, with_colors_of
from cpunet.training.patches.disturbances import (
    beside_black,
    overexposed,
    with_cytoplasm,
    with_debris,
    with_fibers,
    with_haze,
    with_spots,
)
from cpunet.training.patches.focus import out_of_focus
from cpunet.training.patches.patch import Patch, crop_at_random, empty_patch, label_pieces
from cpunet.training.patches.stain import as_fluorescence, is_stained, jitter_stain, recolor_as_stain
from cpunet.training.patches.tissue import Nucleus, packed_tissue

# monai would record each change in each patch's metadata, which takes longer than the changes themselves.
set_track_meta(False)

# Some patches keep their pixels as they are: a warp blunts the outline that is to be learned.
WARPED_FRACTION = 0.75
ELASTIC_SPACING_PX = 32
MOST_BITS = 8
MOST_PASTED = 4
TRIES = 10
# A turned patch shows a little more than its side.
TURNED = 1.2
# Synthetic tissue is made at the sizes that are wanted; zoomed further, its nuclei would be larger or smaller.
TISSUE_ZOOM = (0.85, 1.2)

# The smallest and the largest value of each field.
LIMITS: dict[str, tuple[float, float]] = {
    "scale_low": (0.1, 10),
    "scale_high": (0.1, 10),
    "shear": (0, 1),
    "shift_px": (0, 1000),
    "elastic_px": (0, 16),
    "gamma_low": (0.1, 10),
    "gamma_high": (0.1, 10),
    "brightness_low": (0.1, 10),
    "brightness_high": (0.1, 10),
    "contrast": (0, 0.9),
    "illumination": (0, 0.9),
    "noise": (0, 1),
    "blur_px": (0, 20),
    "lowest_bits": (0, MOST_BITS),
    "color": (0, 0.9),
    "gray_fraction": (0, 1),
    "invert_fraction": (0, 1),
    "clump_fraction": (0, 1),
    "empty_fraction": (0, 1),
    "tissue_fraction": (0, 1),
    "spots_fraction": (0, 1),
    "cytoplasm_fraction": (0, 1),
    "debris_fraction": (0, 1),
    "fiber_fraction": (0, 1),
    "defocus_fraction": (0, 1),
    "black_fraction": (0, 1),
    "sparse_fraction": (0, 1),
    "haze": (0, 10),
    "stain_fraction": (0, 1),
    "stain_jitter": (0, 0.9),
    "color_transfer_fraction": (0, 1),
    "stain_inverted_fraction": (0, 1),
}


@dataclass(frozen=True)
class Augmentation:
    """How far training images are changed.

    Every patch is flipped and turned at random; three in four are also turned by any angle and warped as far as
    the fields say, by one interpolation, with mirrored borders. The changes of intensity each reach a quarter
    (noise, blur) or half (the others) of the patches. 0 switches a change off, as equal ends of 1 do for a range.

    Attributes
    ----------
    scale_low, scale_high : float
        Range of the zoom, drawn evenly on a logarithmic scale.
    shear : float
        Largest shear.
    shift_px : float
        Largest translation along each axis, pixels of the image. A patch is cut at random anyway: this is for
        images no larger than a patch, and shows more of the mirrored border.
    elastic_px : float
        Largest displacement, pixels of the patch, of points 32 pixels apart, between which the warp is smooth.
        Outlines bend; image and labels alike.
    gamma_low, gamma_high : float
        Exponent on the normalized intensities; below 1 lifts dim objects.
    brightness_low, brightness_high : float
        Range of the factor on all intensities, in every patch.
    contrast : float
        Largest relative change of the distance to the patch's mean intensity.
    illumination : float
        Largest relative change of brightness across a patch, by uneven light.
    noise : float
        Largest standard deviation of added Gaussian noise, in normalized intensity.
    blur_px : float
        Largest standard deviation of a Gaussian blur.
    lowest_bits : int
        Gray levels are made as few as those of an image of this many bits, to 8.
    color : float
        Largest relative change of brightness of each channel apart from the others, in half of the patches.
    gray_fraction : float
        Share of patches whose channels are all replaced by their mean.
    invert_fraction : float
        Share of patches in which dark becomes bright: normalized intensities are taken from 1.
    clump_fraction : float
        Share of patches into which 1 to 4 copies of nuclei are pasted against others.
    empty_fraction : float
        Share of patches that are pure noise without an object: what an empty well looks like once
        its contrast has been stretched.
    tissue_fraction : float
        Share of patches that are synthetic tissue: nuclei cut out of all training images, packed until they touch.
    spots_fraction, cytoplasm_fraction, debris_fraction, fiber_fraction : float
        Shares of patches that get bright spots inside their nuclei, the glow of whole cells around them, debris, and
        fibers; see `cpunet.training.patches.disturbances`.
    defocus_fraction : float
        Share of patches that are out of focus: each point becomes a disc of up to half of the nuclei's width.
    black_fraction : float
        Share of patches of which one side is black, as in stitched mosaics and rotated frames.
    sparse_fraction : float
        Share of patches that look like nearly empty fields, whose contrast is set by noise.
    haze : float
        Largest height of a smooth glow, in parts of the nuclei's brightness, in half of the patches.
    stain_fraction : float
        Share of the fluorescence patches of a color model that are recolored like stained tissue.
    stain_jitter : float
        Largest relative change of each channel's optical density, and of what it takes of the others, in half of the
        patches.
    color_transfer_fraction : float
        Share of the stained patches that get the colors of another stained image of the training data.
    stain_inverted_fraction : float
        Share of the stained patches that become gray, with dark and bright exchanged, so that they look like
        fluorescence.

    Raises
    ------
    ValueError
        If a field is out of its range; the message names it.

    Notes
    -----
    Elastic warps of training images: Simard et al. 2003, doi:10.1109/ICDAR.2003.1227801, and the U-Net, Ronneberger et
    al. 2015, doi:10.1007/978-3-319-24574-4_28; as a cubic B-spline, as here: Rueckert et al. 1999,
    doi:10.1109/42.796284.
    """

    scale_low: float = 0.6
    scale_high: float = 1.7
    shear: float = 0.15
    shift_px: float = 0.0
    elastic_px: float = 0.0
    gamma_low: float = 0.6
    gamma_high: float = 1.6
    brightness_low: float = 0.8
    brightness_high: float = 1.25
    contrast: float = 0.0
    illumination: float = 0.0
    noise: float = 0.08
    blur_px: float = 1.0
    lowest_bits: int = 0
    color: float = 0.0
    gray_fraction: float = 0.0
    invert_fraction: float = 0.0
    clump_fraction: float = 0.0
    empty_fraction: float = 0.01
    tissue_fraction: float = 0.0
    spots_fraction: float = 0.0
    cytoplasm_fraction: float = 0.0
    debris_fraction: float = 0.0
    fiber_fraction: float = 0.0
    defocus_fraction: float = 0.0
    black_fraction: float = 0.0
    sparse_fraction: float = 0.0
    haze: float = 0.0
    stain_fraction: float = 0.0
    stain_jitter: float = 0.0
    color_transfer_fraction: float = 0.0
    stain_inverted_fraction: float = 0.0

    def __post_init__(self) -> None:
        for name in (field.name for field in fields(self)):
            value, (low, high) = getattr(self, name), LIMITS[name]
            if not low <= value <= high:
                raise ValueError(f"{name}: must lie between {low} and {high}; it is {value}.")
        for low_name, high_name in (
            ("scale_low", "scale_high"),
            ("gamma_low", "gamma_high"),
            ("brightness_low", "brightness_high"),
        ):
            low, high = getattr(self, low_name), getattr(self, high_name)
            if low > high:
                raise ValueError(f"{low_name}: must not be larger than {high_name}; they are {low} and {high}.")
        if self.lowest_bits == 1:
            raise ValueError("lowest_bits: one bit leaves only black and white; it must be 2 to 8, or 0 for no change.")


HEAVY = Augmentation(shift_px=16, elastic_px=8, contrast=0.4, illumination=0.5, lowest_bits=5, clump_fraction=0.35)
PRESETS = {
    "gentle": Augmentation(
        scale_low=0.8,
        scale_high=1.25,
        shear=0.1,
        shift_px=16,
        gamma_low=1,
        gamma_high=1,
        brightness_low=1,
        brightness_high=1,
        noise=0,
        blur_px=0,
        empty_fraction=0,
    ),
    "standard": Augmentation(),
    "heavy": HEAVY,
    # For bright nuclei in images of laboratories that are not in the training data.
    "broad": replace(
        HEAVY,
        scale_low=0.5,
        scale_high=2.0,
        gamma_low=0.5,
        gamma_high=2.0,
        brightness_low=0.35,
        brightness_high=1.3,
        noise=0.1,
        blur_px=1.6,
        tissue_fraction=0.2,
        spots_fraction=0.12,
        cytoplasm_fraction=0.25,
        debris_fraction=0.15,
        fiber_fraction=0.08,
        black_fraction=0.04,
        sparse_fraction=0.04,
        haze=0.6,
    ),
}


def augment(
    patch: Patch,
    augmentation: Augmentation,
    patch_size: int,
    rng: np.random.Generator,
    nuclei: Sequence[Nucleus] = (),
    colors: Sequence[ColorStatistics] = (),
) -> Patch:
    """Cut and change one random patch of an image.

    Parameters
    ----------
    patch : Patch
        The whole image, normalized.
    augmentation : Augmentation
    patch_size : int
        Height and width of the result, pixels.
    rng : numpy.random.Generator
        Decides everything.
    nuclei : sequence of Nucleus
        What synthetic tissue is built of; without them there is none.
    colors : sequence of ColorStatistics
        Of the stained images of the training data; without them none is recolored.

    Returns
    -------
    Patch
        Of shape (C, patch_size, patch_size), labels renumbered.
    """
    if rng.random() < augmentation.empty_fraction:
        return empty_patch(patch.image.shape[0], patch_size, rng)
    # One shared state: seeding each transform anew, as Compose does, takes longer than transforming.
    state = np.random.RandomState(int(rng.integers(2**31)))
    how = augmentation
    if nuclei and rng.random() < augmentation.tissue_fraction:
        low, high = TISSUE_ZOOM
        patch = packed_tissue(nuclei, int(np.ceil(patch_size * TURNED / low)) + 1, rng)
        how = replace(augmentation, scale_low=low, scale_high=high, clump_fraction=0)
    moved = _move(patch, how, patch_size, rng, state)
    for _ in range(TRIES):
        if (moved.labels >= 0).any():
            break
        moved = _move(patch, how, patch_size, rng, state)  # nothing could be learned from what nobody labeled
    if rng.random() < how.clump_fraction:
        moved = paste_touching(moved, rng, count=int(rng.integers(1, MOST_PASTED + 1)))
    if colors and is_stained(patch.image) and rng.random() < augmentation.color_transfer_fraction:
        other = colors[rng.integers(len(colors))]
        moved = Patch(with_colors_of(moved.image, color_statistics(patch.image), other), moved.labels)
    filled = Patch(_with_other_matter(moved, augmentation, rng), moved.labels)
    if augmentation.defocus_fraction and rng.random() < augmentation.defocus_fraction:
        filled = Patch(out_of_focus(filled, rng), filled.labels)
    if augmentation.black_fraction and rng.random() < augmentation.black_fraction:
        filled = beside_black(filled, rng)
    image = _disturb(filled.image, augmentation, rng, state)
    if augmentation.sparse_fraction and rng.random() < augmentation.sparse_fraction:
        image = overexposed(image, rng)
    return Patch(image, filled.labels)


def _with_other_matter(patch: Patch, augmentation: Augmentation, rng: np.random.Generator) -> NDArray[np.float32]:
    """Add what a field holds beside nuclei, and change its stain."""
    patch = Patch(patch.image, without_ignored(patch.labels))
    if augmentation.spots_fraction and rng.random() < augmentation.spots_fraction:
        patch = Patch(with_spots(patch, rng), patch.labels)
    if augmentation.cytoplasm_fraction and rng.random() < augmentation.cytoplasm_fraction:
        patch = Patch(with_cytoplasm(patch, rng), patch.labels)
    if augmentation.haze and rng.random() < 0.5:
        patch = Patch(with_haze(patch, augmentation.haze, rng), patch.labels)
    if augmentation.fiber_fraction and rng.random() < augmentation.fiber_fraction:
        patch = Patch(with_fibers(patch, rng), patch.labels)
    if augmentation.debris_fraction and rng.random() < augmentation.debris_fraction:
        patch = Patch(with_debris(patch, rng), patch.labels)
    if is_stained(patch.image):
        image = patch.image
        if augmentation.stain_jitter and rng.random() < 0.5:
            image = jitter_stain(image, augmentation.stain_jitter, rng)
        if augmentation.stain_inverted_fraction and rng.random() < augmentation.stain_inverted_fraction:
            image = as_fluorescence(image)
        return image
    if len(patch.image) == 3 and augmentation.stain_fraction and rng.random() < augmentation.stain_fraction:
        return recolor_as_stain(patch.image, rng)
    return patch.image


def _move(
    patch: Patch, augmentation: Augmentation, patch_size: int, rng: np.random.Generator, state: np.random.RandomState
) -> Patch:
    """Cut a patch, warp, flip and turn it; image and labels alike."""
    source_size, zoom = patch_size, 1.0
    warped = rng.random() < WARPED_FRACTION
    if warped:
        zoom = float(np.exp(rng.uniform(np.log(augmentation.scale_low), np.log(augmentation.scale_high))))
        # The far corners may be mirrored.
        source_size = int(np.ceil(patch_size * max(TURNED / zoom, 1.0)))
        # Both odd or both even: their middles would lie half a pixel apart otherwise, and blur even what is not zoomed.
        source_size += (source_size - patch_size) % 2
    cut = crop_at_random(patch, source_size, rng)
    content = {
        "image": torch.from_numpy(np.ascontiguousarray(cut.image)),
        "labels": torch.from_numpy(cut.labels[np.newaxis].astype(np.float32)),
    }
    if warped:
        grid = _sampling_grid(augmentation, patch_size, zoom, rng, state)
        for name, mode in (("image", "bilinear"), ("labels", "nearest")):
            content[name] = Resample(mode, padding_mode="reflection")(content[name], grid)
    both = ("image", "labels")
    # All eight ways to lay a square, equally often.
    turns = [RandFlipd(both, prob=0.5, spatial_axis=0), RandRotate90d(both, prob=0.75, max_k=3)]
    content = _apply(turns, content, state)
    labels = np.rint(content["labels"][0].numpy()).astype(np.int32)
    return Patch(np.ascontiguousarray(content["image"].numpy(), np.float32), label_pieces(labels))


def _sampling_grid(
    augmentation: Augmentation, patch_size: int, zoom: float, rng: np.random.Generator, state: np.random.RandomState
) -> torch.Tensor:
    """Choose where each pixel of a warped patch is taken from: turn, shear, shift, zoom and elastic warp in one.

    Y, X and 1, in pixels from the source's center: float32 of shape (3, patch_size, patch_size).
    """
    grid = create_grid((patch_size, patch_size), dtype=np.float32, backend="torch")
    if augmentation.elastic_px:
        weights = spline_weights(patch_size)
        largest = rng.uniform(0, augmentation.elastic_px)
        points = rng.uniform(-largest, largest, (2, weights.shape[1], weights.shape[1])).astype(np.float32)
        grid[:2] += torch.from_numpy(weights @ points @ weights.T)
    affine = RandAffineGrid(
        rotate_range=np.pi,
        shear_range=augmentation.shear,
        translate_range=[augmentation.shift_px] * 2,
        # monai's scale is that of the sampling grid: a smaller grid shows larger objects.
        scale_range=[(1 / zoom - 1, 1 / zoom - 1)] * 2,
    )
    affine.set_random_state(state=state)
    return affine(grid=grid)


@lru_cache(maxsize=8)
def spline_weights(size: int) -> NDArray[np.float32]:
    """Return how much each control point of a cubic B-spline contributes at each pixel along an axis.

    float32 of shape (size, points). A row sums to 1 and none of it is negative, so that nothing is moved further than
    the points are.
    """
    positions = np.arange(size) / ELASTIC_SPACING_PX
    knots = np.arange(-3, np.floor(positions[-1]) + 5)
    return BSpline.design_matrix(positions, knots, 3).toarray().astype(np.float32)


def _disturb(
    image: NDArray[np.float32], augmentation: Augmentation, rng: np.random.Generator, state: np.random.RandomState
) -> NDArray[np.float32]:
    """Change an image's intensities, in the order in which stain, light, optics, camera and display do."""
    if augmentation.gray_fraction and rng.random() < augmentation.gray_fraction:
        image = np.broadcast_to(image.mean(axis=0, keepdims=True), image.shape).copy()
    if augmentation.invert_fraction and rng.random() < augmentation.invert_fraction:
        image = 1 - image
    if augmentation.color and rng.random() < 0.5:
        factors = 1 + rng.uniform(-augmentation.color, augmentation.color, (len(image), 1, 1))
        image = image * factors.astype(np.float32)
    if augmentation.illumination and rng.random() < 0.5:
        image = uneven_light(image, augmentation.illumination, rng)
    transforms: list[Randomizable] = []
    if augmentation.blur_px:
        blur = (min(0.2, augmentation.blur_px), augmentation.blur_px)
        transforms.append(RandGaussianSmoothd("image", blur, blur, prob=0.25))
    if augmentation.noise:
        transforms.append(RandGaussianNoised("image", prob=0.25, std=augmentation.noise))
    if augmentation.contrast:
        factors = augmentation.contrast
        transforms.append(RandScaleIntensityFixedMeand("image", factors, prob=0.5, channel_wise=True))
    if (augmentation.gamma_low, augmentation.gamma_high) != (1, 1):
        gamma = (augmentation.gamma_low, augmentation.gamma_high)
        transforms.append(RandAdjustContrastd("image", prob=0.5, gamma=gamma))
    image = _apply(transforms, {"image": torch.from_numpy(image)}, state)["image"].numpy()
    if augmentation.lowest_bits and rng.random() < 0.5:
        image = quantize(image, int(rng.integers(augmentation.lowest_bits, MOST_BITS + 1)))
    return image * np.float32(rng.uniform(augmentation.brightness_low, augmentation.brightness_high))


def _apply(
    transforms: list[Randomizable], content: dict[str, torch.Tensor], state: np.random.RandomState
) -> dict[str, torch.Tensor]:
    """Apply monai's random transforms one after the other, all drawing from one state."""
    for transform in transforms:
        transform.set_random_state(state=state)
        content = transform(content)
    return content


def uneven_light(image: NDArray[np.float32], strength: float, rng: np.random.Generator) -> NDArray[np.float32]:
    """Make the light brighter or dimmer away from a random point, in or outside the image.

    Parameters
    ----------
    image : ndarray of shape (C, Y, X), float32
        Normalized.
    strength : float
        Largest relative change of brightness, 0 to 1.
    rng : numpy.random.Generator

    Returns
    -------
    ndarray of shape (C, Y, X), float32

    Notes
    -----
    The change grows with the square of the distance from that point: a vignette where it lies within, nearly a plane
    where it lies far out. Normalization has taken the background's own brightness away, and uneven light changes that
    too: some is put back for the while, and the least of it taken away again, as normalization would.
    """
    y, x = (np.linspace(-1, 1, size, dtype=np.float32) - rng.uniform(-2, 2) for size in image.shape[1:])
    away = (y * y)[:, np.newaxis] + x * x
    middle, half_range = (away.max() + away.min()) / 2, (away.max() - away.min()) / 2
    light = 1 + rng.uniform(-strength, strength) * (away - middle) / max(half_range, 1e-6)
    background = rng.uniform(0, 0.5)
    return ((image + background) * light - background * light.min()).astype(np.float32)


def quantize(image: NDArray[np.float32], bits: int) -> NDArray[np.float32]:
    """Round intensities to as many gray levels as an image of so many bits has.

    Parameters
    ----------
    image : ndarray of shape (C, Y, X), float32
        Normalized; the levels divide 0..1 evenly and go on outside.
    bits : int

    Returns
    -------
    ndarray of shape (C, Y, X), float32
    """
    steps = np.float32(2**bits - 1)
    return np.rint(image * steps) / steps
