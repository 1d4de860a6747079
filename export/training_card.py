"""Fill in a model's card from its training, and from what is measured at export."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from cpunet.checks.halo import measure_halo
from cpunet.export.batch_norm import fold_batch_norm
from cpunet.export.to_onnx import predict_with
from cpunet.model.card import ModelCard
from cpunet.scores import SetScores
from cpunet.training.evaluation.torch_model import card_for_training
from cpunet.training.facts import known_diameters
from cpunet.training.network.unet import Probabilities
from cpunet.training.weights import TrainedNetwork


def card_from_training(trained: TrainedNetwork, command: str) -> ModelCard:
    """Make the card of a trained network; thresholds and scores are added once they are measured.

    Parameters
    ----------
    trained : TrainedNetwork
    command : str
        What rebuilds the model.

    Returns
    -------
    ModelCard
        Its halo is measured here.
    """
    draft = card_for_training(trained.config)
    config, facts = trained.config, trained.facts
    # In double precision: whether the last pixel counts must not depend on how a machine rounds.
    network = fold_batch_norm(Probabilities(trained.network, config.targets.activation).eval()).double()
    halo = measure_halo(predict_with(network), len(config.channels), config.architecture.divisible_by)
    return replace(
        draft,
        input=replace(draft.input, **known_diameters(facts)),
        output=replace(draft.output, halo=halo),
        provenance={
            "data": [
                {**found, "licence": source.licence, "source": source.source}
                for found, source in zip(facts["data"], config.data, strict=True)
            ],
            "seed": config.seed,
            "steps": facts.get("steps", config.steps),
            "commit": facts.get("commit", ""),
            "command": command,
            **({"start_from": facts["start_from"]} if "start_from" in facts else {}),
        },
    )


def scores_for_card(scores: SetScores) -> dict[str, Any]:
    """Choose the scores that a card carries, rounded to what their sampling error allows."""
    return {
        "images": scores.images,
        "objects": scores.truth_count,
        "mean_f1": round(scores.mean_f1, 4),
        "mean_average_precision": round(scores.mean_average_precision, 4),
        "f1_at_0.5": round(scores.f1[0.5], 4),
        "f1_at_0.7": round(scores.f1[0.7], 4),
        "f1_at_0.9": round(scores.f1[0.9], 4),
        "over_segmented": scores.over_segmented,
        "under_segmented": scores.under_segmented,
    }
