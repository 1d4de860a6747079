"""Fields in which nuclei part the background, with the right labels, and models that see boundaries alone in them."""

from typing import NamedTuple

import numpy as np
from scipy import ndimage

from tests.tiny_onnx import attribute, changed_card, graph_of, node, onnx_of, tensor

HEIGHT, WIDTH = 120, 300


class Field(NamedTuple):
    """An image (Y, X) or (Y, X, C), float32, 0..1, and its labels (Y, X), int32."""

    image: np.ndarray
    labels: np.ndarray


def nuclei(centers, radius=15.0, shape=(HEIGHT, WIDTH)):
    """Label discs, each pixel by the nearest center; where two overlap, they touch."""
    y, x = np.mgrid[: shape[0], : shape[1]]
    away = np.stack([np.hypot(y - cy, x - cx) for cy, cx in centers])
    return np.where(away.min(axis=0) < radius, away.argmin(axis=0) + 1, 0).astype(np.int32)


def rims(labels, width_px=2):
    """Mark the pixels within half a width of one with another label: the boundaries of a perfect model."""
    reach = width_px // 2
    padded = np.pad(labels, reach, mode="edge")
    height, width = labels.shape
    band = np.zeros(labels.shape, bool)
    for down, right in np.argwhere(np.hypot(*np.mgrid[-reach : reach + 1, -reach : reach + 1]) <= reach):
        band |= padded[down : down + height, right : right + width] != labels
    return band


def seen(labels, brightness=None, seed=0, background=0.1, noise=0.01, valley=0.85):
    """Draw nuclei of these brightnesses on dark ground: blurred, and darker by a factor where two touch."""
    rng = np.random.default_rng(seed)
    count = int(labels.max())
    levels = np.append(background, rng.uniform(0.5, 0.9, count) if brightness is None else brightness)
    image = levels[labels]
    apart = np.where(labels > 0, labels, ndimage.maximum_filter(labels, 3))
    image[rims(apart) & (labels > 0)] *= valley
    return (ndimage.gaussian_filter(image, 0.7) + rng.normal(0, noise, labels.shape)).astype(np.float32)


def row_of_ten():
    """Ten nuclei in a row from edge to edge: above and below lie two pieces of background."""
    return nuclei([(60, 15 + 30 * number) for number in range(10)], 16)


def islands():
    """Rows and columns of nuclei that cut the field into islands of background."""
    across = [(y, 12 + 24 * number) for y in (40, 112) for number in range(13)]
    down = [(y, x) for x in (60, 156, 252) for y in (14, 64, 88)]
    return nuclei(across + down, 13.5)


def ring():
    """Twelve nuclei around a pocket of background."""
    turns = np.arange(12) * np.pi / 6
    return nuclei([(60 + 44 * np.sin(turn), 150 + 44 * np.cos(turn)) for turn in turns], 13)


def filled():
    """Nuclei that touch on all sides: only small pockets are left between them."""
    return nuclei([(8 + 26 * row, 10 + 30 * number + 15 * (row % 2)) for row in range(5) for number in range(10)], 16.5)


def single():
    """One nucleus."""
    return nuclei([(60, 140)], 16)


def at_the_edge():
    """Nuclei that the frame cuts, one of them at a corner."""
    return nuclei([(0, 0), (2, 80), (60, 299), (119, 150), (60, 150)], 16)


def large():
    """A nucleus that takes most of the field."""
    return nuclei([(80, 150)], 100, (160, 300))


DRAWN = {
    "ten in a row": row_of_ten,
    "islands": islands,
    "a ring": ring,
    "almost filled": filled,
    "a single nucleus": single,
    "at the edge": at_the_edge,
    "one large nucleus": large,
}


def uneven(image):
    """Light the left side two and a half times as much as the right one, and add a glow from below."""
    y, x = np.mgrid[: image.shape[0], : image.shape[1]]
    return (image * (1.0 - 0.6 * x / image.shape[1]) + 0.5 * y / image.shape[0]).astype(np.float32)


LIT = {
    "even": lambda image: image,
    "uneven": uneven,
    "dark on bright": lambda image: 1 - image,
    "dark on bright, uneven": lambda image: 1.5 - uneven(image),
}


def fields(**drawn):
    """Yield the name of each field in each light, and the field; see `seen` for how it may be drawn.

    The one that is almost filled is left out in uneven light: its pockets are far apart, and no background near one
    says how dark background is there.
    """
    for name, draw in DRAWN.items():
        labels = draw()
        for light, change in LIT.items():
            if name == "almost filled" and "uneven" in light:
                continue
            yield f"{name}, {light}", Field(change(seen(labels, **drawn)), labels)


def edges_onnx(channels=1, gain=120.0, offset=-12.0, window=3, postprocessing=None, **of_input):
    """Return a model file of boundaries alone: where the brightness of near pixels differs, a boundary is probable.

    The sigmoid of `offset` and `gain` times the difference of the highest and the lowest value in a window.
    """
    names = [f"channel {number}" for number in range(channels)]
    card = changed_card(
        name="edges",
        input={"channels": names, **of_input},
        output={"roles": ["boundary"], "halo": 8},
        postprocessing={"dilation_px": 1.5, "fill_holes": True, "min_size_px": 30, **(postprocessing or {})},
    )
    both = [float(sign * (row == column)) for sign in (1, -1) for row in range(channels) for column in range(channels)]
    pooling = attribute("kernel_shape", [window] * 2) + attribute("pads", [window // 2] * 4)
    nodes = [
        node("Conv", ["image", "both"], ["signed"]),
        node("MaxPool", ["signed"], ["extremes"]) + pooling,
        node("Conv", ["extremes", "weight", "bias"], ["logits"]),
        node("Sigmoid", ["logits"], ["probabilities"]),
    ]
    tensors = [
        tensor("both", [2 * channels, channels, 1, 1], both),
        tensor("weight", [1, 2 * channels, 1, 1], [gain / channels] * (2 * channels)),
        tensor("bias", [1], [offset]),
    ]
    return onnx_of(graph_of(nodes, tensors, channels=channels, out_channels=1), card)
