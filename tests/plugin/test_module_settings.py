"""The settings as a whole: their order, what is shown, saving and loading, and checks."""

import io

import pytest
from cellprofiler_core.pipeline import Pipeline
from cellprofiler_core.setting import ValidationError
from identifyobjectsunet import IdentifyObjectsUNet

from tests.plugin.saved_pipelines import load, values


def test_every_setting_has_help_and_appears_once():
    module = IdentifyObjectsUNet()
    settings = module.settings()
    assert len({id(setting) for setting in settings}) == len(settings) == 43
    for setting in settings:
        assert len(setting.doc.strip()) > 20, setting.text
    assert module.module_name.lower() == "identifyobjectsunet"
    assert module.category == "Object Processing"


def test_settings_survive_saving_and_loading(module):
    module.size_range.value = (7, 33)
    module.exclude_size.value = module.advanced.value = module.probability_settings.save.value = True
    module.advanced_settings.use_model_threshold.value = False
    module.advanced_settings.declump_method.value = "Shape"
    module.advanced_settings.further_models.value = "phase_cells, other"
    module.probability_settings.add()
    module.probability_settings.add()
    module.probability_settings.further[1].role.value = "distance"
    module.probability_settings.further[1].image_name.value = "Depth"
    module.advanced_settings.foreground_threshold.value = 0.37
    module.rescale.value = "Off"
    module.advanced_settings.outlines.value = "At a level of the edge"
    module.advanced_settings.outline_level.value = 0.35
    module.advanced_settings.device.value = "CPU"
    pipeline = Pipeline()
    pipeline.add_module(module)
    text = io.StringIO()
    pipeline.dump(text)
    loaded = load(text.getvalue()).modules()[0]
    assert values(loaded) == values(module)
    assert loaded.size_range.value == (7, 33)
    assert [group.image_name.value for group in loaded.probability_settings.further] == ["ProbabilityBorder", "Depth"]


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
    module.advanced_settings.use_model_threshold.value = False
    assert "Foreground threshold" in shown()
    assert "Outlines" in shown()
    level = "Level of the edge, from background (0) to inside (1)"
    assert level not in shown()
    module.advanced_settings.outlines.value = "At a level of the edge"
    assert level in shown()
    module.probability_settings.save.value = True
    assert "Name the probability image" in shown()


def test_a_sound_module_is_valid_and_validation_opens_no_session(module, monkeypatch):
    monkeypatch.setattr("cpunet.plugin.model_settings.load_model", lambda *_: pytest.fail("a session was opened"))
    module.validate_module(Pipeline())


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
