"""The commands of docs/label-free.md that make labels from a stain are run, in their order."""

import pytest

from benchmarks.phase_like.pairs import drawn_labels, make_pair, write_pairs
from cpunet.__main__ import main
from cpunet.training.data.labeled_images import read_index
from tests.docs.pages import commands_of
from tests.places import REPOSITORY

PAGE = REPOSITORY / "docs" / "label-free.md"
NAMES = ("A01_s1", "A01_s2", "B02_s1", "B02_s2")


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder with stain/ and phase/, as the page has it."""
    write_pairs((make_pair(name, drawn_labels(seed)) for seed, name in enumerate(NAMES)), tmp_path / "pairs")
    for name in ("stain", "phase"):
        (tmp_path / "pairs" / name).rename(tmp_path / name)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_each_command_of_the_section_runs(folder, capsys):
    section = PAGE.read_text(encoding="utf-8").partition("## Labels from a stain")[2].partition("\n## ")[0]
    (folder / "section.md").write_text(section, encoding="utf-8")
    commands = commands_of(folder / "section.md", "cpunet")
    assert [words[1] for words in commands] == ["labels", "data", "labels", "labels"]
    for words in commands:
        assert main(words[1:]) == 0, words
    assert "Training may start: 0 errors" in capsys.readouterr().out
    for name in ("my_cells", "by_well", "as_in_thesis"):
        # A quarter of four pairs is left out.
        assert len(read_index(folder / "data" / name)) == 3
        assert (folder / "data" / name / "contact_sheet.html").is_file()
    assert {row.group for row in read_index(folder / "data" / "by_well")} <= {"s1_A01", "s2_A01", "s1_B02", "s2_B02"}
