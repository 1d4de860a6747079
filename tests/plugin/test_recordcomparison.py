"""What CellProfiler records for `cpunet compare`, beside what its own modules measure."""

import numpy as np
import pytest
from cellprofiler.modules.measureobjectintensity import MeasureObjectIntensity
from cellprofiler.modules.measureobjectsizeshape import MeasureObjectSizeShape
from cellprofiler_core.image import Image, ImageSetList
from cellprofiler_core.measurement import Measurements
from cellprofiler_core.object import Objects, ObjectSet
from cellprofiler_core.pipeline import Pipeline
from cellprofiler_core.preferences import get_default_output_directory, set_default_output_directory
from cellprofiler_core.workspace import Workspace
from skimage.segmentation import relabel_sequential

from cpunet.comparison.compared_fields import compare_record
from cpunet.comparison.records import read_record, record_path
from cpunet.plugin.recordcomparison import RecordComparison


@pytest.fixture
def output(tmp_path):
    before = get_default_output_directory()
    set_default_output_directory(str(tmp_path))
    yield tmp_path
    set_default_output_directory(before)


@pytest.fixture
def workspace(field):
    """A masked field, in which both modules found the same objects."""
    pixels, labels = field
    mask = np.ones(pixels.shape, bool)
    mask[:, 100:] = False
    mask[60:64, 20:60] = False  # a hole, also inside objects
    image_set = ImageSetList().get_image_set(0)
    image_set.add("DNA", Image(pixels / pixels.max(), mask=mask))
    objects = ObjectSet()
    for name in ("Nuclei", "Nuclei_UNet"):
        made = Objects()
        made.segmented = relabel_sequential(np.where(np.arange(labels.shape[1]) < 100, labels, 0))[0]
        made.parent_image = image_set.get_image("DNA")
        objects.add_objects(made, name)
    measurements = Measurements()
    return Workspace(Pipeline(), RecordComparison(), image_set, objects, measurements, image_set)


def test_areas_and_intensities_are_those_that_cellprofiler_measures(workspace, output):
    module = workspace.module
    for setting, value in zip(module.settings(), ("3", "DNA", "Nuclei", "Nuclei_UNet")):
        setting.value = value
    module.run(workspace)
    found = compare_record("a", output, read_record(record_path(output, 3, workspace.measurements.image_set_number)))

    intensity, shape = MeasureObjectIntensity(), MeasureObjectSizeShape()
    intensity.images_list.value, intensity.objects_list.value = "DNA", "Nuclei"
    shape.objects_list.value = "Nuclei"
    shape.calculate_zernikes.value = shape.calculate_advanced.value = False
    intensity.show_window = shape.show_window = False
    intensity.run(workspace)
    shape.run(workspace)
    measured = workspace.measurements
    assert len(found.areas) > 4
    assert found.areas[:, 0].tolist() == measured.get_current_measurement("Nuclei", "AreaShape_Area").tolist()
    np.testing.assert_allclose(
        found.intensities[:, 1], measured.get_current_measurement("Nuclei", "Intensity_MeanIntensity_DNA"), rtol=1e-5
    )
