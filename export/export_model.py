"""Write trained weights as one verified ONNX file with its card."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import torch

from cpunet.checks.agreement import Tolerance
from cpunet.checks.halo import measure_halo
from cpunet.checks.verify import Reference
from cpunet.errors import ModelError, WeightsError
from cpunet.export.batch_norm import fold_batch_norm
from cpunet.export.card.file import with_card_and_test
from cpunet.export.put_in_place import check_model_name, put_verified
from cpunet.export.readme import report_files
from cpunet.export.set_scores import ImageSet, image_sets, scored
from cpunet.export.to_onnx import predict_with, trace
from cpunet.export.training_card import card_from_training, kept_card
from cpunet.export.tuning import sample_to_tune_on, say_tuned
from cpunet.export.volumes.volume_card import tuned_and_scored_on_volumes, volume_card_from_training
from cpunet.export.weights_beside import check_weights_beside
from cpunet.files.find import identity
from cpunet.model.card import ModelCard, Postprocessing
from cpunet.training.evaluation.torch_model import TorchModel
from cpunet.training.licence import weights_with_licence
from cpunet.training.network.unet import Probabilities
from cpunet.training.tuning.few_images import FEW_VALIDATION_IMAGES, MOST_IMAGES, tune_on_few
from cpunet.training.tuning.search import candidates, tune_postprocessing
from cpunet.training.volumes.weights import TrainedVolumeNetwork, load_trained_volumes, save_trained_volumes
from cpunet.training.weights import WEIGHTS_FILE, TrainedNetwork, holds_volumes, load_trained, save_trained

# More images of a set hardly change the thresholds, and each takes its share of some fifty trials.
MOST_TUNED_ON = 20


def export_model(
    weights: Path,
    output: Path,
    data: Path | None = None,
    rebuild: str = "",
    card_of: Path | None = None,
    overwrite: bool = False,
) -> None:
    """Write the ONNX file, and beside it weights.safetensors to fine-tune from and a README.

    Parameters
    ----------
    weights : Path
        A checkpoint, or a safetensors file, of `cpunet train` or `cpunet train-volumes`.
    output : Path
        Ends in ``.onnx``.
    data : Path, optional
        The folder that holds the data sets of the training's configuration.
    rebuild : str
        The command that rebuilds the model.
    card_of : Path, optional
        An ONNX file of the same weights whose card is kept.
    overwrite : bool
        Whether weights of another training beside `output` are replaced.

    Raises
    ------
    CpunetError
        If the weights, the data or the result cannot be used. Nothing is written then.

    Notes
    -----
    1. Fold batch normalization into the convolutions.
    2. Measure the halo, or keep the card of another file.
    3. Trace the network to ONNX bytes.
    4. With data: tune the thresholds with the torch network if the configuration gives none. Score the traced bytes
       with onnxruntime.
    5. Add the card and a stored test to the bytes.
    6. Verify them beside their place, and rename.
    """
    check_model_name(output)
    of_volumes = holds_volumes(weights)
    trained = load_trained_volumes(weights) if of_volumes else load_trained(weights)
    if "diameter_px" not in trained.facts:
        command = "cpunet train-volumes" if of_volumes else "cpunet train"
        raise WeightsError(f"{weights}: its training has not finished: finish it with `{command}` first.")
    if card_of is None:
        trained = weights_with_licence(trained)
    if card_of is not None and (data is not None or rebuild):
        raise ModelError("--card keeps a card as it is: give it without --data and --command.")
    beside = output.with_name(WEIGHTS_FILE)
    if identity(weights) != identity(beside):
        check_weights_beside(beside, trained.network, overwrite)
    config = trained.config
    network = Probabilities(trained.network, config.targets.activation, config.loss.sharpening).eval()
    folded = fold_batch_norm(network)
    exact = copy.deepcopy(folded).double()
    if isinstance(trained, TrainedVolumeNetwork):
        card = volume_card_from_training(trained, rebuild, predict_with(folded))
    else:
        card = card_from_training(trained, rebuild, halo_of(exact, trained))
    if card_of is not None:
        card = kept_card(card_of, predict_with(network), card)
    traced = trace(folded, card.input)
    if data is not None and isinstance(trained, TrainedVolumeNetwork):
        card = tuned_and_scored_on_volumes(trained, traced, card, data)
    elif data is not None:
        card = tuned_and_scored(trained, traced, card, data)
    content = with_card_and_test(traced, card, predict_with(exact))
    put_verified(output, content, Reference("torch", predict_with(network)))
    if identity(weights) != identity(beside):
        if isinstance(trained, TrainedVolumeNetwork):
            save_trained_volumes(beside, trained)
        else:
            save_trained(beside, trained)
    planes = f" and {card.output.halo_planes} planes" if of_volumes else ""
    print(f"onnxruntime and torch agree ({Tolerance()}); halo measured: {card.output.halo} pixels{planes}")
    if encoder := card.provenance.get("pretrained"):
        licence = encoder["licence"] or "which is not known: ask who made them"
        print(f"the encoder began with weights of others ({encoder['source']}); their license: {licence}")
    report_files(card, output, beside)


def halo_of(exact: torch.nn.Module, trained: TrainedNetwork) -> int:
    """Measure a network's halo, in pixels.

    The network is in double precision: whether the last pixel counts must not depend on how a machine rounds.
    """
    config = trained.config
    return measure_halo(predict_with(exact), len(config.channels), config.architecture.divisible_by)


def tuned_thresholds(
    model: TorchModel, trained: TrainedNetwork, sets: Sequence[ImageSet], data: Path
) -> Postprocessing:
    """Tune the thresholds on the validation images; where these are a few of one set, on its training images too."""
    number = sum(len(each.rows) for each in sets)
    if len(sets) == 1 and number <= FEW_VALIDATION_IMAGES:
        (validation,) = sets
        (training,) = image_sets(trained, data, "train")
        known = {row.key for row in validation.rows}
        rows = [*validation.rows, *(row for row in training.rows if row.key not in known)][:MOST_IMAGES]
        print(f"tuning thresholds on {len(rows)} images, of training and of validation")
        found = tune_on_few(model, rows, validation.diameter_px)
        print(f"    {found}")
        return found.settings
    chosen = sample_to_tune_on([each.rows for each in sets], MOST_TUNED_ON, "images")
    return tune_postprocessing(model, chosen, [each.diameter_px for each in sets])


def tuned_and_scored(trained: TrainedNetwork, traced: bytes, card: ModelCard, data: Path) -> ModelCard:
    """Tune the thresholds on validation images with torch, unless they are given, and score the traced network."""
    sets = image_sets(trained, data, "val")
    if trained.config.decoding is None:
        model = TorchModel(trained.network, trained.config, card)
        tuned = tuned_thresholds(model, trained, sets, data)
        say_tuned(tuned, candidates(card.output.roles, card.input.diameter_px))
        card = replace(card, postprocessing=tuned)
    return scored(trained, traced, card, sets, data)
