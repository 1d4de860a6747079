import math

import numpy as np
import pytest

from cpunet.checks.synthetic import synthetic_field
from cpunet.errors import ModelError
from cpunet.model.card import card_to_json
from cpunet.model.card_limits import card_from_json
from cpunet.model.session import load_model
from cpunet.model.without_card import NORMALIZATIONS_BY_NAME, card_of_answers, has_card
from cpunet.options import Options
from cpunet.segment import segment_image
from tests.tiny_onnx import tiny_onnx
from tests.tiny_volumes import tiny_volume_onnx


def answered(**changes):
    answers = {
        "name": "theirs",
        "channels": ["nuclei"],
        "roles": ["foreground"],
        "normalization": "percentile 1 to 99.8",
        "diameter_px": 20,
    }
    return card_of_answers(**{**answers, **changes})


def test_has_card(tmp_path):
    path = tmp_path / "model.onnx"
    for content, expected in ((tiny_onnx(), True), (tiny_onnx("{"), True), (tiny_onnx(card=None), False)):
        path.write_bytes(content)
        assert has_card(path) is expected
    path.write_bytes(b"")
    with pytest.raises(ModelError, match="empty"):
        has_card(path)


def test_answers_become_a_card_with_safe_sizes():
    card = answered(channels=("red", "green", "blue"), roles=("interior", "boundary"), diameter_px=36)
    assert card.input.channels == ("red", "green", "blue")
    assert card.output.roles == ("interior", "boundary")
    assert (card.input.divisible_by, card.input.min_size, card.output.halo) == (32, 32, 64)
    assert (card.input.diameter_low_px, card.input.diameter_px, card.input.diameter_high_px) == (20, 36, 72)
    assert card.postprocessing.foreground_threshold == 0.5
    assert card_from_json(card_to_json(card)) == card


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("percentile 1 to 99.8", ("percentile", 1.0, 99.8)),
        ("percentile 0.1 to 99.9", ("percentile", 0.1, 99.9)),
        ("percentile 0 to 100", ("percentile", 0.0, 100.0)),
        ("none", ("none", 1.0, 99.8)),
    ],
)
def test_the_words_of_a_normalization_are_what_it_does(words, expected):
    normalization = answered(normalization=words).input.normalization
    assert (normalization.kind, normalization.percentile_low, normalization.percentile_high) == expected
    assert words in NORMALIZATIONS_BY_NAME


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"roles": ["foreground", "nucleus"]},
            "output channel 2 of the model theirs .* 'nucleus'; choose one of: back",
        ),
        ({"roles": ["foreground", "foreground"]}, "theirs, which has no card, do not fit together.*twice"),
        ({"roles": []}, "where objects are"),
        ({"channels": []}, "names no input channel"),
        ({"normalization": "zscore"}, "'zscore'; choose one of: percentile 1 to 99.8"),
        ({"diameter_px": 0}, "larger than 0 pixels; it is 0"),
        ({"diameter_px": math.nan}, "larger than 0 pixels; it is nan"),
        ({"diameter_px": math.inf}, "larger than 0 pixels; it is inf"),
    ],
    ids=lambda value: value[:20] if isinstance(value, str) else "-".join(value),
)
def test_answers_that_cannot_be_are_refused_in_plain_words(changes, message):
    with pytest.raises(ModelError, match=message):
        answered(**changes)


def test_a_file_without_a_card_finds_the_same_objects_as_with_one(tmp_path):
    paths = tmp_path / "with.onnx", tmp_path / "without.onnx"
    paths[0].write_bytes(tiny_onnx())
    paths[1].write_bytes(tiny_onnx(card=None))
    field = synthetic_field((120, 150), columns=4, diameter_px=20)
    with_card = segment_image(field.image, load_model(paths[0], "cpu"), Options(scale=1.0))
    without = segment_image(field.image, load_model(paths[1], "cpu", card=answered()), Options(scale=1.0))
    assert without.labels.max() >= field.labels.max()  # no smallest size: specks are left to the module's filter
    np.testing.assert_allclose(without.probabilities, with_card.probabilities, atol=1e-6)


def test_a_network_of_volumes_without_a_card_is_refused_with_the_command_that_gives_it_one(tmp_path):
    path = tmp_path / "model.onnx"
    path.write_bytes(tiny_volume_onnx(card=None))
    with pytest.raises(ModelError, match=r"takes volumes.*`cpunet card add MODEL.onnx --dimensions 3 --z-step PX"):
        load_model(path, "cpu", card=answered())
