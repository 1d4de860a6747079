"""Write tiny ONNX models of volumes, rank 5, byte by byte."""

import numpy as np

from tests.tiny_instances import declared
from tests.tiny_onnx import attribute, changed_card, field, node, onnx_of, tensor

VOLUME_CARD = changed_card(
    name="tiny_3d",
    description="A sigmoid of the normalized intensity of volumes.",
    input={"dimensions": 3, "z_step_px": 2.0, "divisible_by_planes": 2, "min_planes": 2},
    output={"halo_planes": 3},
)


def changed_volume_card(**sections):
    """Return the card of volumes with sections, or fields of sections, replaced."""
    return changed_card(VOLUME_CARD, **sections)


def volume_onnx(card=VOLUME_CARD, kernel=None, gain=14.0, offset=-4.0, channels=1, size=("Z", "Y", "X")):
    """Return an ONNX file of volumes: sigmoid(gain * local mean + offset).

    Parameters
    ----------
    card : dict or None
        The model card; None leaves it out.
    kernel : nested list (z, y, x), optional
        Weights of the local mean, for each channel; of odd sizes. The voxel itself by default.
    gain, offset : float
    channels : int
        Of the network, whatever the card says.
    size : tuple of three
        Declared planes, height and width; text names a free size.
    """
    weights = gain * np.asarray(kernel or [[[1.0]]], np.float32) / channels
    sides = [side // 2 for side in weights.shape] * 2
    values = np.broadcast_to(weights, (channels, *weights.shape)).ravel().tolist()
    graph = b"".join(
        [
            field(1, node("Conv", ["image", "weight", "bias"], ["logits"]) + attribute("pads", sides)),
            field(1, node("Sigmoid", ["logits"], ["probabilities"])),
            field(2, "tiny_3d"),
            field(5, tensor("weight", [1, channels, *weights.shape], values)),
            field(5, tensor("bias", [1], [offset])),
            field(11, declared("image", ["N", channels, *size])),
            field(12, declared("probabilities", ["N", 1, *size])),
        ]
    )
    return onnx_of(graph, card)
