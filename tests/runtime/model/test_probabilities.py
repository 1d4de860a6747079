import numpy as np
import pytest

from cpunet.errors import ModelError
from cpunet.model.ensemble import average_models
from cpunet.model.probabilities import checked_probabilities
from cpunet.model.session import load_model
from cpunet.model.without_card import card_of_answers
from cpunet.segment import segment_image
from tests.tiny_onnx import CARD, changed_card, graph_of, node, onnx_of, tensor, tiny_onnx

ROLES = ("foreground", "distance")


def probabilities():
    return np.random.default_rng(0).random((2, 2, 8, 12)).astype(np.float32)


def test_probabilities_are_returned_as_they_are():
    found = probabilities()
    assert checked_probabilities(found, ROLES, "m") is found


def test_rounding_beyond_0_and_1_is_cut_off():
    found = probabilities()
    found[0, 0, 0, 0], found[1, 1, 7, 11] = -0.0009, 1.0009
    checked = checked_probabilities(found, ROLES, "m")
    assert (checked.min(), checked.max()) == (0, 1)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_one_value_that_is_no_number_is_enough(value):
    found = probabilities()
    found[1, 0, 3, 4] = value
    with pytest.raises(ModelError, match=r"^m: .* no numbers \(NaN or infinite\), 1 of 384\."):
        checked_probabilities(found, ROLES, "m")


@pytest.mark.parametrize(
    ("channel", "value", "message"),
    [
        (0, 1.01, r"foreground holds values from .* to 1\.01; .* sigmoid or softmax inside"),
        (0, -4.2, r"foreground holds values from -4\.2 to"),
        (1, 255, r"distance holds values from .* to 255; .* Divide it by its largest value"),
    ],
)
def test_values_that_are_no_probabilities_say_which_channel(channel, value, message):
    found = probabilities()
    found[1, channel, 3, 4] = value
    with pytest.raises(ModelError, match=message):
        checked_probabilities(found, ROLES, "m")


def without_sigmoid(card=CARD):
    return onnx_of(
        graph_of([node("Conv", ["image", "w"], ["probabilities"])], [tensor("w", [1, 1, 1, 1], [6.0])]), card
    )


def with_damaged_weight(card=CARD):
    return tiny_onnx(card, gain=float("nan"))


BROKEN = {"without sigmoid": without_sigmoid, "damaged weight": with_damaged_weight}
IMAGE = np.random.default_rng(0).random((64, 64)).astype(np.float32)


@pytest.mark.parametrize("content", BROKEN.values(), ids=BROKEN)
def test_no_image_is_segmented_with_a_broken_network(tmp_path, content):
    path = tmp_path / "model.onnx"
    path.write_bytes(content())
    with pytest.raises(ModelError, match=r"between 0 and 1|no numbers") as caught:
        segment_image(IMAGE, load_model(path, "cpu"))
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("content", BROKEN.values(), ids=BROKEN)
def test_the_answers_for_a_file_without_a_card_do_not_cover_a_broken_network(tmp_path, content):
    path = tmp_path / "model.onnx"
    path.write_bytes(content(card=None))
    card = card_of_answers("mine", ["gray"], ["foreground"], "none", 20.0)
    with pytest.raises(ModelError, match=r"between 0 and 1|no numbers"):
        segment_image(IMAGE, load_model(path, "cpu", card=card))


def test_a_broken_network_does_not_hide_in_a_mean(tiny_model, tmp_path):
    path = tmp_path / "broken.onnx"
    path.write_bytes(without_sigmoid(changed_card(name="broken")))
    mean = average_models([load_model(tiny_model, "cpu"), load_model(path, "cpu")])
    with pytest.raises(ModelError, match="between 0 and 1"):
        segment_image(IMAGE, mean)


def test_values_of_volumes_are_checked_role_by_role():
    found = np.full((1, 2, 3, 4, 5), 0.5, np.float32)
    assert checked_probabilities(found, ("foreground", "border"), "it") is found
    found[0, 1, 2, 3, 4] = 7
    with pytest.raises(ModelError, match=r"channel border holds values from 0\.5 to 7"):
        checked_probabilities(found, ("foreground", "border"), "it")
