"""Cards of networks that give objects: written, read, changed and shown."""

import json

import pytest

from cpunet.checks.verify import verify_model
from cpunet.export.card.schema import schema_errors
from cpunet.export.readme import decoding
from cpunet.model.card import OF_INSTANCES, card_from_content, card_to_json
from cpunet.model.describe import describe
from cpunet.model.session import load_model
from cpunet.onnx_reader.metadata import read_card
from tests.export.card_files import ANSWERS, card, put
from tests.tiny_instances import instances_card, instances_onnx
from tests.tiny_onnx import CARD


@pytest.fixture
def objects(tmp_path):
    """A file with a card."""
    return put(tmp_path / "objects.onnx", instances_onnx())


def test_a_card_is_added_with_a_test_and_passes_verify(tmp_path, capsys):
    path = put(tmp_path / "theirs.onnx", instances_onnx(card=None))
    answers = [word for word in ANSWERS if word not in ("--roles", "foreground")]
    assert card("add", path, *answers, "--max-objects", "20", "--score-threshold", "0.4") == 0
    found = read_card(path)
    assert (found.output.kind, found.output.roles) == ("instances", ("foreground",))
    assert found.output.halo == 21  # three quarters of the largest diameter, 27
    assert (found.postprocessing.max_objects, found.postprocessing.score_threshold) == (20, 0.4)
    assert [each.text for each in verify_model(path) if not each.passed] == []


def test_fields_are_edited_and_what_cannot_be_is_refused(objects, capsys):
    assert card("edit", objects, "--set", "postprocessing.score_threshold=0.6") == 0
    assert load_model(objects, "cpu").card.postprocessing.score_threshold == 0.6
    before = objects.read_bytes()
    for change, message in (
        ("output.kind=probabilities", "lacks the kind instances"),
        ("output.kind=masks", "knows probabilities, instances"),
        ("output.roles=interior", "only role is foreground"),
        ("postprocessing.max_objects=0", "must be 1 or more"),
        ("postprocessing.overlap_threshold=1", "between 0 and 1"),
    ):
        assert card("edit", objects, "--set", change) == 2
        assert message in capsys.readouterr().err
    assert objects.read_bytes() == before


def test_the_page_the_readme_and_the_list_say_what_it_gives(objects, capsys):
    assert card("show", objects) == 0
    page = capsys.readouterr().out
    assert "how certain each object is" in page
    assert "scores of 0.4 and more, masks above 0.5" in page
    assert decoding(read_card(objects)) in " ".join(page.split())
    lines = describe("", objects, read_card(objects))
    assert "    gives     objects with their scores, 0.4 and more; at most 20 in a tile" in lines


def test_cards_of_probabilities_are_written_as_before():
    content = json.loads(card_to_json(card_from_content(CARD)))
    assert "kind" not in content["output"]
    assert not set(OF_INSTANCES["postprocessing"]) & content["postprocessing"].keys()
    own = json.loads(card_to_json(card_from_content(instances_card())))
    assert own["output"]["kind"] == "instances"
    assert own["postprocessing"]["max_objects"] == 20
    assert card_from_content(own) == card_from_content(instances_card())
    assert schema_errors(own) == []
