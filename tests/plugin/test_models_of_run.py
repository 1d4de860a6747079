"""A run keeps the network that it began with, and its tables say which one that was."""

import pytest

from cpunet.errors import ModelError
from cpunet.model import forms
from cpunet.model.find import find_model
from cpunet.onnx_reader.metadata import sha256
from cpunet.plugin import progress
from cpunet.plugin.models_of_run import ModelsOfRun
from tests.tiny_onnx import changed_card, tiny_onnx

FOR_IMAGE, FOR_RUN = "get_current_image_measurement", "get_experiment_measurement"
SUM = "Segmentation_ModelSHA256_Nuclei"
BLIND = tiny_onnx(offset=-40.0)  # finds nothing


@pytest.fixture
def began(module, pipeline, run, field, monkeypatch):
    """A workspace of a run that began with the module's model, as a process without a window has it."""
    monkeypatch.setattr(progress, "_logged", set())
    workspace = run(module, field[0]).workspace
    workspace._Workspace__pipeline = pipeline
    assert module.prepare_run(workspace)
    return workspace


def segment_again(module, workspace):
    workspace.object_set._ObjectSet__can_overwrite = True
    module.run(workspace)
    return workspace.object_set.get_objects("Nuclei").count


def removed(path):
    path.unlink()


def made_blind(path):
    path.write_bytes(BLIND)


def cut_short(path):
    path.write_bytes(path.read_bytes()[:100])


def replaced_by_rename(path):
    beside = path.with_suffix(".new")
    beside.write_bytes(BLIND)
    beside.replace(path)


CHANGES = [made_blind, replaced_by_rename, cut_short, removed]


@pytest.mark.parametrize("before_first_image", [True, False])
@pytest.mark.parametrize("change", CHANGES)
def test_the_run_goes_on_with_its_network_and_says_so(module, began, tiny_model, caplog, change, before_first_image):
    total, count = sha256(tiny_model), 0
    if not before_first_image:
        count = segment_again(module, began)
    change(tiny_model)
    counts = [segment_again(module, began), segment_again(module, began)]
    assert len({*counts, count or counts[0]}) == 1
    assert counts[0] > 0
    measured = began.measurements
    assert getattr(measured, FOR_IMAGE)(SUM) == getattr(measured, FOR_RUN)(SUM) == total
    warnings = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert len(warnings) == 1
    assert "changed, replaced or removed during this run" in warnings[0]
    assert total in warnings[0]


def test_a_file_that_is_only_touched_is_no_other_model(module, began, tiny_model, caplog):
    segment_again(module, began)
    tiny_model.write_bytes(tiny_model.read_bytes())
    segment_again(module, began)
    assert "replaced" not in caplog.text


def test_the_next_run_takes_the_new_file(module, began, tiny_model):
    assert segment_again(module, began) > 0
    made_blind(tiny_model)
    assert module.prepare_run(began)
    assert segment_again(module, began) == 0
    assert getattr(began.measurements, FOR_RUN)(SUM) == sha256(tiny_model)


def test_a_worker_that_never_had_the_network_refuses_another_one(module, began, tiny_model):
    """In the window, the run begins in one process, and the image sets run in others."""
    module.model_settings.of_run.files = ()
    made_blind(tiny_model)
    with pytest.raises(ModelError, match="changed or replaced after this run began") as caught:
        segment_again(module, began)
    assert sha256(tiny_model) in str(caught.value)


def test_a_worker_keeps_the_network_that_it_opened(module, began, tiny_model):
    module.model_settings.of_run.files = ()
    count = segment_again(module, began)
    made_blind(tiny_model)
    assert segment_again(module, began) == count


def test_in_test_mode_the_user_may_replace_the_file(module, began, tiny_model, monkeypatch):
    monkeypatch.setattr("identifyobjectsunet.progress_reporter", lambda *_: None)
    began._Workspace__frame, began._Workspace__do_show = object(), True
    assert segment_again(module, began) > 0
    made_blind(tiny_model)
    assert segment_again(module, began) == 0


def test_sums_of_many_models_are_written_in_full(module, began, tiny_model, tmp_path):
    module.advanced.value = True
    further = []
    for index in range(5):
        path = tmp_path / f"m{index}.onnx"
        path.write_bytes(tiny_onnx(changed_card(name=f"m{index}")))
        further.append(str(path))
    module.advanced_settings.further_models.value = ", ".join(further)
    assert module.prepare_run(began)
    segment_again(module, began)
    assert getattr(began.measurements, FOR_IMAGE)(SUM) == getattr(began.measurements, FOR_RUN)(SUM)
    assert getattr(began.measurements, FOR_RUN)(SUM).endswith(sha256(tmp_path / "m4.onnx"))


@pytest.mark.parametrize(("began_fast", "goes_on_fast"), [(True, False), (False, True)])
def test_a_run_keeps_its_form_on_a_computer_with_another_processor(
    module, began, field, monkeypatch, caplog, began_fast, goes_on_fast
):
    caplog.set_level("INFO")
    module.model_name.value = "nuclei_fluorescence"
    monkeypatch.setattr(forms, "multiplies_8_bits_fast", lambda: began_fast)
    monkeypatch.setattr(forms, "runs_on_cpu", lambda device: True)
    assert module.prepare_run(began)
    name = "nuclei_fluorescence_int8" if began_fast else "nuclei_fluorescence"
    assert f"nuclei_fluorescence runs in {'8-bit integers' if began_fast else 'float32'}: " in caplog.text
    module.model_settings.of_run = ModelsOfRun("")  # another process has read no file
    monkeypatch.setattr(forms, "multiplies_8_bits_fast", lambda: goes_on_fast)
    segment_again(module, began)
    measured = began.measurements
    assert getattr(measured, FOR_IMAGE)("Segmentation_Model_Nuclei") == name
    assert getattr(measured, FOR_IMAGE)(SUM) == getattr(measured, FOR_RUN)(SUM) == sha256(find_model(name))
