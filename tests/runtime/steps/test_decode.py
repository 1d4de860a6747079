import json

import numpy as np
import pytest

from cpunet.checks.synthetic import synthetic_field
from cpunet.model.card import Postprocessing
from cpunet.model.card_limits import card_from_json
from cpunet.model.session import load_model
from cpunet.options import Options
from cpunet.segment import segment_image
from cpunet.steps.decode import decode, decodes_by_card, postprocessing_at_scale
from tests.tiny_onnx import changed_card

CARD = card_from_json(json.dumps(changed_card()))


def test_settings_of_an_enlarged_image_are_brought_to_the_image():
    settings = Postprocessing(0.4, marker_min_size_px=8, min_size_px=40, dilation_px=3)
    assert postprocessing_at_scale(settings, 2.0) == Postprocessing(
        0.4, marker_min_size_px=2, min_size_px=10, dilation_px=1.5
    )


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (Options(), True),
        (Options(foreground_threshold=0.3, augmentation="flips", scale=2.0), True),
        (Options(declump_method="none"), False),
        (Options(smoothing_px=0), False),
        (Options(min_distance_px=3), False),
        (Options(fill_holes="never"), False),
    ],
)
def test_the_card_decides_unless_an_option_does(options, expected):
    assert decodes_by_card(options) == expected


def test_the_threshold_of_the_options_replaces_that_of_the_card():
    probabilities = np.linspace(0, 1, 900, dtype=np.float32).reshape(1, 30, 30)
    for threshold, above in ((None, CARD.postprocessing.foreground_threshold), (0.9, 0.9)):
        options = Options(foreground_threshold=threshold)
        labels = decode(probabilities, probabilities, None, CARD, options, 1.0)
        np.testing.assert_array_equal(labels > 0, probabilities[0] > above)


@pytest.fixture
def model(tiny_model):
    return load_model(tiny_model)


PAIRS = synthetic_field((160, 200), columns=4, diameter_px=20, touching=True)


@pytest.mark.parametrize("method", ["shape", "intensity"])
def test_pairs_are_split_in_an_image_with_automatic_lengths(model, method):
    whole = segment_image(PAIRS.image, model, Options(declump_method="none")).labels.max()
    found = segment_image(PAIRS.image, model, Options(declump_method=method)).labels.max()
    assert whole <= 0.75 * PAIRS.labels.max()
    assert abs(found - PAIRS.labels.max()) <= 0.15 * PAIRS.labels.max()


@pytest.mark.parametrize("scale", [0.5, 1.0, 2.0])
def test_lengths_are_pixels_of_the_image_whatever_the_network_sees(model, scale):
    for distance, expected in ((10, 24), (40, 12)):
        options = Options(scale=scale, declump_method="shape", smoothing_px=3, min_distance_px=distance)
        y, x = np.mgrid[:200, :400]
        middles = [
            (40 + 60 * row, 40 + 100 * column + 22 * side) for row in range(3) for column in range(4) for side in (0, 1)
        ]
        image = np.any([np.hypot(y - my, x - mx) < 14 for my, mx in middles], axis=0).astype(float)
        assert segment_image(image, model, options).labels.max() == expected


def test_a_hole_is_filled_as_the_option_says(model):
    y, x = np.mgrid[:80, :80]
    away = np.hypot(y - 40, x - 40)
    ring = ((away < 15) & (away > 3)).astype(float)
    by_card, never, before, after = (
        segment_image(ring, model, Options(scale=1.0, fill_holes=choice)).labels
        for choice in (None, "never", "after thresholding", "after declumping")
    )
    assert by_card[40, 40] == never[40, 40] == 0  # the tiny model's card fills none
    assert before[40, 40] == after[40, 40] == 1
