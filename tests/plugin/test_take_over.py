"""The button that takes over the settings of an IdentifyPrimaryObjects, as CellProfiler's window calls it."""

from types import SimpleNamespace

import pytest
from cellprofiler_core.pipeline import Pipeline

from benchmarks.pipeline_text import PRIMARY, UNET, make_module, read_pipeline, text_of
from cpunet.plugin import take_over

CHOSEN = {
    **{"x_name": "DNA", "y_name": "Kerne", "size_range": (12, 55), "exclude_size": False, "use_advanced": True},
    **{"unclump_method": "Shape", "automatic_smoothing": False, "smoothing_filter_size": 9, "limit_choice": "Erase"},
    **{"exclude_border_objects": True, "fill_holes": "Never", "maximum_object_count": 321},
}


@pytest.fixture
def said(monkeypatch):
    """What the dialog says."""
    lines = []
    monkeypatch.setattr(take_over, "show_lines", lambda title, text: lines.extend(text))
    return lines


def pipeline_of(*modules):
    pipeline = Pipeline()
    for number, module in enumerate(modules, start=1):
        module.set_module_num(number)
        pipeline.add_module(module)
    return pipeline


def shown(pipeline, place):
    """Select a module, as the window does."""
    module = pipeline.modules(False)[place]
    module.on_activated(SimpleNamespace(pipeline=pipeline))
    return module


def names(pipeline):
    return [(module.module_name, module.enabled) for module in pipeline.modules(False)]


@pytest.mark.parametrize("place", [0, 1, 3])
def test_the_button_takes_over_settings_and_place_and_disables_the_other(place, said):
    modules = [make_module(PRIMARY, **CHOSEN), make_module("Smooth"), make_module("Smooth")]
    modules.insert(place, make_module(UNET, model_name="phase_cells"))
    pipeline = pipeline_of(*modules)
    module = shown(pipeline, place)
    (button,) = [setting for setting in module.visible_settings() if setting is module.take_over.button]
    assert module.visible_settings()[-1] is button
    button.on_event_fired()
    assert names(pipeline) == [(PRIMARY, False), (UNET, True), ("Smooth", True), ("Smooth", True)]
    assert [each.module_num for each in pipeline.modules(False)] == [1, 2, 3, 4]
    assert (module.x_name.value, module.y_name.value, module.model_name.value) == ("DNA", "Kerne", "phase_cells")
    assert (module.size_range.value, module.exclude_size.value) == ((12, 55), False)
    assert (module.exclude_border_objects.value, module.advanced.value) == (True, True)
    chosen = module.advanced_settings
    assert (chosen.declump_method.value, chosen.smoothing_automatic.value) == ("Shape", False)
    assert (float(chosen.smoothing_px.value), chosen.fill_holes.value) == (9, "Never")
    assert (chosen.limit_choice.value, chosen.object_limit.value) == ("Erase", 321)
    assert "is disabled, and this module stands below it" in said[0]
    assert button not in module.visible_settings()
    pipeline.undo()
    assert len(pipeline.modules(False)) == 4


def test_with_several_the_user_chooses(said, monkeypatch):
    pipeline = pipeline_of(*[make_module(PRIMARY, x_name="DNA", y_name=name) for name in "AB"], make_module(UNET))
    module = shown(pipeline, 2)
    asked = []
    monkeypatch.setattr(take_over, "ask_which", lambda question, choices: asked.extend(choices))
    module.take_over.button.on_event_fired()
    assert asked == ["A (module 1)", "B (module 2)"]
    assert (names(pipeline)[:2], said) == ([(PRIMARY, True), (PRIMARY, True)], [])
    monkeypatch.setattr(take_over, "ask_which", lambda question, choices: 1)
    module.take_over.button.on_event_fired()
    assert (names(pipeline)[:2], module.y_name.value) == ([(PRIMARY, True), (PRIMARY, False)], "B")


def test_later_modules_that_read_thresholds_are_named(said):
    flag = make_module("FlagImage")
    flag.flags[0].measurement_settings[0].measurement.value = "Threshold_FinalThreshold_Kerne"
    shown(pipeline_of(make_module(PRIMARY, **CHOSEN), make_module(UNET), flag), 1).take_over.take_over()
    assert any("module 3, FlagImage" in line and "Threshold_FinalThreshold_Kerne" in line for line in said)


def test_there_is_no_button_without_a_module_to_take_over_from():
    primary = make_module(PRIMARY)
    pipeline = pipeline_of(primary, make_module(UNET))
    module = shown(pipeline, 1)
    assert module.take_over.button in module.visible_settings()
    pipeline.disable_module(primary)
    assert module.take_over.button not in module.visible_settings()
    pipeline.enable_module(primary)
    module.on_deactivated()
    assert module.take_over.button not in module.visible_settings()
    module.take_over.button.on_event_fired()
    assert primary.enabled


def test_the_button_is_no_part_of_the_pipeline_file():
    module = shown(pipeline_of(make_module(PRIMARY), make_module(UNET)), 1)
    assert module.take_over.button not in module.settings()
    (again,) = read_pipeline(text_of([module])).modules()
    assert [setting.value_text for setting in again.settings()] == [setting.value_text for setting in module.settings()]


def test_a_newer_cellprofiler_is_said(said, monkeypatch):
    primary = make_module(PRIMARY)
    module = shown(pipeline_of(primary, make_module(UNET)), 1)
    monkeypatch.setattr(primary, "variable_revision_number", 99)
    module.take_over.button.on_event_fired()
    assert "revision 99" in said[0]
    assert primary.enabled
