"""Check a file of decision trees: one TreeEnsembleRegressor of the domain ai.onnx.ml, whose every step is sound."""

from __future__ import annotations

from typing import Any, Dict, List

import numpy as np

from cpunet.errors import ModelError
from cpunet.onnx_reader.model_file import ModelFile
from cpunet.onnx_reader.protobuf import (
    FIXED32,
    LENGTH_DELIMITED,
    VARINT,
    Field,
    ProtobufError,
    Reader,
    many,
    of_kind,
    one,
    signed,
)
from cpunet.onnx_reader.safety import checked_graph
from cpunet.onnx_reader.structure import (
    INITIALIZER,
    INPUT,
    NODE,
    OF_FLOATS,
    OF_INT,
    OF_INTS,
    OF_TEXT,
    OUTPUT,
    SPARSE_INITIALIZER,
    read_declared,
    shown,
)
from cpunet.onnx_reader.tensor import FLOAT, unpacked

DOMAIN, OPERATOR = "ai.onnx.ml", "TreeEnsembleRegressor"
# Some hundred trees with some dozens of nodes each; so many are read in three seconds.
MOST_TREE_NODES = 2**16
MOST_FIELDS, MOST_BYTES = 16 * MOST_TREE_NODES, 2**25
# onnxruntime goes down a tree by calling itself: 32,000 branches in a row end the process.
DEEPEST_TREE = 256
OF_TEXTS = 8  # AttributeProto.AttributeType
BRANCH, LEAF = "BRANCH_LEQ", "LEAF"
TRUE_BRANCH, FALSE_BRANCH = "nodes_truenodeids", "nodes_falsenodeids"
OF_NODES = {
    "nodes_treeids": OF_INTS,
    "nodes_nodeids": OF_INTS,
    "nodes_featureids": OF_INTS,
    "nodes_values": OF_FLOATS,
    "nodes_modes": OF_TEXTS,
    TRUE_BRANCH: OF_INTS,
    FALSE_BRANCH: OF_INTS,
}
OF_TARGETS = {
    "target_treeids": OF_INTS,
    "target_nodeids": OF_INTS,
    "target_ids": OF_INTS,
    "target_weights": OF_FLOATS,
}
KINDS = {
    **OF_NODES,
    **OF_TARGETS,
    "base_values": OF_FLOATS,
    "n_targets": OF_INT,
    "aggregate_function": OF_TEXT,
    "post_transform": OF_TEXT,
}
WAY_OUT = "Copy or download the file again, or learn it again with `cpunet combine`."


def check_trees(file: ModelFile, features: int) -> None:
    """Raise ModelError unless a file holds sound decision trees, and nothing else.

    Parameters
    ----------
    file : ModelFile
    features : int
        How many numbers describe a candidate.

    Raises
    ------
    ModelError
        If the file is malformed or too large, holds any other operator, or a tree that has no end, asks for a feature
        that is not there, or gives a value that is no number.

    Notes
    -----
    Each branch leads to nodes that come after it in the same tree, and one branch leads to each node, so that each tree
    ends, after few branches. No number of the file is an address that onnxruntime would have to believe. So such a file
    is opened without a trial in a process of its own, other than a network.
    """
    try:
        attributes = _attributes(file, features)
        _check_nodes(attributes, features)
    except ProtobufError as error:
        raise ModelError(f"{file.path}: this is no sound file of decision trees: {error}. {WAY_OUT}") from None


def _need(condition: Any, what: str) -> None:
    if not condition:
        raise ProtobufError(what)


def _attributes(file: ModelFile, features: int) -> Dict[str, Any]:
    """Return the attributes of the only node, after checking the graph around it."""
    reader = Reader(file.stream(), MOST_FIELDS, MOST_BYTES)
    try:
        place = checked_graph(reader, len(file.content))
    except ModelError as error:
        raise ModelError(f"{file.path}: {error}") from None
    graph = reader.message(place.start, place.stop)
    nodes, inputs, outputs = many(graph, NODE), many(graph, INPUT), many(graph, OUTPUT)
    _need(len(nodes) == len(inputs) == len(outputs) == 1, f"it has {len(nodes)} steps, and one is needed")
    _need(INITIALIZER not in graph and SPARSE_INITIALIZER not in graph, "it holds weights beside the trees")
    for declared, columns in ((read_declared(reader, inputs[0]), features), (read_declared(reader, outputs[0]), 1)):
        sound = declared.data_type == FLOAT and declared.dims is not None and declared.dims[1:] == (columns,)
        _need(sound, f"its {shown(declared.name)} is no table of {columns} numbers a candidate")
        free = declared.dims is not None and not isinstance(declared.dims[0], int)
        _need(free, f"its {shown(declared.name)} is for a fixed number of candidates")
    node = reader.message(nodes[0].start, nodes[0].stop)
    domain, operator = (reader.text(one(node, number, LENGTH_DELIMITED)) for number in (7, 4))
    _need((domain, operator) == (DOMAIN, OPERATOR), f"it has the operator {shown(operator)} of {shown(domain)}")
    found: Dict[str, Any] = {}
    for part in many(node, 5):
        attribute = reader.message(part.start, part.stop)
        name, kind = reader.text(one(attribute, 1, LENGTH_DELIMITED)), one(attribute, 20, VARINT)
        _need(name in KINDS and name not in found, f"its attribute {shown(name)} is unusual, or occurs twice")
        _need(kind is not None and kind.value == KINDS[name], f"its attribute {name} is of another type")
        found[name] = _value(reader, attribute, KINDS[name])
    missing = [name for name in KINDS if name not in found]
    _need(not missing, f"it lacks {', '.join(missing)}")
    return found


def _value(reader: Reader, attribute: Dict[int, List[Field]], kind: int) -> Any:
    if kind == OF_INT:
        number = one(attribute, 3, VARINT)
        return signed(number.value) if number else 0
    if kind == OF_TEXT:
        return reader.text(one(attribute, 4, LENGTH_DELIMITED))
    if kind == OF_TEXTS:
        return [reader.text(field) for field in many(attribute, 9)]
    if kind == OF_INTS:
        return np.array(reader.integers(attribute.get(8, [])), np.int64)
    fields = [field if field.kind == FIXED32 else of_kind(field, LENGTH_DELIMITED) for field in attribute.get(7, [])]
    return np.array(unpacked(reader, fields, "f"), np.float64)


def _check_nodes(found: Dict[str, Any], features: int) -> None:
    count, leaves = len(found["nodes_treeids"]), len(found["target_treeids"])
    _need(0 < count <= MOST_TREE_NODES, f"it has {count} nodes; 1 to {MOST_TREE_NODES} can be")
    for names, length in ((OF_NODES, count), (OF_TARGETS, leaves)):
        for name in names:
            _need(len(found[name]) == length, f"its attribute {name} has {len(found[name])} values instead of {length}")
    usual = found["n_targets"], found["aggregate_function"], found["post_transform"], len(found["base_values"])
    _need(usual == (1, "SUM", "NONE", 1), "its trees are not added up to one number")
    for name in ("nodes_values", "target_weights", "base_values"):
        _need(np.isfinite(found[name]).all(), f"its attribute {name} holds what is no number")
    tree, own = found["nodes_treeids"], found["nodes_nodeids"]
    begins = np.diff(tree, prepend=-1)
    _need(np.isin(begins, (0, 1)).all() and begins[0] == 1, "its trees are not numbered from 0 on")
    first = np.flatnonzero(begins)[tree]
    size = np.bincount(tree)[tree]
    _need((own == np.arange(count) - first).all(), "the nodes of a tree are not numbered from 0 on")
    modes = np.array(found["nodes_modes"])
    is_leaf = modes == LEAF
    _need((is_leaf | (modes == BRANCH)).all(), f"a node is neither {BRANCH} nor {LEAF}")
    asked = found["nodes_featureids"]
    _need(((asked >= 0) & (asked < features)).all(), "a node asks for a feature that is not there")
    for name in (TRUE_BRANCH, FALSE_BRANCH):
        to = found[name]
        sound = np.where(is_leaf, to == 0, (to > own) & (to < size))
        _need(sound.all(), "a branch leads to no later node of its tree")
    branches = np.flatnonzero(~is_leaf)
    reached = np.concatenate([first[branches] + found[name][branches] for name in (TRUE_BRANCH, FALSE_BRANCH)])
    expected = (own > 0).astype(np.intp)
    _need(np.array_equal(np.bincount(reached, minlength=count), expected), "a node is the end of no branch, or of two")
    depth = np.zeros(count, np.intp)
    for place in branches:
        for name in (TRUE_BRANCH, FALSE_BRANCH):
            depth[first[place] + found[name][place]] = depth[place] + 1
    _need(depth.max() <= DEEPEST_TREE, f"a tree has {depth.max()} branches in a row; {DEEPEST_TREE} at most can be")
    _need((found["target_ids"] == 0).all(), "a leaf gives a number that nobody asked for")
    targets = np.stack([found["target_treeids"], found["target_nodeids"]], axis=1)
    _need(np.array_equal(targets, np.stack([tree, own], axis=1)[is_leaf]), "its leaves and their values do not agree")
