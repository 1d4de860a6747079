"""The JSON Schema of the model card and the code that reads cards say the same."""

import json
import re
from dataclasses import MISSING, fields

import numpy as np
import pytest
from jsonschema import Draft202012Validator

from cpunet.errors import ModelError
from cpunet.export.card.fields import PLACES, card_fields
from cpunet.export.card.schema import schema_errors
from cpunet.export.volumes.sets import OF_VOLUMES
from cpunet.model.card import CARD_VERSION, NORMALIZATIONS, ROLES, card_to_json
from cpunet.model.card_limits import card_from_json
from cpunet.scores import pool_scores, score_image
from cpunet.training.evaluation.card_scores import scores_for_card
from tests.card_schema import SCHEMA, part, shipped_card
from tests.places import REPOSITORY
from tests.tiny_onnx import CARD, changed_card

ROOT = REPOSITORY


SHIPPED = sorted((ROOT / "models").glob("*/model.onnx"))


TYPES = {
    "str": {"string"},
    "int": {"integer"},
    "float": {"number"},
    "bool": {"boolean"},
    "Optional[float]": {"number", "null"},
    "Optional[Tuple[int, ...]]": {"array", "null"},
    "Tuple[str, ...]": {"array"},
    "Dict[str, Any]": {"object"},
}


def test_the_schema_is_one():
    Draft202012Validator.check_schema(SCHEMA)
    assert re.fullmatch(SCHEMA["properties"]["card_version"]["pattern"], CARD_VERSION)


@pytest.mark.parametrize("place", PLACES)
def test_the_schema_has_the_fields_of_the_code(place):
    expected = {field.name for field in fields(PLACES[place])} - {"extra"}
    assert part(place)["properties"].keys() - {"card_version"} == expected


@pytest.mark.parametrize("name", card_fields())
def test_a_field_has_the_type_and_the_default_of_the_code(name):
    place, _, last = name.rpartition(".")
    schema, kind = part(name), card_fields()[name]
    types = schema.get("type") or sorted({type(value).__name__ for value in schema["enum"]})
    types = {{"str": "string"}.get(each, each) for each in ([types] if isinstance(types, str) else types)}
    assert types == TYPES[kind]
    field = next(field for field in fields(PLACES[place]) if field.name == last)
    default = field.default if field.default_factory is MISSING else field.default_factory()
    assert schema.get("default", MISSING) == (list(default) if isinstance(default, tuple) else default)


def test_every_property_says_what_it_is():
    def undescribed(schema, name):
        found = [] if schema.get("description") else [name]
        inside = {**schema.get("properties", {})}
        for key in ("items", "additionalProperties"):
            if isinstance(schema.get(key), dict) and "properties" in schema[key]:
                inside |= schema[key]["properties"]
        return found + [each for key, value in inside.items() for each in undescribed(value, f"{name}.{key}")]

    assert undescribed(SCHEMA, "card") == []


def test_roles_and_normalizations_are_those_of_the_code():
    assert part("output.roles")["items"]["enum"] == list(ROLES)
    assert part("input.normalization.kind")["enum"] == list(NORMALIZATIONS)


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.parent.name)
def test_the_cards_of_shipped_models_follow_the_schema(path):
    content = shipped_card(path)
    assert schema_errors(content) == []
    assert schema_errors(json.loads(card_to_json(card_from_json(json.dumps(content))))) == []


def test_what_export_writes_of_training_and_scores_stands_in_the_schema(exported):
    labels = np.zeros((40, 40), np.int32)
    labels[5:20, 5:20] = 1
    content = shipped_card(exported) | {
        "scores": {"drawn": scores_for_card(pool_scores([score_image(labels, labels)]))}
    }
    assert schema_errors(content) == []
    made = part("provenance")["properties"]
    assert content["provenance"].keys() <= made.keys()
    assert content["provenance"]["data"][0].keys() <= made["data"]["items"]["properties"].keys()
    scores = SCHEMA["properties"]["scores"]["additionalProperties"]["properties"].keys()
    assert content["scores"]["drawn"].keys() == scores - {*OF_VOLUMES}


def test_fields_of_a_newer_minor_version_are_allowed():
    newer = changed_card(card_version="1.7", mood="good", output={"color": "red"}, input={"normalization": {"x": 1}})
    assert schema_errors(newer) == []


def without(*names):
    """Return a card without a field."""
    card = changed_card()
    section = card
    for name in names[:-1]:
        section = section[name]
    del section[names[-1]]
    return card


def of_input(**values):
    return changed_card(input=values)


def of_normalization(**values):
    return of_input(normalization={"kind": "percentile", **values})


@pytest.mark.parametrize(
    "names",
    [(key,) for key in CARD] + [("input", key) for key in CARD["input"]] + [("output", key) for key in CARD["output"]],
    ids=".".join,
)
def test_both_know_which_fields_must_be_there(names):
    try:
        card_from_json(json.dumps(without(*names)))
        accepted = True
    except ModelError:
        accepted = False
    assert (schema_errors(without(*names)) == []) == accepted
    assert accepted == (names in {("postprocessing",), ("input", "normalization")})


INVALID = {
    "newer major version": changed_card(card_version="2.0"),
    "no version": changed_card(card_version=None),
    "name is a number": changed_card(name=3),
    "authors is a text": changed_card(authors="A. Curie"),
    "provenance is a list": changed_card(provenance=[]),
    "scores is a text": changed_card(scores="good"),
    "no channel": of_input(channels=[]),
    "channel is a number": of_input(channels=[1]),
    "divisible_by 0": of_input(divisible_by=0),
    "divisible_by true": of_input(divisible_by=True),
    "divisible_by 1.5": of_input(divisible_by=1.5),
    "min_size 0": of_input(min_size=0),
    "diameter 0": of_input(diameter_px=0, diameter_low_px=0),
    "diameter is a text": of_input(diameter_px="20"),
    "modality null": of_input(modality=None),
    "pixel size is a text": of_input(pixel_size_um="0.3"),
    "unknown normalization": of_normalization(kind="zscore"),
    "percentile_low -1": of_normalization(percentile_low=-1),
    "percentile_low 100": of_normalization(percentile_low=100),
    "percentile_high 100.5": of_normalization(percentile_high=100.5),
    "clip_high 0": of_normalization(clip_high=0),
    "unknown role": changed_card(output={"roles": ["nucleus"]}),
    "no role": changed_card(output={"roles": []}),
    "a role twice": changed_card(output={"roles": ["foreground", "foreground"]}),
    "no role with objects": changed_card(output={"roles": ["background", "border", "distance"]}),
    "halo -1": changed_card(output={"halo": -1}),
    "threshold 0": changed_card(postprocessing={"foreground_threshold": 0}),
    "outline level 1": changed_card(postprocessing={"outline_level": 1}),
    "outline shift 60": changed_card(postprocessing={"outline_shift_px": 60}),
    "threshold 1": changed_card(postprocessing={"marker_threshold": 1}),
    "boundary threshold 1.5": changed_card(postprocessing={"boundary_threshold": 1.5}),
    "marker size -1": changed_card(postprocessing={"marker_min_size_px": -1}),
    "object size -1": changed_card(postprocessing={"min_size_px": -1}),
    "dilation -1": changed_card(postprocessing={"dilation_px": -1}),
    "fill_holes 1": changed_card(postprocessing={"fill_holes": 1}),
    "a list": [],
}


@pytest.mark.parametrize("card", INVALID.values(), ids=INVALID)
def test_cards_that_cannot_be_are_refused_by_schema_and_code(card):
    assert schema_errors(card)
    with pytest.raises(ModelError):
        card_from_json(json.dumps(card))


@pytest.mark.parametrize(
    ("card", "message"),
    [
        (of_input(pixel_size_um=-0.3), "input.pixel_size_um"),
        (changed_card(name=""), "name"),
        (changed_card(provenance={"data": [{"sha256": "unknown"}]}), r"provenance.data\[0\].sha256"),
        (changed_card(scores={"mine": {"mean_f1": 92.0}}), "scores.mine.mean_f1"),
    ],
    ids=["pixel size", "name", "sum", "score in percent"],
)
def test_the_schema_is_stricter_where_the_runtime_does_not_care(card, message):
    card_from_json(json.dumps(card))
    (error,) = schema_errors(card)
    assert re.match(message, error)
