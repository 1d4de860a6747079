import numpy as np
import pytest

from cpunet.errors import ModelError, OptionError
from cpunet.scores import pool_scores, score_image
from cpunet.training.from_stain.recipes import ModelRecipe, ThesisRecipe, equalized, labeler

BINS = 256


def clahe_of_imagej(unit, y, x, block_px, slope):
    """ImageJ's plugin (mpicbg.ij.clahe) at one pixel, in its exact form: the histogram of the block around it."""
    half = block_px // 2
    block = unit[max(0, y - half) : y + half + 1, max(0, x - half) : x + half + 1]
    histogram = np.bincount(np.rint(block * BINS).astype(int).ravel(), minlength=BINS + 1)
    limit = int(slope * block.size / BINS + 0.5)
    clipped = 0
    while True:
        before, clipped = clipped, int(np.maximum(histogram - limit, 0).sum())
        histogram = np.minimum(histogram, limit)
        histogram += clipped // (BINS + 1)
        rest = clipped % (BINS + 1)
        if rest:
            histogram[: rest * (BINS // rest) : BINS // rest] += 1
        if clipped == before:
            break
    lowest = int(np.flatnonzero(histogram)[0])
    below = histogram[lowest : int(np.rint(unit[y, x] * BINS)) + 1].sum() - histogram[lowest]
    return below / (histogram.sum() - histogram[lowest])


def test_contrast_is_that_of_imagej(drawn_pairs):
    stain = drawn_pairs[1].stain
    unit = (stain - stain.min()) / np.ptp(stain)
    even = equalized(stain, ThesisRecipe())
    places = np.random.default_rng(1).integers(63, 274 - 63, (150, 2))
    expected = np.array([clahe_of_imagej(unit, y, x, 127, 3.0) for y, x in places])
    found = np.array([even[y, x] for y, x in places])
    assert np.corrcoef(expected, found)[0, 1] > 0.98
    assert np.abs(expected - found).mean() < 0.05


def test_a_slope_of_one_changes_little_and_a_larger_one_raises_dim_nuclei(drawn_pairs):
    stain = drawn_pairs[0].stain
    unit = (stain - stain.min()) / np.ptp(stain)
    spreads = [np.abs(equalized(stain, ThesisRecipe(clahe_slope=slope)) - unit).mean() for slope in (1.0, 3.0, 20.0)]
    assert spreads[0] < spreads[1] < spreads[2]
    assert spreads[0] < 0.02


def test_the_model_labels_clean_stains_better_than_the_thesis(drawn_pairs):
    model, thesis = (labeler(recipe) for recipe in (ModelRecipe(device="cpu"), ThesisRecipe()))

    def f1(label):
        scores = []
        for pair in drawn_pairs[:4]:
            dy, dx = (round(each) for each in pair.shift_px)
            truth = np.roll(pair.labels, (-dy, -dx), (0, 1))[20:-20, 20:-20]
            scores.append(score_image(truth, label(pair.stain)[20:-20, 20:-20]))
        return pool_scores(scores).f1[0.5]

    assert f1(model) > 0.9
    assert f1(thesis) < f1(model)


@pytest.mark.parametrize(
    "wrong",
    [
        {"clahe_block_px": 1},
        {"clahe_bins": 1},
        {"clahe_slope": 0.5},
        {"threshold_window_px": 1},
        {"threshold_bounds": (0.5, 0.2)},
        {"threshold_bounds": (0.5, 1.2)},
        {"declump": "magic"},
        {"diameters_px": (30.0, 5.0)},
    ],
)
def test_settings_out_of_range_are_refused(wrong):
    with pytest.raises(OptionError, match="--"):
        ThesisRecipe(**wrong)


def test_an_unknown_model_is_refused():
    with pytest.raises(ModelError, match="no_such_model"):
        labeler(ModelRecipe("no_such_model"))
