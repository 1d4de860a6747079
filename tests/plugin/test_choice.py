"""The module chooses, object by object, among the objects of several models."""

import numpy as np
import pytest
from cellprofiler_core.constants.measurement import COLTYPE_FLOAT
from cellprofiler_core.pipeline import Pipeline
from cellprofiler_core.setting import ValidationError
from skimage.io import imsave

from cpunet.checks.synthetic import synthetic_field
from cpunet.choice.card import read_chooser_card
from tests.plugin.headless import input_modules, make_module, rows_of, run_headless, write_pipeline
from tests.tiny_onnx import changed_card, tiny_onnx
from tests.tiny_trees import chooser_onnx, listed

WIDE = tiny_onnx(changed_card(name="wide", postprocessing={"foreground_threshold": 0.1}))


@pytest.fixture
def chooses(advanced, tiny_model, tmp_path):
    """The module, set to choose between the tiny model and one that draws wider and is trusted more."""
    (tmp_path / "wide.onnx").write_bytes(WIDE)
    (tmp_path / "chooser.onnx").write_bytes(chooser_onnx(listed(("tiny", tiny_model.read_bytes()), ("wide", WIDE))))
    settings = advanced.advanced_settings
    settings.further_models.value = str(tmp_path / "wide.onnx")
    settings.combine.value = "Choose per object"
    settings.chooser.value = str(tmp_path / "chooser.onnx")
    return advanced


def test_the_trusted_models_objects_are_kept_with_their_predicted_iou(chooses, run, field, tmp_path):
    found = run(chooses, field[0])
    chooses.advanced_settings.further_models.value = ""
    alone = run(chooses, field[0])
    assert found.objects.count == alone.objects.count == field[1].max()
    assert (found.objects.segmented > 0).sum() > (alone.objects.segmented > 0).sum()
    predicted = found.measurements.get_current_measurement("Nuclei", "Confidence_PredictedIoU")
    np.testing.assert_allclose(predicted, np.full(found.objects.count, 0.8), rtol=1e-6)
    used = found.measurements.get_current_image_measurement("Segmentation_Model_Nuclei")
    assert used == "tiny + wide, chosen per object"
    sums = found.measurements.get_current_image_measurement("Segmentation_ModelSHA256_Nuclei")
    assert len(sums.split("+")) == 3
    confidence = found.measurements.get_current_measurement("Nuclei", "Confidence_Foreground")
    assert ((confidence > 0) & (confidence <= 1)).all()


def test_predictions_stay_with_their_objects_when_others_are_discarded(chooses, run, field):
    chooses.exclude_border_objects.value = True
    found = run(chooses, field[0])
    assert 0 < found.objects.count < field[1].max()
    predicted = found.measurements.get_current_measurement("Nuclei", "Confidence_PredictedIoU")
    assert len(predicted) == found.objects.count


def test_the_measurement_is_offered_only_where_objects_are_chosen(chooses):
    column = ("Nuclei", "Confidence_PredictedIoU", COLTYPE_FLOAT)
    assert column in chooses.get_measurement_columns(None)
    assert "PredictedIoU" in chooses.get_measurements(None, "Nuclei", "Confidence")
    for change in (
        lambda: setattr(chooses.advanced_settings.combine, "value", "Average"),
        lambda: setattr(chooses.advanced, "value", False),
    ):
        change()
        assert column not in chooses.get_measurement_columns(None)
        assert "PredictedIoU" not in chooses.get_measurements(None, "Nuclei", "Confidence")
        chooses.advanced_settings.combine.value = "Choose per object"


def test_settings_are_shown_where_they_count(advanced):
    settings = advanced.advanced_settings
    assert settings.combine not in settings.visible()
    settings.further_models.value = "other"
    assert settings.combine in settings.visible()
    assert settings.chooser not in settings.visible()
    settings.combine.value = "Choose per object"
    assert settings.chooser in settings.visible()


def test_an_image_without_objects_and_a_stack(chooses, run, field):
    empty = run(chooses, np.zeros((40, 50)))
    assert empty.objects.count == 0
    assert len(empty.measurements.get_current_measurement("Nuclei", "Confidence_PredictedIoU")) == 0
    stack = np.stack([field[0], field[0], np.zeros_like(field[0])])
    found = run(chooses, stack, dimensions=3)
    assert found.objects.count == field[1].max()
    predicted = found.measurements.get_current_measurement("Nuclei", "Confidence_PredictedIoU")
    np.testing.assert_allclose(predicted, 0.8, rtol=1e-6)


@pytest.mark.parametrize(
    ("value", "why"),
    [
        ("", "No file that chooses is given"),
        ("missing", "There is no model 'missing'"),
        ("wide.onnx", "this is no file that chooses"),
        ("third.onnx", r"does not know the model tiny"),
    ],
)
def test_a_file_that_does_not_fit_is_refused_before_the_first_image(chooses, tmp_path, monkeypatch, value, why):
    third = tiny_onnx(changed_card(name="third"))
    (tmp_path / "third.onnx").write_bytes(chooser_onnx(listed(("third", third), ("wide", WIDE))))
    chooses.advanced_settings.chooser.value = str(tmp_path / value) if value.endswith(".onnx") else value
    with pytest.raises(ValidationError, match=why) as caught:
        chooses.validate_module(Pipeline())
    assert caught.value.get_setting() is chooses.advanced_settings.chooser


def test_another_way_to_combine_is_refused(chooses):
    chooses.advanced_settings.combine.value = "choose"
    with pytest.raises(ValidationError):
        chooses.advanced_settings.combine.test_valid(Pipeline())


def test_models_of_other_kinds_may_be_chosen_among_and_not_averaged(chooses, tiny_model, tmp_path):
    other = tiny_onnx(changed_card(name="wide", output={"roles": ["foreground", "border"]}), out_channels=2)
    (tmp_path / "wide.onnx").write_bytes(other)
    (tmp_path / "chooser.onnx").write_bytes(chooser_onnx(listed(("tiny", tiny_model.read_bytes()), ("wide", other))))
    chooses.validate_module(Pipeline())
    chooses.advanced_settings.combine.value = "Average"
    with pytest.raises(ValidationError, match="output roles differ"):
        chooses.validate_module(Pipeline())


def test_paths_are_rewritten_for_a_cluster(chooses):
    chooses.advanced_settings.chooser.value = "/home/me/chooser.onnx"
    chooses.prepare_to_create_batch(None, lambda path, **_: path.replace("/home/me", "/cluster"))
    assert chooses.advanced_settings.chooser.value == "/cluster/chooser.onnx"


def test_a_model_selected_as_its_own_chooser_is_named(chooses, tmp_path):
    chooses.model_file.value = "chooser.onnx"
    with pytest.raises(ValidationError, match="no model but a file that chooses"):
        chooses.validate_module(Pipeline())


def test_cellprofiler_chooses_without_a_window(chooses, tmp_path):
    folder = tmp_path / "images"
    folder.mkdir()
    drawn = synthetic_field((110, 130), columns=4, diameter_px=20)
    imsave(str(folder / "a.png"), (drawn.image * 255).astype(np.uint8), check_contrast=False)
    imsave(str(folder / "b.png"), np.zeros((60, 60), np.uint8), check_contrast=False)
    export = make_module("ExportToSpreadsheet")
    pipeline = write_pipeline(tmp_path / "p.cppipe", [*input_modules(), chooses, export])
    done = run_headless(pipeline, folder, tmp_path / "out")
    assert done.returncode == 0, done.log
    rows = rows_of(next((tmp_path / "out").glob("*Nuclei.csv")))
    assert len(rows) == drawn.labels.max()
    assert {round(float(row["Confidence_PredictedIoU"]), 4) for row in rows} == {0.8}
    assert read_chooser_card(tmp_path / "chooser.onnx").models[1].name == "wide"
