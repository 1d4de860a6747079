from types import SimpleNamespace

import numpy as np
import pytest
from scipy import ndimage

from cpunet.model.card import card_from_content
from cpunet.training.volumes.data.labeled_volumes import find_labeled_volumes
from cpunet.training.volumes.tuning import tune_on_volumes, volume_candidates
from tests.labeled_volumes import write_volumes
from tests.tiny_volumes import changed_volume_card

SIZES = {"depth": 8, "pixel_size_um": 0.5, "z_step_um": 1.0}


def test_sizes_are_shares_of_the_voxels_of_a_ball():
    card = card_from_content(changed_volume_card(input={"diameter_px": 20.0, "z_step_px": 2.0}))
    ball = np.pi / 6 * 20**3 / 2
    tried = volume_candidates(card)
    assert tried["min_size_px"][-1] == pytest.approx(0.1 * ball, abs=1)
    assert tried["marker_min_size_px"][:2] == (0, round(0.001 * ball))


def test_the_threshold_that_draws_the_outlines_of_the_labels_is_chosen(tmp_path):
    """The network is sure of 0.9 within the balls, and says 0.55 two pixels around them."""
    write_volumes(tmp_path / "balls", [{"id": "a", "split": "val", **SIZES}])
    card = card_from_content(
        changed_volume_card(input={"diameter_px": 9.0, "diameter_low_px": 4.0, "diameter_high_px": 20.0})
    )

    def predict(batch):
        inside = batch > 0.5
        around = ndimage.binary_dilation(inside, np.ones((1, 1, 1, 5, 5)))
        return np.where(inside, 0.9, np.where(around, 0.55, 0.02)).astype(np.float32)

    model = SimpleNamespace(card=card, predict=predict)
    tuned = tune_on_volumes(model, [find_labeled_volumes(tmp_path / "balls")], [None])
    assert tuned.foreground_threshold >= 0.55
    assert tuned.boundary_threshold == card.postprocessing.boundary_threshold  # what volumes do not use stays
