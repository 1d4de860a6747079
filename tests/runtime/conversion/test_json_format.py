import json

import pytest

from cpunet.conversion.convert import Request, convert
from cpunet.conversion.json_format import read_json
from cpunet.conversion.unet_settings import NEWEST
from cpunet.errors import PipelineError
from tests.primary_pipelines import SETTINGS, chosen_for


def primary(revision=15):
    values = chosen_for(revision)
    settings = [
        {"name": "kind", "text": text, "value": name[1:] if name.startswith("=") else values[name]}
        for text, name in SETTINGS[revision]
    ]
    attributes = {
        **{"module_num": 2, "notes": ["a \"b\" | 'c' [d]", "größer"], "show_window": True, "wants_pause": False},
        **{"svn_version": "Unknown", "enabled": False, "variable_revision_number": revision},
        "batch_state": "array([], dtype=uint8)",
        "module_name": "IdentifyPrimaryObjects",
        "module_path": "cellprofiler.modules.identifyprimaryobjects.IdentifyPrimaryObjects",
    }
    return {"attributes": attributes, "settings": settings}


def other(number):
    attributes = {"module_num": number, "module_name": "Smooth", "variable_revision_number": 2, "enabled": True}
    return {"attributes": attributes, "settings": [{"name": "k", "text": 'modules "]', "value": "C:\\x {[,]}"}]}


def pipeline(revision=15):
    return {"has_image_plane_details": False, "modules": [other(1), primary(revision), other(3)], "version": "v6"}


STYLES = {
    "as CellProfiler writes": lambda content: json.dumps(content, indent=4),
    "tabs": lambda content: json.dumps(content, indent="\t"),
    "one line": lambda content: json.dumps(content),
    "no spaces": lambda content: json.dumps(content, separators=(",", ":")),
    "DOS": lambda content: json.dumps(content, indent=4).replace("\n", "\r\n"),
}


@pytest.mark.parametrize("style", STYLES)
def test_everything_but_the_module_is_kept_byte_for_byte(style):
    text = STYLES[style](pipeline())
    after = convert(text.encode("utf-8"), Request()).content.decode("utf-8")
    at = text.index("IdentifyPrimaryObjects")
    start = max(text.rfind('{"attributes"', 0, at), text.rfind("{", 0, text.rfind("{", 0, at)))
    assert after[:start] == text[:start]
    end = text.index("Smooth", at)
    start_of_end = text.rfind("]", 0, end)
    assert after.endswith(text[start_of_end:])
    assert ("\r" in after) == (style == "DOS")


@pytest.mark.parametrize("style", ["as CellProfiler writes", "tabs"])
def test_the_module_is_indented_as_the_file_is(style):
    text = STYLES[style](pipeline())
    after = convert(text.encode("utf-8"), Request()).content.decode("utf-8")
    assert after == STYLES[style](json.loads(after))


@pytest.mark.parametrize("revision", [14, 15])
def test_names_notes_order_and_window_are_kept(revision):
    before = pipeline(revision)
    after = json.loads(convert(json.dumps(before).encode("utf-8"), Request()).content)
    changed = {"module_name", "module_path", "variable_revision_number"}
    attributes, ours = before["modules"][1]["attributes"], after["modules"][1]["attributes"]
    assert {key: ours[key] for key in ours if key not in changed} == {
        key: attributes[key] for key in attributes if key not in changed
    }
    assert [ours[key] for key in sorted(changed)] == [
        "IdentifyObjectsUNet",
        "identifyobjectsunet.IdentifyObjectsUNet",
        NEWEST,
    ]
    assert [setting["value"] for setting in after["modules"][1]["settings"][:2]] == ["DNA", "Nuclei"]


def test_values_may_be_numbers_and_answers_of_json():
    content = pipeline()
    content["modules"][1]["settings"][3]["value"] = True
    content["modules"][1]["settings"][14]["value"] = 42
    (done,) = convert(json.dumps(content).encode("utf-8"), Request()).exchanges
    assert [done.after.settings[place].value for place in (6, 23)] == ["Yes", "42"]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b'{"modules": [', "no pipeline in JSON: Expecting"),
        (b'{"modules": [{"attributes": 3, "settings": []}]}', "has no list of modules"),
        (b'{"images": []}', "has no list of modules"),
        (b'{"\xff": 1}', "no pipeline in JSON"),
    ],
)
def test_what_is_no_pipeline_is_refused(content, said):
    with pytest.raises(PipelineError, match=said):
        read_json(content)
