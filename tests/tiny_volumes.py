"""Write tiny ONNX models of volumes, rank 5, byte by byte, and draw volumes for them."""

import numpy as np

from tests.tiny_onnx import FLOAT, attribute, changed_card, field, node, onnx_of, tensor

VOLUME_CARD = changed_card(
    name="tiny_3d",
    description="A sigmoid of the normalized intensity of volumes.",
    input={"dimensions": 3, "z_step_px": 2.0, "divisible_by_planes": 2, "min_planes": 2},
    output={"halo_planes": 3},
)


def changed_volume_card(**sections):
    """Return the card of volumes with sections, or fields of sections, replaced."""
    return changed_card(VOLUME_CARD, **sections)


def volume_info(name, channels, size=("Z", "Y", "X")):
    dims = [field(1 if isinstance(dim, int) else 2, dim) for dim in ("N", channels, *size)]
    shape = b"".join(field(1, dim) for dim in dims)
    return field(1, name) + field(2, field(1, field(1, FLOAT) + field(2, shape)))


def volume_onnx(nodes, tensors, card=VOLUME_CARD, channels=1, out_channels=1, size=("Z", "Y", "X")):
    """Encode a network of volumes that takes `image` and gives `probabilities`."""
    parts = [field(1, content) for content in nodes] + [field(2, "drawn")]
    parts += [field(5, content) for content in tensors]
    parts += [field(11, volume_info("image", channels, size))]
    return onnx_of(b"".join([*parts, field(12, volume_info("probabilities", out_channels, size))]), card)


def tiny_volume_onnx(card=VOLUME_CARD, channels=1, out_channels=1, gain=14.0, offset=-4.0, size=("Z", "Y", "X")):
    """Return an ONNX file: sigmoid(gain * intensity + offset) of each voxel in every output channel."""
    weights = [gain / channels] * (channels * out_channels)
    nodes = [node("Conv", ["image", "weight", "bias"], ["logits"]), node("Sigmoid", ["logits"], ["probabilities"])]
    tensors = [
        tensor("weight", [out_channels, channels, 1, 1, 1], weights),
        tensor("bias", [out_channels], [offset] * out_channels),
    ]
    return volume_onnx(nodes, tensors, card, channels, out_channels, size)


def mean_volume_onnx(card=VOLUME_CARD, reach=(1, 2, 2), gain=14.0, offset=-4.0):
    """Return an ONNX file whose probability is that of the mean of each voxel's neighborhood, zero beyond the border.

    `reach` says how many planes, rows and columns a side it sees.
    """
    window = [2 * each + 1 for each in reach]
    count = int(np.prod(window))
    conv = node("Conv", ["image", "weight", "bias"], ["logits"]) + attribute("pads", [*reach, *reach])
    tensors = [tensor("weight", [1, 1, *window], [gain / count] * count), tensor("bias", [1], [offset])]
    return volume_onnx([conv, node("Sigmoid", ["logits"], ["probabilities"])], tensors, card)


def balls(shape, centers, diameter_px, z_step_px=2.0, noise=0.02, seed=0):
    """Draw balls on a dark ground.

    Returns
    -------
    volume : ndarray of shape (Z, Y, X), float32
        Blurred by half a pixel, with noise.
    labels : ndarray of the same shape, int32
        A voxel in several balls belongs to the nearest center.
    """
    z, y, x = np.ogrid[tuple(slice(size) for size in shape)]
    nearest, labels = np.full(shape, np.inf), np.zeros(shape, np.int32)
    for number, (at_z, at_y, at_x) in enumerate(centers, start=1):
        distance = np.sqrt(((z - at_z) * z_step_px) ** 2 + (y - at_y) ** 2 + (x - at_x) ** 2)
        own = (distance <= diameter_px / 2) & (distance < nearest)
        labels[own], nearest[own] = number, distance[own]
    edge = np.clip(diameter_px / 2 - np.minimum(nearest, diameter_px), -0.5, 0.5) + 0.5
    volume = np.where(np.isfinite(nearest), edge, 0) + np.random.default_rng(seed).normal(0, noise, shape)
    return volume.astype(np.float32), labels
