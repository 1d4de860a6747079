"""What a model card that anyone may have written is refused for; it is read from a file, as users meet it."""

import json
import math

import pytest

from cpunet.errors import ModelError
from cpunet.model.card_limits import LARGEST_CARD_CHARACTERS
from cpunet.onnx_reader.metadata import read_card
from tests.tiny_onnx import changed_card, tiny_onnx


def written(tmp_path, content):
    path = tmp_path / "model.onnx"
    path.write_bytes(content)
    return path


@pytest.mark.parametrize(
    ("card", "message"),
    [
        (changed_card(provenance={"x": "y" * LARGEST_CARD_CHARACTERS}), "characters; 1048576 at most"),
        (json.dumps(changed_card()).replace("12}", "1" * 5000 + "}"), "a number of 5000 digits"),
        (json.dumps(changed_card()).replace('"tiny"', "[" * 100 + "]" * 100), "more than 32 deep"),
        (json.dumps(changed_card()).replace('"tiny"', "[" * 10**5 + "]" * 10**5), "not readable JSON"),
        (changed_card(description="\ud800"), "cannot be printed"),
        (changed_card(scores={"\x1b[2J": 1}), "cannot be printed"),
        (changed_card(card_version="9" * 5000), "version is"),
        (changed_card(input={"channels": [str(i) for i in range(65)]}), "65 input channels"),
        (changed_card(input={"min_size": 10**6}), "input.min_size is 1000000; 1024"),
        (changed_card(input={"divisible_by": 10**6}), "input.divisible_by is 1000000"),
        (changed_card(input={"pixel_size_um": math.nan}), "input.pixel_size_um is nan"),
        (changed_card(input={"diameter_high_px": math.inf}), "input.diameter_high_px is inf"),
        (changed_card(output={"halo": 10**6}), "output.halo is 1000000"),
        (changed_card(postprocessing={"dilation_px": math.inf}), "postprocessing.dilation_px is inf"),
        (changed_card(licence=["x"] * 10**4), r"should be a text; it is \['x'.*\.\.\.$"),
    ],
    ids=lambda value: value if isinstance(value, str) and len(value) < 60 else "",
)
def test_a_card_is_bounded(tmp_path, card, message):
    with pytest.raises(ModelError, match=message) as caught:
        read_card(written(tmp_path, tiny_onnx(card)))
    assert len(str(caught.value)) < 700 + len(str(tmp_path))


def test_a_card_in_any_language_is_read(tmp_path):
    card = changed_card(description="Zellkerne,\u00a0细胞核 😀\n\tzwei Zeilen")
    assert read_card(written(tmp_path, tiny_onnx(card))).description == card["description"]
