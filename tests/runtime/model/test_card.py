import json
from dataclasses import asdict

import pytest

from cpunet.errors import ModelError
from cpunet.model.card import Normalization, card_to_json
from cpunet.model.card_limits import card_from_json
from tests.tiny_onnx import CARD, changed_card
from tests.tiny_volumes import changed_volume_card

# All fields of a normalization but the units, as version 1 exported them.
V1_NONE = {name: value for name, value in asdict(Normalization("none")).items() if name != "units"}


def read(card):
    return card_from_json(json.dumps(card))


def test_a_card_survives_writing_and_reading():
    card = read(CARD)
    assert card_from_json(card_to_json(card)) == card
    assert card.input.channels == ("nuclei",)


def test_a_card_of_volumes_survives_writing_and_reading():
    card = read(changed_volume_card())
    assert card_from_json(card_to_json(card)) == card
    assert (card.input.dimensions, card.input.z_step_px, card.output.halo_planes) == (3, 2.0, 3)


def test_a_card_of_images_is_written_without_the_fields_of_volumes():
    written = json.loads(card_to_json(read(CARD)))
    assert not {"dimensions", "z_step_px", "divisible_by_planes", "min_planes"} & written["input"].keys()
    assert "halo_planes" not in written["output"]


def test_the_same_card_gives_the_same_text():
    shuffled = dict(reversed(list(CARD.items())))
    assert card_to_json(read(shuffled)) == card_to_json(read(CARD))


def test_unknown_fields_of_a_newer_minor_version_are_kept():
    card = read(changed_card(card_version="1.7", mood="good", output={"color": "red"}))
    assert card.extra == {"mood": "good", "output": {"color": "red"}}
    again = json.loads(card_to_json(card))
    assert again["mood"] == "good"
    assert again["output"]["color"] == "red"
    assert card_from_json(card_to_json(card)) == card


@pytest.mark.parametrize(
    ("card", "message"),
    [
        (changed_card(card_version="2.0"), "version 2.0.*Update the plugin"),
        (changed_card(card_version=None), "version is None"),
        ({key: value for key, value in CARD.items() if key != "output"}, "The model card's output is missing"),
        ({key: value for key, value in CARD.items() if key != "licence"}, "The model card's licence is missing"),
        (changed_card(output={"roles": ["nucleus"]}), "role 'nucleus'"),
        (changed_card(output={"roles": ["border"]}), "where objects are"),
        (changed_card(output={"roles": ["foreground", "foreground"]}), "twice"),
        (changed_card(output={"halo": -1}), "halo must be 0"),
        (changed_card(output={"halo": "much"}), "halo should be a whole number"),
        (changed_card(input={"channels": []}), "no input channel"),
        (changed_card(input={"channels": [1]}), "input.channels should be a text; it is 1"),
        (changed_card(input={"divisible_by": 0}), "divisible_by"),
        (changed_card(input={"divisible_by": True}), "divisible_by should be a whole number"),
        (changed_card(input={"diameter_px": 500}), "diameter_low_px <= diameter_px"),
        (changed_card(input={"normalization": {"kind": "zscore"}}), "'zscore'"),
        (changed_card(postprocessing={"foreground_threshold": 1.5}), "between 0 and 1"),
        (changed_card(postprocessing={"outline_level": 1.5}), "outline_level must lie between 0 and 1; it is 1.5"),
        (changed_card(postprocessing={"outline_shift_px": -51}), "outline_shift_px must lie between -50 and 50; it is"),
        (changed_card(postprocessing={"min_size_px": -1}), "min_size_px"),
        (changed_card(postprocessing={"min_size_px": float("nan")}), "min_size_px"),
        (changed_card(input={"normalization": {"kind": "percentile", "clip_high": -5}}), "clip_high"),
        (changed_card(input={"normalization": {"clip_low": 9.0}}), "clip_low must be smaller than its clip_high, 8.0"),
        (changed_card(input={"normalization": {"per_channel": "no"}}), "per_channel should be true or false"),
        (changed_card(input={"tile_shape": [64]}), "tile_shape must be a height and a width"),
        (changed_card(input={"tile_shape": [64, 30]}), r"multiples of divisible_by, 4; it is \[64, 30\]"),
        (changed_card(input={"tile_shape": [8192, 64]}), "4096 pixels a side at most"),
        (changed_card(input={"tile_shape": [64, 64]}, output={"halo": 30}), "leaves nothing of a tile"),
        (changed_card(card_version="²"), "should be a text such as"),
        (changed_card(input={"dimensions": 4}), r"input.dimensions must be 2 \(images\) or 3 \(volumes\); it is 4"),
        (changed_card(input={"dimensions": 3}), "input.z_step_px.*between 0.05 and 50.*it is None"),
        (changed_card(input={"z_step_px": 2.0}), "which only volumes have, and its input.dimensions is 2"),
        (changed_card(output={"halo_planes": 2}), "output.halo_planes is 2, which only volumes have"),
        (changed_volume_card(input={"z_step_px": float("nan")}), "input.z_step_px.*it is nan"),
        (changed_volume_card(input={"z_step_px": 51}), "input.z_step_px.*it is 51"),
        (changed_volume_card(input={"min_planes": 0}), "input.min_planes must be 1 or more; they are 2 and 0"),
        (changed_volume_card(input={"divisible_by_planes": 1025}), "divisible_by_planes is 1025; 1024 at most"),
        (changed_volume_card(input={"tile_shape": [64, 64]}), "input.tile_shape is for networks of images"),
        (changed_volume_card(output={"halo_planes": -1}), "output.halo_planes must be 0 or more; it is -1"),
        (changed_volume_card(output={"roles": ["boundary"]}), "must have a channel with the role foreground or"),
        (changed_volume_card(output={"kind": "instances"}), "kind instances and its input.dimensions is 3"),
        ([], "not a JSON object"),
    ],
    ids=lambda value: value[:30] if isinstance(value, str) else "card",
)
def test_unsound_cards_are_refused_with_the_reason(card, message):
    with pytest.raises(ModelError, match=message):
        read(card)


@pytest.mark.parametrize("text", ["", "{", "[" * 100_000, "\ud800"])
def test_text_that_is_no_json_is_refused(text):
    with pytest.raises(ModelError):
        card_from_json(text)


@pytest.mark.parametrize(
    ("normalization", "provenance", "units"),
    [
        ({"kind": "none"}, {}, ""),
        ({"kind": "none"}, {"seed": 1, "steps": 900}, ""),
        ({**asdict(Normalization("none")), "units": "zero_to_one"}, {"seed": 1, "steps": 900}, "zero_to_one"),
        (V1_NONE, {}, ""),
        (V1_NONE, {"seed": 1, "steps": 900}, "as_stored"),
        ({}, {"seed": 1, "steps": 900}, ""),
    ],
    ids=["unknown", "by hand", "stated", "added by version 1", "trained by version 1", "percentiles"],
)
def test_models_that_version_1_trained_without_normalization_read_the_numbers_of_files(
    normalization, provenance, units
):
    content = changed_card(input={"normalization": normalization}, provenance=provenance)
    card = card_from_json(json.dumps(content))
    assert card.input.normalization.units == units
    assert card_from_json(card_to_json(card)) == card
