"""Write a tiny ONNX model of the kind `instances`: it finds bright blobs, and gives their boxes, scores and masks."""

import struct

import numpy as np

from tests.tiny_onnx import FLOAT, attribute, changed_card, field, node, onnx_of, raw_tensor, tensor, tensor_attribute

INT64 = 7
RADIUS_PX, MASK_PX, MOST_OBJECTS, MOST_PEAKS = 10.0, 28, 20, 256


def instances_card(output=None, postprocessing=None, **sections):
    """Return a card of the kind `instances`, with sections or fields of sections replaced."""
    return changed_card(
        output={"kind": "instances", "roles": ["foreground"], "halo": 24, **(output or {})},
        postprocessing={
            "score_threshold": 0.4,
            "mask_threshold": 0.5,
            "overlap_threshold": 0.5,
            "max_objects": MOST_OBJECTS,
            "min_size_px": 0,
            **(postprocessing or {}),
        },
        **{"description": "Bright blobs.", **sections},
    )


CARD = instances_card()


def ints(name, values, dims=None):
    return raw_tensor(name, INT64, [len(values)] if dims is None else dims, struct.pack(f"<{len(values)}q", *values))


def declared(name, dims):
    """Encode a ValueInfoProto of float32; text names a free size."""
    shape = b"".join(field(1, field(1 if isinstance(dim, int) else 2, dim)) for dim in dims)
    return field(1, name) + field(2, field(1, field(1, FLOAT) + field(2, shape)))


def disc(side=MASK_PX):
    """Return the probabilities of a disc that touches the edges of its box, as a list."""
    y, x = np.mgrid[:side, :side] + 0.5 - side / 2
    return np.clip((side / 2 - np.hypot(y, x)) + 0.5, 0, 1).ravel().tolist()


def instances_onnx(card=CARD, channels=1, most=MOST_OBJECTS, outputs=("boxes", "scores", "masks"), mask_px=MASK_PX):
    """Return an ONNX file that finds bright blobs of `RADIUS_PX`.

    Parameters
    ----------
    card : dict, optional
        None leaves it out.
    channels : int
        Of the network, whatever the card says; their mean counts.
    most : int
        Objects for a tile.
    outputs : tuple of str
        The names of boxes (n, 4), scores (n,) and masks (n, M, M).
    mask_px : int
        M.

    Notes
    -----
    1. Pixels that are the brightest within 15 x 15, after smoothing, are peaks. Their brightness is their score.
    2. The `MOST_PEAKS` best become boxes of `RADIUS_PX` around them.
    3. Non-maximum suppression keeps `most`, of scores above 0.3, whose IoU is at most 0.3.
    4. A mask is a disc within its box, where the image is brighter than a third of 1.
    """
    boxes, scores, masks = outputs
    nodes = [
        node("ReduceMean", ["image"], ["gray"]) + attribute("axes", [1]),
        node("AveragePool", ["gray"], ["smooth"]) + attribute("kernel_shape", [5, 5]) + attribute("pads", [2] * 4),
        node("MaxPool", ["smooth"], ["around"])
        + attribute("kernel_shape", [15, 15])
        + attribute("pads", [7] * 4)
        + attribute("strides", [1, 1]),
        node("Equal", ["smooth", "around"], ["is_peak"]),
        node("Where", ["is_peak", "smooth", "nothing"], ["peaks"]),
        node("Reshape", ["peaks", "flat"], ["list"]),
        node("Size", ["list"], ["count"]),
        node("Reshape", ["count", "flat"], ["counts"]),
        node("Min", ["counts", "most_peaks"], ["k"]),
        node("TopK", ["list", "k"], ["best", "places"]),
        node("Cast", ["places"], ["at"]) + attribute("to", FLOAT),
        node("Shape", ["image"], ["width_list"]) + attribute("start", 3),
        node("Cast", ["width_list"], ["width"]) + attribute("to", FLOAT),
        node("Div", ["at", "width"], ["row_and_more"]),
        node("Floor", ["row_and_more"], ["row"]),
        node("Mul", ["row", "width"], ["before"]),
        node("Sub", ["at", "before"], ["column"]),
        node("Unsqueeze", ["row", "last"], ["rows"]),
        node("Unsqueeze", ["column", "last"], ["columns"]),
        node("Concat", ["rows", "columns", "rows", "columns"], ["corners"]) + attribute("axis", 1),
        node("Add", ["corners", "edges"], ["candidates"]),
        node("Unsqueeze", ["candidates", "first"], ["of_image"]),
        node("Unsqueeze", ["best", "first_two"], ["of_class"]),
        node("NonMaxSuppression", ["of_image", "of_class", "most", "overlap", "least"], ["chosen"]),
        node("Slice", ["chosen", "two", "three", "last"], ["numbers_list"]),
        node("Reshape", ["numbers_list", "flat"], ["numbers"]),
        node("Gather", ["candidates", "numbers"], [boxes]),
        node("Gather", ["best", "numbers"], ["found"]),
        node("Clip", ["found", "nothing", "one"], [scores]),
        node("Gather", [boxes, "x_first"], ["rois"]) + attribute("axis", 1),
        node("Shape", ["numbers"], ["how_many"]),
        node("ConstantOfShape", ["how_many"], ["images"]) + tensor_attribute("value", ints("", [0])),
        node("RoiAlign", ["gray", "rois", "images"], ["crops"])
        + attribute("output_height", mask_px)
        + attribute("output_width", mask_px)
        + attribute("sampling_ratio", 2)
        + attribute("coordinate_transformation_mode", "half_pixel"),
        node("Squeeze", ["crops", "last"], ["crop"]),
        node("Sub", ["crop", "third"], ["above"]),
        node("Mul", ["above", "gain"], ["logits"]),
        node("Sigmoid", ["logits"], ["bright"]),
        node("Mul", ["bright", "disc"], [masks]),
    ]
    tensors = [
        *(ints(name, [value]) for name, value in (("flat", -1), ("last", 1), ("first", 0), ("two", 2), ("three", 3))),
        ints("first_two", [0, 1]),
        ints("most_peaks", [MOST_PEAKS]),
        ints("most", [most]),
        ints("x_first", [1, 0, 3, 2]),
        tensor("edges", [4], [0.5 - RADIUS_PX, 0.5 - RADIUS_PX, 0.5 + RADIUS_PX, 0.5 + RADIUS_PX]),
        *(
            tensor(name, [], [value])
            for name, value in (("nothing", 0.0), ("one", 1.0), ("third", 1 / 3), ("gain", 20))
        ),
        *(tensor(name, [1], [value]) for name, value in (("overlap", 0.3), ("least", 0.3))),
        tensor("disc", [1, mask_px, mask_px], disc(mask_px)),
    ]
    graph = b"".join(
        [
            *(field(1, content) for content in nodes),
            field(2, "blobs"),
            *(field(5, content) for content in tensors),
            field(11, declared("image", [1, channels, "Y", "X"])),
            field(12, declared(boxes, ["n", 4])),
            field(12, declared(scores, ["n"])),
            field(12, declared(masks, ["n", mask_px, mask_px])),
        ]
    )
    return onnx_of(graph, card)


def blobs(shape, centers, radius=RADIUS_PX, brightness=1.0):
    """Draw bright round hills on black, float32 (Y, X): 1 in the middle, a third at the radius."""
    y, x = np.ogrid[: shape[0], : shape[1]]
    image = np.zeros(shape, np.float32)
    for place, (row, column) in enumerate(centers):
        height = brightness[place] if isinstance(brightness, (list, tuple)) else brightness
        away = ((y - row) ** 2 + (x - column) ** 2) / radius**2
        image = np.maximum(image, height * np.exp(-np.log(3) * away)).astype(np.float32)
    return image
