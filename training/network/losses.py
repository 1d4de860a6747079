"""The loss: a weighted sum of cross-entropy, Dice, focal loss and mean squared error."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from monai.losses import DiceLoss
from torch import Tensor, nn
from torch.nn import functional

from cpunet.training.network.unet import probabilities_of
from cpunet.training.patches.targets import Targets

TERMS = ("cross_entropy", "dice", "focal", "mean_squared_error")
WEIGHT_MAPS = ("border", "unet", "none")
SMALLEST_ERROR = 1e-6
ABSENT = -30.0


@dataclass(frozen=True)
class Loss:
    """What a wrong prediction costs.

    Attributes
    ----------
    cross_entropy, dice, focal, mean_squared_error : float
        Weights of the terms; 0 leaves one out.
    class_weights : tuple of float
        One a channel of the targets, for all terms but Dice; empty: all 1.
    focal_gamma : float
        How much less a pixel counts the better it is predicted; 0 makes the focal loss a cross-entropy.
    focal_alpha : float
        0..1; the weight of what is there, and 1 - alpha that of what is not (with softmax alpha alone).
    weight_map : str
        ``border``, ``unet`` or ``none``: which pixels count more in the cross-entropy. See
        `cpunet.training.patches.weight_maps`.
    border_weight : float
        With ``border``: how much more a pixel between close objects counts.
    unet_weight, unet_sigma_px : float
        With ``unet``: height and width of the ridge between two objects (w0 and sigma of the paper).
    """

    cross_entropy: float = 1.0
    dice: float = 0.5
    focal: float = 0.0
    mean_squared_error: float = 0.0
    class_weights: tuple[float, ...] = ()
    focal_gamma: float = 2.0
    focal_alpha: float = 0.5
    weight_map: str = "border"
    border_weight: float = 4.0
    unet_weight: float = 10.0
    unet_sigma_px: float = 5.0

    def __post_init__(self) -> None:
        for name in (*TERMS, "focal_gamma", "border_weight", "unet_weight"):
            if not getattr(self, name) >= 0:
                raise ValueError(f"{name}: must be 0 or more; it is {getattr(self, name)}.")
        if not any(getattr(self, name) for name in TERMS):
            raise ValueError(f"one of {', '.join(TERMS)} must be larger than 0: nothing would be learned.")
        if not 0 < self.focal_alpha < 1:
            raise ValueError(f"focal_alpha: must lie between 0 and 1; it is {self.focal_alpha}.")
        if not self.unet_sigma_px > 0:
            raise ValueError(f"unet_sigma_px: must be larger than 0; it is {self.unet_sigma_px}.")
        if self.weight_map not in WEIGHT_MAPS:
            raise ValueError(f"weight_map: must be one of {', '.join(WEIGHT_MAPS)}; it is {self.weight_map!r}.")
        if any(not weight >= 0 for weight in self.class_weights):
            raise ValueError(f"class_weights: must be 0 or more each; they are {self.class_weights}.")

    @property
    def sharpening(self) -> float:
        """What the logits of a network that learned by this loss are multiplied by, so that they give probabilities.

        1 for all but the focal loss alone. That one is lowest where a network is less sure than the data: with a gamma
        of 2 it says 0.69 where 0.9 of the pixels are foreground. The exact correction (Charoenphakdee et al. 2021,
        doi:10.1109/CVPR46437.2021.00516) hardly differs from a straight line through 0 in the logits, whose slope this
        is. It moves no outline at a threshold of one half. Without it the module takes right objects for uncertain
        ones, and looks for them at another scale.
        """
        if not self.focal or self.cross_entropy or self.dice or self.mean_squared_error:
            return 1.0
        gamma, ln2 = self.focal_gamma, math.log(2)
        return 1 + gamma * (2 + (gamma - 2) * ln2) / (1 + gamma * ln2)

    def check(self, targets: Targets) -> None:
        """Raise ValueError if this loss does not fit these targets."""
        if self.class_weights and len(self.class_weights) != len(targets.roles):
            raise ValueError(
                f"loss: class_weights has {len(self.class_weights)} numbers, and the targets have "
                f"{len(targets.roles)} channels: {', '.join(targets.roles)}."
            )
        if any(targets.graded) and not self.cross_entropy and not self.mean_squared_error:
            raise ValueError(
                f"loss: Dice and focal loss leave out channels with values between 0 and 1, and {targets.kind} has "
                "one: nothing would train it. Give mean_squared_error or cross_entropy a weight."
            )


class SegmentationLoss(nn.Module):
    """A weighted sum of losses over the channels of the targets.

    Notes
    -----
    Dice and focal loss leave out graded channels (distances, Gaussians), for which cross-entropy and mean squared
    error are sound. Dice (Milletari et al. 2016, doi:10.1109/3DV.2016.79) is monai's, over the whole batch, so that a
    patch without a border does not dominate; with softmax it leaves out the background. Focal loss: Lin et al. 2017,
    doi:10.1109/ICCV.2017.324.
    """

    def __init__(self, loss: Loss, targets: Targets) -> None:
        super().__init__()
        self.settings = loss
        self.softmax = targets.activation == "softmax"
        self.activation = targets.activation
        self.distinct = [channel for channel, graded in enumerate(targets.graded) if not graded]
        weights = loss.class_weights or (1.0,) * len(targets.roles)
        self.register_buffer("class_weights", torch.tensor(weights), persistent=False)
        # Logits of no object at all, for pixels that nobody labeled.
        nothing = torch.full((1, len(targets.roles), 1, 1), ABSENT)
        if self.softmax:
            nothing[:, 0] = 0.0
        self.register_buffer("nothing", nothing, persistent=False)
        self.overlap = DiceLoss(
            sigmoid=not self.softmax, softmax=self.softmax, include_background=not self.softmax, batch=True
        )

    def forward(self, logits: Tensor, targets: Tensor, pixel_weights: Tensor) -> Tensor:
        """Compute the loss.

        Parameters
        ----------
        logits, targets : Tensor of shape (N, C, Y, X) or (N, C, Z, Y, X)
            Targets 0..1.
        pixel_weights : Tensor of shape (N, 1, Y, X) or (N, 1, Z, Y, X)
            0 where nobody labeled: such pixels count in no term.

        Returns
        -------
        Tensor of shape ()
        """
        logits = logits.float()
        judged = pixel_weights > 0
        total = logits.new_zeros(())
        if self.settings.cross_entropy:
            total = total + self.settings.cross_entropy * self.cross_entropy(logits, targets, pixel_weights)
        if self.settings.dice and self.distinct:
            nothing = self.nothing.reshape(1, -1, *[1] * (logits.ndim - 2))
            here, there = torch.where(judged, logits, nothing), torch.where(judged, targets, 0.0)
            total = total + self.settings.dice * self.overlap(here[:, self.distinct], there[:, self.distinct])
        if self.settings.focal and self.distinct:
            total = total + self.settings.focal * self.focal(logits, targets, judged)
        if self.settings.mean_squared_error:
            total = total + self.settings.mean_squared_error * self.mean_squared_error(logits, targets, judged)
        return total

    def cross_entropy(self, logits: Tensor, targets: Tensor, pixel_weights: Tensor) -> Tensor:
        """Return the weighted cross-entropy: a mean over pixels, and with sigmoid a sum over channels."""
        # Not a matrix product, which mixed precision would compute in 16 bits.
        return (mean_of_channels(self.entropies(logits, targets) * pixel_weights) * self.class_weights).sum()

    def focal(self, logits: Tensor, targets: Tensor, judged: Tensor) -> Tensor:
        """Return the cross-entropy in which well-predicted pixels count little, of the channels of 0 or 1."""
        probabilities = probabilities_of(logits, self.activation)
        right = targets * probabilities + (1 - targets) * (1 - probabilities)
        alpha = self.settings.focal_alpha
        balance = alpha if self.softmax else targets * alpha + (1 - targets) * (1 - alpha)
        # A power below 1 has no slope at 0.
        wrong = (1 - right).clamp(min=SMALLEST_ERROR)
        values = balance * wrong**self.settings.focal_gamma * self.entropies(logits, targets) * judged
        return (mean_of_channels(values) * self.class_weights)[self.distinct].sum()

    def mean_squared_error(self, logits: Tensor, targets: Tensor, judged: Tensor) -> Tensor:
        """Return the mean squared difference of the probabilities, summed over the channels."""
        squares = (probabilities_of(logits, self.activation) - targets) ** 2 * judged
        return (mean_of_channels(squares) * self.class_weights).sum()

    def entropies(self, logits: Tensor, targets: Tensor) -> Tensor:
        """Return the cross-entropy of each pixel and channel; with softmax, of the true class alone."""
        if self.softmax:
            return -targets * functional.log_softmax(logits, dim=1)
        return functional.binary_cross_entropy_with_logits(logits, targets, reduction="none")


def mean_of_channels(values: Tensor) -> Tensor:
    """Return the mean of each channel, (C,), of images (N, C, Y, X) or volumes (N, C, Z, Y, X)."""
    return values.mean(dim=(0, *range(2, values.ndim)))
