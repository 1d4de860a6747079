"""The files that the tutorial starts from: synthetic images, their corrected nuclei, and a pipeline."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import tifffile
from numpy.typing import NDArray
from scipy import ndimage

from cpunet.checks.synthetic import SyntheticField, synthetic_field
from cpunet.errors import OptionError
from cpunet.files.images import write_labels

# The new images have other seeds than the corrected ones.
FIRST_NEW_SEED = 1000
FIELD_PX, COLUMNS, DIAMETER_PX = 192, 4, 30.0
RIM_WIDTH_PX, INSIDE, BACKGROUND, NOISE = 2.0, 0.08, 0.05, 0.012
CHOICE = re.compile(r"^(    Select the model:).*$", re.M)

PIPELINE = Path(__file__).with_name("pipeline.cppipe")


def draw_rims(seed: int) -> SyntheticField:
    """Draw nuclei of which only the rim is bright, as in a stain of the nuclear lamina.

    192 x 192 pixels, 16 nuclei 30 pixels wide. The shipped models cut such nuclei into pieces.
    """
    labels = synthetic_field((FIELD_PX, FIELD_PX), COLUMNS, DIAMETER_PX, seed=seed).labels
    rng = np.random.default_rng(seed)
    brightness = np.zeros(labels.shape)
    for label in range(1, int(labels.max()) + 1):
        # The frame of the image is no rim.
        depth = ndimage.distance_transform_edt(np.pad(labels == label, 1, mode="edge"))[1:-1, 1:-1]
        rim = np.exp(-(((depth - RIM_WIDTH_PX) / RIM_WIDTH_PX) ** 2))
        brightness += (depth > 0) * rng.uniform(0.5, 0.9) * (INSIDE + rim)
    blurred = ndimage.gaussian_filter(brightness, 1.0)
    image = BACKGROUND + blurred + rng.normal(0, NOISE, labels.shape)
    return SyntheticField(np.clip(image, 0, 1).astype(np.float32), labels)


def write_corrected(folder: Path, fields: int) -> None:
    """Write images and their nuclei into a new folder, named as SaveImages leaves them after EditObjectsManually."""
    folder.mkdir()
    for seed in range(fields):
        drawn = draw_rims(seed)
        tifffile.imwrite(folder / f"field{seed:02}_DNA.tiff", _sixteen_bits(drawn.image))
        write_labels(folder / f"field{seed:02}_Nuclei.tiff", drawn.labels)


def write_new_images(images: Path, truth: Path, fields: int) -> None:
    """Write images that no training sees, and their true nuclei, under the same names in two new folders."""
    images.mkdir()
    truth.mkdir()
    for number in range(fields):
        drawn = draw_rims(FIRST_NEW_SEED + number)
        tifffile.imwrite(images / f"new{number:02}.tiff", _sixteen_bits(drawn.image))
        write_labels(truth / f"new{number:02}.tiff", drawn.labels)


def with_model(pipeline: str, model: str) -> str:
    """Choose another model in the text of a pipeline, and change no other line.

    Examples
    --------
    >>> with_model("    Select the model:nuclei_fluorescence_1", "mine")
    '    Select the model:mine'

    Raises
    ------
    OptionError
        If the pipeline has no IdentifyObjectsUNet.
    """
    changed, choices = CHOICE.subn(lambda found: found.group(1) + model, pipeline)
    if not choices:
        raise OptionError("The pipeline has no module IdentifyObjectsUNet: there is no line 'Select the model'.")
    return changed


def _sixteen_bits(image: NDArray[np.float32]) -> NDArray[np.uint16]:
    return np.round(image * 65535).astype(np.uint16)
