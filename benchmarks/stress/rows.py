"""The rows of the table: each a name and what is done to a field, one after another."""

import zlib
from functools import partial
from typing import Callable, Dict, Sequence, Tuple

import numpy as np

from benchmarks.labeled_images import BenchmarkImage
from benchmarks.stress import camera, fields, optics, specimen
from benchmarks.stress.camera import Field

Degradation = Callable[[np.ndarray, np.ndarray, np.random.Generator], Field]

MAGNIFICATIONS = (0.25, 0.35, 0.5, 0.71, 1.5, 2, 3, 4)


def magnified(factor: float) -> Degradation:
    """Return `optics.magnified` for a factor."""
    return partial(optics.magnified, factor=factor)


ROWS: Dict[str, Tuple[Degradation, ...]] = {
    "x 1": (),
    **{f"x {factor:g}": (magnified(factor),) for factor in MAGNIFICATIONS},
    "bright debris": (specimen.bright_debris,),
    "dead cells": (specimen.dead_cells,),
    "cytoplasmic haze": (specimen.cytoplasmic_haze,),
    "debris and haze, x 3": (magnified(3), specimen.cytoplasmic_haze, specimen.bright_debris),
    "fibers": (specimen.fibers,),
    "background steps": (specimen.background_steps,),
    "chromocenters": (specimen.chromocenters,),
    "chromocenters, x 3": (magnified(3), specimen.chromocenters),
    "low light, 25 electrons": (partial(camera.low_light, electrons=25),),
    "low light, 6 electrons": (partial(camera.low_light, electrons=6),),
    "slightly out of focus": (partial(optics.out_of_focus, share=0.1),),
    "out of focus": (partial(optics.out_of_focus, share=0.2),),
    "vignette": (partial(optics.vignetted, corner=0.2),),
    "light from one side": (partial(optics.lit_from_one_side, least=0.25),),
    "saturated": (partial(camera.saturated, times=1.5),),
    "8 bits, 10 gray levels": (partial(camera.few_gray_levels, count=10),),
    "JPEG": (partial(camera.jpeg, quality=25),),
    "rotated on black": (optics.rotated_on_black,),
    "padded with black": (optics.padded_with_black,),
    "one nucleus in 2048x2048": (partial(fields.sparse, size=2048),),
    "packed": (fields.packed,),
    "packed, x 0.5": (fields.packed, magnified(0.5)),
}


def degraded(truth: BenchmarkImage, row: str, steps: Sequence[Degradation]) -> BenchmarkImage:
    """Do to an image the steps of a row. The names of the image and of the row alone decide what is drawn at random.

    The result is the same every time. Its labels, int32, run from 1 without gaps if those of the image do. Its image is
    uint16 of 12 bits, or uint8.
    """
    rng = np.random.default_rng(zlib.crc32(f"{row}/{truth.id}".encode()))
    image, labels = truth.image, truth.labels
    for step in steps:
        image, labels = step(image, labels, rng)
    return BenchmarkImage(truth.id, image, labels)
