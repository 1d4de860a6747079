from pathlib import Path

import pytest

from cpunet.errors import ModelError
from cpunet.model import find as model_files
from cpunet.model.find import find_model, list_models
from tests.places import REPOSITORY


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


def test_a_folder_means_the_model_in_it(own_models, tmp_path, tiny_model):
    assert find_model(str(own_models / "ape")) == own_models / "ape" / "model.onnx"
    other = tmp_path / "other"
    other.mkdir()
    with pytest.raises(ModelError, match=r"no \.onnx file in this folder\.$"):
        find_model(str(other))
    (other / "mine.onnx").write_bytes(tiny_model.read_bytes())
    assert find_model(str(other)) == other / "mine.onnx"
    (other / "more.onnx").write_bytes(tiny_model.read_bytes())
    with pytest.raises(ModelError, match=r"holds 2 models.*Give the file itself"):
        find_model(str(other))


def test_the_folder_of_a_training_is_told_from_that_of_a_model(tmp_path):
    (tmp_path / "weights.safetensors").write_bytes(b"")
    with pytest.raises(ModelError, match="cpunet export"):
        find_model(str(tmp_path))


def test_an_unknown_name_lists_those_that_there_are(own_models):
    with pytest.raises(ModelError, match=r"ape.*zebra"):
        find_model("lion")


@pytest.mark.parametrize(
    ("platform", "environment", "folder"),
    [
        ("win32", {"LOCALAPPDATA": "/local"}, "/local/cpunet/models"),
        ("win32", {}, "/home/ann/AppData/Local/cpunet/models"),
        ("darwin", {"XDG_DATA_HOME": "/data"}, "/home/ann/Library/Application Support/cpunet/models"),
        ("linux", {"XDG_DATA_HOME": "/data"}, "/data/cpunet/models"),
        ("linux", {"XDG_DATA_HOME": "relative"}, "/home/ann/.local/share/cpunet/models"),
        ("linux", {}, "/home/ann/.local/share/cpunet/models"),
    ],
)
def test_the_users_models_folder_is_where_each_system_keeps_data(platform, environment, folder):
    assert model_files.user_models_folder(platform, environment, "/home/ann") == Path(folder)


def test_the_users_models_are_listed_and_the_variables_folder_comes_first(tmp_path, monkeypatch):
    users, shared = tmp_path / "users", tmp_path / "shared"
    monkeypatch.setenv("CPUNET_MODELS", str(shared))
    monkeypatch.setattr(model_files, "user_models_folder", lambda *_: users)
    for name in (
        "users/flat.onnx",
        "users/deep/model.onnx",
        "users/deep.onnx",
        "users/._flat.onnx",
        "shared/flat.onnx",
    ):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"")
    (users / "folder.onnx").mkdir()
    found = model_files.list_models()
    assert found["flat"] == shared / "flat.onnx"
    assert found["deep"] == users / "deep" / "model.onnx"
    assert not {"folder", "._flat"} & set(found)
    assert "nuclei_fluorescence" in found
    (users / "nuclei_fluorescence.onnx").write_bytes(b"")
    assert model_files.find_model("nuclei_fluorescence") == users / "nuclei_fluorescence.onnx"


def test_no_test_sees_the_models_of_who_runs_it():
    repository = REPOSITORY
    assert {path.parents[2] for path in list_models().values()} <= {repository}
