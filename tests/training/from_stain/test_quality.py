from dataclasses import replace

import numpy as np
import pytest
from scipy import ndimage

from cpunet.training.from_stain.quality import PairQuality, QualityLimits, quality_of, reasons_to_drop

GOOD = PairQuality(1000, 0.2, 0.03, 0.3, 0.0, 0.0)
LIMITS = QualityLimits()


def measured(pair, image=None, stain=None):
    stain = pair.stain if stain is None else stain
    return quality_of(pair.phase if image is None else image, stain, stain >= stain.max(), pair.labels)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"nucleus_share": 0.51}, "more nucleus than background"),
        ({"rim": 0.2}, "stain is out of focus"),
        ({"sharpness": 0.1}, "image is out of focus"),
        ({"stain_saturated": 0.4}, "40% of the nucleus pixels of the stain are saturated"),
        ({"image_saturated": 0.4}, "40% of the pixels of the image are saturated"),
    ],
)
def test_each_fault_is_a_reason_of_its_own(change, words):
    reasons = reasons_to_drop([GOOD, replace(GOOD, **change), GOOD], LIMITS)
    assert words in reasons[1]
    assert reasons[0] == reasons[2] == ""


@pytest.mark.parametrize(("count", "dropped"), [(3, 0), (4, 1), (9, 2)])
def test_the_quarter_with_the_fewest_nucleus_pixels_is_dropped(count, dropped):
    pairs = [replace(GOOD, nucleus_px=100 * (count - number)) for number in range(count)]
    reasons = reasons_to_drop(pairs, LIMITS)
    assert [bool(reason) for reason in reasons] == [False] * (count - dropped) + [True] * dropped
    assert not any(reasons_to_drop(pairs, QualityLimits(drop_fewest=0)))


def test_pairs_with_another_fault_do_not_count_toward_the_quarter():
    pairs = [replace(GOOD, nucleus_px=10 * number, rim=0.5 if number < 2 else 0.0) for number in range(6)]
    reasons = reasons_to_drop(pairs, LIMITS)
    assert ["fewest" in reason for reason in reasons] == [False, False, True, False, False, False]


def test_blur_widens_the_rim_and_takes_the_sharpness(drawn_pairs):
    # On the truth, which lies on the stain where nothing is shifted.
    pair = drawn_pairs[2]
    on_image = ndimage.shift(pair.stain, pair.shift_px, order=1, mode="nearest")
    sharp = measured(pair, stain=on_image)
    blurred = measured(pair, ndimage.gaussian_filter(pair.phase, 3), ndimage.gaussian_filter(on_image, 6))
    assert sharp.rim < LIMITS.widest_rim < blurred.rim
    assert blurred.sharpness < LIMITS.least_sharpness * sharp.sharpness


def test_saturation_counts_nuclei_in_the_stain_and_all_pixels_in_the_image(drawn_pairs):
    pair = drawn_pairs[2]
    usual = measured(pair)
    assert usual.stain_saturated < 0.01
    assert usual.image_saturated < 0.01
    clipped = measured(pair, np.minimum(pair.phase, 100), np.minimum(pair.stain, 200))
    assert clipped.stain_saturated > LIMITS.most_saturated
    assert clipped.image_saturated > LIMITS.most_saturated


def test_a_field_without_nuclei_is_measured(drawn_pairs):
    pair = drawn_pairs[0]._replace(labels=np.zeros_like(drawn_pairs[0].labels))
    assert measured(pair).nucleus_px == measured(pair).rim == 0
