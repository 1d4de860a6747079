"""A model under another card, to try other settings."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from cpunet.model.card import ModelCard
from cpunet.model.protocol import Model


@dataclass(frozen=True)
class ModelWithCard:
    """A model of probabilities whose input and output another card describes.

    Attributes
    ----------
    model : Model
        Predicts.
    card : ModelCard
        Of the same channels and roles.
    """

    model: Model
    card: ModelCard

    def predict(self, batch: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Turn (N, C, Y, X) into probabilities (N, roles, Y, X)."""
        return self.model.predict(batch)
