"""What the module measures, in the modules downstream and in the files that CellProfiler writes."""

import sqlite3
from contextlib import closing

import numpy as np
import pytest
import tifffile
from cellprofiler_core.pipeline import Pipeline
from cellprofiler_core.setting import ValidationError

from cpunet.checks.synthetic import synthetic_field
from cpunet.onnx_reader.metadata import sha256
from tests.plugin.headless import input_modules, make_module, rows_of, run_headless, write_pipeline
from tests.tiny_onnx import changed_card, tiny_onnx

# What SQL, CSV and HDF5 could each stumble over.
MODEL_NAME = "Dr. O'Grün's nuclei, 2"
SURE, FEWEST = 0.97, 9.5
OF_IMAGE = ("ForegroundArea", "CountFromArea", "Seconds", "Model", "ModelSHA256")


def write_images(folder):
    """Write a field of 15 nuclei, one of 6, and one of none."""
    folder.mkdir(parents=True)
    full = synthetic_field((150, 250), columns=5, diameter_px=22).image
    few = full.copy()
    few[:, 100:] = 0.04
    for name, image in (("1_full", full), ("2_few", few), ("3_none", np.full((150, 250), 0.04))):
        tifffile.imwrite(folder / f"{name}.tif", np.round(image * 65535).astype(np.uint16))


def unet_with_model(folder):
    (folder / "mine.onnx").write_bytes(tiny_onnx(changed_card(name=MODEL_NAME)))
    module = make_module("IdentifyObjectsUNet", x_name="DNA", y_name="Nuclei", model_file="mine.onnx")
    module.model_name.value = "A model file of your own"
    module.model_directory.value = f"Elsewhere...|{folder}"
    return module


def modules_that_use_the_measurements():
    sure = make_module("FilterObjects", x_name="Nuclei", y_name="Sure")
    (limit,) = sure.measurements
    limit.measurement.value, limit.min_limit.value = "Confidence_Foreground", SURE
    limit.wants_maximum.value = False
    flag = make_module("FlagImage")
    (rule,) = flag.flags[0].measurement_settings
    rule.measurement.value, rule.minimum_value.value = "Segmentation_CountFromArea_Nuclei", FEWEST
    rule.wants_maximum.value = False
    return [
        make_module("MeasureObjectSizeShape", objects_list="Nuclei"),
        make_module("MeasureObjectIntensity", images_list="DNA", objects_list="Nuclei"),
        sure,
        flag,
    ]


def test_the_window_offers_the_measurements_where_a_module_asks_for_one(tmp_path):
    pipeline = Pipeline()
    *_, sure, flag = modules = [unet_with_model(tmp_path), *modules_that_use_the_measurements()]
    for number, module in enumerate(modules, start=1):
        module.set_module_num(number)
        pipeline.add_module(module)
    for module in (sure, flag):
        module.test_valid(pipeline)
    by_object = sure.measurements[0].measurement
    assert by_object.get_category(pipeline) == "Confidence"
    assert by_object.get_feature_name_choices(pipeline) == ["Boundary", "Foreground"]
    by_image = flag.flags[0].measurement_settings[0].measurement
    assert by_image.get_feature_name_choices(pipeline, category="Segmentation") == sorted(OF_IMAGE[:3])
    assert (by_image.get_feature_name(pipeline), by_image.get_object_name(pipeline)) == ("CountFromArea", "Nuclei")
    by_image.value = "Segmentation_CountFromArea_Cells"
    with pytest.raises(ValidationError):
        flag.test_valid(pipeline)


@pytest.fixture(scope="module")
def run_once(tmp_path_factory):
    """Three image sets through the pipeline with both exports: the output folder and the model's sum."""
    base = tmp_path_factory.mktemp("exports")
    write_images(base / "images")
    modules = [*input_modules(), unet_with_model(base), *modules_that_use_the_measurements()]
    modules += [make_module("ExportToDatabase", sqlite_file="all.db")]
    modules += [make_module("ExportToSpreadsheet", wants_prefix=False, wants_aggregate_means=True)]
    done = run_headless(write_pipeline(base / "all.cppipe", modules), base / "images", base / "output")
    assert done.returncode == 0, done.log
    return base / "output", sha256(base / "mine.onnx")


def test_image_csv_holds_the_measurements_of_the_image(run_once):
    output, total = run_once
    rows = rows_of(output / "Image.csv")
    nuclei = rows_of(output / "Nuclei.csv")
    assert [float(row["Count_Nuclei"]) for row in rows] == [15, 6, 0]
    for number, row in enumerate(rows, start=1):
        areas = [float(each["AreaShape_Area"]) for each in nuclei if each["ImageNumber"] == str(number)]
        assert int(row["Segmentation_ForegroundArea_Nuclei"]) == sum(areas)
        assert float(row["Segmentation_CountFromArea_Nuclei"]) == pytest.approx(len(areas), rel=0.25)
        assert 0 < float(row["Segmentation_Seconds_Nuclei"]) < 60
        assert (row["Segmentation_Model_Nuclei"], row["Segmentation_ModelSHA256_Nuclei"]) == (MODEL_NAME, total)
        assert not [name for name, value in row.items() if name.startswith("ModuleError_") and value != "0"]


def test_objects_csv_holds_their_confidence_beside_what_others_measured(run_once):
    output, _ = run_once
    rows = rows_of(output / "Nuclei.csv")
    assert len(rows) == 21
    for feature in ("Confidence_Foreground", "Confidence_Boundary"):
        values = np.array([float(row[feature]) for row in rows])
        assert ((values > 0) & (values <= 1)).all()
        assert len(set(values)) > 10
        means = [float(row[f"Mean_Nuclei_{feature}"]) for row in rows_of(output / "Image.csv")]
        assert means[:2] == pytest.approx([values[:15].mean(), values[15:].mean()])
    assert np.isfinite([float(row["Intensity_MeanIntensity_DNA"]) for row in rows]).all()


def test_experiment_csv_says_with_which_model_the_run_began(run_once):
    output, total = run_once
    written = {row["Key"]: row["Value"] for row in rows_of(output / "Experiment.csv")}
    assert written["Segmentation_Model_Nuclei"] == MODEL_NAME
    assert written["Segmentation_ModelSHA256_Nuclei"] == total


def test_filter_objects_keeps_those_of_which_the_model_is_sure(run_once):
    output, _ = run_once
    nuclei = rows_of(output / "Nuclei.csv")
    sure = [row for row in nuclei if float(row["Confidence_Foreground"]) >= SURE]
    kept = rows_of(output / "Sure.csv")
    assert 0 < len(kept) < len(nuclei)
    where = [[(row["ImageNumber"], row["Location_Center_X"]) for row in rows] for rows in (kept, sure)]
    assert where[0] == where[1]


def test_flag_image_flags_those_with_few_objects_by_area(run_once):
    output, _ = run_once
    rows = rows_of(output / "Image.csv")
    assert [row["Metadata_QCFlag"] for row in rows] == ["0", "1", "1"]
    assert float(rows[1]["Segmentation_CountFromArea_Nuclei"]) < FEWEST


def test_the_database_holds_the_same_with_types_that_fit(run_once):
    output, total = run_once
    names = [f"Image_Segmentation_{feature}_Nuclei" for feature in OF_IMAGE]
    with closing(sqlite3.connect(output / "all.db")) as database:
        types = {name: kind.lower() for _, name, kind, *_ in database.execute("pragma table_info(MyExpt_Per_Image)")}
        images = database.execute(f"select {', '.join(names)} from MyExpt_Per_Image order by ImageNumber").fetchall()
        means = database.execute("select Mean_Nuclei_Confidence_Foreground from MyExpt_Per_Image").fetchall()
        objects = database.execute(
            "select Nuclei_Confidence_Foreground, Nuclei_Confidence_Boundary from MyExpt_Per_Object "
            "where Nuclei_Number_Object_Number is not null order by ImageNumber, ObjectNumber"
        ).fetchall()
        experiment = database.execute(
            "select Segmentation_Model_Nuclei, Segmentation_ModelSHA256_Nuclei from MyExpt_Per_Experiment"
        ).fetchall()
    assert [types[name] for name in names] == ["integer", "float", "float", "text", "text"]
    for row, stored in zip(rows_of(output / "Image.csv"), images):
        in_csv = [row[f"Segmentation_{feature}_Nuclei"] for feature in OF_IMAGE]
        assert [int(in_csv[0]), float(in_csv[1]), float(in_csv[2]), *in_csv[3:]] == pytest.approx(list(stored))
    assert [mean is None for (mean,) in means] == [False, False, True]
    in_csv = [(row["Confidence_Foreground"], row["Confidence_Boundary"]) for row in rows_of(output / "Nuclei.csv")]
    np.testing.assert_allclose(objects, np.array(in_csv, float))
    assert experiment == [(MODEL_NAME, total)]


def test_a_batch_runs_on_a_cluster_that_sees_the_folders_elsewhere(tmp_path):
    desk, cluster = tmp_path / "desk", tmp_path / "cluster"
    write_images(desk / "images")
    batch = make_module("CreateBatchFiles")
    batch.mappings[0].local_directory.value, batch.mappings[0].remote_directory.value = str(desk), str(cluster)
    sheet = make_module("ExportToSpreadsheet", wants_prefix=False)
    unet = unet_with_model(desk)
    (desk / "second.onnx").write_bytes(tiny_onnx(changed_card(name="second")))
    unet.advanced.value, unet.advanced_settings.further_models.value = True, str(desk / "second.onnx")
    modules = [*input_modules(), unet, *modules_that_use_the_measurements(), sheet, batch]
    run_headless(write_pipeline(desk / "batch.cppipe", modules), desk / "images", desk / "output")
    assert (desk / "output" / "Batch_data.h5").is_file()
    desk.rename(cluster)
    (cluster / "mine.onnx").write_bytes(tiny_onnx(changed_card(name="newer")))
    output = tmp_path / "second and third"
    done = run_headless(cluster / "output" / "Batch_data.h5", cluster / "images", output, "-f", "2", "-l", "3")
    assert done.returncode == 0, done.log
    rows = rows_of(output / "Image.csv")
    assert [(row["ImageNumber"], float(row["Count_Nuclei"])) for row in rows] == [("2", 6), ("3", 0)]
    total = f"{sha256(cluster / 'mine.onnx')}+{sha256(cluster / 'second.onnx')}"
    assert {row["Segmentation_ModelSHA256_Nuclei"] for row in rows} == {total}
    written = {row["Key"]: row["Value"] for row in rows_of(output / "Experiment.csv")}
    assert written["Segmentation_Model_Nuclei"] == "newer + second"
    assert written["Segmentation_ModelSHA256_Nuclei"] == total
