import sys
from pathlib import Path

import pytest

from cpunet.comparison import find_cellprofiler as place
from cpunet.comparison.find_cellprofiler import find_cellprofiler
from cpunet.errors import ComparisonError


@pytest.fixture
def nowhere(monkeypatch, tmp_path):
    monkeypatch.setattr(place.importlib.util, "find_spec", lambda name: None)
    monkeypatch.setattr(place, "APPLICATIONS", (tmp_path / "CellProfiler.exe",))
    monkeypatch.setenv("PATH", str(tmp_path))


def test_a_python_runs_the_module_and_a_program_runs_itself(tmp_path):
    program = tmp_path / "cellprofiler"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    assert find_cellprofiler(Path(sys.executable)) == [sys.executable, "-m", "cellprofiler"]
    assert find_cellprofiler(program) == [str(program)]


def test_this_python_is_taken_if_it_has_cellprofiler(monkeypatch):
    monkeypatch.setattr(place.importlib.util, "find_spec", lambda name: name)
    assert find_cellprofiler() == [sys.executable, "-m", "cellprofiler"]


@pytest.mark.usefixtures("nowhere")
def test_else_the_program_on_the_path_or_the_installed_application(tmp_path):
    application = tmp_path / "CellProfiler.exe"
    application.write_text("")
    assert find_cellprofiler() == [str(application)]
    program = tmp_path / "cellprofiler"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    assert find_cellprofiler() == [str(program)]


@pytest.mark.usefixtures("nowhere")
def test_without_cellprofiler_the_way_out_is_said(tmp_path):
    with pytest.raises(ComparisonError, match="--cellprofiler PATH"):
        find_cellprofiler()
    with pytest.raises(ComparisonError, match="nothing: there is no such program"):
        find_cellprofiler(tmp_path / "nothing")
