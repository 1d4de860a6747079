"""Score Mask R-CNN in training on whole validation images, by the path that the module runs."""

from __future__ import annotations

import lightning
import numpy as np
import torch
from numpy.typing import NDArray
from torchvision.models.detection import MaskRCNN

from cpunet.model.card import INSTANCES, ModelCard, OutputCard, Postprocessing
from cpunet.model.instances import Instances, checked_instances
from cpunet.training.callbacks import ValidationScores
from cpunet.training.detection.config import STRIDES_PX, DetectionConfig
from cpunet.training.detection.exportable import ExportableDetector
from cpunet.training.evaluation.torch_model import card_before_export

# Smaller images are continued to it: the coarsest level of the pyramid has one pixel then.
SMALLEST_IMAGE_PX = STRIDES_PX[-1]
# Tiles overlap by it on each side; an object of twice this length is whole in one of them.
HALO_PX = 64


class TorchDetector:
    """Mask R-CNN in training, with the interface of an exported model."""

    def __init__(self, network: MaskRCNN, card: ModelCard) -> None:
        self.network = network
        self.card = card

    def find_instances(self, image: NDArray[np.float32]) -> Instances:
        """Find the objects of one image (1, C, Y, X)."""
        device = next(self.network.parameters()).device
        training = self.network.training
        self.network.eval()
        with torch.inference_mode():
            found = ExportableDetector(self.network)(torch.from_numpy(image).to(device))
        self.network.train(training)
        outputs = [each.float().cpu().numpy() for each in found]
        most = self.card.postprocessing.max_objects
        return checked_instances(outputs, image.shape, most, f"the network in training, {self.card.name}")


def detector_card(config: DetectionConfig) -> ModelCard:
    """Return the card of Mask R-CNN in training, without a range of sizes and without scores."""
    detector = config.detector
    return card_before_export(
        config,
        1,
        SMALLEST_IMAGE_PX,
        OutputCard(roles=("foreground",), halo=HALO_PX, kind=INSTANCES),
        Postprocessing(
            score_threshold=detector.score_threshold,
            overlap_threshold=detector.overlap_threshold,
            max_objects=detector.max_objects,
        ),
    )


class DetectorScores(ValidationScores):
    """Segment and score whole validation images at each checkpoint."""

    def model_of(self, task: lightning.LightningModule) -> TorchDetector:
        """Give the network in training the interface of an exported model."""
        return TorchDetector(task.network, detector_card(self.config))
