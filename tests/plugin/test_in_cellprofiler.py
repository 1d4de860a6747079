"""The module in real, headless CellProfiler processes."""

import csv
import json
import os
import subprocess
import sys

import numpy as np
import pytest
from skimage.io import imread

from tests.places import REPOSITORY

PLUGINS = REPOSITORY / "plugins"

LOAD_WITHOUT_ONNXRUNTIME = f"""
import sys
class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] == "onnxruntime":
            raise ModuleNotFoundError("No module named 'onnxruntime'")
sys.meta_path.insert(0, Absent())
import importlib.util
find_spec = importlib.util.find_spec
importlib.util.find_spec = lambda name, package=None: None if name == "onnxruntime" else find_spec(name, package)
import cellprofiler_core.preferences as preferences
preferences.set_headless()
preferences.set_plugin_directory({str(PLUGINS)!r}, globally=False)
from cellprofiler_core.pipeline import Pipeline
from cellprofiler_core.utilities.core.modules import fill_modules, instantiate_module
fill_modules()
module = instantiate_module("IdentifyObjectsUNet")
try:
    module.validate_module(Pipeline())
except ValueError as error:
    print("VALIDATION", error)
from cellprofiler_core.image import Image, ImageSetList
from cellprofiler_core.measurement import Measurements
from cellprofiler_core.object import ObjectSet
from cellprofiler_core.workspace import Workspace
import numpy
images = ImageSetList().get_image_set(0)
images.add("None", Image(numpy.eye(30)))
try:
    module.run(Workspace(Pipeline(), module, images, ObjectSet(), Measurements(), None))
except ImportError as error:
    print("RUN", error)
"""


def test_the_module_loads_where_onnxruntime_is_absent_and_says_what_to_install():
    result = subprocess.run(
        [sys.executable, "-c", LOAD_WITHOUT_ONNXRUNTIME], capture_output=True, text=True, check=False, cwd=REPOSITORY
    )
    said = {line.split()[0]: line for line in result.stdout.splitlines()}
    assert "pip install onnxruntime" in said["VALIDATION"], result.stderr
    assert "pip install onnxruntime" in said["RUN"], result.stderr


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    """The demonstration, run as `make demo` runs it."""
    output = tmp_path_factory.mktemp("demo") / "demo-output"
    result = subprocess.run(
        [sys.executable, str(REPOSITORY / "benchmarks" / "demo_example_fly.py"), "--output", str(output)],
        capture_output=True,
        text=True,
        check=False,
        env={key: value for key, value in os.environ.items() if key != "PYTHONPATH"},
    )
    assert result.returncode == 0, result.stdout + result.stderr
    return output, result.stdout


def header(path):
    with path.open(newline="", encoding="utf-8") as stream:
        return next(csv.reader(stream))


def test_both_runs_write_the_same_tables_with_the_same_columns_but_the_measurements_of_one_module_alone(demo):
    output, _ = demo
    primary, unet = output / "IdentifyPrimaryObjects", output / "IdentifyObjectsUNet"
    tables = sorted(path.name for path in primary.glob("*.csv"))
    assert tables == sorted(path.name for path in unet.glob("*.csv"))
    assert {"Image.csv", "Nuclei.csv", "Cells.csv", "Cytoplasm.csv"} <= set(tables)
    own = set()
    for name in tables:
        before = [
            column
            for column in header(primary / name)
            if not column.startswith("Threshold_") or not column.endswith("_Nuclei")
        ]
        after = [column.replace("IdentifyObjectsUNet", "IdentifyPrimaryObjects") for column in header(unet / name)]
        own |= set(after) - set(before)
        assert [column for column in after if column not in own] == before
    of_nuclei = {"Confidence_Foreground", "Confidence_Boundary"}
    of_image = {
        f"Segmentation_{feature}_Nuclei"
        for feature in ("ForegroundArea", "CountFromArea", "Seconds", "Model", "ModelSHA256")
    }
    means = {f"{kind}_Nuclei_{feature}" for kind in ("Mean", "Median", "StDev") for feature in of_nuclei}
    assert of_nuclei | of_image <= own <= of_nuclei | of_image | means


def test_the_summary_agrees_with_tables_labels_and_pictures(demo):
    output, printed = demo
    summary = json.loads((output / "summary.json").read_text(encoding="utf-8"))
    assert len(summary["fields"]) == 3
    for field in summary["fields"]:
        assert imread(str(output / field["overlay"])).ndim == 3
        assert field["field"] in printed
        for module, found in field["modules"].items():
            labels = imread(str(output / module / f"{field['field']}_labels.tiff"))
            assert labels.max() == found["nuclei"] > 10
            assert found["seconds"] > 0
    with (output / "IdentifyObjectsUNet" / "Nuclei.csv").open(encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    assert len(rows) == sum(field["modules"]["IdentifyObjectsUNet"]["nuclei"] for field in summary["fields"])
    assert np.isfinite([float(row["AreaShape_Area"]) for row in rows]).all()
    assert {row["Children_Cells_Count"] for row in rows} == {"1"}


def test_nuclei_of_the_fly_are_those_that_a_person_would_count(demo):
    """The two modules agree on how much of each field is nucleus; the network splits more of the clumps."""
    output, _ = demo
    summary = json.loads((output / "summary.json").read_text(encoding="utf-8"))
    for field in summary["fields"]:
        primary, unet = (
            imread(str(output / module / f"{field['field']}_labels.tiff")) > 0
            for module in ("IdentifyPrimaryObjects", "IdentifyObjectsUNet")
        )
        assert 2 * (primary & unet).sum() / (primary.sum() + unet.sum()) > 0.75
