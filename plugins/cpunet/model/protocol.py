"""What the steps need of a model."""

from __future__ import annotations

from typing import Protocol

import numpy as np
import numpy.typing as npt

from cpunet.model.card import ModelCard
from cpunet.model.instances import Instances


class Described(Protocol):
    """A model, or what acts as one, of which only the card is asked."""

    @property
    def card(self) -> ModelCard:
        """The description of the input, and of the output."""


class Model(Protocol):
    """A model that is ready to predict; `cpunet.model.session.OnnxModel` is one."""

    @property
    def card(self) -> ModelCard:
        """The model's description of its input, its output and how to decode it."""

    def predict(self, batch: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Turn (N, C, Y, X), or (N, C, Z, Y, X) of volumes, into probabilities (N, roles, ...) of the same grid."""


class InstanceModel(Model, Protocol):
    """A model whose card says that it gives objects."""

    def find_instances(self, image: npt.NDArray[np.float32]) -> Instances:
        """Turn one image (1, C, Y, X) into objects."""
