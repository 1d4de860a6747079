from pathlib import Path

import pytest

from cpunet.model.card import card_from_content
from cpunet.model.describe import describe
from cpunet.model.without_card import card_of_answers
from tests.tiny_onnx import CARD

TINY = card_from_content(CARD)


@pytest.mark.parametrize(
    ("name", "first"),
    [("", "tiny 1.0.0"), ("tiny", "tiny 1.0.0"), ("mine", "mine (its card: tiny 1.0.0)")],
)
def test_a_model_is_described_by_the_name_that_chooses_it(tiny_model, name, first):
    lines = describe(name, tiny_model, TINY)
    assert lines[0] == first
    assert lines[1] == "    A sigmoid of the normalized intensity."
    assert f"    file      {tiny_model}" in lines


def test_a_file_without_a_card_is_described_by_the_answers(tiny_model):
    lines = describe("", tiny_model, card_of_answers("plain", ["nuclei"], ["foreground"], "none", 20.0))
    assert lines[0] == "plain without a card"
    assert "objects of 11 to 40 pixels, trained at 20" in "\n".join(lines)
    assert not any(line.strip() == "" for line in lines)


def test_a_description_of_several_lines_is_indented(tiny_model):
    card = card_from_content({**CARD, "description": "One.\nTwo."})
    assert describe("", Path(tiny_model), card)[1:3] == ["    One.", "    Two."]


def test_a_level_of_outlines_is_named_only_if_the_card_has_one(tiny_model):
    card = card_from_content({**CARD, "postprocessing": {"outline_level": 0.3}})
    assert "    outlines  at level 0.3, from background (0) to inside (1)" in describe("", tiny_model, card)
    card = card_from_content({**CARD, "postprocessing": {"outline_shift_px": -1.5}})
    assert "    outlines  moved outward by -1.5 pixels" in describe("", tiny_model, card)
    assert not any(line.startswith("    outlines") for line in describe("", tiny_model, TINY))
