import pytest

from cpunet.model_card import ModelError
from cpunet.model_files import find_model, list_models


@pytest.fixture
def own_models(tmp_path, monkeypatch, tiny_model):
    for name in ("zebra", "ape"):
        (tmp_path / "own" / name).mkdir(parents=True)
        (tmp_path / "own" / name / "model.onnx").write_bytes(tiny_model.read_bytes())
    monkeypatch.setenv("CPUNET_MODELS", str(tmp_path / "own"))
    return tmp_path / "own"


def test_models_are_listed_by_name(own_models):
    found = list_models()
    assert list(found) == sorted(found)
    assert found["ape"] == own_models / "ape" / "model.onnx"


def test_a_name_or_a_path_finds_the_file(own_models, tiny_model):
    assert find_model("zebra") == own_models / "zebra" / "model.onnx"
    assert find_model(str(tiny_model)) == tiny_model


def test_an_unknown_name_lists_those_that_there_are(own_models):
    with pytest.raises(ModelError, match=r"ape.*zebra"):
        find_model("lion")
