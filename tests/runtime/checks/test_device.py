import re
import sys
import time
from types import SimpleNamespace

import pytest

from cpunet.__main__ import main
from cpunet.checks.device import device_report, measure
from cpunet.errors import DeviceError
from cpunet.model import packages as bundled_packages
from cpunet.model.session import CPU, CUDA, load_model
from cpunet.model.without_card import card_of_answers
from tests.tiny_onnx import changed_card, tiny_onnx
from tests.tiny_volumes import tiny_volume_onnx


@pytest.fixture
def gpu(monkeypatch):
    """Say how much memory the machine's GPU has."""

    def has(memory_bytes):
        monkeypatch.setattr("cpunet.checks.device.total_gpu_memory_bytes", lambda: memory_bytes)

    has(None)
    return has


def test_the_report_says_what_runs_where_and_how_fast(tiny_model, gpu):
    import onnxruntime

    first, where, fast, *rest = device_report(tiny_model, "cpu")
    assert first == f"onnxruntime {onnxruntime.__version__} is installed; it runs the network."
    assert where == "The model tiny runs on the CPU."
    assert re.fullmatch(r"An image of 1024 x 1024 pixels takes \d+\.\d\d seconds\.", fast)
    [lacking] = rest
    assert lacking.startswith("No NVIDIA GPU with a working driver was found")


def test_a_slow_model_is_timed_once(tiny_model, gpu, monkeypatch):
    clock, runs = iter(range(0, 1000, 7)), []
    monkeypatch.setattr(time, "perf_counter", lambda: next(clock))
    monkeypatch.setattr("cpunet.checks.device.segment_image", lambda *_: runs.append(1))
    assert "takes 7.00 seconds" in " ".join(device_report(tiny_model, "cpu"))
    assert runs == [1]


def test_a_color_model_and_one_without_a_card_are_reported_too(tmp_path, gpu):
    color, plain = tmp_path / "color.onnx", tmp_path / "plain.onnx"
    color.write_bytes(tiny_onnx(changed_card(input={"channels": ["red", "green", "blue"]}), channels=3))
    plain.write_bytes(tiny_onnx(card=None))
    assert device_report(color, "cpu")[1] == "The model tiny runs on the CPU."
    card = card_of_answers("plain", ["nuclei"], ["foreground"], "none", 20.0)
    assert device_report(plain, "cpu", card)[1] == "The model plain runs on the CPU."


def test_what_cannot_run_is_a_sentence(tmp_path, gpu, monkeypatch):
    said = device_report(tmp_path / "gone.onnx")
    assert "The model cannot run: " in said[1]
    assert "there is no such model file" in said[1]
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    [only] = device_report(tmp_path / "gone.onnx")
    assert "pip install onnxruntime" in only


ONNXRUNTIME = {
    "without support": SimpleNamespace(__version__="1.19.2", get_available_providers=lambda: [CPU]),
    "with support": SimpleNamespace(__version__="1.19.2", get_available_providers=lambda: [CUDA, CPU]),
}


@pytest.mark.parametrize(
    ("onnxruntime", "device", "provider", "sentence"),
    [
        ("with support", "automatic", CUDA, ""),
        ("with support", "cpu", CPU, "GPU with 8 GB of memory, but the device CPU was chosen. Choose Automatic"),
        ("without support", "automatic", CPU, "Install onnxruntime-gpu instead of onnxruntime"),
        (
            "with support",
            "automatic",
            CPU,
            "the CUDA and cuDNN libraries that onnxruntime 1.19.2 needs were not",
        ),
        ("with support", "cuda", "", ""),
        ("without support", "cuda", "", "Install onnxruntime-gpu"),
    ],
)
def test_why_no_gpu_is_named(tiny_model, gpu, monkeypatch, onnxruntime, device, provider, sentence):
    def load(path, *_):
        if not provider:
            raise DeviceError("CUDA was asked for")
        return SimpleNamespace(
            card=card_of_answers("tiny", ["nuclei"], ["foreground"], "none", 20.0), provider=provider
        )

    gpu(8 * 2**30)
    monkeypatch.setattr("cpunet.checks.device.import_onnxruntime", lambda: ONNXRUNTIME[onnxruntime])
    monkeypatch.setattr("cpunet.checks.device.load_model", load)
    monkeypatch.setattr("cpunet.checks.device._seconds_for_an_image", lambda model: 0.1)
    said = device_report(tiny_model, device)
    advice = [each for each in said if each.startswith("There is an NVIDIA GPU")]
    assert sentence in " ".join(advice)
    assert bool(advice) == bool(sentence)
    assert any(each.startswith("The model cannot run") for each in said) == (not provider)
    assert ("The model tiny runs on the NVIDIA GPU (CUDA)." in said) == (provider == CUDA)


def test_packages_beside_the_plugin_count_as_installed(tmp_path, monkeypatch, capsys):
    information = tmp_path / "onnxruntime_gpu-9.9.9.dist-info"
    information.mkdir()
    (information / "METADATA").write_text("Metadata-Version: 2.1\nName: onnxruntime-gpu\nVersion: 9.9.9\n")
    monkeypatch.setattr(bundled_packages, "PACKAGES_FOLDER", tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setattr("cpunet.commands.doctor.list_models", dict)
    assert main(["doctor"]) == 1
    assert "onnxruntime-gpu  9.9.9" in capsys.readouterr().out


def test_a_model_of_volumes_is_run_on_a_volume(tmp_path, gpu, monkeypatch):
    path = tmp_path / "tiny_3d.onnx"
    path.write_bytes(tiny_volume_onnx())
    monkeypatch.setattr("cpunet.checks.device.TIMED_VOLUME", (16, 64))
    said = device_report(path, "cpu")
    assert said[1] == "The model tiny_3d runs on the CPU."
    assert re.fullmatch(r"A volume of 16 planes of 64 x 64 pixels takes \d+\.\d\d seconds\.", said[2])
    found = measure(load_model(path, "cpu"))
    assert found.lines[0].endswith("on volumes (3-D)")
    assert found.lines[1].startswith("16x64x64 ")
    assert re.search(r"found     (\d+) objects in a synthetic volume of \1 nuclei", found.lines[2])
    assert found.problem == ""
