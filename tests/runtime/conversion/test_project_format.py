import importlib

import pytest

from cpunet.conversion.convert import Request, convert
from cpunet.errors import PipelineError, RuntimeMissingError
from tests.primary_pipelines import pipeline_text, primary_text

TEXT = pipeline_text(15, [primary_text(15, 1, image="Kerne größer")])


def write_project(path, texts):
    """Write a file as CellProfiler's projects are: a group for each run, and in it the text of the pipeline."""
    h5py = pytest.importorskip("h5py", reason="projects are read with h5py, which CellProfiler brings")
    with h5py.File(path, "w") as file:
        file["FileList/Default/urls"] = [1, 2, 3]
        for run, text in texts.items():
            dataset = file.create_dataset(
                f"Measurements/{run}/Experiment/Pipeline_Pipeline/data",
                (1,),
                h5py.string_dtype("utf-8"),
                maxshape=(None,),
                chunks=(1024,),
                compression="gzip",
            )
            dataset[0] = text
    return path


def text_in(content, run, tmp_path):
    h5py = importlib.import_module("h5py")
    (tmp_path / "after.cpproj").write_bytes(content)
    with h5py.File(tmp_path / "after.cpproj", "r") as file:
        assert list(file["FileList/Default/urls"]) == [1, 2, 3]
        return file[f"Measurements/{run}/Experiment/Pipeline_Pipeline/data"][0].decode("utf-8")


def test_the_pipeline_of_the_last_run_is_converted(tmp_path):
    earlier = pipeline_text(15, [primary_text(15, 1, objects="Earlier")])
    path = write_project(tmp_path / "a.cpproj", {"2020-01-01": earlier, "2020-01-02": TEXT})
    converted = convert(path.read_bytes(), Request())
    assert converted.exchanges[0].before.settings[1].value == "Nuclei"
    after = text_in(converted.content, "2020-01-02", tmp_path)
    assert after == convert(TEXT.encode("utf-8"), Request()).content.decode("utf-8")
    assert text_in(converted.content, "2020-01-01", tmp_path) == earlier


def test_a_project_without_a_pipeline_or_that_is_damaged_is_refused(tmp_path):
    path = write_project(tmp_path / "a.cpproj", {})
    with pytest.raises(PipelineError, match="holds no pipeline"):
        convert(path.read_bytes(), Request())
    with pytest.raises(PipelineError, match="cannot be opened"):
        convert(path.read_bytes()[:600], Request())


def test_without_h5py_the_error_names_the_command_that_installs_it(monkeypatch):
    def missing(name):
        raise ImportError(f"No module named {name!r}")

    monkeypatch.setattr(importlib, "import_module", missing)
    with pytest.raises(RuntimeMissingError, match="python -m pip install h5py"):
        convert(b"\x89HDF\r\n\x1a\n", Request())
