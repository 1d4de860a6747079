from pathlib import Path

import tests.start_host  # isort: skip # noqa: F401
import pytest
from cellprofiler_core.image import Image, ImageSetList
from cellprofiler_core.measurement import Measurements
from cellprofiler_core.object import ObjectSet
from cellprofiler_core.pipeline import Pipeline
from cellprofiler_core.workspace import Workspace
from identifyobjectsunet import IdentifyObjectsUNet

from benchmarks.pipeline_text import make_module
from cpunet.checks.synthetic import synthetic_field
from cpunet.plugin.model_settings import MODEL_FROM_FILE
from tests.tiny_onnx import changed_card, tiny_onnx


@pytest.fixture
def field():
    """A drawn field of nuclei, 20 pixels wide, some cut by the frame."""
    drawn = synthetic_field((150, 200), columns=5, diameter_px=20)
    window = (slice(12, None), slice(None))
    return drawn.image[window], drawn.labels[window]


@pytest.fixture
def module(tiny_model):
    """The module, set to the tiny model that calls bright pixels foreground."""
    made = IdentifyObjectsUNet()
    made.set_module_num(1)
    made.x_name.value, made.y_name.value = "DNA", "Nuclei"
    made.model_name.value = MODEL_FROM_FILE
    made.model_directory.value = f"Elsewhere...|{tiny_model.parent}"
    made.model_file.value = tiny_model.name
    made.show_window = False
    return made


@pytest.fixture
def pipeline(module):
    """A pipeline that loads the image DNA and gives it to the module."""
    made = Pipeline()
    for number, each in enumerate((make_module("NamesAndTypes", single_image_provider="DNA"), module), start=1):
        each.set_module_num(number)
        made.add_module(each)
    return made


@pytest.fixture
def advanced(module):
    module.advanced.value = True
    return module


@pytest.fixture
def color_model(tiny_model):
    card = changed_card(input={"channels": ["red", "green", "blue"]})
    tiny_model.write_bytes(tiny_onnx(card, channels=3))


class Run:
    """What a module made of one image."""

    def __init__(self, module, pixels, mask=None, dimensions=2, crop_mask=None, scale=None, spacing=None):
        image_set = ImageSetList().get_image_set(0)
        self.image = Image(pixels, mask=mask, dimensions=dimensions, crop_mask=crop_mask, scale=scale, spacing=spacing)
        image_set.add("DNA", self.image)
        pipeline = Pipeline()
        pipeline.add_module(module)
        self.measurements = Measurements()
        self.workspace = Workspace(pipeline, module, image_set, ObjectSet(), self.measurements, image_set)
        module.run(self.workspace)
        self.image_set = image_set
        self.objects = self.workspace.object_set.get_objects(module.y_name.value)


@pytest.fixture
def run():
    return Run


@pytest.fixture
def pipelines():
    return Path(__file__).parent / "pipelines"
