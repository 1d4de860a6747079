import json

import numpy as np
import pytest
import tifffile

from cpunet.__main__ import main
from cpunet.files.formats.volume import read_label_volume
from cpunet.training.weights import save_trained
from cpunet.volume_scores import score_volume
from tests.labeled_volumes import drawn_volume
from tests.random_network import random_network


@pytest.fixture
def predicted(tmp_path):
    """Labels of volume c in which the ball 2 is missing, and ball 1 is a plane too short."""
    labels = drawn_volume(2)[1]
    labels[labels == 2] = 0
    labels[0] = 0
    (tmp_path / "other").mkdir()
    tifffile.imwrite(tmp_path / "other" / "c.tif", labels, photometric="minisblack")
    return labels


def test_label_volumes_are_scored_by_volume(volume_root, tmp_path, predicted, capsys):
    words = [
        "--beside",
        f"other={tmp_path / 'other'}",
        "--data",
        str(volume_root / "balls"),
        "-o",
        str(tmp_path / "out"),
    ]
    assert main(["evaluate", *words]) == 0
    (method,) = json.loads((tmp_path / "out" / "scores.json").read_text())["methods"]
    expected = score_volume(drawn_volume(2)[1], predicted)
    assert method["overall"]["seg"] == pytest.approx(expected.seg)
    assert 0.5 < expected.seg < 2 / 3
    assert method["volumes"][0]["truth_count"] == 3
    assert method["volumes"][0]["prediction_count"] == 2
    table = capsys.readouterr()
    assert f"{expected.seg:.3f}" in table.out + table.err


def test_a_model_of_images_segments_plane_by_plane(volume_root, tmp_path):
    save_trained(tmp_path / "flat.safetensors", random_network())
    words = ["--model", str(tmp_path / "flat.safetensors"), "--data", str(volume_root / "balls")]
    assert main(["evaluate", *words, "-o", str(tmp_path / "out")]) == 0
    (written,) = (tmp_path / "out" / "labels").glob("*/c.tif")
    assert read_label_volume(written).pixels.shape == drawn_volume(2)[1].shape


def test_labels_of_another_size_are_named(volume_root, tmp_path, capsys):
    (tmp_path / "other").mkdir()
    tifffile.imwrite(tmp_path / "other" / "c.tif", np.zeros((8, 30, 31), np.uint16), photometric="minisblack")
    words = [
        "--beside",
        f"other={tmp_path / 'other'}",
        "--data",
        str(volume_root / "balls"),
        "-o",
        str(tmp_path / "out"),
    ]
    assert main(["evaluate", *words]) == 2
    assert "cropped nor rescaled" in capsys.readouterr().err
    assert not (tmp_path / "out" / "scores.json").exists()


def test_words_for_images_are_refused(volume_root, tmp_path, predicted, capsys):
    words = [
        "--beside",
        f"other={tmp_path / 'other'}",
        "--data",
        str(volume_root / "balls"),
        "-o",
        str(tmp_path / "out"),
    ]
    assert main(["evaluate", *words, "--noisy-labels"]) == 2
    assert "is for images" in capsys.readouterr().err
