"""The commands of docs/replace-identifyprimaryobjects.md are run in their order, and print what the page says."""

import re
import shutil

import pytest

from cpunet.__main__ import main
from tests.docs.pages import commands_of, text_of
from tests.places import REPOSITORY
from tests.plugin.headless import rows_of, run_headless

PAGE = REPOSITORY / "docs" / "replace-identifyprimaryobjects.md"


@pytest.fixture
def folder(example_fly, tmp_path, monkeypatch):
    """A folder with the shipped pipeline, its images, and a folder of pipelines, as the page has it."""
    shutil.copy(str(example_fly / "ExampleFly.cppipe"), str(tmp_path))
    shutil.copytree(example_fly / "images", tmp_path / "images")
    (tmp_path / "pipelines").mkdir()
    shutil.copy(str(example_fly / "ExampleFly.cppipe"), str(tmp_path / "pipelines"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_each_command_of_the_page_runs(folder, capsys):
    commands = commands_of(PAGE, "(?:cpunet|cellprofiler)")
    assert len(commands) == 8
    printed = {}
    for program, *words in commands:
        if program == "cpunet":
            assert main(words) == 0, words
            printed[" ".join(words)] = capsys.readouterr().out
        else:
            assert words[:6] == ["-c", "-r", "-p", "new.cppipe", "-i", "images"]
            done = run_headless(folder / "new.cppipe", folder / "images", folder / "results", "-f", "1", "-l", "1")
            assert done.returncode == 0, done.log
            assert len(rows_of(folder / "results" / "Nuclei.csv")) > 0
    (table,) = re.findall(r"^```text\n(.*?)^```", text_of(PAGE), flags=re.M | re.S)
    assert printed["convert ExampleFly.cppipe --dry-run"].strip() == table.strip()
    assert (folder / "converted" / "ExampleFly.cppipe").is_file()
    assert (folder / "comparison" / "comparison.html").is_file()
    assert b"\nIdentifyPrimaryObjects:" in (folder / "old.cppipe").read_bytes()
