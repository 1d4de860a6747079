import sys
from dataclasses import replace

import numpy as np
import pytest

from cpunet.model_card import ModelError
from cpunet.session import DeviceError, RuntimeMissingError, load_model
from tests.tiny_onnx import changed_card, tiny_onnx


def written(tmp_path, content):
    path = tmp_path / "model.onnx"
    path.write_bytes(content)
    return path


def test_predict_computes_what_the_file_says(tiny_model):
    batch = np.random.default_rng(0).random((2, 1, 8, 12), np.float32)
    expected = 1 / (1 + np.exp(4 - 14 * batch))
    np.testing.assert_allclose(load_model(tiny_model).predict(batch), expected, rtol=1e-5)


def test_a_model_is_opened_once(tiny_model):
    first = load_model(tiny_model)
    assert load_model(tiny_model) is first
    assert load_model(tiny_model, "cpu") is not first


def test_a_model_that_was_replaced_is_opened_again(tiny_model):
    first = load_model(tiny_model)
    tiny_model.write_bytes(tiny_onnx(changed_card(name="other one")))
    assert load_model(tiny_model) is not first
    assert load_model(tiny_model).card.name == "other one"


def test_the_provider_is_the_one_that_the_session_got(tiny_model):
    assert load_model(tiny_model, "cpu").provider == "CPUExecutionProvider"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (tiny_onnx(channels=3), "input has 3 channels and its card names 1"),
        (tiny_onnx(out_channels=2), "output has 2 channels and its card names 1"),
        (tiny_onnx(size=16), "fixed shape"),
        (tiny_onnx().replace(b"Sigmoid", b"Sigmold"), "cannot open this model"),
    ],
    ids=["input does not fit", "output does not fit", "fixed size", "unknown operator"],
)
def test_a_network_that_does_not_fit_its_card_is_refused(tmp_path, content, message):
    with pytest.raises(ModelError, match=message):
        load_model(written(tmp_path, content))


def test_an_output_that_breaks_its_promise_is_refused(tiny_model):
    class Session:
        def run(self, names, inputs):
            return [np.zeros((1, 2, 8, 8), np.float32)]

    model = replace(load_model(tiny_model), _session=Session())
    with pytest.raises(ModelError, match=r"returned the shape \(1, 2, 8, 8\); its card promises \(1, 1, 8, 8\)"):
        model.predict(np.zeros((1, 1, 8, 8), np.float32))


def test_missing_onnxruntime_is_said_with_the_command_that_installs_it(tiny_model, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(RuntimeMissingError, match="pip install onnxruntime"):
        load_model(tiny_model)


def test_cuda_is_refused_where_there_is_none(tiny_model):
    import onnxruntime

    if "CUDAExecutionProvider" in onnxruntime.get_available_providers():
        pytest.skip("this onnxruntime has CUDA")
    with pytest.raises(DeviceError, match="onnxruntime-gpu"):
        load_model(tiny_model, "cuda")


def test_an_unknown_device_is_refused(tiny_model):
    with pytest.raises(DeviceError, match="automatic, cpu, cuda"):
        load_model(tiny_model, "tpu")
