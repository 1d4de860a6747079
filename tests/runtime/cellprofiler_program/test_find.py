import os
import sys
from pathlib import Path

import pytest

from cpunet.cellprofiler_program import find as place
from cpunet.cellprofiler_program.find import find_cellprofiler, find_python
from cpunet.errors import OptionError, RuntimeMissingError


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
    with pytest.raises(RuntimeMissingError, match="--cellprofiler PATH"):
        find_cellprofiler()
    with pytest.raises(OptionError, match="nothing: there is no such program"):
        find_cellprofiler(tmp_path / "nothing")


def test_the_python_is_the_one_given_or_this_one(monkeypatch):
    assert find_python(sys.executable) == os.path.abspath(sys.executable)
    monkeypatch.setattr(place.importlib.util, "find_spec", lambda name: name)
    assert find_python() == os.path.abspath(sys.executable)


@pytest.mark.usefixtures("nowhere")
@pytest.mark.skipif(os.name == "nt", reason="programs have other names there")
def test_else_the_python_lies_beside_the_program(tmp_path):
    program = tmp_path / "cellprofiler"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    with pytest.raises(RuntimeMissingError, match=r"without a Python beside it.*--cellprofiler PYTHON"):
        find_python()
    (tmp_path / "python").write_text("#!/bin/sh\n")
    assert find_python() == find_python(program) == str(tmp_path.resolve() / "python")
