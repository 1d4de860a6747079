import argparse
import re

import pytest

from cpunet.export.card.answers import add_answers
from cpunet.export.card.fields import card_fields
from tests.export.card_files import YAML, card


def test_every_field_of_the_card_has_a_flag():
    parser = argparse.ArgumentParser()
    add_answers(parser)
    names = set(vars(parser.parse_args([])))
    by_pairs = {"input.normalization.percentile_low", "input.normalization.percentile_high"}
    by_pairs |= {"input.diameter_low_px", "input.diameter_high_px"}
    assert card_fields().keys() - names == by_pairs | {"provenance", "scores"}
    assert {"percentiles", "diameter_range"} <= names


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("name: [", "not readable YAML"),
        ("just words", "not a mapping"),
        ("nickname: x", "no field 'nickname'; its fields are name, "),
        ("input: {diameter: 3}", "no field 'input.diameter'"),
        ("card_version: '2.0'", "version 2.0"),
        (YAML + "version: 1.0", "model card's version should be a text"),
        (YAML + "scores: {mine: {mean_f1: 92}}", "schema.*scores.mine.mean_f1"),
    ],
    ids=["broken", "text", "unknown", "unknown in a section", "newer", "version without quotes", "schema"],
)
def test_yaml_that_cannot_be_is_refused(theirs, capsys, text, message):
    answers = theirs.with_name("answers.yaml")
    answers.write_text(text)
    before = theirs.read_bytes()
    assert card("add", theirs, "--yaml", answers) == 2
    assert re.search(message, capsys.readouterr().err)
    assert theirs.read_bytes() == before
