"""The module with a model that gives objects itself."""

import csv

import numpy as np
import pytest
from cellprofiler_core.setting import ValidationError

from benchmarks.pipeline_text import make_module
from cpunet.files.images import write_picture
from cpunet.plugin.model_settings import MODEL_FROM_FILE
from tests.plugin.headless import input_modules, rows_of, run_headless, write_pipeline
from tests.tiny_instances import blobs, instances_card, instances_onnx

CENTERS, BRIGHT = [(40, 40), (40, 120), (100, 80), (100, 150)], [1.0, 0.9, 0.8, 0.6]
IMAGE = blobs((140, 180), CENTERS, brightness=BRIGHT)
CARD = instances_card(input={"normalization": {"kind": "none", "units": "zero_to_one"}})


@pytest.fixture
def objects_model(tiny_model):
    tiny_model.write_bytes(instances_onnx(CARD))
    return tiny_model


def test_objects_and_their_scores_as_confidence(objects_model, module, run):
    done = run(module, IMAGE)
    labels = done.objects.segmented
    assert labels.max() == 4
    measured = done.measurements.get_current_measurement("Nuclei", "Confidence_Foreground")
    for (row, column), score in zip(CENTERS, BRIGHT):
        assert measured[labels[row, column] - 1] == pytest.approx(score, abs=0.05)
    boundary = done.measurements.get_current_measurement("Nuclei", "Confidence_Boundary")
    assert ((boundary > 0.1) & (boundary <= 1)).all()


def test_confidence_follows_the_objects_that_filters_keep(objects_model, module, run):
    module.exclude_border_objects.value = True
    image = blobs((140, 180), [(2, 40), *CENTERS[1:]], brightness=BRIGHT)
    done = run(module, image)
    labels = done.objects.segmented
    assert labels.max() == 3
    measured = done.measurements.get_current_measurement("Nuclei", "Confidence_Foreground")
    assert len(measured) == 3
    for (row, column), score in zip(CENTERS[1:], BRIGHT[1:]):
        assert measured[labels[row, column] - 1] == pytest.approx(score, abs=0.05)


def test_no_object_is_no_error(objects_model, module, run):
    done = run(module, np.zeros((60, 70)))
    assert done.measurements.get_current_image_measurement("Count_Nuclei") == 0
    assert len(done.measurements.get_current_measurement("Nuclei", "Confidence_Foreground")) == 0


def test_a_stack_is_done_plane_by_plane(objects_model, module, run):
    done = run(module, np.stack([np.zeros_like(IMAGE), IMAGE, IMAGE]), dimensions=3)
    assert done.objects.segmented.max() == 4
    assert len(done.measurements.get_current_measurement("Nuclei", "Confidence_Foreground")) == 4


def test_the_figure_shows_the_confidence_of_each_object(objects_model, module, run):
    module.show_window = True
    shown = run(module, IMAGE).workspace.display_data
    titles = [title for title, _ in shown.planes]
    assert titles == ["Probability of an object", "Confidence of each object"]
    plane = shown.planes[1][1]
    for (row, column), score in zip(CENTERS, BRIGHT):
        assert plane[row, column] == pytest.approx(score, abs=0.05)
    assert not plane[shown.labels == 0].any()


def test_settings_that_do_not_apply_are_hidden_and_not_used(objects_model, advanced, run):
    advanced.advanced_settings.declump_method.value = "Shape"
    advanced.advanced_settings.augmentation.value = "Flips"
    shown = {setting.text for setting in advanced.visible_settings()}
    for text in (
        "Method to separate touching objects",
        "Automatically calculate the smoothing for declumping?",
        "Automatically calculate the minimum distance between seeds?",
        "Look at the image several times?",
    ):
        assert text not in shown
    assert {"Fill holes in identified objects?", "Outlines", "Use the model's own foreground threshold?"} <= shown
    assert run(advanced, IMAGE).objects.segmented.max() == 4


def test_the_settings_are_shown_again_for_another_model(advanced):
    assert "Method to separate touching objects" in {setting.text for setting in advanced.visible_settings()}


def test_averaging_is_refused_before_the_first_image(objects_model, advanced, pipeline):
    advanced.advanced_settings.further_models.value = str(objects_model)
    with pytest.raises(ValidationError, match="gives objects and no probabilities"):
        advanced.validate_module(pipeline)


def test_a_probability_image_is_that_of_the_masks_times_the_scores(objects_model, advanced, run):
    advanced.probability_settings.save.value = True
    done = run(advanced, IMAGE)
    plane = done.workspace.image_set.get_image("ProbabilityNuclei").pixel_data
    for (row, column), score in zip(CENTERS, BRIGHT):
        assert plane[row, column] == pytest.approx(score, abs=0.1)


def test_in_cellprofiler_itself(objects_model, tmp_path):
    images = tmp_path / "images"
    images.mkdir()
    for name, image in (("a", IMAGE), ("b", np.zeros_like(IMAGE))):
        write_picture(images / f"{name}.png", np.repeat((image * 255).astype(np.uint8)[..., np.newaxis], 3, axis=2))
    module = make_module(
        "IdentifyObjectsUNet",
        x_name="DNA",
        y_name="Nuclei",
        model_name=MODEL_FROM_FILE,
        model_directory=f"Elsewhere...|{objects_model.parent}",
        model_file=objects_model.name,
    )
    export = make_module("ExportToSpreadsheet")
    pipeline = write_pipeline(tmp_path / "objects.cppipe", [*input_modules(), module, export])
    done = run_headless(pipeline, images, tmp_path / "out")
    assert done.returncode == 0, done.log
    assert "model tiny, SHA-256" in done.log
    (table,) = (tmp_path / "out").glob("*Image.csv")
    assert sorted(float(row["Count_Nuclei"]) for row in rows_of(table)) == [0, 4]
    (table,) = (tmp_path / "out").glob("*Nuclei.csv")
    with table.open(newline="") as stream:
        scores = sorted(float(row["Confidence_Foreground"]) for row in csv.DictReader(stream))
    np.testing.assert_allclose(scores, sorted(BRIGHT), atol=0.06)
