"""A network of volumes in training, with the interface of an exported model."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray

from cpunet.model.card import VOLUMES, ModelCard, OutputCard
from cpunet.model.probabilities import checked_probabilities
from cpunet.training.evaluation.torch_model import card_before_export
from cpunet.training.network.unet import Probabilities
from cpunet.training.volumes.config import VolumeConfig
from cpunet.training.volumes.network import VolumeUNet
from cpunet.training.volumes.weights import TrainedVolumeNetwork

# Before a model is exported nobody has measured its halo; volumes up to a tile's size need none.
HALO_BEFORE_EXPORT, HALO_PLANES_BEFORE_EXPORT = 32, 16


class TorchVolumeModel:
    """A network of volumes in training, with the interface of an exported model."""

    def __init__(self, network: VolumeUNet, config: VolumeConfig, card: ModelCard) -> None:
        self.network = Probabilities(network, config.targets.activation, config.loss.sharpening)
        self.card = card

    def predict(self, batch: NDArray[np.float32]) -> NDArray[np.float32]:
        """Turn (N, C, Z, Y, X) into probabilities (N, roles, Z, Y, X)."""
        network = self.network.network
        device = next(network.parameters()).device
        training = network.training
        network.eval()
        volume = torch.from_numpy(batch).to(device, memory_format=torch.channels_last_3d)
        with torch.inference_mode():
            result = self.network(volume).contiguous().cpu().numpy()
        network.train(training)
        return checked_probabilities(result, self.card.output.roles, f"the network in training, {self.card.name}")


def torch_volume_model(trained: TrainedVolumeNetwork) -> TorchVolumeModel:
    """Give trained weights the interface of an exported model, with the card of a model in training."""
    return TorchVolumeModel(trained.network, trained.config, card_for_volume_training(trained.config))


def card_for_volume_training(config: VolumeConfig) -> ModelCard:
    """Return the card of a model of volumes in training, without a range of sizes and without scores.

    Parameters
    ----------
    config : VolumeConfig
        Resolved, so that its z step is known.
    """
    architecture = config.architecture
    card = card_before_export(
        config,
        architecture.divisible_by,
        architecture.min_size,
        OutputCard(roles=config.targets.roles, halo=HALO_BEFORE_EXPORT),
        config.decoding or config.targets.decoding,
    )
    of_volumes = replace(
        card.input,
        dimensions=VOLUMES,
        z_step_px=config.z_step_px,
        divisible_by_planes=architecture.divisible_by_planes,
        min_planes=architecture.min_planes,
    )
    return replace(replace(card, input=of_volumes), output=replace(card.output, halo_planes=HALO_PLANES_BEFORE_EXPORT))
