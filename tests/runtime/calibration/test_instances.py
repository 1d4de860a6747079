"""A model that gives objects is calibrated by its own settings."""

import numpy as np
import pytest

from cpunet.calibration.calibrate import calibrate
from cpunet.calibration.settings import candidates
from cpunet.calibration.texts import NAMES
from cpunet.files.labeled_images import LabeledImage
from cpunet.model.session import load_model
from cpunet.options import Options
from tests.tiny_instances import blobs, instances_card, instances_onnx

CARD = instances_card(input={"normalization": {"kind": "none", "units": "zero_to_one"}})


@pytest.fixture
def blob_model(tmp_path):
    path = tmp_path / "blobs.onnx"
    path.write_bytes(instances_onnx(CARD))
    return load_model(path, "cpu")


def labeled(seed):
    """An image of bright blobs, and of dim ones that are not labeled."""
    rng = np.random.default_rng(seed)
    places = [
        (row + rng.integers(-4, 5), column + rng.integers(-4, 5))
        for row in range(20, 150, 32)
        for column in range(20, 180, 32)
    ]
    bright = [1.0 if place % 2 else 0.55 for place in range(len(places))]
    image = blobs((150, 190), places, brightness=bright)
    labels = np.zeros(image.shape, np.int32)
    y, x = np.indices(image.shape)
    for number, (row, column) in enumerate(places[1::2], 1):
        labels[np.hypot(y - row, x - column) < 10.5] = number
    return LabeledImage(image, labels)


def test_its_settings_are_those_of_scores_and_masks(blob_model):
    tried = candidates(blob_model.card)
    assert set(tried) == {
        *("outline_shift_px", "diameter_range_px", "mask_threshold", "outline_level", "score_threshold", "min_size_px")
    }
    assert min(tried["score_threshold"]) == 0.4, "the network gives nothing below its own threshold"
    assert set(tried) <= set(NAMES)


def test_objects_that_nobody_labeled_are_dropped_by_a_higher_score(blob_model):
    images = [labeled(seed) for seed in range(3)]
    found = calibrate(blob_model, images, Options(scale=1.0))
    assert found.chosen.postprocessing.score_threshold > 0.5
    assert found.is_better
    assert found.after.mean_f1 > found.before.mean_f1 + 0.2


def test_the_network_sees_each_tile_once(blob_model):
    seen = []

    class Counting:
        card = blob_model.card

        def find_instances(self, image):
            seen.append(image.tobytes())
            return blob_model.find_instances(image)

    calibrate(Counting(), [labeled(seed) for seed in range(3)], Options(scale=1.0))
    assert len(seen) == len(set(seen)) > 0
