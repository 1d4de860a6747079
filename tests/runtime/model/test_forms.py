from types import SimpleNamespace

import pytest

from cpunet.errors import ModelError
from cpunet.model import forms as forms_module
from cpunet.model.find import find_model, list_models
from cpunet.model.forms import chosen_form, fastest_form, forms_of, said_of_form, sum_of_file
from cpunet.onnx_reader.metadata import read_card

NAME, INT8, FLOAT32 = "nuclei_fluorescence", "nuclei_fluorescence_int8", "nuclei_fluorescence_float32"


@pytest.fixture
def machine(monkeypatch):
    """Sets what the processor and onnxruntime of a computer can do."""

    def set_to(fast, gpu):
        monkeypatch.setattr(forms_module, "multiplies_8_bits_fast", lambda: fast)
        providers = ["CUDAExecutionProvider", "CPUExecutionProvider"][0 if gpu else 1 :]
        onnxruntime = SimpleNamespace(get_available_providers=lambda: providers)
        monkeypatch.setattr(forms_module, "import_onnxruntime", lambda: onnxruntime)

    return set_to


@pytest.mark.parametrize(
    ("fast", "gpu", "device", "form"),
    [
        (True, False, "automatic", INT8),
        (True, False, "cpu", INT8),
        (True, True, "cpu", INT8),
        (True, True, "automatic", NAME),
        (True, True, "cuda", NAME),
        (False, False, "automatic", NAME),
        (False, False, "cpu", NAME),
    ],
)
def test_the_default_model_runs_in_the_form_that_is_fastest_here(machine, fast, gpu, device, form):
    machine(fast, gpu)
    forms = forms_of(NAME)
    chosen = fastest_form(forms, device)
    assert read_card(chosen).name == form
    said = said_of_form(forms, chosen)
    assert ("runs in 8-bit integers" in said) is (form == INT8)
    assert FLOAT32 in said
    assert INT8 in said


@pytest.mark.parametrize("name", [FLOAT32, INT8, "nuclei_fluorescence_1", "phase_cells"])
def test_any_other_name_means_one_file_on_every_computer(machine, name):
    machine(True, False)
    assert [fastest_form(forms_of(name), "cpu")] == list(forms_of(name)) == [find_model(name)]
    assert said_of_form(forms_of(name), find_model(name)) == ""


def test_the_float32_name_is_that_of_the_models_own_file():
    assert find_model(FLOAT32) == find_model(NAME) == list_models()[NAME]
    assert FLOAT32 not in list_models()


def test_a_path_means_that_file(machine):
    machine(True, False)
    assert forms_of(str(find_model(NAME))) == (find_model(NAME),)


@pytest.mark.parametrize("own", ["nuclei_fluorescence/model.onnx", "nuclei_fluorescence.onnx"])
def test_a_model_of_the_users_own_has_no_other_form_whatever_its_name(machine, tmp_path, tiny_model, monkeypatch, own):
    machine(True, False)
    monkeypatch.setenv("CPUNET_MODELS", str(tmp_path / "own"))
    for place in (own, "nuclei_fluorescence_int8/model.onnx"):
        (tmp_path / "own" / place).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "own" / place).write_bytes(tiny_model.read_bytes())
    assert forms_of(NAME) == (tmp_path / "own" / own,)


def test_without_the_other_file_there_is_one_form(machine, monkeypatch):
    machine(True, False)
    found = {NAME: find_model(NAME)}
    monkeypatch.setattr(forms_module, "list_models", lambda: found)
    assert forms_of(NAME) == (found[NAME],)


def test_an_unknown_name_is_refused():
    with pytest.raises(ModelError, match="There is no model"):
        forms_of("lion")


@pytest.mark.parametrize("fast", [True, False])
def test_a_form_that_something_was_learned_for_runs_on_every_computer(machine, fast):
    machine(fast, False)
    forms = forms_of(NAME)
    for form in forms:
        assert chosen_form(forms, "cpu", ["of another file", sum_of_file(form)]) == form
    assert chosen_form(forms, "cpu", ["of another file"]) == forms[0]
    assert chosen_form(forms, "cpu") == fastest_form(forms, "cpu")


def test_a_file_that_is_not_there_has_no_sum(tmp_path):
    assert sum_of_file(tmp_path / "absent.onnx") == ""
