"""Write gradient-boosted trees as ONNX, with the card of what they choose among."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from cpunet.choice.card import ChooserCard, chooser_card_to_json
from cpunet.choice.chooser import load_chooser
from cpunet.errors import ExportError
from cpunet.export.put_in_place import put_in_place
from cpunet.export.to_onnx import LARGEST_IR, OPSET
from cpunet.onnx_reader.metadata import CHOOSER_KEY
from cpunet.onnx_reader.trees import BRANCH, DOMAIN, LEAF, OPERATOR

TREES_OPSET = 3  # of ai.onnx.ml; onnxruntime 1.19.2 knows it
INPUT, OUTPUT = "features", "predicted_iou"
# Both add the leaves of the trees; onnxruntime in 32 bits.
MOST_DIFFERENCE = 1e-5


def write_chooser(
    path: Path, regressor: Any, card: ChooserCard, features: NDArray[np.float32], expected: NDArray[np.float32]
) -> None:
    """Write a file that chooses, if it predicts what the regressor does.

    Parameters
    ----------
    path : Path
    regressor : HistGradientBoostingRegressor
        Fitted.
    card : ChooserCard
    features, expected : ndarray of shape (n, F) and (n,), float32
        Candidates, and the regressor's prediction of them, 0..1.

    Raises
    ------
    ExportError
        If the file predicts something else; nothing is written then.
    """
    with put_in_place(path, trees_to_onnx(regressor, card)) as beside:
        found = load_chooser(beside).predicted_iou(features)
        difference = float(np.abs(found - expected).max(initial=0))
        if not difference <= MOST_DIFFERENCE:
            raise ExportError(
                "the exported file predicts other IoUs than the trees that were learned: they differ by "
                f"{difference:.3g}, and {MOST_DIFFERENCE:g} is the limit. Install the scikit-learn of "
                "requirements/training.txt."
            )


def trees_to_onnx(regressor: Any, card: ChooserCard) -> bytes:
    """Turn a fitted HistGradientBoostingRegressor into the bytes of one ONNX file; the same trees give the same bytes.

    Notes
    -----
    scikit-learn shows these trees nowhere in public; skl2onnx reads the same attributes. `write_chooser` compares the
    predictions, so that a release that changes them is noticed.
    """
    trees = [tree.nodes for (tree,) in regressor._predictors]
    nodes = np.concatenate(trees)
    tree_of = np.repeat(np.arange(len(trees)), [len(each) for each in trees])
    own = np.concatenate([np.arange(len(each)) for each in trees])
    leaf = nodes["is_leaf"].astype(bool)
    node = onnx.helper.make_node(
        OPERATOR,
        [INPUT],
        [OUTPUT],
        domain=DOMAIN,
        n_targets=1,
        aggregate_function="SUM",
        post_transform="NONE",
        base_values=[float(np.ravel(regressor._baseline_prediction)[0])],
        nodes_treeids=tree_of.tolist(),
        nodes_nodeids=own.tolist(),
        nodes_featureids=np.where(leaf, 0, nodes["feature_idx"]).tolist(),
        nodes_values=np.where(leaf, 0, _rounded_down(nodes["num_threshold"])).tolist(),
        nodes_modes=[LEAF if each else BRANCH for each in leaf],
        nodes_truenodeids=np.where(leaf, 0, nodes["left"]).tolist(),
        nodes_falsenodeids=np.where(leaf, 0, nodes["right"]).tolist(),
        target_treeids=tree_of[leaf].tolist(),
        target_nodeids=own[leaf].tolist(),
        target_ids=[0] * int(leaf.sum()),
        target_weights=nodes["value"][leaf].astype(np.float32).tolist(),
    )
    float_ = onnx.TensorProto.FLOAT
    graph = onnx.helper.make_graph(
        [node],
        "choose",
        [onnx.helper.make_tensor_value_info(INPUT, float_, ["n", len(card.features)])],
        [onnx.helper.make_tensor_value_info(OUTPUT, float_, ["n", 1])],
    )
    opsets = [onnx.helper.make_opsetid("", OPSET), onnx.helper.make_opsetid(DOMAIN, TREES_OPSET)]
    model = onnx.helper.make_model(graph, opset_imports=opsets, ir_version=LARGEST_IR, producer_name="cpunet")
    onnx.helper.set_model_props(model, {CHOOSER_KEY: chooser_card_to_json(card)})
    onnx.checker.check_model(model, full_check=True)
    content: bytes = model.SerializeToString(deterministic=True)
    return content


def _rounded_down(thresholds: NDArray[np.float64]) -> NDArray[np.float32]:
    """Return the largest number of 32 bits that is no larger, so that numbers of 32 bits fall on the same side."""
    with np.errstate(over="ignore"):
        nearest = thresholds.astype(np.float32)
    lower = np.nextafter(nearest, np.float32(-np.inf))
    return np.clip(np.where(nearest > thresholds, lower, nearest), np.finfo(np.float32).min, np.finfo(np.float32).max)
