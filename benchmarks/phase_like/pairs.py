"""Make pairs of a stain and a phase-like image whose labels and shift are known, and write them."""

from __future__ import annotations

import csv
import zlib
from pathlib import Path
from typing import Iterable, NamedTuple, Sequence, Tuple

import numpy as np
import tifffile
from scipy import ndimage
from skimage.io import imsave
from skimage.segmentation import relabel_sequential

from benchmarks.phase_like.phase import phase_image
from benchmarks.phase_like.stain import CLEAN, DARK, FAULTS, OTHER_FIELD, stain_light
from benchmarks.stress.camera import photographed
from cpunet.checks.synthetic import synthetic_field

LARGEST_SHIFT_PX = 12.0
GAPS = 0.35
FIELDS = ("id", "kind", "shift_y", "shift_x", "nuclei")


class PhasePair(NamedTuple):
    """Two images of one field and what is true of them.

    Attributes
    ----------
    id : str
    kind : str
        One of `benchmarks.phase_like.stain.KINDS`.
    stain : ndarray of shape (Y, X), float32
        Gray levels of a camera of 12 bits.
    phase : ndarray of shape (Y, X), uint8
    labels : ndarray of shape (Y, X), int32
        Nuclei where the phase image shows them.
    shift_px : tuple of float
        How far the stain must be moved down and to the right to lie on the phase image.
    """

    id: str
    kind: str
    stain: np.ndarray
    phase: np.ndarray
    labels: np.ndarray
    shift_px: Tuple[float, float]


def drawn_labels(seed: int, shape: Tuple[int, int] = (300, 300), diameter_px: float = 24.0) -> np.ndarray:
    """Draw labels of nuclei where no data set is at hand: (Y, X), int32; with an odd seed they touch in pairs.

    They lie on a grid with gaps: without the gaps, it would agree with itself at many shifts.
    """
    columns = max(2, round(shape[1] / (2 * diameter_px)))
    labels = synthetic_field(shape, columns, diameter_px, touching=seed % 2 == 1, seed=seed).labels
    gone = np.random.default_rng(seed).random(labels.max() + 1) < GAPS
    return relabel_sequential(np.where(gone[labels], 0, labels))[0].astype(np.int32)


def make_pair(name: str, labels: np.ndarray, kind: str = CLEAN, largest_px: float = LARGEST_SHIFT_PX) -> PhasePair:
    """Make a pair; its name and kind alone decide what is drawn at random.

    Parameters
    ----------
    name : str
    labels : ndarray of shape (Y, X), integer
        At least one nucleus. The pair is smaller by what a shift may move out of the frame.
    kind : str
    largest_px : float
        The shift is drawn evenly between minus and plus this, in both directions.
    """
    rng = np.random.default_rng(zlib.crc32(f"{kind}/{name}".encode()))
    shift = rng.uniform(-largest_px, largest_px, 2)
    margin = int(np.ceil(largest_px)) + 1
    inner = (slice(margin, -margin),) * 2
    phase = phase_image(labels, rng)
    light = stain_light(labels[::-1, ::-1] if kind == OTHER_FIELD else labels, rng)
    if kind in FAULTS:
        light = FAULTS[kind](light, labels, rng)[0].astype(np.float64)
    moved = ndimage.shift(light, -shift, order=3, mode="nearest")[inner]
    stain = photographed(moved, rng, moved - DARK).astype(np.float32)
    truth = relabel_sequential(labels[inner])[0].astype(np.int32)
    return PhasePair(name, kind, stain, phase[inner], truth, (float(shift[0]), float(shift[1])))


def write_pairs(pairs: Iterable[PhasePair], folder: Path) -> int:
    """Write stain/ID.tif (32-bit), phase/ID.png (8-bit), labels/ID.png and truth.csv, and return how many there are."""
    for sub in ("stain", "phase", "labels"):
        (folder / sub).mkdir(parents=True)
    written = 0
    with (folder / "truth.csv").open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow(FIELDS)
        for pair in pairs:
            tifffile.imwrite(str(folder / "stain" / f"{pair.id}.tif"), pair.stain, compression="zlib")
            imsave(str(folder / "phase" / f"{pair.id}.png"), pair.phase, check_contrast=False)
            labels = pair.labels.astype(np.uint16)
            imsave(str(folder / "labels" / f"{pair.id}.png"), labels, check_contrast=False)
            shift = (f"{part:.3f}" for part in pair.shift_px)
            writer.writerow([pair.id, pair.kind, *shift, labels.max(initial=0)])
            written += 1
    return written


def in_turn(kinds: Sequence[str], number: int) -> str:
    """Return the kind of the pair with this number, from 0 on: the kinds take turns."""
    return kinds[number % len(kinds)]
