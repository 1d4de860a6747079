"""The model's choice: its file and card, further models, the buttons, and what is written of it."""

from pathlib import Path

import pytest
from cellprofiler_core.pipeline import Pipeline
from cellprofiler_core.setting import ValidationError

from cpunet.onnx_reader.metadata import sha256
from cpunet.plugin.model_settings import MODEL_FROM_FILE
from tests.tiny_onnx import changed_card, tiny_onnx


def test_validation_asks_for_a_file_where_none_is_chosen(module):
    module.model_file.value = ""
    with pytest.raises(ValidationError, match="browse for the"):
        module.validate_module(Pipeline())


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


def test_several_models_are_averaged(advanced, run, field, tmp_path):
    further = tmp_path / "darker.onnx"
    further.write_bytes(tiny_onnx(changed_card(name="darker"), offset=-8.0))
    alone = run(advanced, field[0])
    advanced.advanced_settings.further_models.value = str(further)
    both = run(advanced, field[0])
    assert 0 < (both.objects.segmented > 0).sum() < (alone.objects.segmented > 0).sum()
    used = both.measurements.get_current_image_measurement("Segmentation_Model_Nuclei")
    assert used == "tiny + darker"
    advanced.advanced_settings.further_models.value = "no such model"
    with pytest.raises(ValidationError, match="no model 'no such model'") as caught:
        advanced.validate_module(Pipeline())
    assert caught.value.get_setting() is advanced.advanced_settings.further_models


def test_models_that_cannot_be_averaged_are_named_before_anything_runs(advanced, tmp_path):
    further = tmp_path / "other.onnx"
    further.write_bytes(
        tiny_onnx(changed_card(name="other", output={"roles": ["foreground", "border"]}), out_channels=2)
    )
    advanced.advanced_settings.further_models.value = str(further)
    with pytest.raises(ValidationError, match="output roles") as caught:
        advanced.validate_module(Pipeline())
    assert caught.value.get_setting() is advanced.advanced_settings.further_models


def test_the_description_stands_in_the_window(module):
    assert module.model_settings.description in module.visible_settings()
    assert module.model_settings.description.content == "A sigmoid of the normalized intensity."


def test_describe_model_shows_the_card(module, tiny_model, capsys):
    module.model_settings.describe_button.on_event_fired()
    out = capsys.readouterr().out
    for words in ("tiny", "A sigmoid of the normalized intensity.", "foreground", "CC0-1.0", sha256(tiny_model)):
        assert words in out
    tiny_model.unlink()
    module.model_settings.describe_button.on_event_fired()
    assert "no such model file" in capsys.readouterr().out


def test_a_model_that_is_replaced_is_noticed_and_logged(module, run, field, tiny_model, caplog):
    caplog.set_level("INFO")
    sums = []
    for offset in (-4.0, -9.0):
        tiny_model.write_bytes(tiny_onnx(offset=offset))
        done = run(module, field[0])
        sums.append(sha256(tiny_model))
        assert done.measurements.get_current_image_measurement("Segmentation_ModelSHA256_Nuclei") == sums[-1]
    lines = [record.getMessage() for record in caplog.records if "SHA-256" in record.getMessage()]
    assert [total in line for total, line in zip(sums, lines)] == [True, True]
    assert sums[0] != sums[1]


def test_the_model_folder_is_remapped_for_a_cluster(module):
    module.prepare_to_create_batch(None, lambda path, **_: "/cluster/models")
    assert module.model_directory.get_absolute_path() == "/cluster/models"
    assert module.model_name.value == MODEL_FROM_FILE


def test_changing_the_model_changes_nothing_else_in_a_saved_pipeline(module):
    before = [setting.value_text for setting in module.settings()]
    module.model_name.value = "nuclei_generalist"
    after = [setting.value_text for setting in module.settings()]
    assert [place for place, (old, new) in enumerate(zip(before, after)) if old != new] == [2]


@pytest.fixture
def opened(monkeypatch):
    """The model files that are opened to be read, in order."""
    files, original = [], Path.open

    def noted(path, mode="r", *arguments, **named):
        if path.suffix == ".onnx" and "r" in mode:
            files.append(path)
        return original(path, mode, *arguments, **named)

    monkeypatch.setattr(Path, "open", noted)
    return files


@pytest.mark.parametrize("card", [True, False], ids=["with a card", "without a card"])
def test_a_repaint_opens_the_model_file_only_after_it_has_changed(module, tiny_model, opened, card):
    tiny_model.write_bytes(tiny_onnx() if card else tiny_onnx(card=None))
    module.visible_settings()
    first = len(opened)
    assert 0 < first <= 2
    for _ in range(3):
        module.visible_settings()
        module.validate_module(Pipeline())
    assert len(opened) == first
    tiny_model.write_bytes(tiny_onnx(changed_card(description="Another model.")))
    module.visible_settings()
    assert len(opened) > first
    assert module.model_settings.description.content == "Another model."


def test_a_model_of_the_list_is_read_once_as_well(module, opened):
    for _ in range(3):
        module.model_name.value = "phase_cells"
        module.visible_settings()
        module.model_name.value = "nuclei_generalist"
        module.visible_settings()
    assert len(opened) <= 4  # others may have read them before, in this process


def test_a_file_that_is_missing_is_looked_for_again(module, tiny_model):
    content = tiny_model.read_bytes()
    tiny_model.unlink()
    module.visible_settings()
    assert "no such model file" in module.model_settings.description.content
    tiny_model.write_bytes(content)
    module.visible_settings()
    assert module.model_settings.description.content == "A sigmoid of the normalized intensity."
