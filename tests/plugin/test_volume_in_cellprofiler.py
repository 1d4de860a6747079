"""A volume through a model of volumes in real CellProfiler: what is measured equals what the labels give."""

import numpy as np
import pytest
import tifffile
from skimage.measure import marching_cubes, mesh_surface_area, regionprops

from cpunet.model.session import load_model
from cpunet.options import Options
from cpunet.plugin.model_settings import MODEL_FROM_FILE
from cpunet.segment import segment_stack
from tests.plugin.headless import input_modules, make_module, rows_of, run_headless, write_pipeline
from tests.tiny_volumes import balls, changed_volume_card, tiny_volume_onnx

# In Z, X and Y, as entered in NamesAndTypes: planes lie 2.2 pixels apart.
SPACING_ZXY = (1.1, 0.5, 0.5)
SPACING_ZYX = (2.2, 1.0, 1.0)
CENTERS = [(4, 16, 18), (13, 18, 20), (7, 46, 44), (11, 20, 60)]  # the second lies below the first


@pytest.fixture(scope="module")
def volume():
    pixels, _ = balls((18, 64, 80), CENTERS, diameter_px=17, z_step_px=2.2)
    return np.round(2000 + 20000 * np.clip(pixels, 0, 1.5)).astype(np.uint16)


@pytest.fixture(scope="module")
def model_path(tmp_path_factory):
    path = tmp_path_factory.mktemp("model") / "balls.onnx"
    path.write_bytes(tiny_volume_onnx(changed_volume_card(input={"diameter_px": 17.0, "z_step_px": 2.2})))
    return path


@pytest.fixture(scope="module")
def done(tmp_path_factory, volume, model_path):
    """A headless run, with the tables that it wrote."""
    base = tmp_path_factory.mktemp("volume")
    (base / "images").mkdir()
    tifffile.imwrite(base / "images" / "embryo.tif", volume, imagej=True, metadata={"axes": "ZYX"})
    *first, names, groups = input_modules(process_as_3d=True)
    names.z.value, names.x.value, names.y.value = SPACING_ZXY
    unet = make_module("IdentifyObjectsUNet", x_name="DNA", y_name="Nuclei")
    unet.model_name.value = MODEL_FROM_FILE
    unet.model_directory.value = f"Elsewhere...|{model_path.parent}"
    unet.model_file.value = model_path.name
    modules = [
        *(*first, names, groups, unet),
        make_module("MeasureObjectSizeShape", objects_list="Nuclei"),
        make_module("ExportToSpreadsheet", wants_prefix=False),
    ]
    found = run_headless(write_pipeline(base / "volume.cppipe", modules), base / "images", base / "output")
    assert found.returncode == 0, found.log
    found.tables = {name: rows_of(base / "output" / f"{name}.csv") for name in ("Image", "Nuclei")}
    return found


@pytest.fixture(scope="module")
def labels(volume, model_path):
    """The labels that the model gives in Python, without CellProfiler."""
    return segment_stack(volume, load_model(model_path, "cpu"), Options(z_step_px=2.2)).labels


def test_the_stack_is_one_volume_whose_spacing_is_that_of_names_and_types(done):
    assert [float(row["Count_Nuclei"]) for row in done.tables["Image"]] == [4]
    assert done.tables["Image"][0]["Segmentation_Model_Nuclei"] == "tiny_3d"
    assert "Segmented as a volume by the model tiny_3d. The planes lie 2.2 pixels apart" in done.log


def test_measurements_in_3_d_equal_those_of_the_labels(done, labels):
    assert labels.max() == len(done.tables["Nuclei"]) == 4
    for row, each in zip(done.tables["Nuclei"], regionprops(labels)):
        assert int(row["Number_Object_Number"]) == each.label
        center = np.array(each.centroid)  # planes, rows and columns
        for place, axis in zip(center, "ZYX"):
            assert float(row[f"Location_Center_{axis}"]) == pytest.approx(place, abs=1e-6)
            assert float(row[f"AreaShape_Center_{axis}"]) == pytest.approx(place, abs=1e-6)
        for place, axis in enumerate("ZYX"):
            box = [float(row[f"AreaShape_BoundingBox{end}_{axis}"]) for end in ("Minimum", "Maximum")]
            assert box == [each.bbox[place], each.bbox[place + 3]]
        assert float(row["AreaShape_Volume"]) == each.area
        assert float(row["AreaShape_EquivalentDiameter"]) == pytest.approx((6 * each.area / np.pi) ** (1 / 3))
        assert float(row["AreaShape_Extent"]) == pytest.approx(each.extent)


def test_surfaces_count_the_spacing(done, labels):
    for number, row in enumerate(done.tables["Nuclei"], start=1):
        surface, without_spacing = (
            mesh_surface_area(*marching_cubes(labels == number, level=0, spacing=spacing, method="lewiner")[:2])
            for spacing in (SPACING_ZYX, (1, 1, 1))
        )
        assert float(row["AreaShape_SurfaceArea"]) == pytest.approx(surface, rel=1e-6)
        assert surface > 1.4 * without_spacing
