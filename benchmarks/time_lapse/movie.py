"""Draw time-lapses of nuclei with known tracks: they move, divide, collide and cross the edges; the camera shifts."""

from dataclasses import dataclass
from typing import Dict, List, NamedTuple, Optional, Tuple

import numpy as np
from scipy import ndimage
from scipy.spatial import cKDTree

SHAPE, FRAMES, DIAMETER_PX = (288, 288), 10, 24.0
# Nuclei are drawn beyond the field too, so that some come in.
MARGIN_PX, SPACING_PX = 60, 36
# A step of the camera along an axis, and how far it strays in all.
MOST_SHIFT_PX, MOST_DRIFT_PX = 12.0, 18.0
# Pixels that a nucleus moves in a frame: its mean course, and how much that changes.
PERSISTENCE, JITTER_PX, CROSSING_PX = 0.7, 1.6, 5.0
# Share of nuclei that divide, that walk up to their neighbor, and that cross the field straight on.
DIVIDING, COLLIDING, CROSSING = 0.15, 0.15, 0.12
# Nearer than so many radii two nuclei push each other away: they touch, and hardly overlap.
TOUCHING = 0.97
BACKGROUND, BRIGHTNESS, ELECTRONS = 200.0, 1800.0, 4.0
# A link is one to be found if so much of the nucleus lies in the field in both frames.
LEAST_VISIBLE = 0.25


class Movie(NamedTuple):
    """A drawn time-lapse.

    Attributes
    ----------
    frames : ndarray of shape (T, Y, X), uint16
    labels : ndarray of shape (T, Y, X), int32
        The number of the nucleus' track; 0 is background.
    parents : dict of int to int
        The mother's track of each daughter's.
    visible : list of set of int
        For each frame, the tracks of which at least `LEAST_VISIBLE` lies in the field.
    camera : ndarray of shape (T, 2), float64
        Where the field's upper left corner lies, pixels (Y, X) from the first frame's.
    """

    frames: np.ndarray
    labels: np.ndarray
    parents: Dict[int, int]
    visible: List[set]
    camera: np.ndarray


@dataclass
class Nucleus:
    """A nucleus at one moment; `age` counts frames since its birth, `divides_in` those until it divides."""

    track: int
    center: np.ndarray
    velocity: np.ndarray
    radii: np.ndarray
    angle: float
    brightness: float
    texture: np.ndarray
    divides_in: Optional[int] = None
    partner: Optional[int] = None
    straight: bool = False
    age: int = 99

    def size(self) -> float:
        """Return the factor of the radii: a mother rounds up before it divides, a daughter grows after that."""
        if self.divides_in is not None and self.divides_in <= 2:
            return 0.86
        return min(1.0, 0.84 + 0.04 * self.age)

    def glow(self) -> float:
        """Return the factor of the brightness: condensed chromatin is brighter."""
        near = self.divides_in is not None and self.divides_in <= 2
        return 1.4 if near else max(1.0, 1.3 - 0.1 * self.age)


def drawn_movie(seed: int, shape: Tuple[int, int] = SHAPE, frames: int = FRAMES, times_as_fast: float = 1.0) -> Movie:
    """Draw a time-lapse; the same seed gives the same one.

    Parameters
    ----------
    seed : int
    shape : tuple of int
        (Y, X) of each frame.
    frames : int
        2 or more.
    times_as_fast : float
        How many times as far as usual each nucleus moves from frame to frame.
    """
    rng = np.random.default_rng(seed)
    nuclei, parents = _first_nuclei(rng, shape, frames), {}
    camera = _camera_path(rng, frames)
    pictures, labels, visible = [], [], []
    light = _uneven_light(shape, rng)
    for frame in range(frames):
        if frame:
            nuclei = _one_frame_on(nuclei, parents, frame, times_as_fast, rng)
        drawn, tracks, seen = _drawn(nuclei, camera[frame], shape)
        photons = (BACKGROUND + BRIGHTNESS * ndimage.gaussian_filter(drawn, 1.2)) * light
        noisy = rng.poisson(photons * ELECTRONS) / ELECTRONS + rng.normal(0, 8, shape)
        pictures.append(np.clip(np.rint(noisy), 0, 65535).astype(np.uint16))
        labels.append(tracks)
        visible.append(seen)
    return Movie(np.stack(pictures), np.stack(labels), parents, visible, camera)


def _first_nuclei(rng: np.random.Generator, shape: Tuple[int, int], frames: int) -> List[Nucleus]:
    nuclei: List[Nucleus] = []
    for y in np.arange(-MARGIN_PX, shape[0] + MARGIN_PX, SPACING_PX):
        for x in np.arange(-MARGIN_PX, shape[1] + MARGIN_PX, SPACING_PX):
            center = np.array([y, x]) + rng.uniform(-0.35, 0.35, 2) * SPACING_PX
            nuclei.append(
                Nucleus(
                    len(nuclei) + 1,
                    center,
                    rng.normal(0, JITTER_PX, 2),
                    DIAMETER_PX / 2 * rng.uniform(0.85, 1.15, 2),
                    rng.uniform(0, np.pi),
                    rng.uniform(0.45, 0.95),
                    ndimage.gaussian_filter(rng.standard_normal((64, 64)), 2.5) * 2.5,
                )
            )
    for _ in range(20):
        _push_apart(nuclei)
    for nucleus in nuclei:
        fate = rng.random()
        if fate < DIVIDING:
            nucleus.divides_in = int(rng.integers(1, frames))
        elif fate < DIVIDING + COLLIDING:
            others = [each for each in nuclei if each is not nucleus and each.partner is None]
            nucleus.partner = min(others, key=lambda each: float(np.linalg.norm(each.center - nucleus.center))).track
        elif fate < DIVIDING + COLLIDING + CROSSING:
            course = rng.uniform(0, 2 * np.pi)
            nucleus.velocity, nucleus.straight = CROSSING_PX * np.array([np.sin(course), np.cos(course)]), True
    return nuclei


def _camera_path(rng: np.random.Generator, frames: int) -> np.ndarray:
    """Return a path whose steps are up to `MOST_SHIFT_PX` along each axis."""
    path = [np.zeros(2)]
    for _ in range(frames - 1):
        step = rng.uniform(-MOST_SHIFT_PX, MOST_SHIFT_PX, 2)
        path.append(path[-1] + np.where(np.abs(path[-1] + step) > MOST_DRIFT_PX, -step, step))
    return np.array(path)


def _uneven_light(shape: Tuple[int, int], rng: np.random.Generator) -> np.ndarray:
    """Return light that falls toward the corners, and stays with the camera, not with the cells."""
    y, x = (np.linspace(-1, 1, size) for size in shape)
    center = rng.uniform(-0.2, 0.2, 2)
    return 1 - 0.12 * ((y[:, np.newaxis] - center[0]) ** 2 + (x - center[1]) ** 2)


def _one_frame_on(
    nuclei: List[Nucleus], parents: Dict[int, int], frame: int, times_as_fast: float, rng: np.random.Generator
) -> List[Nucleus]:
    """Let all nuclei divide, move and push each other."""
    alive: List[Nucleus] = []
    tracks = max(max((each.track for each in nuclei), default=0), max(parents, default=0))
    for nucleus in nuclei:
        nucleus.age += 1
        if nucleus.divides_in is not None:
            nucleus.divides_in -= 1
        if nucleus.divides_in != 0:
            alive.append(nucleus)
            continue
        course = rng.uniform(0, np.pi)
        apart = np.array([np.sin(course), np.cos(course)])
        for side in (-1, 1):
            tracks += 1
            parents[tracks] = nucleus.track
            alive.append(
                Nucleus(
                    tracks,
                    nucleus.center + side * apart * 0.42 * DIAMETER_PX,
                    side * apart * 1.5,
                    nucleus.radii * rng.uniform(0.85, 0.95, 2),
                    course,
                    nucleus.brightness,
                    np.roll(nucleus.texture, side * 9),
                    age=0,
                )
            )
    places = {each.track: each.center.copy() for each in alive}
    for nucleus in alive:
        if nucleus.partner in places and frame < 6:
            toward = places[nucleus.partner] - nucleus.center
            nucleus.velocity = 3.0 * toward / max(1.0, float(np.linalg.norm(toward)))
        elif not nucleus.straight:
            nucleus.velocity = PERSISTENCE * nucleus.velocity + rng.normal(0, JITTER_PX, 2)
        nucleus.center = nucleus.center + times_as_fast * nucleus.velocity
        nucleus.angle += rng.normal(0, 0.05)
    for _ in range(5):
        _push_apart(alive)
    return alive


def _push_apart(nuclei: List[Nucleus]) -> None:
    near = cKDTree([nucleus.center for nucleus in nuclei]).query_pairs(1.3 * DIAMETER_PX, output_type="ndarray")
    for one, other in ((nuclei[first], nuclei[second]) for first, second in near):
        between = other.center - one.center
        distance = float(np.hypot(*between))
        least = TOUCHING * (one.radii.mean() * one.size() + other.radii.mean() * other.size())
        if 0 < distance < least:
            push = between / distance * (least - distance) / 2
            one.center, other.center = one.center - push, other.center + push


def _drawn(nuclei: List[Nucleus], corner: np.ndarray, shape: Tuple[int, int]) -> Tuple[np.ndarray, np.ndarray, set]:
    """Return brightness (Y, X), 0..1.5, tracks (Y, X), and the tracks that are visible enough."""
    brightness, tracks, seen = np.zeros(shape), np.zeros(shape, np.int32), set()
    nearest = np.ones(shape)
    areas = {}
    for nucleus in nuclei:
        center, radii = nucleus.center - corner, nucleus.radii * nucleus.size()
        reach = int(radii.max()) + 2
        rows, columns = (
            slice(*(int(np.clip(middle + side, 0, size)) for side in (-reach, reach + 1)))
            for middle, size in zip(center, shape)
        )
        y, x = np.mgrid[rows, columns].astype(float)
        if not y.size:
            continue
        along = (y - center[0]) * np.cos(nucleus.angle) + (x - center[1]) * np.sin(nucleus.angle)
        across = (x - center[1]) * np.cos(nucleus.angle) - (y - center[0]) * np.sin(nucleus.angle)
        away = (along / radii[0]) ** 2 + (across / radii[1]) ** 2
        inside = away < nearest[rows, columns]
        texture = ndimage.map_coordinates(nucleus.texture, [along + 32, across + 32], order=1, mode="wrap")
        bright = nucleus.brightness * nucleus.glow() * (1 - 0.35 * away) * (1 + 0.5 * texture)
        brightness[rows, columns] = np.where(inside, np.clip(bright, 0.1, 1.5), brightness[rows, columns])
        tracks[rows, columns] = np.where(inside, nucleus.track, tracks[rows, columns])
        nearest[rows, columns] = np.where(inside, away, nearest[rows, columns])
        areas[nucleus.track] = float(np.pi * radii[0] * radii[1])
    for track, pixels in zip(*np.unique(tracks[tracks > 0], return_counts=True)):
        if pixels >= LEAST_VISIBLE * areas[int(track)]:
            seen.add(int(track))
    return brightness, tracks, seen
