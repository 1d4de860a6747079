"""The commands of docs/three-dimensions.md on exported models run, on a small one, and its table names all checks."""

import re

import pytest

from cpunet.__main__ import main
from cpunet.checks.verify import verify_model
from cpunet.export.card.file import with_card_and_test
from cpunet.model.card import card_from_content
from cpunet.model.session import load_model
from tests.docs.pages import commands_of
from tests.places import REPOSITORY
from tests.tiny_volumes import changed_volume_card, mean_volume_onnx

PAGE = REPOSITORY / "docs" / "three-dimensions.md"
CARD = changed_volume_card(
    name="nuclei_3d", description="Bright balls.", authors=["A. Curie"], output={"halo": 4, "halo_planes": 2}
)


@pytest.fixture
def model(tmp_path, monkeypatch):
    """A model where the page has it, below the working folder."""
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "models" / "nuclei_3d" / "model.onnx"
    path.parent.mkdir(parents=True)
    path.write_bytes(mean_volume_onnx(CARD))
    content = with_card_and_test(mean_volume_onnx(None), card_from_content(CARD), load_model(path, "cpu").predict)
    path.write_bytes(content)
    return path


def test_each_command_on_an_exported_model_runs(model, capsys):
    commands = [words[1:] for words in commands_of(PAGE, "cpunet")]
    chosen = [words for words in commands if words[0] in ("verify", "card") or "--bioimageio" in words]
    assert [words[0] for words in chosen] == ["verify", "card", "export"]
    for words in chosen:
        assert main(words) == 0, capsys.readouterr().err
    assert "all checks passed" in capsys.readouterr().out


def test_the_table_names_the_checks_that_are_made(model):
    section = PAGE.read_text(encoding="utf-8").partition("## Export a model of volumes")[2].partition("\n## ")[0]
    listed = re.findall(r"^\| ([a-z ]+) \|", section, flags=re.M)[1:]
    made = [finding.check for finding in verify_model(model)]
    assert [name for name in listed if name != "values of torch"] == made[made.index("shapes") :]
