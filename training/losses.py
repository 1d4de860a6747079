"""The loss: weighted cross-entropy on all channels, and Dice on foreground and border."""

from __future__ import annotations

import torch
from monai.losses import DiceLoss
from torch import Tensor, nn
from torch.nn import functional

from cpunet.training.config import Loss


class SegmentationLoss(nn.Module):
    """Cross-entropy plus Dice over the channels foreground, border and distance.

    Parameters
    ----------
    weights : Loss

    Notes
    -----
    The cross-entropy of pixels between close objects counts more, as in the original U-Net
    (Ronneberger et al. 2015, doi:10.1007/978-3-319-24574-4_28): they are few, and they decide whether
    two nuclei stay apart. The distance channel holds values between 0 and 1, for which cross-entropy is
    as sound as for 0 and 1. Dice (Milletari et al. 2016, doi:10.1109/3DV.2016.79) is monai's, over the
    whole batch, so that a patch without a border does not dominate.
    """

    def __init__(self, weights: Loss) -> None:
        super().__init__()
        self.weights = weights
        self.dice = DiceLoss(sigmoid=True, batch=True)

    def forward(self, logits: Tensor, targets: Tensor) -> Tensor:
        """Compute the loss.

        Parameters
        ----------
        logits, targets : Tensor of shape (N, 3, Y, X)
            Targets 0..1.

        Returns
        -------
        Tensor of shape ()
        """
        logits = logits.float()
        entropy = functional.binary_cross_entropy_with_logits(logits, targets, reduction="none")
        pixel_weight = 1 + self.weights.border_weight * targets[:, 1:2]
        channel_weight = torch.tensor([1.0, 1.0, self.weights.distance_weight], device=logits.device)
        weighted = (entropy * pixel_weight).mean(dim=(0, 2, 3)) * channel_weight
        dice: Tensor = self.dice(logits[:, :2], targets[:, :2])
        return weighted.sum() + self.weights.dice_weight * dice
