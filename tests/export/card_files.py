"""Small ONNX files of other programs, and the answers that complete their cards."""

import json

from onnx import TensorProto, helper

from cpunet.__main__ import main
from cpunet.model.card import METADATA_KEY
from cpunet.onnx_reader.metadata import read_metadata

ANSWERS = [
    *("--name", "theirs", "--description", "Nuclei.", "--licence", "MIT", "--channels", "nuclei"),
    *("--modality", "fluorescence", "--percentiles", "1", "99", "--diameter", "18", "--roles", "foreground"),
]


YAML = """
name: theirs
description: Nuclei.
licence: MIT
input:
  channels: [nuclei]
  modality: fluorescence
  normalization: {kind: percentile, percentile_low: 2e0, percentile_high: 98}
  diameter_px: 18
output: {roles: [foreground], halo: 8}
"""


def card(*words):
    """Run ``cpunet card`` with these words."""
    return main(["card", *map(str, words)])


def put(path, content):
    path.write_bytes(content)
    return path


def network_file(path, nodes, shape=("N", 1, "Y", "X"), out_shape=None, kind=TensorProto.FLOAT, opset=17, weights=()):
    """Write a network of these nodes, from `image` to `probabilities`."""
    image = helper.make_tensor_value_info("image", kind, shape)
    probabilities = helper.make_tensor_value_info("probabilities", kind, out_shape or shape)
    graph = helper.make_graph(list(nodes), "drawn", [image], [probabilities], initializer=list(weights))
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)
    return put(path, model.SerializeToString())


def same():
    return [helper.make_node("Identity", ["image"], ["probabilities"])]


def metadata_card(path):
    return json.loads(read_metadata(path)[METADATA_KEY])


def with_answers(changes=()):
    """Replace flags' values in ANSWERS."""
    words = list(ANSWERS)
    for flag, *values in changes:
        at = words.index(flag)
        stop = next((i for i in range(at + 1, len(words)) if words[i].startswith("--")), len(words))
        words[at + 1 : stop] = values
    return words
