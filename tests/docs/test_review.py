"""The commands of docs/review.md are run in their order, and print what the page says."""

import re

import numpy as np
import pytest
import tifffile

from cpunet.__main__ import main
from cpunet.checks.synthetic import synthetic_field
from cpunet.review.page import read_review
from tests.docs.pages import commands_of, text_of
from tests.places import REPOSITORY
from tests.review_files import line, write_saved

PAGE = REPOSITORY / "docs" / "review.md"
JUDGED = {
    "Anna": {"a": (1, 0), "b": (0, 0), "c": (2, 2), "d": (0, 3)},
    "Ben": {"a": (1, 0), "b": (0, 0), "c": (0, 0), "d": (0, 3)},
}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder with four images of nuclei and a stain, as the page has it."""
    for seed, name in enumerate("abcd"):
        field = synthetic_field((256, 256), columns=4, diameter_px=28, seed=seed)
        for kind in ("plate1", "stain"):
            (tmp_path / kind).mkdir(exist_ok=True)
            tifffile.imwrite(str(tmp_path / kind / f"{name}.tif"), (field.image * 4095).astype(np.uint16))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_each_command_of_the_page_runs_and_prints_what_the_page_says(folder, capsys):
    pytest.importorskip("jinja2", reason="pages need jinja2, which CellProfiler has")
    commands = commands_of(PAGE, "cpunet")
    assert [words[1] for words in commands] == ["review", "segment", "review", "review"]
    for words in commands[:3]:
        assert main(words[1:]) == 0, words
    shown = read_review(folder / "review.html")
    assert shown.predicted == {("plate1", name): 16 for name in "abcd"}
    assert read_review(folder / "with-stain.html").predicted == shown.predicted
    for expert, judged in JUDGED.items():
        common = {"expert": expert, "predicted": 16, "review": shown.identity, "set_name": "plate1"}
        write_saved(
            folder / f"{expert.lower()}.csv", *(line(name, *counts, **common) for name, counts in judged.items())
        )
    capsys.readouterr()
    assert main(commands[3][1:]) == 0
    (expected,) = re.findall(r"^```text\n(.*?)^```", text_of(PAGE), flags=re.M | re.S)
    assert capsys.readouterr().out.split("\n\nWritten:")[0].strip() == expected.strip()
    assert (folder / "scores" / "scores.html").is_file()
