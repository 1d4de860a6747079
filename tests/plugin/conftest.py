from pathlib import Path

import cellprofiler_core.preferences

PLUGINS = Path(__file__).resolve().parents[2] / "plugins"
cellprofiler_core.preferences.set_headless()
cellprofiler_core.preferences.set_plugin_directory(str(PLUGINS), globally=False)

import pytest  # noqa: E402
from cellprofiler_core.image import Image, ImageSetList  # noqa: E402
from cellprofiler_core.measurement import Measurements  # noqa: E402
from cellprofiler_core.object import ObjectSet  # noqa: E402
from cellprofiler_core.pipeline import Pipeline  # noqa: E402
from cellprofiler_core.workspace import Workspace  # noqa: E402
from identifyobjectsunet import MODEL_FROM_FILE, IdentifyObjectsUNet  # noqa: E402

from cpunet.drawn_nuclei import draw_field  # noqa: E402


@pytest.fixture
def field():
    """A drawn field of nuclei, 20 pixels wide, some cut by the frame."""
    drawn = draw_field((150, 200), columns=5, diameter_px=20)
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


class Run:
    """What a module made of one image."""

    def __init__(self, module, pixels, mask=None, dimensions=2, crop_mask=None):
        image_set = ImageSetList().get_image_set(0)
        self.image = Image(pixels, mask=mask, dimensions=dimensions, crop_mask=crop_mask)
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


@pytest.fixture
def example_fly():
    """The folder of the ExampleFly pipeline inside the cellprofiler package."""
    import cellprofiler

    return Path(cellprofiler.__file__).parent / "data" / "examples" / "ExampleFly"
