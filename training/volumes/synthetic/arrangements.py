"""Where nuclei lie: nowhere, apart, in clumps, packed, in a layer, or around a cavity as in an embryo."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

EMPTY = "empty"
MOST_NUCLEI = 250
RELAXATIONS = 40
FIBONACCI_TURN = np.pi * (3 - np.sqrt(5))


@dataclass(frozen=True)
class Placed:
    """Centers of nuclei.

    Attributes
    ----------
    centers : ndarray of shape (n, 3), float64
        (z, y, x), in widths of a pixel; some lie outside, so that a face of the volume cuts their nuclei.
    normals : ndarray of shape (n, 3), float64
        The direction along which each is flattened, of length 1; 0 where there is none.
    """

    centers: NDArray[np.float64]
    normals: NDArray[np.float64]


def place(kind: str, extent: NDArray[np.float64], radius: float, rng: np.random.Generator) -> Placed:
    """Place nuclei in a volume.

    Parameters
    ----------
    kind : str
        One of `ARRANGEMENTS`.
    extent : ndarray of shape (3,)
        The sides of the volume, (z, y, x), in widths of a pixel.
    radius : float
        The typical radius of the nuclei.
    rng : numpy.random.Generator

    Returns
    -------
    Placed
        One nucleus to `MOST_NUCLEI`; none where the arrangement is ``empty``.
    """
    placed = ARRANGEMENTS[kind](extent, radius, rng)
    chosen = rng.permutation(len(placed.centers))[:MOST_NUCLEI]
    return Placed(placed.centers[chosen], placed.normals[chosen])


def _empty(extent: NDArray[np.float64], radius: float, rng: np.random.Generator) -> Placed:
    """Place no nucleus, as in an empty well: noise, uneven light and dust are no objects."""
    return _free(np.zeros((0, 3)))


def _sparse(extent: NDArray[np.float64], radius: float, rng: np.random.Generator) -> Placed:
    """Place nuclei far from each other: of large ones a single one or a few, as in the first days of an embryo."""
    count = _count(extent, radius, rng.uniform(0.005, 0.05))
    margin = np.minimum(1.2 * radius, extent / 2)
    return _free(_apart(rng.uniform(margin, extent - margin, (count, 3)), 2.3 * radius))


def _clumps(extent: NDArray[np.float64], radius: float, rng: np.random.Generator) -> Placed:
    """Place groups of nuclei that touch."""
    count = _count(extent, radius, rng.uniform(0.03, 0.15))
    groups = max(1, round(count / rng.uniform(3, 10)))
    centers = list(rng.uniform(0, extent, (groups, 3)))
    while len(centers) < count:
        beside = centers[rng.integers(len(centers))]
        centers.append(beside + _directions(1, rng)[0] * radius * rng.uniform(1.7, 2.1))
    return _free(_apart(np.array(centers), rng.uniform(1.6, 1.95) * radius))


def _packed(extent: NDArray[np.float64], radius: float, rng: np.random.Generator) -> Placed:
    """Place nuclei everywhere, in contact or nearly so, as in tissue."""
    margin = radius / 2
    count = _count(extent + 2 * margin, radius, rng.uniform(0.15, 0.45))
    return _free(_apart(rng.uniform(-margin, extent + margin, (count, 3)), rng.uniform(1.75, 2.1) * radius))


def _spheroid(extent: NDArray[np.float64], radius: float, rng: np.random.Generator) -> Placed:
    """Place a ball of nuclei, some of them in contact: a morula, or a spheroid in culture."""
    size = rng.uniform(0.25, 0.5) * min(extent[1:])
    count = int(np.clip(rng.uniform(0.1, 0.4) * (size / radius) ** 3, 2, MOST_NUCLEI))
    inside = _directions(count, rng) * size * np.cbrt(rng.uniform(0, 1, (count, 1)))
    return _free(_apart(_center(extent, rng) + inside, rng.uniform(1.75, 2.3) * radius))


def _shell(extent: NDArray[np.float64], radius: float, rng: np.random.Generator) -> Placed:
    """Place flat nuclei around a cavity, and a mass of others at one side: a blastocyst, or a cyst."""
    size = rng.uniform(0.3, 0.48) * min(extent[1:])
    count = max(4, int(rng.uniform(0.6, 2.4) * (size / radius) ** 2))
    heights = 1 - 2 * (np.arange(count) + 0.5) / count
    turns = FIBONACCI_TURN * np.arange(count)
    around = np.sqrt(1 - heights**2)
    outward = np.stack([heights, around * np.sin(turns), around * np.cos(turns)], axis=1)
    outward += rng.normal(0, 0.15, outward.shape)
    outward /= np.linalg.norm(outward, axis=1, keepdims=True)
    inner = rng.integers(0, count // 3 + 1)
    pole = _directions(1, rng)
    mass = pole * 0.5 * size + _directions(inner, rng) * rng.uniform(0, 0.4, (inner, 1)) * size
    center = _center(extent, rng)
    centers = _apart(np.concatenate([center + outward * size, center + mass]), 1.8 * radius)
    return Placed(centers, np.concatenate([outward, np.zeros((inner, 3))]))


def _layer(extent: NDArray[np.float64], radius: float, rng: np.random.Generator) -> Placed:
    """Place a layer of flat nuclei, as of cells that grow on a coverslip, or of an epithelium."""
    count = max(2, int(rng.uniform(0.1, 0.7) * extent[1] * extent[2] / (np.pi * radius**2)))
    count = min(count, MOST_NUCLEI)
    centers = rng.uniform(0, extent, (count, 3))
    centers[:, 0] = 0
    centers = _apart(centers, rng.uniform(1.8, 2.1) * radius)
    slope = rng.normal(0, 0.1, 2)
    height = extent[0] * rng.uniform(0.25, 0.75) + (centers[:, 1:] - extent[1:] / 2) @ slope
    centers[:, 0] = height + rng.normal(0, 0.3 * radius, count)
    return Placed(centers, np.tile([1.0, 0.0, 0.0], (count, 1)))


ARRANGEMENTS: dict[str, Callable[[NDArray[np.float64], float, np.random.Generator], Placed]] = {
    "sparse": _sparse,
    "clumps": _clumps,
    "packed": _packed,
    "spheroid": _spheroid,
    "shell": _shell,
    "layer": _layer,
    EMPTY: _empty,
}


def _count(extent: NDArray[np.float64], radius: float, filled: float) -> int:
    """Return how many balls fill such a share of a volume, from 1 to `MOST_NUCLEI`."""
    return int(np.clip(filled * np.prod(extent) / (4 / 3 * np.pi * radius**3), 1, MOST_NUCLEI))


def _center(extent: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.float64]:
    center: NDArray[np.float64] = extent * rng.uniform(0.4, 0.6, 3)
    return center


def _directions(count: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """Draw directions of length 1, (count, 3)."""
    drawn = rng.normal(size=(count, 3))
    directions: NDArray[np.float64] = drawn / np.maximum(np.linalg.norm(drawn, axis=1, keepdims=True), 1e-9)
    return directions


def _apart(centers: NDArray[np.float64], distance: float) -> NDArray[np.float64]:
    """Push centers that are closer than a distance away from each other, a little at a time."""
    centers = centers.copy()
    for _ in range(RELAXATIONS):
        pairs = cKDTree(centers).query_pairs(distance, output_type="ndarray")
        if not len(pairs):
            break
        between = centers[pairs[:, 0]] - centers[pairs[:, 1]]
        length = np.linalg.norm(between, axis=1, keepdims=True)
        push = 0.4 * (distance - length) * between / np.maximum(length, 1e-6)
        np.add.at(centers, pairs[:, 0], push)
        np.add.at(centers, pairs[:, 1], -push)
    return centers


def _free(centers: NDArray[np.float64]) -> Placed:
    return Placed(centers, np.zeros_like(centers))
