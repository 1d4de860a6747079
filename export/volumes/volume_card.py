"""The card of a trained network of volumes, and its thresholds and scores."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from cpunet.checks.halo_of_volumes import measure_halo_of_volumes
from cpunet.export.set_scores import with_scores
from cpunet.export.training_card import provenance
from cpunet.export.tuning import sample_to_tune_on, say_tuned
from cpunet.export.volumes.sets import score_volume_sets, volume_sets
from cpunet.model.card import ModelCard
from cpunet.steps.tiling import Predict
from cpunet.training.facts import known_diameters
from cpunet.training.volumes.evaluation.torch_model import TorchVolumeModel, card_for_volume_training
from cpunet.training.volumes.tuning import tune_on_volumes, volume_candidates
from cpunet.training.volumes.weights import TrainedVolumeNetwork

# More volumes of a set hardly change the thresholds, and each takes its share of some fifty trials.
MOST_TUNED_ON = 8


def volume_card_from_training(trained: TrainedVolumeNetwork, command: str, predict: Predict) -> ModelCard:
    """Make the card of a trained network of volumes; thresholds and scores are added once they are measured.

    Parameters
    ----------
    trained : TrainedVolumeNetwork
    command : str
        Rebuilds the model.
    predict : callable
        The network, on which the halo is measured; in single precision, as torch has no fast convolution of volumes in
        double precision.
    """
    draft = card_for_volume_training(trained.config)
    given = replace(draft.input, **known_diameters(trained.facts))
    halo = measure_halo_of_volumes(predict, given)
    return replace(
        draft,
        input=given,
        output=replace(draft.output, halo=halo.px, halo_planes=halo.planes),
        provenance=provenance(trained.config, trained.facts, command),
    )


def tuned_and_scored_on_volumes(trained: TrainedVolumeNetwork, traced: bytes, card: ModelCard, data: Path) -> ModelCard:
    """Tune the thresholds on validation volumes with torch, unless they are given, and score the traced network."""
    sets = volume_sets(trained, data, "val")
    if trained.config.decoding is None:
        chosen = sample_to_tune_on([each.volumes for each in sets], MOST_TUNED_ON, "volumes")
        model = TorchVolumeModel(trained.network, trained.config, card)
        tuned = tune_on_volumes(model, chosen, [each.diameter_px for each in sets])
        say_tuned(tuned, volume_candidates(card))
        card = replace(card, postprocessing=tuned)
    return with_scores(traced, card, lambda model: score_volume_sets(model, sets))
