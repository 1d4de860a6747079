"""Write trained Mask R-CNN as one verified ONNX file with its card."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from cpunet.checks.verify import Reference
from cpunet.errors import ModelError, OutputError, WeightsError
from cpunet.export.card.file import with_card_and_test
from cpunet.export.detection.to_onnx import trace_detector
from cpunet.export.put_in_place import put_verified
from cpunet.export.readme import write_readme
from cpunet.export.set_scores import ImageSet, image_sets, scored
from cpunet.export.training_card import provenance
from cpunet.files.find import identity
from cpunet.files.outputs import check_output
from cpunet.model.card import ModelCard
from cpunet.model.find import MODEL_FILE
from cpunet.model.instances import Instances
from cpunet.onnx_reader.metadata import sha256
from cpunet.options import Options
from cpunet.progress import Progress
from cpunet.scores import ImageScores, pool_scores
from cpunet.training.detection.validation import TorchDetector, detector_card
from cpunet.training.detection.weights import TrainedDetector, load_detector, save_detector
from cpunet.training.evaluation.torch_model import score_images
from cpunet.training.facts import known_diameters
from cpunet.training.licence import weights_with_licence
from cpunet.training.weights import WEIGHTS_FILE, holds_detector

MOST_TUNED_ON = 20
SCORE_THRESHOLDS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
LONGEST_IN_DIAMETERS = 1.5


def export_detector(
    weights: Path, output: Path, data: Path | None = None, rebuild: str = "", overwrite: bool = False
) -> None:
    """Write the ONNX file, and beside it weights.safetensors to start from and a README.

    Parameters
    ----------
    weights : Path
        A checkpoint, or a safetensors file, of `cpunet train-detection`.
    output : Path
        Ends in ``.onnx``.
    data : Path, optional
        The folder that holds the data sets of the training's configuration.
    rebuild : str
        The command that rebuilds the model.
    overwrite : bool
        Whether weights of another training beside `output` are replaced.

    Raises
    ------
    CpunetError
        If the weights, the data or the result cannot be used. Nothing is written then.

    Notes
    -----
    1. Trace the network to ONNX bytes.
    2. With data: tune the score threshold with the torch network, and score the traced bytes with onnxruntime.
    3. Add the card and a stored test to the bytes.
    4. Verify them beside their place, and rename.
    """
    if output.suffix != ".onnx":
        raise ModelError(f"{output}: the name of a model file must end in .onnx, such as models/NAME/{MODEL_FILE}.")
    trained = load_detector(weights)
    if "diameter_px" not in trained.facts:
        raise WeightsError(f"{weights}: its training has not finished: finish it with `cpunet train-detection` first.")
    trained = weights_with_licence(trained)
    beside = output.with_name(WEIGHTS_FILE)
    if identity(weights) != identity(beside):
        check_detector_beside(beside, trained, overwrite)
    card = card_of_detector(trained, rebuild)
    traced = trace_detector(trained.network, len(card.input.channels))
    if data is not None:
        card = tuned_and_scored(trained, traced, card, data)
    model = TorchDetector(trained.network, card)
    put_verified(
        output, with_card_and_test(traced, card, model.find_instances), Reference("torch", model.find_instances)
    )
    if identity(weights) != identity(beside):
        save_detector(beside, trained)
    sums = {path.name: sha256(path) for path in (output, beside)}
    for path in (output, beside):
        print(f"{path}  {path.stat().st_size / 1e6:.2f} MB  sha256 {sums[path.name]}")
    if not write_readme(output.parent, card, sums):
        print(
            f"{output.parent / 'README.md'} was written or changed by hand and is left as it is; check the sums in it"
        )


def check_detector_beside(path: Path, trained: TrainedDetector, overwrite: bool) -> None:
    """Raise OutputError if a file holds the weights of another program or training, which would be lost."""
    check_output(path, overwrite=overwrite)
    if overwrite or not path.exists():
        return
    now = trained.network.state_dict()
    before = load_detector(path).network.state_dict() if holds_detector(path) else {}
    if before.keys() != now.keys() or not all(torch.equal(before[name], now[name]) for name in now):
        raise OutputError(
            f"{path} holds the weights of another training, which this export would replace. Give -o another folder, "
            "or --overwrite."
        )


def card_of_detector(trained: TrainedDetector, command: str) -> ModelCard:
    """Make the card of trained Mask R-CNN; `command` rebuilds the model."""
    draft = detector_card(trained.config)
    sizes = known_diameters(trained.facts)
    # An object of twice the halo lies whole in a tile, and some are longer than their diameter says.
    halo = max(draft.output.halo, math.ceil(LONGEST_IN_DIAMETERS * sizes["diameter_high_px"] / 2))
    return replace(
        draft,
        input=replace(draft.input, **sizes),
        output=replace(draft.output, halo=halo),
        provenance=provenance(trained.config, trained.facts, command),
    )


def tuned_and_scored(trained: TrainedDetector, traced: bytes, card: ModelCard, data: Path) -> ModelCard:
    """Tune the score threshold on validation images with torch, and score the traced network."""
    sets = image_sets(trained, data, "val")
    threshold, scores = best_score_threshold(trained, card, sets)
    print(f"    score_threshold {threshold:g}: mean F1 {scores[threshold]:.3f} of the validation images that decided")
    card = replace(card, postprocessing=replace(card.postprocessing, score_threshold=threshold))
    return scored(trained, traced, card, sets, data)


def best_score_threshold(
    trained: TrainedDetector, card: ModelCard, sets: Sequence[ImageSet]
) -> tuple[float, dict[float, float]]:
    """Find the score threshold with the best mean F1 on validation images, each set counted the same.

    Returns
    -------
    threshold : float
    scores : dict of float to float
        Mean F1 by threshold.
    """
    chosen = [each.rows[:: -(-len(each.rows) // MOST_TUNED_ON)] for each in sets]
    found: dict[float, list[float]] = {threshold: [] for threshold in SCORE_THRESHOLDS}
    progress, done = Progress("tuning the score threshold: image", sum(map(len, chosen))), 0
    network = TorchDetector(trained.network, card)
    for each, rows in zip(sets, chosen, strict=True):
        images: dict[float, list[ImageScores]] = {threshold: [] for threshold in SCORE_THRESHOLDS}
        for row in rows:
            seen = RememberedTiles(network)
            for threshold in SCORE_THRESHOLDS:
                model = seen.at(threshold)
                images[threshold] += score_images(model, [row], Options(diameter_px=each.diameter_px))
            done += 1
            progress.show(done)
        for threshold, scores in images.items():
            found[threshold].append(pool_scores(scores).mean_f1)
    progress.end()
    means = {threshold: float(np.mean(values)) for threshold, values in found.items()}
    return max(means, key=lambda threshold: means[threshold]), means


class RememberedTiles:
    """A detector that looks at each tile of an image once, for trials of what is made of it.

    Parameters
    ----------
    network : TorchDetector
    """

    def __init__(self, network: TorchDetector) -> None:
        self.network = network
        self.card = network.card
        self._seen: dict[bytes, Instances] = {}

    def at(self, score_threshold: float) -> RememberedTiles:
        """Return the same with another threshold in its card."""
        other = RememberedTiles(self.network)
        other._seen = self._seen
        settings = replace(self.card.postprocessing, score_threshold=score_threshold)
        other.card = replace(self.card, postprocessing=settings)
        return other

    def find_instances(self, image: NDArray[np.float32]) -> Instances:
        """Find the objects of one image (1, C, Y, X)."""
        key = hashlib.sha256(image.tobytes() + str(image.shape).encode()).digest()
        if key not in self._seen:
            self._seen[key] = self.network.find_instances(image)
        return self._seen[key]
