import sys

import pytest

from cpunet.__main__ import main

PIPELINE = """\
CellProfiler Pipeline: http://www.cellprofiler.org
Version:5
ModuleCount:1

Images:[module_num:1|variable_revision_number:2|enabled:True]
    Filter images?:No filtering
"""


@pytest.fixture(autouse=True)
def with_packages(monkeypatch):
    monkeypatch.setattr("cpunet.commands.compare.check_packages", lambda: None)


@pytest.fixture
def compare(tmp_path, capsys):
    pipeline = tmp_path / "p.cppipe"
    pipeline.write_text(PIPELINE)

    def run(*words, pipeline=pipeline):
        words = (pipeline, tmp_path, "-o", tmp_path / "out", "--cellprofiler", sys.executable, *words)
        code = main(["compare", *map(str, words)])
        return code, capsys.readouterr().err

    return run


def test_a_pipeline_without_the_module_is_refused_before_anything_is_written(compare, tmp_path):
    code, said = compare()
    assert code == 2
    assert "p.cppipe: no module IdentifyPrimaryObjects runs in this pipeline: it has Images" in said
    assert not (tmp_path / "out").exists()


def test_what_is_no_pipeline_is_refused(compare, tmp_path):
    (tmp_path / "a.txt").write_text("hello")
    code, said = compare(pipeline=tmp_path / "a.txt")
    assert code == 2
    assert "a.txt: this is no pipeline" in said


def test_a_page_of_someone_else_is_kept(compare, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "comparison.html").write_text("<p>mine")
    code, said = compare()
    assert code == 2
    assert "comparison.html exists, and was not written by cpunet" in said


@pytest.mark.parametrize(("option", "value"), [("--first", 0), ("--pictures", -1)])
def test_numbers_out_of_range_are_refused(compare, option, value):
    code, said = compare(option, value)
    assert code == 2
    assert f"{option} must be {value + 1} or more; it is {value}." in said
