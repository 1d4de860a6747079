"""A file of decision trees is a stranger's data: only sound trees reach onnxruntime."""

import pytest

from cpunet.errors import ModelError
from cpunet.onnx_reader import trees
from cpunet.onnx_reader.model_file import read_model_file
from cpunet.onnx_reader.trees import check_trees
from tests.tiny_onnx import field, tensor, tiny_onnx
from tests.tiny_trees import stump_attributes, trees_onnx

COLUMNS = 4
SOUND = stump_attributes(2, 0.5, 0.25, 0.75)


def check(tmp_path, content):
    path = tmp_path / "trees.onnx"
    path.write_bytes(content)
    check_trees(read_model_file(path), COLUMNS)


def test_sound_trees_pass(tmp_path):
    check(tmp_path, trees_onnx(SOUND, COLUMNS))


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"nodes_truenodeids": [0, 0, 0]}, "leads to no later node"),
        ({"nodes_falsenodeids": [3, 0, 0]}, "leads to no later node"),
        ({"nodes_falsenodeids": [-1, 0, 0]}, "leads to no later node"),
        ({"nodes_truenodeids": [1, 2, 0]}, "leads to no later node"),
        ({"nodes_truenodeids": [2, 0, 0]}, "the end of no branch, or of two"),
        ({"nodes_featureids": [COLUMNS, 0, 0]}, "feature that is not there"),
        ({"nodes_featureids": [-1, 0, 0]}, "feature that is not there"),
        ({"nodes_nodeids": [0, 1, 1]}, "not numbered from 0"),
        ({"nodes_nodeids": [5, 1, 2]}, "not numbered from 0"),
        ({"nodes_treeids": [1, 1, 1]}, "trees are not numbered"),
        ({"nodes_treeids": [0, 2, 2]}, "trees are not numbered"),
        ({"nodes_modes": ["BRANCH_GT", "LEAF", "LEAF"]}, "neither BRANCH_LEQ nor LEAF"),
        ({"nodes_values": [float("nan"), 0.0, 0.0]}, "no number"),
        ({"target_weights": [float("inf"), 0.0]}, "no number"),
        ({"base_values": [float("nan")]}, "no number"),
        ({"target_ids": [0, 1]}, "nobody asked for"),
        ({"target_nodeids": [1, 0]}, "do not agree"),
        ({"target_treeids": [0]}, "values instead of"),
        ({"nodes_values": [0.5, 0.0]}, "values instead of"),
        ({"n_targets": 2}, "not added up to one number"),
        ({"aggregate_function": "MAX"}, "not added up to one number"),
        ({"post_transform": "SOFTMAX"}, "not added up to one number"),
        ({"base_values": [0.0, 0.0]}, "not added up to one number"),
        ({"nodes_values": "all"}, "of another type"),
        ({"nodes_hitrates": [1.0, 1.0, 1.0]}, "is unusual"),
        ({"nodes_modes": None}, "it lacks nodes_modes"),
    ],
)
def test_unsound_trees_are_refused_by_what_is_wrong(tmp_path, changed, why):
    attributes = {name: value for name, value in {**SOUND, **changed}.items() if value is not None}
    with pytest.raises(ModelError, match=why):
        check(tmp_path, trees_onnx(attributes, COLUMNS))


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (trees_onnx(SOUND, COLUMNS + 1), "no table of 4 numbers"),
        (trees_onnx(SOUND, COLUMNS, candidates=5), "for a fixed number of candidates"),
        (trees_onnx(SOUND, COLUMNS, operator="TreeEnsembleClassifier"), "has the operator 'TreeEnsembleClassifier'"),
        (trees_onnx(SOUND, COLUMNS, domain="com.microsoft"), "of 'com.microsoft'"),
        (trees_onnx(SOUND, COLUMNS, more=field(5, tensor("w", [1], [0.5]))), "weights beside"),
        (trees_onnx(SOUND, COLUMNS, more=field(1, field(4, "Relu"))), "it has 2 steps"),
        (trees_onnx(SOUND, COLUMNS)[:-9], "no sound file|claims"),
        (trees_onnx(SOUND, COLUMNS) + field(14, field(1, "ort_config") + field(2, "{}")), "options for onnxruntime"),
        (trees_onnx(SOUND, COLUMNS) + field(25, b""), "functions"),
        (b"\x08\x08", "no network"),
        (tiny_onnx(), "it has 2 steps|no table|has the operator"),
    ],
)
def test_what_is_no_file_of_trees_is_refused(tmp_path, content, why):
    with pytest.raises(ModelError, match=why):
        check(tmp_path, content)


def test_too_many_nodes_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(trees, "MOST_TREE_NODES", 2)
    with pytest.raises(ModelError, match="it has 3 nodes; 1 to 2 can be"):
        check(tmp_path, trees_onnx(SOUND, COLUMNS))
    monkeypatch.setattr(trees, "MOST_FIELDS", 100)
    with pytest.raises(ModelError, match="more than 100 fields"):
        check(tmp_path, trees_onnx(SOUND, COLUMNS))


def chain(branches):
    """Return the attributes of one tree in which each branch ends in a leaf and the next branch."""
    count = 2 * branches + 1
    is_branch = [place % 2 == 0 and place < count - 1 for place in range(count)]
    leaves = [place for place in range(count) if not is_branch[place]]
    return {
        **SOUND,
        **dict.fromkeys(("nodes_treeids", "nodes_featureids"), [0] * count),
        "nodes_nodeids": list(range(count)),
        "nodes_values": [0.5] * count,
        "nodes_modes": ["BRANCH_LEQ" if branch else "LEAF" for branch in is_branch],
        "nodes_truenodeids": [place + 1 if branch else 0 for place, branch in enumerate(is_branch)],
        "nodes_falsenodeids": [place + 2 if branch else 0 for place, branch in enumerate(is_branch)],
        **dict.fromkeys(("target_treeids", "target_ids"), [0] * len(leaves)),
        "target_nodeids": leaves,
        "target_weights": [0.5] * len(leaves),
    }


def test_a_tree_so_deep_that_onnxruntime_would_end_the_process_is_refused(tmp_path):
    check(tmp_path, trees_onnx(chain(trees.DEEPEST_TREE), COLUMNS))
    with pytest.raises(ModelError, match="has 257 branches in a row; 256 at most"):
        check(tmp_path, trees_onnx(chain(trees.DEEPEST_TREE + 1), COLUMNS))


def test_any_cut_or_changed_byte_is_an_error_or_sound_trees(tmp_path):
    content = trees_onnx(SOUND, COLUMNS)
    for place in range(0, len(content), 3):
        for changed in (content[:place], content[:place] + bytes([content[place] ^ 0x15]) + content[place + 1 :]):
            if not changed:
                continue
            try:
                check(tmp_path, changed)
            except ModelError:
                continue
