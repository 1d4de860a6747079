"""What CellProfiler's window refuses, a run without a window refuses before the first image."""

import io
import json

import numpy as np
import pytest
from cellprofiler_core.measurement import Measurements
from cellprofiler_core.pipeline import Pipeline
from cellprofiler_core.pipeline.io import dump_v6
from cellprofiler_core.setting import ValidationError
from cellprofiler_core.workspace import Workspace
from skimage.io import imsave

from cpunet.errors import OptionError
from tests.plugin.headless import input_modules, make_module, run_headless, write_pipeline
from tests.tiny_onnx import tiny_onnx

RANGE = "Typical diameter of objects, in pixel units (Min,Max)"
# Answers that make all settings of a file without a card, and all advanced settings, count.
EVERYTHING = {
    "Use advanced settings?": "Yes",
    "Rescale the image for the model?": "By a factor",
    "Use the model's own foreground threshold?": "No",
    "Outlines": "At a level of the edge",
    "Automatically calculate the smoothing for declumping?": "No",
    "Automatically calculate the minimum distance between seeds?": "No",
    "Handling of objects if excessive number of objects identified": "Erase",
    "Automatically choose the tile size?": "No",
    "Automatically limit the GPU's memory?": "No",
    "Save the probability image?": "Yes",
}
NOT_NUMBERS = ["", "abc", "nan", "inf", "-inf", "1e400", "0,5", "-1", "None"]
NUMBERS = {
    "Factor to rescale by": ["0", "0.06", "4.1"],
    "Foreground threshold": ["0", "0.995", "1", "2"],
    "Level of the edge, from background (0) to inside (1)": ["0.1", "0.7"],
    "Size of the smoothing filter, in pixel units": ["1e9"],
    "Minimum distance between seeds, in pixel units": [],
    "Maximum number of objects": ["0", "2.5"],
    "Tile size, in pixel units": ["0", "63", "64.5"],
    "Tiles at a time": ["0", "65", "1.5"],
    "GPU memory for each copy of CellProfiler, in GB": ["0", "0.2"],
    "Typical diameter of the objects it was trained on, in pixel units": ["0", "0.5"],
}
CHOICES = {
    "Select the model": ["nuclei", "", "NUCLEI_FLUORESCENCE", "../model.onnx"],
    "Rescale the image for the model?": ["Automatic", "off", ""],
    "Method to separate touching objects": ["Yes", "shape", ""],
    "Select the device": ["TPU", "cuda", ""],
    "Fill holes in identified objects?": ["Yes", ""],
    "Handling of objects if excessive number of objects identified": ["Truncate", ""],
    "Look at the image several times?": ["flips", ""],
    "Outlines": ["Yes", ""],
    "Which images does this model take?": ["Gray", ""],
    "How must the image's brightness be prepared?": ["zscore", ""],
    "Select the kind of probability": ["foregrounds", "border", ""],
}
BINARIES = [
    "Discard objects outside the diameter range?",
    "Discard objects touching the border of the image?",
    "Use advanced settings?",
    "Use the model's own foreground threshold?",
    "Automatically calculate the smoothing for declumping?",
    "Automatically calculate the minimum distance between seeds?",
    "Automatically choose the tile size?",
    "Automatically limit the GPU's memory?",
    "Save the probability image?",
]
TEXTS = {
    "Select the input image": ["RNA", "None", ""],
    "Name the objects to be identified": ["", "Image", "Experiment", "1st", "my nuclei", "Kerne-2", "Cells"],
    "Name the probability image": ["", "DNA", "my image"],
    "Name the image": ["", "DNA", "ProbabilityNuclei"],
    RANGE: ["", "10", "40,10", "0,40", "-5,40", "10,40,50", "a,b", "nan,40", "10,inf", "10.5,40"],
    "Name of the model file": ["", "missing.onnx", "."],
    "Folder of the model file": ["Elsewhere...|", "Elsewhere...|/nowhere", "Nowhere|x", ""],
    "What does each channel of its output mean?": ["", "cells", "border", "foreground, foreground"],
    "Further models": ["missing", "/nowhere/missing.onnx", "tiny; tiny"],
}
WRONG = [
    *[(text, value) for text, values in NUMBERS.items() for value in [*values, *NOT_NUMBERS]],
    *[(text, value) for text, values in [*CHOICES.items(), *TEXTS.items()] for value in values],
    *[(text, value) for text in BINARIES for value in ("yes", "True", "1", "Ja", "")],
]


def prepare(pipeline):
    *_, module = pipeline.modules()
    return module.prepare_run(Workspace(pipeline, module, None, None, Measurements(), None))


def setting_called(module, text):
    return next(setting for setting in module.settings() if setting.text == text)


@pytest.fixture
def whole(module, pipeline, tiny_model):
    """A pipeline in which all settings of the module count."""
    tiny_model.write_bytes(tiny_onnx(None))
    cells = make_module("IdentifyPrimaryObjects", x_name="DNA", y_name="Cells")
    cells.set_module_num(2)
    pipeline.add_module(cells)
    module.probability_settings.add()
    for text, value in EVERYTHING.items():
        setting_called(module, text).value = value
    setting_called(module, "Select the kind of probability").value = "foreground"
    return pipeline


def test_right_settings_are_not_refused(whole):
    assert prepare(whole)


@pytest.mark.parametrize(("text", "value"), WRONG)
def test_a_wrong_setting_is_refused_with_module_setting_and_value(module, whole, text, value):
    setting_called(module, text).value = value
    with pytest.raises(OptionError, match=r"IdentifyObjectsUNet \(module 3\) cannot run: its setting") as refused:
        prepare(whole)
    assert repr(value) in str(refused.value)
    with pytest.raises(ValidationError):
        module.test_valid(whole)


def test_a_setting_that_does_not_count_may_hold_anything(module, whole):
    module.advanced.value = False
    module.advanced_settings.foreground_threshold.value = "2"
    module.rescale.value = "Off"
    module.rescale_factor.value = "0"
    assert prepare(whole)


@pytest.mark.parametrize(("diameters", "factor"), [("10,99999", "0.02"), ("1,1", "20")])
def test_a_range_by_which_no_image_can_be_rescaled_is_refused(module, whole, diameters, factor):
    module.model_settings.cardless.diameter_px.value = 20
    module.size_range.value, module.rescale.value = diameters, "By the diameter range"
    with pytest.raises(OptionError, match=f"by a factor of {factor}; possible are 0.0625 to 4") as refused:
        prepare(whole)
    assert "IdentifyObjectsUNet (module 3) cannot run: its setting 'Typical diameter" in str(refused.value)
    module.rescale.value = "By the objects in the image"
    assert prepare(whole)


@pytest.mark.parametrize("diameters", ["10,40", "100,300", "8,9"])
def test_a_range_by_which_images_can_be_rescaled_is_taken(module, whole, diameters):
    module.size_range.value, module.rescale.value = diameters, "By the diameter range"
    assert prepare(whole)


def test_two_modules_with_one_name_for_their_objects_are_refused(whole, module):
    second = make_module("IdentifyObjectsUNet", x_name="DNA", y_name="Nuclei")
    second.set_module_num(4)
    whole.add_module(second)
    with pytest.raises(OptionError, match=r"\(module 4\).*IdentifyObjectsUNet \(module 3\) gives this name, too"):
        prepare(whole)
    with pytest.raises(ValidationError, match=r"IdentifyObjectsUNet \(module 4\) gives this name, too"):
        module.validate_module(whole)
    second.y_name.value = "Others"
    assert prepare(whole)
    module.enabled = False
    second.y_name.value = "Nuclei"
    assert prepare(whole)


def test_a_later_module_that_cannot_show_its_settings_is_its_own_matter(whole, module):
    saved = make_module("SaveImages")
    saved.file_name_method.value = "of CellProfiler 2"
    saved.set_module_num(4)
    whole.add_module(saved)
    with pytest.raises(NotImplementedError):
        saved.visible_settings()
    module.validate_module(whole)


def test_a_later_module_may_replace_an_image(whole, module):
    smooth = make_module("Smooth", image_name="DNA", filtered_image_name="ProbabilityNuclei")
    smooth.set_module_num(4)
    whole.add_module(smooth)
    module.validate_module(whole)


def test_an_image_that_only_a_table_on_the_command_line_lists_is_not_refused(module, whole):
    load = make_module("LoadData")
    load.set_module_num(1)
    whole.add_module(load)
    module.x_name.value = "FromTable"
    assert prepare(whole)


def saved_values(module):
    """The settings as revisions 4 and 5 saved them: without all that later revisions inserted."""
    values = [setting.unicode_value for setting in module.settings()]
    assert [values.pop(39), values.pop(39), values.pop(39)] == ["From the image", "2.0", "0"]
    assert [values.pop(33), values.pop(33)] == ["Average", ""]
    return values


def with_values(values, revision=4):
    made = make_module("IdentifyObjectsUNet")
    made.set_settings_from_values(values, revision, "IdentifyObjectsUNet")
    return made


@pytest.mark.parametrize(
    ("change", "revision", "says"),
    [
        (lambda values: values[:-1], 4, "39 settings for this module, and revision 4 saves 40"),
        (lambda values: values[:10], 4, "10 settings for this module, and revision 4 saves 38"),
        (lambda values: [], 4, "0 settings for this module, and revision 4 saves 38"),
        (lambda values: [*values, "more"], 4, "41 settings for this module, and revision 4 saves 40"),
        (
            lambda values: values,
            3,
            "images in the pipeline file is 'percentile 1 to 99.8'",
        ),
        (lambda values: values[:15], 1, "15 settings for this module, and revision 1 saves 16"),
        (lambda values: values[:17], 2, "17 settings for this module, and revision 2 saves 16"),
        (lambda values: values, 9, "saved with revision 9 of this module, and this plugin knows the revisions 1 to 8"),
        (lambda values: values, 6, "further probability images in the pipeline file is"),
        (
            lambda values: [*values[:37], "x", *values[37:]],
            6,
            "number of images of further channels in the pipeline file is 'x'",
        ),
        (lambda values: [*values[:37], "2", *values[37:]], 6, "41 settings for this module, and revision 6 saves 43"),
        (
            lambda values: [*values[:33], "Average", "", *values[33:37], "2", *values[37:]],
            7,
            "43 settings for this module, and revision 7 saves 45",
        ),
        (
            lambda values: [*values[:33], "Average", "", *values[33:37], "From the image", "2.0", "3", *values[37:]],
            8,
            "45 settings for this module, and revision 8 saves 48",
        ),
        (lambda values: values, 0, "saved with revision 0"),
        (
            lambda values: [*values[:37], "-1", *values[38:]],
            4,
            "images in the pipeline file is '-1'",
        ),
        (lambda values: [*values[:37], "x", *values[38:]], 4, "images in the pipeline file is 'x'"),
        (lambda values: [*values[:37], "9" * 12, *values[38:]], 4, "40 settings for this module"),
        (
            lambda values: [*values[:12], None, *values[13:]],
            4,
            r"Setting 13 of this module .* is None",
        ),
        (lambda values: [*values[:12], ["a"], *values[13:]], 4, r"Setting 13 .* is \['a'\]"),
    ],
)
def test_a_module_with_missing_or_unknown_settings_loads_and_is_refused(module, whole, change, revision, says):
    loaded = with_values(change(saved_values(module)), revision)
    loaded.set_module_num(3)
    whole.remove_module(3)
    whole.add_module(loaded)
    with pytest.raises(OptionError, match=rf"\(module 3\) cannot run, because of the pipeline file\. .*{says}"):
        prepare(whole)
    with pytest.raises(ValidationError, match=says):  # in the window, too
        loaded.validate_module(whole)
    loaded.set_settings_from_values(saved_values(module), 4, "IdentifyObjectsUNet")
    assert prepare(whole)


def test_a_declumping_that_revision_2_did_not_know_is_kept_and_refused():
    values = saved_values(make_module("IdentifyObjectsUNet"))[:16]
    for saved, loaded in (("Yes", "Probability"), ("No", "None"), ("Maybe", "Maybe")):
        values[12] = saved
        assert with_values(values, 2).advanced_settings.declump_method.value == loaded


def test_numbers_and_truths_of_a_json_pipeline_are_read_as_their_text(module):
    values = saved_values(module)
    values[6], values[9], values[11] = True, False, 2
    loaded = with_values(values)
    assert (loaded.exclude_size.value, loaded.advanced.value) == (True, False)
    assert loaded.advanced_settings.foreground_threshold.value_text == "2"


@pytest.mark.parametrize("kind", ["cppipe", "json"])
def test_cellprofiler_without_a_window_stops_before_the_first_image(tmp_path, field, kind):
    (tmp_path / "images").mkdir()
    imsave(str(tmp_path / "images" / "a.png"), (field[0] * 255).astype(np.uint8), check_contrast=False)
    unet = make_module("IdentifyObjectsUNet", x_name="DNA", y_name="Nuclei")
    unet.advanced.value = True
    unet.advanced_settings.use_model_threshold.value = False
    unet.advanced_settings.foreground_threshold.value = "2"
    modules = [*input_modules(), unet, make_module("ExportToSpreadsheet", wants_prefix=False)]
    path = write_pipeline(tmp_path / "wrong.cppipe", modules)
    if kind == "json":
        pipeline = Pipeline()
        pipeline.load(io.StringIO(path.read_text(encoding="utf-8")))
        path = tmp_path / "wrong.json"
        with path.open("w", encoding="utf-8") as stream:
            dump_v6(pipeline, stream, False)
        assert json.loads(path.read_text(encoding="utf-8"))["module_count"] == 6
    done = run_headless(path, tmp_path / "images", tmp_path / "output")
    assert done.returncode != 0
    assert "IdentifyObjectsUNet (module 5) cannot run: its setting 'Foreground threshold' is '2'" in done.log
    assert "Image # 1" not in done.log
    assert not list((tmp_path / "output").iterdir())
