from dataclasses import replace

import numpy as np
import pytest

from cpunet.model.card import Postprocessing
from cpunet.options import Options
from cpunet.segmentation import Segmentation
from cpunet.training.config import config_from_dict
from cpunet.training.data.labeled_images import read_index, read_labeled_image
from cpunet.training.evaluation.torch_model import card_for_training, score_images
from cpunet.training.patches.targets import Targets, make_targets
from cpunet.training.tuning import search
from cpunet.training.tuning.search import candidates, tune_postprocessing
from tests.synthetic_data_set import SMALL


class KnowingModel:
    """Knows the truth of each image by its pixels, and blunts it."""

    def __init__(self, rows, targets, scale):
        self.card = replace(
            card_for_training(config_from_dict({**SMALL, "targets": {"kind": targets.kind}})),
            postprocessing=targets.decoding,
        )
        self.answers = {}
        self.targets, self.scale = targets, scale
        self.rows = iter(rows)

    def predict(self, batch):
        truth = read_labeled_image(next(self.rows)).labels
        planes = self.scale * make_targets(truth, self.targets)
        result = np.zeros((1, len(planes), *batch.shape[2:]), np.float32)
        result[0, :, : truth.shape[0], : truth.shape[1]] = planes
        return result


@pytest.fixture
def rows(data_root):
    return [row for row in read_index(data_root / "drawn") if row.split == "val"]


@pytest.mark.parametrize(
    ("targets", "scale", "field"),
    [
        (Targets(), 0.45, "foreground_threshold"),
        (Targets("boundary"), 0.45, "boundary_threshold"),
        (Targets("boundary_gaussian"), 0.45, "boundary_threshold"),
    ],
    ids=["foreground", "boundary", "gaussian"],
)
def test_thresholds_follow_a_model_that_is_too_timid(rows, targets, scale, field):
    def scored(settings):
        model = KnowingModel(rows, targets, scale)
        model.card = replace(model.card, postprocessing=settings)
        return np.mean([score.tp[0] / score.truth_count for score in score_images(model, rows, Options(scale=1.0))])

    tuned = tune_postprocessing(KnowingModel(rows, targets, scale), [rows], [1.0])
    assert getattr(tuned, field) < scale
    assert scored(targets.decoding) < 0.1 < 0.9 < scored(tuned)
    if field == "boundary_threshold":
        assert tuned.foreground_threshold == Postprocessing().foreground_threshold
    else:
        assert tuned.boundary_threshold == Postprocessing().boundary_threshold


def test_a_setting_of_the_card_is_kept_where_nothing_else_is_better(rows):
    model = KnowingModel([], Targets(), 1.0)
    model.card = replace(model.card, postprocessing=Postprocessing(0.52, 0.43, 3, 7))
    model.rows = iter(rows)
    assert tune_postprocessing(model, [rows], [1.0]) == model.card.postprocessing


def test_sizes_are_tried_in_shares_of_the_trained_objects_area():
    small, large = (candidates(Targets().roles, diameter) for diameter in (10.0, 100.0))
    for name in ("marker_min_size_px", "min_size_px"):
        assert small[name][0] == large[name][0] == 0
        assert large[name][-1] == pytest.approx(100 * small[name][-1], rel=0.1)
    assert small["foreground_threshold"] == large["foreground_threshold"]


def test_images_are_decoded_at_half_their_size_too_unless_their_diameter_is_given(rows, monkeypatch):
    seen = []

    def recorded(image, model, options):
        seen.append((image.shape, options.diameter_px))
        return Segmentation(np.zeros(image.shape, np.int32), np.zeros((3, *image.shape), np.float32), 1.0)

    monkeypatch.setattr(search, "segment_image", recorded)
    (height, width), count = read_labeled_image(rows[0]).labels.shape, len(rows)
    tune_postprocessing(KnowingModel(rows, Targets(), 1.0), [rows, rows], [None, 20.0])
    assert seen == (
        [((height, width), None)] * count
        + [((height, width), 20.0)] * count
        + [((height // 2, width // 2), None)] * count
    )


@pytest.mark.parametrize("channels", [(), (3,)])
def test_an_image_of_half_the_size_shows_the_same_objects(rows, channels):
    truth = read_labeled_image(rows[0])
    truth = replace(truth, image=np.broadcast_to(truth.image.reshape(*truth.image.shape, 1), (*truth.image.shape, 3)))
    truth = truth if channels else replace(truth, image=truth.image[..., 0])
    half = search.resized(truth, 0.5)
    assert half.image.shape == (*half.labels.shape, *channels)
    assert half.labels.shape == tuple(round(size / 2) for size in truth.labels.shape)
    assert set(np.unique(half.labels)) == set(np.unique(truth.labels))
    bright, plane = (each.image[..., 0] if channels else each.image for each in (truth, half))
    assert np.median(plane[half.labels > 0]) == pytest.approx(np.median(bright[truth.labels > 0]), rel=0.1)


def test_only_a_plain_mask_is_tried_with_high_marker_thresholds():
    alone, beside = (
        candidates(Targets(kind).roles, 20.0)["marker_threshold"] for kind in ("foreground", "foreground_border")
    )
    assert max(alone) == 0.99 > max(beside)
    assert set(beside) < set(alone)
