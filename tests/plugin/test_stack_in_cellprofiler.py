"""A 3-D stack from a file, through the module, to what is measured of its objects in 3-D."""

import numpy as np
import pytest
import tifffile

from cpunet.checks.synthetic import synthetic_field
from cpunet.model.forms import fastest_form, forms_of
from cpunet.onnx_reader.metadata import read_card
from tests.plugin.headless import input_modules, make_module, rows_of, run_headless, write_pipeline


@pytest.fixture(scope="module")
def tables(tmp_path_factory):
    """Image.csv and Nuclei.csv of a stack whose nuclei lie in the second to the fourth of five planes."""
    base = tmp_path_factory.mktemp("stack")
    (base / "images").mkdir()
    field = synthetic_field((160, 240), columns=3, diameter_px=36).image
    empty = np.full_like(field, 0.04)
    planes = np.round(np.stack([empty, field, field, field, empty]) * 65535).astype(np.uint16)
    tifffile.imwrite(base / "images" / "stack.tif", planes, imagej=True, metadata={"axes": "ZYX"})
    modules = [
        *input_modules(process_as_3d=True),
        make_module("IdentifyObjectsUNet", x_name="DNA", y_name="Nuclei"),
        make_module("MeasureObjectSizeShape", objects_list="Nuclei"),
        make_module("MeasureObjectIntensity", images_list="DNA", objects_list="Nuclei"),
        make_module("ExportToSpreadsheet", wants_prefix=False),
    ]
    done = run_headless(write_pipeline(base / "stack.cppipe", modules), base / "images", base / "output")
    assert done.returncode == 0, done.log
    return rows_of(base / "output" / "Image.csv"), rows_of(base / "output" / "Nuclei.csv")


def test_a_stack_is_one_image_set_whose_objects_run_through_its_planes(tables):
    images, nuclei = tables
    assert [(row["ImageNumber"], float(row["Count_Nuclei"])) for row in images] == [("1", 6)]
    assert (
        images[0]["Segmentation_Model_Nuclei"] == read_card(fastest_form(forms_of("nuclei_fluorescence"), "cpu")).name
    )
    assert len(nuclei) == 6
    for row in nuclei:
        assert float(row["Location_Center_Z"]) == pytest.approx(2, abs=0.1)
        assert 0.8 < float(row["Confidence_Foreground"]) <= 1


def test_other_modules_measure_the_objects_in_3_d(tables):
    images, nuclei = tables
    volumes = [float(row["AreaShape_Volume"]) for row in nuclei]
    assert int(images[0]["Segmentation_ForegroundArea_Nuclei"]) == sum(volumes)
    for row, volume in zip(nuclei, volumes):
        assert volume == pytest.approx(3 * np.pi * 18**2, rel=0.4)
        assert float(row["AreaShape_Center_Z"]) == pytest.approx(float(row["Location_Center_Z"]))
        assert float(row["AreaShape_BoundingBoxMaximum_Z"]) - float(row["AreaShape_BoundingBoxMinimum_Z"]) == 3
        assert float(row["Intensity_MeanIntensity_DNA"]) > 0.2
