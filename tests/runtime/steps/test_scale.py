import json

import numpy as np
import pytest

from cpunet.checks.synthetic import synthetic_field
from cpunet.errors import OptionError
from cpunet.model.card_limits import card_from_json
from cpunet.model.session import load_model
from cpunet.options import Options
from cpunet.scores import pool_scores, score_image
from cpunet.segment import segment_image
from cpunet.segmentation import Segmentation
from cpunet.steps import look
from cpunet.steps import scale as scale_module
from cpunet.steps.diameter import typical_diameter
from cpunet.steps.predict import predict
from cpunet.steps.scale import (
    MOST_PASSES,
    certainty,
    choose_scale,
    judgment,
    measure_scale,
    next_scale,
    scale_factor,
)
from tests.tiny_onnx import changed_card

# Trained at 20 pixels, no rescaling from 10 to 40.
CARD = card_from_json(json.dumps(changed_card()))


def discs(diameters, gap=6):
    """Labels of discs in a row."""
    height = max(diameters) + 2 * gap
    labels = np.zeros((height, sum(diameters) + gap * (len(diameters) + 1)), np.int32)
    left = gap
    for number, diameter in enumerate(diameters, start=1):
        y, x = np.mgrid[: labels.shape[0], : labels.shape[1]] + 0.5
        labels[np.hypot(y - height / 2, x - left - diameter / 2) < diameter / 2] = number
        left += diameter + gap
    return labels


def seen(labels, probability=0.95, scale=1.0):
    return Segmentation(labels, np.where(labels > 0, probability, 0.05)[np.newaxis].astype(np.float32), scale)


@pytest.fixture
def model(tiny_model):
    return load_model(tiny_model)


@pytest.fixture
def scales(monkeypatch):
    """The scales at which images are predicted, one after the other."""
    found = []

    def recorded(channels, usable, model, options, scale):
        found.append((channels.shape[1:], round(scale, 3)))
        return predict(channels, usable, model, options, scale)

    monkeypatch.setattr(look, "predict", recorded)
    return found


@pytest.mark.parametrize(
    ("diameter", "scale"), [(10, 1), (25, 1), (40, 1), (80, 0.25), (5, 4), (1e6, 1 / 16), (0.01, 4)]
)
def test_the_image_is_rescaled_only_if_the_model_does_not_know_the_size(diameter, scale):
    assert scale_factor(CARD.input, diameter) == pytest.approx(scale)


@pytest.mark.parametrize(
    ("diameter", "before", "expected"),
    [
        (20, 1, 1),
        (12, 1, 1),
        (38, 1, 1),
        (60, 1, 1 / 3),
        (6, 1, 20 / 6),
        (60, 0.5, 0.5),
        (90, 0.5, 2 / 9),
        (20, 0.25, 1),
    ],
)
def test_the_next_pass_brings_the_objects_to_the_trained_size(diameter, before, expected):
    assert next_scale(seen(discs([diameter]), scale=before), CARD) == pytest.approx(expected, rel=0.1)


def test_nothing_to_measure_changes_no_scale():
    assert next_scale(seen(np.zeros((30, 30), np.int32), scale=0.7), CARD) == 0.7


def test_uncertain_pieces_are_seen_smaller():
    pieces = discs([12, 14, 20])
    assert certainty(seen(pieces, 0.95), CARD.output.roles) == pytest.approx(0.9)
    assert next_scale(seen(pieces, 0.7), CARD) == 0.5
    assert next_scale(seen(pieces, 0.7, scale=1 / 16), CARD) == 1 / 16
    # boundaries alone say nothing of how sure an object is
    assert certainty(seen(pieces, 0.5), ("boundary",)) == 1


@pytest.mark.parametrize("zoom", [0.3, 1, 3, 5])
def test_objects_of_any_size_are_found_without_a_diameter(model, scales, zoom):
    field = synthetic_field((int(120 * zoom), int(150 * zoom)), columns=4, diameter_px=20 * zoom)
    found = segment_image(field.image, model)
    assert found.labels.shape == field.labels.shape
    scores = pool_scores([score_image(field.labels, found.labels)])
    assert scores.prediction_count == scores.truth_count
    assert scores.f1[0.7] > 0.9
    assert scales[0][1] == 1
    assert found.scale == pytest.approx(scales[-1][1], abs=1e-3)
    assert (len(scales) > 1) == (zoom != 1)
    assert 10 <= typical_diameter(found.labels) * found.scale <= 40


def test_a_size_or_scale_that_is_given_is_not_measured(model, scales):
    field = synthetic_field((360, 450), columns=4, diameter_px=60)
    assert segment_image(field.image, model, Options(diameter_px=20)).scale == 1
    assert segment_image(field.image, model, Options(scale=0.5)).scale == 0.5
    assert segment_image(field.image, model, Options(diameter_px=60, scale=1.0)).scale == 1
    assert [scale for _, scale in scales] == [1, 0.5, 1]


def test_an_image_whose_passes_never_agree_ends_all_the_same(model, monkeypatch):
    passes = []

    def restless(channels, usable, model, options, scale):
        passes.append(scale)
        return seen(discs([6 if len(passes) % 2 else 100]), scale=scale)

    monkeypatch.setattr(scale_module, "segment_at", restless)
    measure_scale(np.zeros((1, 30, 30), np.float32), None, model, Options())
    assert len(passes) == 1 + MOST_PASSES


def test_a_later_pass_that_finds_nothing_does_not_lose_what_was_found(model, monkeypatch):
    first = discs([100])
    monkeypatch.setattr(
        scale_module,
        "segment_at",
        lambda channels, usable, model, options, scale: seen(
            first if scale == 1 else np.zeros_like(first), scale=scale
        ),
    )
    found = measure_scale(np.zeros((1, *first.shape), np.float32), None, model, Options())
    assert found.scale == 1
    assert found.labels.any()


def test_a_model_that_is_never_sure_sees_the_image_as_it_is(model, monkeypatch):
    pieces = discs([12, 14, 20])
    for later, scale in ((0.7, 1.0), (0.65, 1.0), (0.95, 0.5)):
        monkeypatch.setattr(
            scale_module,
            "segment_at",
            lambda channels, usable, model, options, scale, later=later: seen(
                pieces, 0.7 if scale == 1 else later, scale=scale
            ),
        )
        found = measure_scale(np.zeros((1, *pieces.shape), np.float32), None, model, Options())
        assert found.scale == scale


def test_clumps_are_split_to_be_measured_and_kept_whole_in_the_result(model, scales):
    field = synthetic_field((360, 450), columns=4, diameter_px=60)
    split = segment_image(field.image, model)
    whole = segment_image(field.image, model, Options(declump_method="none"))
    assert whole.scale == split.scale
    assert whole.labels.max() <= split.labels.max()


def test_a_large_image_is_measured_on_a_part_of_it(model, scales):
    field = synthetic_field((1300, 2600), columns=20, diameter_px=60)
    found = segment_image(field.image, model)
    assert found.labels.shape == field.labels.shape
    (look, *measured, whole) = scales
    assert look == ((512, 512), 1)
    assert {shape for shape, _ in measured} == {(1024, 1024)}
    assert whole == (field.labels.shape, pytest.approx(1 / 3, rel=0.1))


def test_a_first_look_suffices_where_the_model_clearly_knows_the_objects(model, scales):
    field = synthetic_field((1300, 1700), columns=34, diameter_px=20)
    found = segment_image(field.image, model)
    assert scales == [((512, 512), 1), (field.labels.shape, 1)]
    assert found.notes == ()
    np.testing.assert_array_equal(found.labels, segment_image(field.image, model, Options(scale=1.0)).labels)


@pytest.mark.parametrize(
    ("diameters", "probability", "clear"),
    [
        ([20] * 20, 0.95, True),
        ([20] * 19, 0.95, False),  # too few
        ([20] * 20, 0.84, False),  # too uncertain
        ([11] * 25, 0.95, False),  # at the ends of the model's range
        ([37] * 20, 0.95, False),
        ([80] * 20, 0.95, False),
        ([5] * 20, 0.95, False),
    ],
)
def test_a_first_look_decides_nothing_that_is_not_clear(model, monkeypatch, diameters, probability, clear):
    looks = []

    def shown(channels, usable, model, options, scale):
        looks.append(channels.shape[1:])
        return seen(discs(diameters) if len(looks) == 1 else discs([20] * 30), probability, scale)

    monkeypatch.setattr(scale_module, "segment_at", shown)
    monkeypatch.setattr(scale_module, "windows_to_measure", lambda *_: [(slice(0, 1024), slice(0, 1024))])
    scale, whole, _ = choose_scale(np.zeros((1, 1600, 1600), np.float32), None, model, Options())
    assert (scale, whole) == (1, None)
    assert looks == [(512, 512)] + ([] if clear else [(1024, 1024)])


@pytest.fixture
def corner():
    """A large empty field with large nuclei in one corner."""
    image = np.random.default_rng(0).normal(0.04, 0.012, (1500, 2200)).astype(np.float32)
    field = synthetic_field((420, 420), columns=5, diameter_px=60)
    image[1080:, 1780:] = field.image
    return image


def test_a_large_image_is_measured_where_its_objects_are(model, scales, corner):
    found = segment_image(corner, model)
    assert found.scale == pytest.approx(1 / 3, rel=0.15)
    assert found.labels.max() == 25
    assert found.notes == ()


def test_few_objects_in_the_first_windows_are_not_taken_for_the_rest(model, monkeypatch, corner):
    monkeypatch.setattr(scale_module, "MOST_WINDOWS", 1)
    monkeypatch.setattr(
        scale_module,
        "windows_to_measure",
        lambda *_: [(slice(0, 1024), slice(0, 1024)), (slice(476, 1500), slice(1176, 2200))],
    )
    corner[200:212, 200:212] = 0.8  # a piece of dust
    assert segment_image(corner, model).scale == pytest.approx(1 / 3, rel=0.15)


def test_a_large_image_that_is_seen_whole_is_not_seen_twice(model, scales):
    image = np.random.default_rng(0).normal(0.04, 0.012, (1500, 2200)).astype(np.float32)
    for left in range(100, 2100, 230):
        image[700:732, left : left + 32] += 0.8
    found = segment_image(image, model)
    assert found.labels.max() == 9
    assert found.scale == 1
    assert [scale for shape, scale in scales if shape == image.shape] == [1]


def test_a_scale_that_could_not_be_judged_is_said(model):
    noise = np.random.default_rng(0).normal(0.5, 0.001, (100, 120)).astype(np.float32)
    (note,) = judgment(seen(np.zeros((20, 20), np.int32)), CARD)
    assert "No object was found" in note
    assert "10 to 40 pixels" in note
    (note,) = judgment(seen(discs([12, 14, 20]), 0.7), CARD)
    assert "could not be measured with certainty" in note
    (note,) = judgment(seen(discs([100])), CARD)
    assert "about 100 pixels" in note
    assert judgment(seen(discs([20, 25])), CARD) == ()
    field = synthetic_field((120, 150), columns=4, diameter_px=20)
    assert segment_image(field.image, model).notes == ()
    assert segment_image(noise, model, Options(scale=1.0)).notes == ()


def test_masked_out_objects_are_not_measured(model):
    small, large = (
        synthetic_field((160, 200), columns=5, diameter_px=20),
        synthetic_field((480, 600), columns=3, diameter_px=120),
    )
    image = np.zeros((480, 800), np.float32)
    image[:160, :200] = small.image
    image[:, 200:] = large.image
    mask = np.zeros(image.shape, bool)
    mask[:160, :200] = True
    assert segment_image(image, model, Options(mask=mask)).scale == 1
    assert segment_image(image, model).scale < 0.5


@pytest.mark.parametrize("diameter", [1e-3, 1e9, float("inf")])
def test_a_diameter_that_no_scale_brings_to_the_trained_one_is_refused(model, diameter):
    field = synthetic_field((96, 96), columns=2, diameter_px=20)
    with pytest.raises(OptionError, match="images can be rescaled for this model if it is"):
        segment_image(field.image, model, Options(diameter_px=diameter))
