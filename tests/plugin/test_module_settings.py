import io
import re

import pytest
from cellprofiler_core.pipeline import Pipeline
from cellprofiler_core.setting import ValidationError
from identifyobjectsunet import MODEL_FROM_FILE, IdentifyObjectsUNet

from tests.tiny_onnx import tiny_onnx

HEADER = "CellProfiler Pipeline: http://www.cellprofiler.org\nVersion:5\nDateRevision:400\nGitHash:\nModuleCount:1\n"


def load(text):
    pipeline = Pipeline()
    pipeline.load(io.StringIO(text))
    return pipeline


def values(module):
    return [setting.value_text for setting in module.settings()]


def test_every_setting_has_help_and_appears_once():
    module = IdentifyObjectsUNet()
    settings = module.settings()
    assert len({id(setting) for setting in settings}) == len(settings) == 36
    for setting in settings:
        assert len(setting.doc.strip()) > 20, setting.text
    assert module.module_name.lower() == "identifyobjectsunet"
    assert module.category == "Object Processing"


def test_the_help_is_sound_rest():
    import docutils.core
    import identifyobjectsunet

    module = IdentifyObjectsUNet()
    texts = [identifyobjectsunet.__doc__, *[setting.doc for setting in module.settings()]]
    for text in texts:
        docutils.core.publish_string(text, writer_name="null", settings_overrides={"halt_level": 2, "report_level": 5})
    assert re.search(r"Supports 2D\? Supports 3D\? Respects masks\?", identifyobjectsunet.__doc__)


def test_defaults_discard_nothing_and_choose_the_shipped_model():
    module = IdentifyObjectsUNet()
    assert module.model_name.value == "nuclei_fluorescence"
    assert not module.exclude_size.value
    assert not module.exclude_border_objects.value
    assert not module.save_probability.value


def test_settings_survive_saving_and_loading(module):
    module.size_range.value = (7, 33)
    module.exclude_size.value = module.advanced.value = module.save_probability.value = True
    module.use_model_threshold.value = False
    module.declump_method.value = "Shape"
    module.advanced_settings.further_models.value = "phase_cells, other"
    module.add_probability()
    module.add_probability()
    module.further_probabilities[1].role.value = "distance"
    module.further_probabilities[1].image_name.value = "Depth"
    module.foreground_threshold.value = 0.37
    module.rescale.value = "Off"
    module.device.value = "CPU"
    pipeline = Pipeline()
    pipeline.add_module(module)
    text = io.StringIO()
    pipeline.dump(text)
    loaded = load(text.getvalue()).modules()[0]
    assert values(loaded) == values(module)
    assert loaded.size_range.value == (7, 33)
    assert [group.image_name.value for group in loaded.further_probabilities] == ["ProbabilityBorder", "Depth"]


def test_a_pipeline_saved_by_revision_1_loads(pipelines):
    module = load((pipelines / "revision_1.cppipe").read_text(encoding="utf-8")).modules()[0]
    assert module.variable_revision_number == 3
    assert (module.x_name.value, module.y_name.value) == ("OrigBlue", "Kerne")
    assert module.model_name.value == "nuclei_fluorescence"
    assert module.size_range.value == (12, 34)
    assert [module.exclude_size.value, module.exclude_border_objects.value] == [True, False]
    assert module.rescale.value == "Off"
    assert [module.advanced.value, module.use_model_threshold.value] == [True, False]
    assert module.foreground_threshold.value == 0.42
    assert [module.declump_method.value, module.device.value] == ["None", "CPU"]
    assert [module.save_probability.value, module.probability_name.value] == [True, "KerneP"]


@pytest.mark.parametrize(("before", "after"), [("Automatic", "By the diameter range"), ("Off", "Off")])
def test_the_size_that_revision_1_went_by_is_kept(pipelines, before, after):
    text = (pipelines / "revision_1.cppipe").read_text(encoding="utf-8")
    text = text.replace("for the model?:Off", f"for the model?:{before}").replace(":Kerne\n", ":Automatic\n")
    module = load(text).modules()[0]
    assert module.rescale.value == after
    assert module.y_name.value == "Automatic"


def test_a_pipeline_saved_by_revision_2_loads(pipelines):
    module = load((pipelines / "revision_2.cppipe").read_text(encoding="utf-8")).modules()[0]
    assert (module.x_name.value, module.y_name.value) == ("OrigBlue", "Kerne")
    assert module.rescale.value == "By the objects in the image"
    assert values(module)[16:] == values(IdentifyObjectsUNet())[16:]
    assert [module.save_probability.value, module.probability_name.value] == [True, "KerneP"]


def test_a_pipeline_saved_by_revision_3_loads(pipelines):
    text = (pipelines / "revision_3.cppipe").read_text(encoding="utf-8")
    module = load(text).modules()[0]
    assert [module.declump_method.value, module.rescale_factor.value] == ["Shape", 0.8]
    settings = module.advanced_settings
    assert [settings.smoothing_automatic.value, settings.smoothing_px.value] == [False, 4.5]
    assert [settings.fill_holes.value, settings.limit_choice.value, settings.object_limit.value] == [
        "Never",
        "Erase",
        321,
    ]
    assert [settings.augmentation.value, settings.tile_px.value, settings.batch_size.value] == ["Flips", 512, 2]
    assert [group.image_name.value for group in module.further_probabilities] == ["KerneTiefe"]
    again = io.StringIO()
    pipeline = load(text)
    pipeline.dump(again)
    assert again.getvalue().split("\n\n")[1] == text.split("\n\n")[1]


def test_only_settings_with_a_meaning_are_shown(module):
    def shown():
        return [setting.text for setting in module.visible_settings()]

    assert "Name of the model file" in shown()
    module.model_name.value = "nuclei_fluorescence"
    assert "Name of the model file" not in shown()
    assert "Foreground threshold" not in shown()
    module.advanced.value = True
    assert "Select the device" in shown()
    assert "Foreground threshold" not in shown()
    module.use_model_threshold.value = False
    assert "Foreground threshold" in shown()
    module.save_probability.value = True
    assert "Name the probability image" in shown()


def test_a_sound_module_is_valid_and_validation_opens_no_session(module, monkeypatch):
    monkeypatch.setattr("identifyobjectsunet.load_model", lambda *_: pytest.fail("a session was opened"))
    module.validate_module(Pipeline())


def test_validation_refuses_a_range_the_wrong_way_round(module):
    module.size_range.value = (40, 10)
    with pytest.raises(ValidationError, match="40 is greater than 10") as caught:
        module.size_range.test_valid(Pipeline())
    assert caught.value.get_setting() is module.size_range


def test_validation_asks_for_a_file_where_none_is_chosen(module):
    module.model_file.value = ""
    with pytest.raises(ValidationError, match="browse for the"):
        module.validate_module(Pipeline())


def test_the_window_shows_the_whole_help(module):
    help_text = module.get_help()
    for words in ("Supports 2D?", "What do I need as input?", "Location", "Foreground threshold", "Caicedo"):
        assert words in help_text


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "no such model file"),
        (b"", "empty"),
        (b"text", "no ONNX model"),
        (tiny_onnx()[:-9], "cut short"),
    ],
    ids=["missing", "empty", "not ONNX", "truncated"],
)
def test_validation_names_the_model_file_and_what_is_wrong_with_it(module, tiny_model, content, message):
    if content is None:
        tiny_model.unlink()
    else:
        tiny_model.write_bytes(content)
    with pytest.raises(ValidationError, match=message) as caught:
        module.validate_module(Pipeline())
    assert caught.value.get_setting() is module.model_file


def test_a_pipeline_that_reads_threshold_measurements_is_warned(module):
    import cellprofiler.modules.exporttospreadsheet
    import cellprofiler.modules.flagimage

    flag = cellprofiler.modules.flagimage.FlagImage()
    flag.flags[0].measurement_settings[0].measurement.value = "Threshold_FinalThreshold_Nuclei"
    pipeline = Pipeline()
    for number, each in enumerate((module, flag), start=1):
        each.set_module_num(number)
        pipeline.add_module(each)
    with pytest.raises(ValidationError, match=r"FlagImage.*Threshold_FinalThreshold_Nuclei"):
        module.validate_module_warnings(pipeline)
    flag.flags[0].measurement_settings[0].measurement.value = "Threshold_FinalThreshold_Cells"
    module.validate_module_warnings(pipeline)
    export = cellprofiler.modules.exporttospreadsheet.ExportToSpreadsheet()
    export.columns.value = "Image|Count_Nuclei,Image|Threshold_OrigThreshold_Nuclei"
    export.set_module_num(3)
    pipeline.add_module(export)
    with pytest.raises(ValidationError, match=r"ExportToSpreadsheet.*Threshold_OrigThreshold_Nuclei"):
        module.validate_module_warnings(pipeline)


def test_the_model_folder_is_remapped_for_a_cluster(module):
    module.prepare_to_create_batch(None, lambda path, **_: "/cluster/models")
    assert module.model_directory.get_absolute_path() == "/cluster/models"
    assert module.model_name.value == MODEL_FROM_FILE
