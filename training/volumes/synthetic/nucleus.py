"""Draw one nucleus: its shape, its texture, and what the optics make of both."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.spatial import cKDTree
from scipy.spatial.transform import Rotation

from cpunet.training.volumes.synthetic.optics import PointSpread
from cpunet.training.volumes.synthetic.textures import texture_of_volume

# Waves on the surface, and how far all of them together bulge it, in radii.
WAVES, BULGE = 4, 0.22
# Planes are drawn at least so close, in widths of a pixel, and blurred before those of the volume are taken.
DRAWN_STEP_PX = 2.0
REACH = 2.7
# Of the diameter: how far apart along z textures are that have nothing in common.
TEXTURE_DEPTH = 0.35


class Contact(NamedTuple):
    """A flat face where a nucleus touches another one.

    Attributes
    ----------
    direction : ndarray of shape (3,)
        To the other one, of length 1.
    distance : float
        From the center to the face.
    """

    direction: NDArray[np.float64]
    distance: float


@dataclass(frozen=True)
class Nucleus:
    """A nucleus, or a set of chromosomes in mitosis.

    Attributes
    ----------
    center : ndarray of shape (3,)
        (z, y, x), in widths of a pixel.
    radii : ndarray of shape (3,)
        Of the ellipsoid, along its own axes.
    axes : ndarray of shape (3, 3)
        Its axes, one a row.
    brightness : float
        1 for a typical one.
    contrast : float
        Of the texture: 0 for none, 1 as in the real one.
    roughness : float
        How much the surface bulges, 0..1.
    contacts : tuple of Contact
        Beyond them lie other nuclei.
    """

    center: NDArray[np.float64]
    radii: NDArray[np.float64]
    axes: NDArray[np.float64]
    brightness: float = 1.0
    contrast: float = 1.0
    roughness: float = 0.5
    contacts: tuple[Contact, ...] = ()

    def reach(self, direction: NDArray[np.float64]) -> float:
        """Return how far the ellipsoid reaches from its center along a direction of length 1."""
        return float(np.linalg.norm(self.radii * (self.axes @ direction)))


@dataclass(frozen=True)
class DrawnNucleus:
    """A nucleus within its box.

    Attributes
    ----------
    start : tuple of int
        Plane, row and column where the box begins; it may lie outside of the volume.
    light : ndarray of shape (z, y, x), float32
        Textured and blurred.
    shape : ndarray of shape (z, y, x), float32
        Without texture and brightness, blurred or not; the largest is 1.
    """

    start: tuple[int, int, int]
    light: NDArray[np.float32]
    shape: NDArray[np.float32]


def draw_nuclei_at(
    center: NDArray[np.float64], normal: NDArray[np.float64], radius: float, rng: np.random.Generator
) -> list[Nucleus]:
    """Draw the numbers of what lies at a place: a nucleus, a fragment, or one or two plates of chromosomes."""
    size = radius * np.exp(rng.normal(0, 0.1))
    stretch = np.exp(rng.normal(0, 0.13, 3))
    axes = Rotation.random(random_state=rng).as_matrix()
    if normal.any():
        stretch[0] *= rng.uniform(0.55, 0.9)
        axes = Rotation.align_vectors(normal[None], [[1.0, 0.0, 0.0]])[0].as_matrix().T
    radii = size * stretch / np.cbrt(np.prod(stretch))
    plain = Nucleus(center, radii, axes, float(np.exp(rng.normal(0, 0.3))), rng.uniform(0.5, 2.2), rng.uniform(0.2, 1))
    kind = rng.random()
    if kind < 0.04:  # a polar body, or what is left of a dead cell
        return [replace(plain, radii=radii * rng.uniform(0.35, 0.6), brightness=plain.brightness * rng.uniform(0.8, 4))]
    if kind < 0.08:  # metaphase: the chromosomes lie in a plate
        plate = size * np.array([rng.uniform(0.3, 0.5), 0.85, 0.85])
        return [replace(plain, radii=plate, brightness=plain.brightness * rng.uniform(1.3, 2.2), roughness=1.0)]
    if kind < 0.11:  # anaphase: two plates, one object each
        plate = size * np.array([0.32, 0.75, 0.75])
        apart = axes[0] * size * rng.uniform(0.5, 0.9)
        bright = replace(plain, radii=plate, brightness=plain.brightness * rng.uniform(1.3, 2.2))
        return [replace(bright, center=center + apart), replace(bright, center=center - apart)]
    return [plain]


def with_contacts(nuclei: Sequence[Nucleus]) -> list[Nucleus]:
    """Give nuclei that would overlap a flat face between them, as two bodies have that press against each other."""
    if not nuclei:
        return []
    centers = np.stack([nucleus.center for nucleus in nuclei])
    widest = 2 * (1 + BULGE) * max(float(nucleus.radii.max()) for nucleus in nuclei)
    contacts: list[list[Contact]] = [[] for _ in nuclei]
    for first, second in cKDTree(centers).query_pairs(widest):
        between = centers[second] - centers[first]
        distance = float(np.linalg.norm(between))
        direction = between / max(distance, 1e-6)
        reaches = nuclei[first].reach(direction), nuclei[second].reach(direction)
        if sum(reaches) * (1 + BULGE) > distance:
            face = distance * reaches[0] / sum(reaches)
            contacts[first].append(Contact(direction, face))
            contacts[second].append(Contact(-direction, distance - face))
    return [replace(nucleus, contacts=tuple(found)) for nucleus, found in zip(nuclei, contacts, strict=True)]


def drawn(
    nucleus: Nucleus,
    spread: PointSpread,
    z_step_px: float,
    textures: NDArray[np.float32],
    blurred_shape: bool,
    rng: np.random.Generator,
) -> DrawnNucleus:
    """Draw a nucleus as the microscope shows it.

    Parameters
    ----------
    nucleus : Nucleus
    spread : PointSpread
    z_step_px : float
        Distance of neighboring planes over the width of a pixel.
    textures : ndarray of shape (n, PATCH_PX, PATCH_PX), float32
    blurred_shape : bool
        Whether the shape is blurred as well, or is that of the nucleus itself.
    rng : numpy.random.Generator

    Notes
    -----
    Planes are drawn closer than they are taken, so that a coarse z step takes planes out of the blurred nucleus, as a
    microscope does.
    """
    finer = max(1, int(np.ceil(z_step_px / DRAWN_STEP_PX)))
    step = np.array([z_step_px / finer, 1.0, 1.0])
    sigma = np.array([spread.axial, spread.lateral, spread.lateral]) / step
    # The ellipsoid's own extent along z, y and x, and room for bulges and blur.
    extent = np.sqrt(((nucleus.radii[:, None] * nucleus.axes) ** 2).sum(axis=0)) * (1 + BULGE * nucleus.roughness) + 1
    room = np.ceil(REACH * sigma).astype(int)
    first = np.floor((nucleus.center - extent) / step).astype(int) - room
    first[0] = finer * (first[0] // finer)
    last = np.ceil((nucleus.center + extent) / step).astype(int) + room
    sides = last - first + 1
    sides[0] = finer * -(-sides[0] // finer)
    mask = _mask(nucleus, first, sides, step, rng)
    depth = max(2, 1 + round(sides[0] * step[0] / (TEXTURE_DEPTH * 2 * float(nucleus.radii.max()))))
    texture = texture_of_volume(textures, tuple(int(side) for side in sides), depth, rng)
    light = mask * np.clip(1 + nucleus.contrast * (texture - 1), 0.1, None)
    shape = _blurred(mask, sigma, finer) if blurred_shape else mask[::finer]
    start = int(first[0] // finer), int(first[1]), int(first[2])
    return DrawnNucleus(
        start,
        np.float32(nucleus.brightness) * _blurred(light, sigma, finer),
        shape / max(float(shape.max(initial=0)), 1e-6),
    )


def _mask(
    nucleus: Nucleus,
    first: NDArray[np.int_],
    sides: NDArray[np.int_],
    step: NDArray[np.float64],
    rng: np.random.Generator,
) -> NDArray[np.float32]:
    """Return how much of each voxel the nucleus fills, 0..1: an ellipsoid with waves on its surface."""
    places = [(start + np.arange(side)) * width for start, side, width in zip(first, sides, step, strict=True)]
    z, y, x = ((place - middle).astype(np.float32) for place, middle in zip(places, nucleus.center, strict=True))
    own = (nucleus.axes / nucleus.radii[:, None]).astype(np.float32)
    u = [own[k, 0] * z[:, None, None] + own[k, 1] * y[None, :, None] + own[k, 2] * x[None, None, :] for k in range(3)]
    far = np.sqrt(u[0] ** 2 + u[1] ** 2 + u[2] ** 2)
    near = far < 1 + BULGE + 2 / float(nucleus.radii.min())
    inside = np.zeros(far.shape, np.float32)
    points = np.stack([each[near] for each in u])
    heights = rng.normal(0, 1, WAVES)
    heights *= nucleus.roughness * BULGE / max(1.0, float(np.abs(heights).sum()))
    waves = rng.normal(0, 1.6, (WAVES, 3)).astype(np.float32)
    surface = 1 + np.float32(heights) @ np.cos(
        waves @ points + rng.uniform(0, 2 * np.pi, (WAVES, 1)).astype(np.float32)
    )
    # Half a pixel on both sides of the surface is filled in part.
    within = (surface - far[near]) * np.float32(np.cbrt(np.prod(nucleus.radii)))
    for direction, distance in nucleus.contacts:
        along = np.float32(nucleus.axes @ direction * nucleus.radii) @ points
        within = np.minimum(within, np.float32(distance) - along)
    inside[near] = np.clip(0.5 + within, 0, 1)
    return inside


def _blurred(volume: NDArray[np.float32], sigma: NDArray[np.float64], finer: int) -> NDArray[np.float32]:
    """Blur a volume, and take each `finer`-th of its planes."""
    along = ndimage.gaussian_filter1d(volume, sigma[0], axis=0, mode="constant", truncate=REACH)[::finer]
    within = ndimage.gaussian_filter(along, (0, sigma[1], sigma[2]), mode="constant", truncate=REACH)
    return within.astype(np.float32, copy=False)
