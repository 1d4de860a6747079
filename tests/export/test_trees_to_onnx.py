"""Boosted trees in ONNX predict what scikit-learn predicts, also at the very thresholds."""

import numpy as np
import pytest

from cpunet.choice.card import ChooserCard, ListedModel
from cpunet.choice.chooser import load_chooser
from cpunet.choice.features import feature_names
from cpunet.errors import ExportError
from cpunet.export.trees_to_onnx import trees_to_onnx, write_chooser
from cpunet.training.choosing.regressor import fitted, predicted

CARD = ChooserCard(feature_names(2), (ListedModel("one", "1", "a" * 64), ListedModel("other", "1", "b" * 64)))


@pytest.fixture(scope="module")
def learned():
    rng = np.random.default_rng(3)
    features = np.round(rng.random((800, len(CARD.features))) * 20, 1).astype(np.float32)  # many equal values
    iou = np.clip(features[:, 3] / 20 * (features[:, 5] > 7.3) + rng.normal(0, 0.1, 800), 0, 1)
    return fitted(features, iou), features


def test_the_file_predicts_what_the_trees_do(learned, tmp_path):
    regressor, features = learned
    write_chooser(tmp_path / "new" / "c.onnx", regressor, CARD, features, predicted(regressor, features))
    chooser = load_chooser(tmp_path / "new" / "c.onnx")
    thresholds = np.concatenate([tree.nodes["num_threshold"] for (tree,) in regressor._predictors]).astype(np.float32)
    others = np.resize(thresholds, features.shape).astype(np.float32)
    for given in (features, others, np.nextafter(others, np.float32(np.inf)), np.nextafter(others, np.float32(-1))):
        np.testing.assert_allclose(chooser.predicted_iou(given), predicted(regressor, given), atol=1e-5)
    assert np.ptp(chooser.predicted_iou(features)) > 0.3
    assert chooser.card == CARD


def test_the_same_trees_give_the_same_bytes(learned):
    regressor, _ = learned
    assert trees_to_onnx(regressor, CARD) == trees_to_onnx(regressor, CARD)


def test_a_file_that_predicts_something_else_is_not_written(learned, tmp_path):
    regressor, features = learned
    with pytest.raises(ExportError, match=r"differ by .*c?"):
        write_chooser(tmp_path / "c.onnx", regressor, CARD, features, predicted(regressor, features) + 0.01)
    assert list(tmp_path.iterdir()) == []
