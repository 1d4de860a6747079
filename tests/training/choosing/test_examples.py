"""Candidates of labeled images, and how well they fit the truth."""

import numpy as np
import pytest

from cpunet.choice.features import feature_names
from cpunet.errors import DataError
from cpunet.model.session import load_model
from cpunet.options import Options
from cpunet.scores import overlap, score_image
from cpunet.segment import segment_image
from cpunet.training.choosing.examples import candidates_of, iou_with_truth, table_of
from cpunet.training.data.labeled_images import read_index, read_labeled_image
from tests.tiny_onnx import changed_card, tiny_onnx


def test_the_iou_is_that_with_the_best_true_object():
    rng = np.random.default_rng(0)
    truth, labels = (rng.integers(0, 4, (30, 30)).astype(np.int32) for _ in range(2))
    expected = overlap(truth, labels).iou.max(axis=0)
    np.testing.assert_allclose(iou_with_truth(truth, labels), expected)


def test_what_nobody_judged_counts_neither_way():
    truth = np.array([[1, 1, 1, -1, -1, -1, 0, 0]], np.int32)
    labels = np.array([[1, 1, 1, 1, 2, 2, 0, 3]], np.int32)
    found = iou_with_truth(truth, labels)
    assert found[0] == 1
    assert np.isnan(found[1])
    assert found[2] == 0


def test_candidates_are_those_of_each_model(touching, models):
    rows = read_index(touching)[:2]
    candidates = candidates_of(models, rows, Options())
    assert (candidates.failed, candidates.not_averaged) == ({}, "")
    for row, image in zip(rows, candidates.images, strict=True):
        read = read_labeled_image(row)
        for model, labels, scores in zip(models, image.labels, image.scores, strict=True):
            expected = segment_image(read.image, model).labels
            np.testing.assert_array_equal(labels, expected)
            assert scores == score_image(read.labels, expected)
        count = sum(int(labels.max()) for labels in image.labels)
        assert image.features.shape == (count, len(feature_names(2)))
        assert image.iou.shape == (count,)
        assert image.of_average is not None
    features, iou = table_of(candidates.images)
    assert len(features) == len(iou) == sum(len(image.iou) for image in candidates.images)


def test_models_that_cannot_be_averaged_are_only_said_to_be_so(touching, models, tmp_path):
    (tmp_path / "other.onnx").write_bytes(tiny_onnx(changed_card(name="other", output={"roles": ["boundary"]})))
    given = [models[0], load_model(tmp_path / "other.onnx")]
    candidates = candidates_of(given, read_index(touching)[:1], Options())
    assert "output roles differ" in candidates.not_averaged
    assert candidates.images[0].of_average is None


def test_a_bad_image_costs_only_itself(touching, models, tmp_path, capsys):
    row = read_index(touching)[0]
    absent = row.__class__(tmp_path, "absent", "fluorescence", "val", "")
    candidates = candidates_of(models, [absent, row], Options())
    assert len(candidates.images) == 1
    assert list(candidates.failed) == [f"{tmp_path.name}/absent"]
    assert "FAILED" in capsys.readouterr().err
    with pytest.raises(DataError, match="no image could be segmented"):
        candidates_of(models, [absent], Options())
