import numpy as np
import pytest

from cpunet.checks.synthetic import synthetic_field
from cpunet.training.evaluation.scored_images import Evaluation
from tests.scored_methods import EVIL, image_on_disk, scored_method


@pytest.fixture
def evaluation(tmp_path):
    """Two methods on four images of two sets and two modalities."""
    truths = [synthetic_field((80, 80), 3, 16, touching=seed > 1, seed=seed).labels for seed in range(4)]
    places = [("one", "fluorescence"), ("one", "phase_contrast"), ("two", "fluorescence"), ("two", "fluorescence")]
    rows = [
        image_on_disk(tmp_path / folder, f"i{number}", modality, truth)
        for number, ((folder, modality), truth) in enumerate(zip(places, truths, strict=True))
    ]
    shifted = [np.roll(truth, number, axis=1) for number, truth in enumerate(truths)]
    thinned = [np.where(truth % 3 == 0, 0, truth) for truth in truths]
    methods = (scored_method(EVIL, rows, truths, shifted), scored_method("_thinned", rows, truths, thinned))
    return Evaluation("val", None, methods, {("two", "i9"): "the file is <empty>"})
