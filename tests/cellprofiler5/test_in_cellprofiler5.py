"""The module in CellProfiler 5: it loads, finds the same objects, is measured, and its pipelines are saved and opened.

Most images are handed over in memory. Those of the run without a window are PNG files, which CellProfiler reads by
imageio: its reader of microscopes' formats fetches Java libraries when it first reads one.
"""

import csv
import io
import os
import subprocess
import sys

import cellprofiler_core.modules  # noqa: F401  loads all modules, and those of the plugins directory
import imageio.v2
import numpy as np
import pytest
from cellprofiler_core.image import Image
from cellprofiler_core.measurement import Measurements
from cellprofiler_core.object import ObjectSet
from cellprofiler_core.pipeline import Pipeline
from cellprofiler_core.utilities.core.modules import instantiate_module
from cellprofiler_core.utilities.core.plugins import get_plugin_statuses
from cellprofiler_core.workspace import Workspace

from cpunet.checks.synthetic import synthetic_field
from cpunet.model.forms import fastest_form, forms_of
from cpunet.model.session import load_model
from cpunet.segment import segment_image
from tests.places import REPOSITORY

FIELD = synthetic_field((200, 220), columns=5, diameter_px=25, touching=False, seed=1)
PIPELINES = REPOSITORY / "tests" / "plugin" / "pipelines"


def unet():
    module = instantiate_module("IdentifyObjectsUNet")
    module.set_module_num(1)
    module.x_name.value, module.y_name.value = "DNA", "Nuclei"
    module.show_window = False
    return module


def run(modules):
    """Run modules on the field, one after another; return objects and measurements."""
    pipeline, objects = Pipeline(), ObjectSet()
    measurements = Measurements(image_set_start=1)
    measurements.next_image_set(1)
    measurements.add("DNA", Image(FIELD.image.astype(np.float32)))
    for number, module in enumerate(modules, start=1):
        module.set_module_num(number)
        module.show_window = False
        pipeline.add_module(module)
        module.run(Workspace(pipeline, module, measurements, objects, measurements, None))
    return objects, measurements


def test_the_plugins_directory_holds_the_module():
    (status,) = [each for each in get_plugin_statuses() if each["name"] == "identifyobjectsunet"]
    assert status["loaded"], status["error"]
    assert status["kind"] == "module"


def test_it_finds_what_the_runtime_finds():
    objects, measurements = run([unet()])
    found = objects.get_objects("Nuclei")
    path = fastest_form(forms_of("nuclei_fluorescence"), "automatic")
    expected = segment_image(FIELD.image.astype(np.float32), load_model(path))
    np.testing.assert_array_equal(found.segmented, expected.labels)
    count = int(FIELD.labels.max())
    assert found.segmented.max() == found.unedited_segmented.max() == found.small_removed_segmented.max() == count
    assert measurements.get_current_image_measurement("Count_Nuclei") == count
    assert len(measurements.get_current_measurement("Nuclei", "Location_Center_X")) == count


def test_later_modules_use_its_objects():
    measure = instantiate_module("MeasureObjectSizeShape")
    measure.objects_list.value = "Nuclei"
    expand = instantiate_module("ExpandOrShrinkObjects")
    expand.object_name.value, expand.output_object_name.value = "Nuclei", "Larger"
    objects, measurements = run([unet(), measure, expand])
    areas = measurements.get_current_measurement("Nuclei", "AreaShape_Area")
    np.testing.assert_array_equal(areas, np.bincount(objects.get_objects("Nuclei").segmented.ravel())[1:])
    assert objects.get_objects("Larger").segmented.max() == len(areas)


def test_a_pipeline_is_saved_and_opened():
    module, pipeline, text = unet(), Pipeline(), io.StringIO()
    module.exclude_size.value = True
    module.size_range.value = (8, 60)
    pipeline.add_module(module)
    pipeline.dump(text)
    opened = Pipeline()
    opened.load(io.StringIO(text.getvalue()))
    (again,) = opened.modules()
    assert [each.value_text for each in again.settings()] == [each.value_text for each in module.settings()]


@pytest.mark.parametrize("path", sorted(PIPELINES.glob("revision_*.cppipe")), ids=lambda path: path.stem)
def test_pipelines_of_older_revisions_open(path):
    pipeline = Pipeline()
    pipeline.load(io.StringIO(path.read_text(encoding="utf-8")))
    (module,) = [each for each in pipeline.modules() if each.module_name == "IdentifyObjectsUNet"]
    assert module.variable_revision_number == type(module).variable_revision_number


def test_a_pipeline_runs_without_a_window(tmp_path):
    (tmp_path / "images").mkdir()
    for name in ("a.png", "b.png"):
        imageio.v2.imwrite(tmp_path / "images" / name, np.rint(FIELD.image * 255).astype(np.uint8))
    command = [sys.executable, "-m", "cellprofiler", "-c", "-r", "-p", REPOSITORY / "docs" / "nuclei.cppipe"]
    command += ["-i", tmp_path / "images", "-o", tmp_path, f"--plugins-directory={REPOSITORY / 'plugins'}"]
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    done = subprocess.run(list(map(str, command)), env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    with (tmp_path / "Image.csv").open(newline="", encoding="utf-8") as stream:
        counts = [float(row["Count_Nuclei"]) for row in csv.DictReader(stream)]
    assert counts == [FIELD.labels.max()] * 2
