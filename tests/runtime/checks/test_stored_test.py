import json
from dataclasses import replace

import numpy as np
import pytest

from cpunet.checks.stored_test import StoredTest, stored_test_from_json, stored_test_to_json
from cpunet.checks.synthetic import synthetic_input
from cpunet.errors import ModelError
from cpunet.model.card import card_from_content
from tests.tiny_onnx import CARD

GIVEN = card_from_content(CARD).input
TEST = StoredTest(
    np.random.default_rng(0).random((1, 2, 5, 7), np.float32), np.random.default_rng(1).random((1, 3, 5, 7), np.float32)
)


def test_a_test_comes_back_as_it_was():
    back = stored_test_from_json(stored_test_to_json(TEST))
    np.testing.assert_array_equal(back.input, TEST.input)
    np.testing.assert_array_equal(back.output, TEST.output)
    assert back.input.dtype == back.output.dtype == np.float32


def broken(tensor="input", **changes):
    content = json.loads(stored_test_to_json(TEST))
    content[tensor].update(changes)
    return json.dumps(content)


@pytest.mark.parametrize(
    "text",
    [
        "{",
        "[]",
        "[" * 100_000,
        '{"input": {}}',
        broken(shape=[1, 2, 5, 8]),
        broken("output", shape=[1, 3, 35]),
        broken(shape=[2**40, 2**40, 1, 1]),
        broken(shape=[-1, -2, 5, 7]),
        broken(shape=[True, 2, 5, 7]),
        broken(shape=[1, 2, 5, 7.0]),
        broken(values="no base64!"),
        broken("output", values=None),
        stored_test_to_json(replace(TEST, output=np.full((1, 1, 1, 1), np.nan, np.float32))),
    ],
)
def test_a_damaged_or_hostile_text_is_refused(text):
    with pytest.raises(ModelError, match="stored test"):
        stored_test_from_json(text)


@pytest.mark.parametrize(("divisible_by", "min_size", "side"), [(16, 16, 64), (48, 1, 96), (8, 100, 104)])
def test_the_drawn_input_has_a_size_that_the_model_takes_and_channels_that_differ(divisible_by, min_size, side):
    given = replace(GIVEN, channels=("red", "green"), divisible_by=divisible_by, min_size=min_size)
    drawn = synthetic_input(given)
    assert drawn.shape == (1, 2, side, side)
    assert drawn.dtype == np.float32
    assert drawn.std() > 0.1
    assert np.abs(drawn[0, 0] - drawn[0, 1]).max() > 0.1
    np.testing.assert_array_equal(drawn * 4096, np.round(drawn * 4096))
