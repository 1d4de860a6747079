"""Write trained Mask R-CNN as one verified ONNX file with its card."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

from cpunet.checks.verify import Reference
from cpunet.errors import WeightsError
from cpunet.export.card.file import with_card_and_test
from cpunet.export.detection.to_onnx import trace_detector
from cpunet.export.put_in_place import check_model_name, put_verified
from cpunet.export.readme import report_files
from cpunet.export.set_scores import image_sets, scored
from cpunet.export.training_card import provenance
from cpunet.export.weights_beside import check_weights_beside
from cpunet.files.find import identity
from cpunet.model.card import ModelCard
from cpunet.training.detection.tuning import best_score_threshold
from cpunet.training.detection.validation import TorchDetector, detector_card
from cpunet.training.detection.weights import TrainedDetector, load_detector, save_detector
from cpunet.training.facts import known_diameters
from cpunet.training.licence import weights_with_licence
from cpunet.training.weights import WEIGHTS_FILE

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
    check_model_name(output)
    trained = load_detector(weights)
    if "diameter_px" not in trained.facts:
        raise WeightsError(f"{weights}: its training has not finished: finish it with `cpunet train-detection` first.")
    trained = weights_with_licence(trained)
    beside = output.with_name(WEIGHTS_FILE)
    if identity(weights) != identity(beside):
        check_weights_beside(beside, trained.network, overwrite)
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
    report_files(card, output, beside)


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
    model = TorchDetector(trained.network, card)
    threshold, score = best_score_threshold(model, [each.rows for each in sets], [each.diameter_px for each in sets])
    print(f"    score_threshold {threshold:g}: mean F1 {score:.3f} of the validation images that decided")
    card = replace(card, postprocessing=replace(card.postprocessing, score_threshold=threshold))
    return scored(trained, traced, card, sets, data)
