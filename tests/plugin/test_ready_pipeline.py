"""docs/nuclei.cppipe opens as it is, and finds and measures the nuclei of CellProfiler's own example."""

import io
import shutil

from cellprofiler_core.pipeline import Pipeline

from scripts.write_ready_pipeline import READY, ready_pipeline
from tests.plugin.headless import rows_of, run_headless


def without_date(text):
    return [line for line in text.splitlines() if not line.startswith(("DateRevision", "GitHash"))]


def test_the_file_is_that_of_the_present_settings():
    """If not, run scripts/write_ready_pipeline.py."""
    assert without_date(READY.read_text(encoding="utf-8")) == without_date(ready_pipeline())


def test_the_file_opens_without_a_warning():
    pipeline, events = Pipeline(), []
    pipeline.add_listener(lambda _, event: events.append(type(event).__name__))
    pipeline.load(io.StringIO(READY.read_text(encoding="utf-8")))
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
