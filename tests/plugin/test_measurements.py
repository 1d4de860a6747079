"""The measurements: names, columns and values."""

import numpy as np
import pytest
from cellprofiler.modules.identifyprimaryobjects import IdentifyPrimaryObjects
from cellprofiler_core.constants.measurement import COLTYPE_FLOAT, COLTYPE_INTEGER, EXPERIMENT
from cellprofiler_core.measurement import Measurements
from cellprofiler_core.workspace import Workspace

from cpunet.onnx_reader.metadata import sha256
from cpunet.plugin.measurements import add_measurements_of_objects


@pytest.mark.parametrize("pixels", ["field", "black"])
def test_measurements_are_those_that_cellprofiler_would_write(module, run, field, pixels):
    done = run(module, field[0] if pixels == "field" else np.zeros((40, 50)))
    ours = {
        (name, feature): done.measurements.get_current_measurement(name, feature)
        for name, feature, _ in super(type(module), module).get_measurement_columns(None)
    }
    super(type(module), module).add_measurements(done.workspace)
    assert len(ours) == 5
    for (name, feature), value in ours.items():
        theirs = done.measurements.get_current_measurement(name, feature)
        np.testing.assert_allclose(value, theirs)
        assert np.shape(value) == np.shape(theirs)


def test_measurement_columns_are_those_of_identify_primary_objects_without_threshold(module):
    primary = IdentifyPrimaryObjects()
    primary.x_name.value, primary.y_name.value = "DNA", "Nuclei"
    expected = [column for column in primary.get_measurement_columns(None) if "Threshold_" not in column[1]]
    ours = module.get_measurement_columns(None)
    assert set(expected) < set(ours)
    assert all(name.startswith(("Segmentation_", "Confidence_")) for _, name, _ in set(ours) - set(expected))
    assert len(set(ours)) == len(ours)
    assert ("Image", "Count_Nuclei", COLTYPE_INTEGER) in expected
    assert ("Nuclei", "Location_Center_X", COLTYPE_FLOAT) in expected
    assert module.get_categories(None, "Image") == ["Count", "Segmentation"]
    assert module.get_categories(None, "Nuclei") == ["Location", "Number", "Confidence"]
    assert module.get_measurements(None, "Nuclei", "Location") == ["Center_X", "Center_Y", "Center_Z"]
    assert module.get_measurements(None, "Image", "Count") == ["Nuclei"]
    assert module.is_object_identification_module()
    assert module.volumetric()


def test_further_measurements_tell_of_confidence_area_time_and_model(module, run, field, tiny_model):
    done = run(module, field[0])
    measured = done.measurements
    count = done.objects.count
    for feature in ("Confidence_Foreground", "Confidence_Boundary"):
        values = measured.get_current_measurement("Nuclei", feature)
        assert values.shape == (count,)
        assert ((values > 0) & (values <= 1)).all()
    area = measured.get_current_image_measurement("Segmentation_ForegroundArea_Nuclei")
    assert area == (done.objects.segmented > 0).sum()
    from_area = measured.get_current_image_measurement("Segmentation_CountFromArea_Nuclei")
    assert from_area == pytest.approx(count, rel=0.25)
    assert 0 < measured.get_current_image_measurement("Segmentation_Seconds_Nuclei") < 60
    assert measured.get_current_image_measurement("Segmentation_Model_Nuclei") == "tiny"
    assert measured.get_current_image_measurement("Segmentation_ModelSHA256_Nuclei") == sha256(tiny_model)
    written = {(name, feature) for name, feature, _ in module.get_measurement_columns(None) if name != EXPERIMENT}
    for name, feature in written:
        assert measured.has_current_measurements(name, feature), feature
    assert module.get_measurements(None, "Nuclei", "Confidence") == ["Foreground", "Boundary"]
    for feature in module.get_measurements(None, "Image", "Segmentation"):
        (of,) = module.get_measurement_objects(None, "Image", "Segmentation", feature)
        assert ("Image", f"Segmentation_{feature}_{of}") in written


def test_the_experiment_says_with_which_model_it_began(module, pipeline, tiny_model):
    measured = Measurements()
    assert module.prepare_run(Workspace(pipeline, module, None, None, measured, None))
    assert measured.get_experiment_measurement("Segmentation_Model_Nuclei") == "tiny"
    assert measured.get_experiment_measurement("Segmentation_ModelSHA256_Nuclei") == sha256(tiny_model)


@pytest.mark.parametrize("counts", [(3, 0, 5), (0, 2, 0)])
def test_several_measurements_of_objects_are_written_as_one_by_one(counts):
    ours, theirs = Measurements(image_set_start=1), Measurements(image_set_start=1)
    for number, count in enumerate(counts, start=1):
        of_objects = {"Location_Center_X": np.arange(count) / 4, "Number_Object_Number": np.arange(1, count + 1)}
        for measurements in (ours, theirs):
            measurements.next_image_set(number)
        add_measurements_of_objects(ours, "Nuclei", of_objects)
        for feature, values in of_objects.items():
            theirs.add_measurement("Nuclei", feature, values)
    for name in ("Nuclei", "Image"):
        assert ours.get_feature_names(name) == theirs.get_feature_names(name)
        for feature in theirs.get_feature_names(name):
            for number in range(1, len(counts) + 1):
                one, other = (each.get_measurement(name, feature, number) for each in (ours, theirs))
                np.testing.assert_array_equal(one, other)
    for measurements in (ours, theirs):
        measurements.close()
