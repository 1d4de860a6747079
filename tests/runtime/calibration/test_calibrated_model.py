import json

import numpy as np
import pytest

from cpunet.calibration.calibrate import Calibration
from cpunet.calibration.calibrated_model import name_of, sum_of, write_calibrated
from cpunet.calibration.settings import settings_of, with_value
from cpunet.files.labeled_images import LabeledImage
from cpunet.model.card import METADATA_KEY
from cpunet.model.session import load_model
from cpunet.onnx_reader.metadata import read_card, read_metadata
from cpunet.onnx_reader.model_file import read_model_file
from cpunet.scores import pool_scores, score_image
from tests.tiny_onnx import changed_card, tiny_onnx

LABELS = np.zeros((30, 40), np.int32)
LABELS[5:20, 5:20] = 1
IMAGES = [LabeledImage(LABELS.astype(np.uint8), LABELS)] * 3


@pytest.fixture
def file(tmp_path):
    content = changed_card(
        authors=["A"], citation="C", provenance={"seed": 3}, scores={"set": {"mean_f1": 0.5}}, newer="kept"
    )
    path = tmp_path / "theirs.onnx"
    path.write_bytes(tiny_onnx(content))
    return read_model_file(path)


def calibration(card):
    before, after = (pool_scores([score_image(LABELS, labels)] * 3) for labels in (0 * LABELS, LABELS))
    chosen = with_value(with_value(settings_of(card), "outline_shift_px", -1.5), "diameter_range_px", (18.2, 22.0))
    return Calibration(settings_of(card), chosen, (chosen,) * 3, before, after, 0.9, 1.0, 3)


def test_the_copy_has_the_settings_and_says_where_they_come_from(file, tmp_path):
    card = read_card(file.path)
    output = tmp_path / "new" / "mine.onnx"
    write_calibrated(output, file, calibration(card), IMAGES)
    found = read_card(output)
    assert found.name == "mine"
    assert found.postprocessing.outline_shift_px == -1.5
    assert (found.input.diameter_low_px, found.input.diameter_high_px) == (18.2, 22.0)
    assert (found.licence, found.authors, found.citation, found.version) == ("CC0-1.0", ("A",), "C", card.version)
    assert found.extra == card.extra
    assert found.description == "A sigmoid of the normalized intensity. Calibrated on 3 images with 3 objects."
    assert found.provenance["seed"] == 3
    assert found.provenance["calibrated"] == {
        "name": "tiny",
        "version": card.version,
        "sha256": file.sha256,
        "images": 3,
        "objects": 3,
        "images_sha256": sum_of(IMAGES),
        "mean_f1_before": 0.0,
    }
    assert [scores["mean_f1"] for scores in found.scores.values()] == [1.0]
    image = np.random.default_rng(0).random((1, 1, 32, 32), np.float32)
    np.testing.assert_array_equal(load_model(output).predict(image), load_model(file.path).predict(image))
    assert [path.name for path in output.parent.iterdir()] == ["mine.onnx"]


def test_the_name_is_that_by_which_the_module_lists_the_file(tmp_path):
    assert name_of(tmp_path / "mine.onnx") == "mine"
    assert name_of(tmp_path / "ours" / "model.onnx") == "ours"


def test_the_sum_depends_on_images_labels_and_order():
    other = LabeledImage(IMAGES[0].image, 2 * LABELS)
    sums = {sum_of(each) for each in (IMAGES, IMAGES[:2], [IMAGES[0], other], [other, IMAGES[0]])}
    assert len(sums) == 4
    assert sum_of(IMAGES) == sum_of(list(IMAGES))


def test_a_card_of_a_calibration_follows_the_schema(file, tmp_path):
    schema = pytest.importorskip("cpunet.export.card.schema")
    output = tmp_path / "mine.onnx"
    write_calibrated(output, file, calibration(read_card(file.path)), IMAGES)
    assert schema.schema_errors(json.loads(read_metadata(output)[METADATA_KEY])) == []
