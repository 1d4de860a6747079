"""Write a copy of a model file with the card of a calibration."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path
from typing import Any, Dict, Sequence

import numpy as np

from cpunet.calibration.calibrate import Calibration
from cpunet.calibration.settings import card_with
from cpunet.errors import ModelError
from cpunet.files.labeled_images import LabeledImage
from cpunet.files.written_beside import written_beside
from cpunet.model.card import METADATA_KEY, ModelCard, card_to_json
from cpunet.model.find import MODEL_FILE
from cpunet.onnx_reader.metadata import card_in, metadata_of, read_card
from cpunet.onnx_reader.model_file import ModelFile
from cpunet.onnx_reader.write_metadata import with_metadata
from cpunet.scores import SetScores
from cpunet.terminal import printable

DIGITS = 4
SCORES_NAME = "calibration images, held out in turn"


def write_calibrated(path: Path, file: ModelFile, calibration: Calibration, images: Sequence[LabeledImage]) -> None:
    """Write a copy of a model file whose card has the chosen settings; the network and its stored test stay.

    Parameters
    ----------
    path : Path
        Its folder is made. Written as a whole or not at all.
    file : ModelFile
        The model that was calibrated.
    calibration : Calibration
    images : sequence of LabeledImage
        On which it was calibrated.

    Raises
    ------
    ModelError
        If the file's metadata cannot be changed.
    """
    card = calibrated_card(card_in(file.path, metadata_of(file)), name_of(path), file.sha256, calibration, images)
    path.parent.mkdir(parents=True, exist_ok=True)
    with written_beside(path) as beside:
        beside.write_bytes(with_metadata(file.content, METADATA_KEY, card_to_json(card)))
        if read_card(beside) != card:
            raise ModelError(f"{path}: the card is not read as it was written. Nothing was written.")


def name_of(path: Path) -> str:
    """Return the name of the model in a file: that by which the module lists it."""
    return printable(path.resolve().parent.name if path.name == MODEL_FILE else path.stem)


def calibrated_card(
    card: ModelCard, name: str, sha256: str, calibration: Calibration, images: Sequence[LabeledImage]
) -> ModelCard:
    """Return the card of a calibrated model.

    Parameters
    ----------
    card : ModelCard
        Of the model that was calibrated. Its license, authors and citation are kept; its scores are not, because they
        are those of other settings.
    name : str
        Of the new model.
    sha256 : str
        Of the file of the model that was calibrated.
    calibration : Calibration
    images : sequence of LabeledImage
    """
    objects = calibration.before.truth_count
    origin: Dict[str, Any] = {
        "name": card.name,
        "version": card.version,
        "sha256": sha256,
        "images": len(images),
        "objects": objects,
        "images_sha256": sum_of(images),
        "mean_f1_before": round(calibration.before.mean_f1, DIGITS),
    }
    return replace(
        card_with(card, calibration.chosen),
        name=name,
        description=f"{card.description} Calibrated on {len(images)} images with {objects} objects.".lstrip(),
        provenance={**card.provenance, "calibrated": origin},
        scores={SCORES_NAME: _scores_of(calibration.after)},
    )


def sum_of(images: Sequence[LabeledImage]) -> str:
    """Return the SHA-256 over the shapes, types and pixels of images and labels, in their order."""
    digest = hashlib.sha256()
    for pair in images:
        for array in pair:
            digest.update(f"{array.shape} {array.dtype.name}\n".encode("ascii"))
            digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()


def _scores_of(scores: SetScores) -> Dict[str, Any]:
    return {
        "objects": scores.truth_count,
        "mean_f1": round(scores.mean_f1, DIGITS),
        **{f"f1_at_{iou}": round(scores.f1[iou], DIGITS) for iou in (0.5, 0.7, 0.9)},
    }
