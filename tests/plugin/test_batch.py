"""CreateBatchFiles maps every path of the module, as it maps those of CellProfiler's own modules."""

import pytest

from cpunet.plugin.batch import join_names, split_names
from tests.plugin.headless import make_module
from tests.tiny_onnx import tiny_onnx


def mapping(local, remote, remote_is_windows=False):
    batch = make_module("CreateBatchFiles")
    batch.mappings[0].local_directory.value, batch.mappings[0].remote_directory.value = local, remote
    batch.remote_host_is_windows.value = remote_is_windows
    return batch.alter_path


@pytest.fixture
def unet():
    return make_module("IdentifyObjectsUNet", model_name="A model file of your own")


def test_all_paths_of_models_are_mapped_and_names_stay(unet):
    unet.model_directory.value = "Elsewhere...|/home/me/models"
    unet.model_file.value = "mine.onnx"
    further = unet.advanced_settings.further_models
    further.value = "/home/me/models/second.onnx, phase_cells, /elsewhere/third.onnx"
    assert unet.prepare_to_create_batch(None, mapping("/home/me", "/cluster"))
    assert unet.model_directory.value == "Elsewhere...|/cluster/models"
    assert unet.model_file.value == "mine.onnx"
    assert split_names(further.value) == ["/cluster/models/second.onnx", "phase_cells", "/elsewhere/third.onnx"]


@pytest.mark.parametrize("folder", [r"C:\Users\me\models", r"C:\\Users\\me\\models", r"c:\users\ME\models"])
def test_windows_paths_are_mapped_for_linux_as_typed_and_as_browsed(unet, monkeypatch, folder):
    monkeypatch.setattr("sys.platform", "win32")
    unet.model_directory.value = f"Elsewhere...|{folder}"
    unet.model_file.value = r"round\mine.onnx"
    unet.advanced_settings.further_models.value = r"C:\Users\me\models\second.onnx, nuclei_generalist"
    unet.prepare_to_create_batch(None, mapping("C:\\Users\\me", "/cluster/me"))
    assert unet.model_directory.value == "Elsewhere...|/cluster/me/models"
    assert unet.model_file.value == "round/mine.onnx"
    assert unet.advanced_settings.further_models.value == "/cluster/me/models/second.onnx,nuclei_generalist"


def test_a_share_of_a_windows_network_is_mapped(unet, monkeypatch):
    monkeypatch.setattr("sys.platform", "win32")
    unet.model_directory.value = r"Elsewhere...|\\server\lab\models"
    unet.advanced_settings.further_models.value = r"\\server\lab\models\second.onnx"
    unet.prepare_to_create_batch(None, mapping(r"\\server\lab", "/mnt/lab"))
    assert unet.model_directory.value == "Elsewhere...|/mnt/lab/models"
    assert unet.advanced_settings.further_models.value == "/mnt/lab/models/second.onnx"


def test_linux_paths_are_mapped_for_windows(unet):
    unet.model_directory.value = "Elsewhere...|/home/me/models"
    unet.advanced_settings.further_models.value = "/home/me/models/second.onnx,phase_cells"
    unet.prepare_to_create_batch(None, mapping("/home/me", "D:\\me", remote_is_windows=True))
    assert unet.model_directory.custom_path == r"D:\\me\\models"
    assert unet.advanced_settings.further_models.value == r"D:\me\models\second.onnx,phase_cells"


def test_a_full_path_as_the_name_of_the_file_is_mapped(unet):
    unet.model_file.value = "/home/me/models/mine.onnx"
    unet.prepare_to_create_batch(None, mapping("/home/me", "/cluster"))
    assert str(unet.model_settings.path()) == "/cluster/models/mine.onnx"


def test_paths_from_the_current_and_the_home_folder_are_made_full_before(unet, tmp_path, monkeypatch):
    (tmp_path / "models").mkdir()
    for name in ("second", "third"):
        (tmp_path / "models" / f"{name}.onnx").write_bytes(tiny_onnx())
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    unet.model_directory.value = "Elsewhere...|models"
    unet.advanced_settings.further_models.value = "models/second.onnx, ~/models/third.onnx"
    unet.prepare_to_create_batch(None, mapping(str(tmp_path), "/cluster"))
    assert unet.model_directory.value == "Elsewhere...|/cluster/models"
    assert unet.advanced_settings.further_models.value == "/cluster/models/second.onnx,/cluster/models/third.onnx"


def test_folders_below_the_default_folders_stay_below_them(unet):
    for value in ("Default Input Folder|", "Default Output Folder sub-folder|models"):
        unet.model_directory.value = value
        unet.prepare_to_create_batch(None, mapping("/home/me", "/cluster"))
        assert unet.model_directory.value == value


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("", []),
        (" , ,", []),
        ("a, b,c", ["a", "b", "c"]),
        ('"/data/June, 3/x.onnx", a', ["/data/June, 3/x.onnx", "a"]),
        ("a\nb", ["a", "b"]),
        (r"C:\new\x.onnx", [r"C:\new\x.onnx"]),
    ],
)
def test_names_are_split_at_commas_outside_quotes_and_joined_again(text, names):
    assert split_names(text) == names
    assert split_names(join_names(names)) == names


def test_a_folder_of_the_cluster_may_have_a_comma_in_its_name(unet):
    unet.advanced_settings.further_models.value = "/home/me/second.onnx, phase_cells"
    unet.prepare_to_create_batch(None, mapping("/home/me", "/cluster/Smith, J"))
    assert unet.advanced_settings.further_model_names() == ["/cluster/Smith, J/second.onnx", "phase_cells"]
