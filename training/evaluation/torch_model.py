"""Score a model on labeled images, by the path that the module runs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from cpunet.interruption import stop_if_requested
from cpunet.model.card import InputCard, ModelCard, OutputCard, Postprocessing
from cpunet.model.probabilities import checked_probabilities
from cpunet.model.protocol import Model
from cpunet.options import Options
from cpunet.scores import ImageScores, score_image
from cpunet.segment import segment_image
from cpunet.training.config import TrainingConfig
from cpunet.training.data.labeled_images import IndexRow, read_labeled_image
from cpunet.training.network.unet import Probabilities, UNet
from cpunet.training.weights import TrainedNetwork

# Before a model is exported nobody has measured its halo; images up to a tile's size need none.
HALO_BEFORE_EXPORT = 96
ANY_DIAMETER_PX = (1e-3, 1e6)


class TorchModel:
    """A network in training, with the interface of an exported model."""

    def __init__(self, network: UNet, config: TrainingConfig, card: ModelCard) -> None:
        self.network = Probabilities(network, config.targets.activation, config.loss.sharpening)
        self.card = card

    def predict(self, batch: NDArray[np.float32]) -> NDArray[np.float32]:
        """Turn (N, C, Y, X) into probabilities (N, roles, Y, X)."""
        device = next(self.network.parameters()).device
        training = self.network.network.training
        self.network.eval()
        with torch.inference_mode():
            result = self.network(torch.from_numpy(batch).to(device)).cpu().numpy()
        self.network.train(training)
        return checked_probabilities(result, self.card.output.roles, f"the network in training, {self.card.name}")


def torch_model(trained: TrainedNetwork) -> TorchModel:
    """Give trained weights the interface of an exported model, with the card of a model in training."""
    return TorchModel(trained.network, trained.config, card_for_training(trained.config))


def card_for_training(config: TrainingConfig) -> ModelCard:
    """Return the card of a model in training, without a range of sizes and without scores."""
    return card_before_export(
        config,
        config.architecture.divisible_by,
        config.architecture.min_size,
        OutputCard(roles=config.targets.roles, halo=HALO_BEFORE_EXPORT),
        config.decoding or config.targets.decoding,
    )


def card_before_export(
    config: Any, divisible_by: int, min_size: int, output: OutputCard, postprocessing: Postprocessing
) -> ModelCard:
    """Return the card of a network of any kind in training, from the fields that all configurations have."""
    # The one size to which images are scaled; or, before training has measured its objects, any size will do.
    diameter_px, low_px, high_px = (config.diameter_px,) * 3 if config.diameter_px else (1.0, *ANY_DIAMETER_PX)
    return ModelCard(
        name=config.name,
        version=config.version,
        description=config.description,
        licence=config.licence,
        authors=config.authors,
        citation=config.citation,
        input=InputCard(
            channels=config.channels,
            divisible_by=divisible_by,
            min_size=min_size,
            normalization=config.normalization,
            diameter_px=diameter_px,
            diameter_low_px=low_px,
            diameter_high_px=high_px,
            modality=config.modality,
        ),
        output=output,
        postprocessing=postprocessing,
    )


def score_images(model: Model, rows: Sequence[IndexRow], options: Options | None = None) -> list[ImageScores]:
    """Segment labeled images, by default with the default options, and compare each with its truth."""
    scores = []
    for row in rows:
        stop_if_requested()
        truth = read_labeled_image(row)
        scores.append(score_image(truth.labels, segment_image(truth.image, model, options).labels))
    return scores
