"""Write tiny files that choose byte by byte: the CellProfiler world has no onnx package, and needs none."""

import hashlib
import json
import struct

from cpunet.choice.features import feature_names
from tests.tiny_onnx import FLOAT, attribute, field, varint

BY_MODEL = ("model", 0.5, 0.4, 0.8)  # candidates of the second model are trusted more


def listed(*models):
    """Return what the card says of models, each (name, content of the file)."""
    return [
        {"name": name, "version": "1.0.0", "sha256": hashlib.sha256(content).hexdigest()} for name, content in models
    ]


def table_info(name, columns, candidates="n"):
    shape = field(1, field(2 if isinstance(candidates, str) else 1, candidates)) + field(1, field(1, columns))
    return field(1, name) + field(2, field(1, field(1, FLOAT) + field(2, shape)))


def texts_attribute(name, values):
    return field(5, field(1, name) + b"".join(field(9, value) for value in values) + field(20, 8))


def floats_attribute(name, values):
    packed = b"".join(varint(7 << 3 | 5) + struct.pack("<f", value) for value in values)
    return field(5, field(1, name) + packed + field(20, 6))


def stump_attributes(feature, threshold, low, high):
    """Return the attributes of one tree with one question: `low` where the feature is not above the threshold."""
    return {
        "n_targets": 1,
        "aggregate_function": "SUM",
        "post_transform": "NONE",
        "base_values": [0.0],
        "nodes_treeids": [0, 0, 0],
        "nodes_nodeids": [0, 1, 2],
        "nodes_featureids": [feature, 0, 0],
        "nodes_values": [threshold, 0.0, 0.0],
        "nodes_modes": ["BRANCH_LEQ", "LEAF", "LEAF"],
        "nodes_truenodeids": [1, 0, 0],
        "nodes_falsenodeids": [2, 0, 0],
        "target_treeids": [0, 0],
        "target_nodeids": [1, 2],
        "target_ids": [0, 0],
        "target_weights": [low, high],
    }


def encoded(name, value):
    if isinstance(value, list) and value and isinstance(value[0], str):
        return texts_attribute(name, value)
    if isinstance(value, list) and value and isinstance(value[0], float):
        return floats_attribute(name, value)
    return attribute(name, value)


def trees_onnx(
    attributes, columns, card=None, operator="TreeEnsembleRegressor", domain="ai.onnx.ml", more=b"", candidates="n"
):
    """Return an ONNX file of one node with these attributes; `more` are further fields of its graph."""
    node = field(1, "features") + field(2, "predicted_iou") + field(4, operator) + field(7, domain)
    node += b"".join(encoded(name, value) for name, value in attributes.items())
    graph = field(1, node) + field(2, "choose") + more
    graph += field(11, table_info("features", columns, candidates)) + field(12, table_info("predicted_iou", 1))
    opsets = field(8, field(2, 17)) + field(8, field(1, "ai.onnx.ml") + field(2, 3))
    model = field(1, 8) + field(7, graph) + opsets
    return model if card is None else model + field(14, field(1, "cpunet.chooser_card") + field(2, json.dumps(card)))


def chooser_card(models, changed=None):
    names = list(feature_names(len(models)))
    return {"card_version": "1.0", "features": names, "models": models, **(changed or {})}


def chooser_onnx(models, question=BY_MODEL, changed=None):
    """Return a file that chooses among models (see `listed`) by one question; `changed` are fields of its card."""
    names = feature_names(len(models))
    feature, threshold, low, high = question
    attributes = stump_attributes(names.index(feature), threshold, low, high)
    return trees_onnx(attributes, len(names), chooser_card(models, changed))
