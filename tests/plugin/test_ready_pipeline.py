"""docs/nuclei.cppipe and docs/nuclei-3d.cppipe open as they are, and find and measure nuclei."""

import io
import shutil

import numpy as np
import pytest
import tifffile
from cellprofiler_core.pipeline import Pipeline

from cpunet.model.find import list_models
from scripts.write_ready_pipeline import (
    MODEL_OF_VOLUMES,
    READY,
    READY_3D,
    ready_pipeline,
    ready_pipeline_of_stacks,
)
from tests.plugin.headless import rows_of, run_headless
from tests.tiny_volumes import balls, tiny_volume_onnx


def without_date(text):
    return [line for line in text.splitlines() if not line.startswith(("DateRevision", "GitHash"))]


@pytest.mark.parametrize(("path", "text"), [(READY, ready_pipeline), (READY_3D, ready_pipeline_of_stacks)])
def test_the_file_is_that_of_the_present_settings(path, text):
    """If not, run scripts/write_ready_pipeline.py."""
    assert without_date(path.read_text(encoding="utf-8")) == without_date(text())


@pytest.mark.parametrize("path", [READY, READY_3D])
def test_the_file_opens_without_a_warning(path):
    pipeline, events = Pipeline(), []
    pipeline.add_listener(lambda _, event: events.append(type(event).__name__))
    pipeline.load(io.StringIO(path.read_text(encoding="utf-8")))
    assert pipeline.volumetric() == (path == READY_3D)
    names = [module.module_name for module in pipeline.modules()]
    assert names == [
        "Images",
        "Metadata",
        "NamesAndTypes",
        "Groups",
        "IdentifyObjectsUNet",
        "MeasureObjectSizeShape",
        "ExportToSpreadsheet",
    ]
    assert "LoadExceptionEvent" not in events
    if path == READY_3D and MODEL_OF_VOLUMES not in list_models():
        pytest.skip(f"the model {MODEL_OF_VOLUMES} is not here")
    for module in pipeline.modules():
        module.test_valid(pipeline)


def test_it_runs_on_the_example_of_cellprofiler(example_fly, tmp_path):
    images = tmp_path / "images"
    images.mkdir()
    for path in (example_fly / "images").glob("*D.TIF"):
        shutil.copy(path, images)
    done = run_headless(READY, images, tmp_path / "results")
    assert done.returncode == 0, done.log
    fields, nuclei = (rows_of(tmp_path / "results" / f"{name}.csv") for name in ("Image", "Nuclei"))
    counts = [int(float(row["Count_Nuclei"])) for row in fields]
    assert len(fields) == 3
    assert min(counts) > 20
    assert len(nuclei) == sum(counts)
    assert all(float(row["AreaShape_Area"]) > 0 for row in nuclei)
    assert {row["FileName_DNA"] for row in nuclei} == {path.name for path in images.iterdir()}


def test_the_one_for_stacks_runs_with_a_model_of_this_name(tmp_path, monkeypatch):
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / f"{MODEL_OF_VOLUMES}.onnx").write_bytes(tiny_volume_onnx())
    monkeypatch.setenv("CPUNET_MODELS", str(tmp_path / "models"))
    volume, labels = balls((14, 64, 80), [(5, 18, 18), (8, 44, 54)], diameter_px=22)
    (tmp_path / "images").mkdir()
    pixels = np.round(1000 + 9000 * np.clip(volume, 0, 2)).astype(np.uint16)
    tifffile.imwrite(tmp_path / "images" / "stack.tif", pixels, imagej=True, metadata={"axes": "ZYX"})
    done = run_headless(READY_3D, tmp_path / "images", tmp_path / "results")
    assert done.returncode == 0, done.log
    assert "Segmented as a volume" in done.log
    nuclei = rows_of(tmp_path / "results" / "Nuclei.csv")
    volumes = [float(row["AreaShape_Volume"]) for row in nuclei]
    np.testing.assert_allclose(sorted(volumes), sorted(np.bincount(labels.ravel())[1:]), rtol=0.1)
