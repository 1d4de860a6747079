"""docs/model-card.md says what the code says, and its commands run."""

import json
import re
import shlex
import warnings
from pathlib import Path

import pytest

from cpunet.export.card.fields import card_fields
from cpunet.model.card import ROLES
from cpunet.onnx_reader.metadata import read_card
from scripts.write_card_reference import PAGE, page, schema_text
from scripts.write_card_reference import SCHEMA as SCHEMA_FILE
from tests.card_schema import part, shipped_card
from tests.export.card_files import card
from tests.places import REPOSITORY

TEXT = PAGE.read_text(encoding="utf-8")


def test_schema_and_table_are_what_the_code_gives():
    wanted = {SCHEMA_FILE: schema_text(), PAGE: page()}
    different = [path.name for path, text in wanted.items() if path.read_text(encoding="utf-8") != text]
    assert different == [], "write them again: python scripts/write_card_reference.py"


ROWS = {
    line.split("|")[1].strip().strip("`"): [cell.strip() for cell in line.split("|")[1:-1]]
    for line in TEXT.partition("## Every field")[2].partition("\n## ")[0].splitlines()
    if line.startswith("| `")
}


def test_the_table_in_the_docs_has_every_field_and_no_other():
    assert sorted(ROWS) == sorted(["card_version", *card_fields()])


@pytest.mark.parametrize("name", ["provenance", "scores"])
def test_the_table_in_the_docs_names_what_an_object_holds(name):
    def names(schema):
        inside = {**schema.get("properties", {})}
        for key in ("items", "additionalProperties"):
            if isinstance(schema.get(key), dict):
                inside |= schema[key].get("properties", {})
        return [each for key, value in inside.items() for each in [key, *names(value)]]

    assert len(names(part(name))) > 8
    assert [each for each in names(part(name)) if f"`{each}`" not in ROWS[name][3]] == []


def test_the_docs_explain_each_role():
    table = TEXT.partition("## Roles")[2]
    assert {role for role in ROLES if f"| `{role}` | " in table} == set(ROLES)


def test_the_example_in_the_docs_is_the_card_of_the_model():
    (example,) = re.findall(r"```json\n(.*?)```", TEXT, re.S)
    assert json.loads(example) == shipped_card(REPOSITORY / "models" / "nuclei_fluorescence" / "model.onnx"), (
        "docs/model-card.md: paste what `cpunet card show nuclei_fluorescence --json` prints"
    )


@pytest.mark.filterwarnings("ignore")
def test_what_the_docs_do_with_another_program_s_network(tmp_path, monkeypatch):
    text = TEXT
    export, free = re.findall(r"```python\n(.*?)```", text, re.S)
    commands = [
        shlex.split(line)[2:] for block in re.findall(r"```sh\n(.*?)```", text, re.S) for line in block.splitlines()
    ]
    monkeypatch.chdir(tmp_path)
    Path("theirs.yaml").write_text(re.search(r"```yaml\n(.*?)```", text, re.S)[1], encoding="utf-8")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        exec(export, {})
    network = Path("theirs.onnx").read_bytes()
    assert len(commands) == 2
    for words in commands:
        Path("theirs.onnx").write_bytes(network)
        assert card(*words) == 0
        assert read_card(Path("theirs.onnx")).output.roles == ("background", "interior", "boundary")
    assert read_card(Path("theirs.onnx")).input.diameter_px == 30
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        exec(re.sub("dynamic_axes=.*", "", export), {})
    fixed = Path("theirs.onnx").read_bytes()
    assert card(*commands[0]) == 0
    assert read_card(Path("theirs.onnx")).input.tile_shape == (64, 64)
    Path("theirs.onnx").write_bytes(fixed)
    exec(free, {})
    assert card(*commands[0]) == 0
    assert read_card(Path("theirs.onnx")).input.tile_shape is None
