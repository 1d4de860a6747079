import hashlib
import os
import sys
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from cpunet.errors import DeviceError, ModelError, OutOfMemoryError, RuntimeMissingError
from cpunet.free_cores import CoreTimes
from cpunet.model import session_threads
from cpunet.model.card import card_from_content
from cpunet.model.out_of_memory import is_out_of_memory
from cpunet.model.session import load_model
from tests.tiny_onnx import CARD, changed_card, tiny_onnx
from tests.tiny_volumes import VOLUME_CARD, changed_volume_card, tiny_volume_onnx


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
        (tiny_onnx(size=16), "fixed shape.*says that it takes any"),
        (tiny_onnx(changed_card(input={"tile_shape": [32, 32]}), size=16), "fixed shape.*takes 32 x 32 pixels alone"),
        (tiny_onnx(batch=4), "batch must be free, or 1"),
        (tiny_onnx().replace(b"Sigmoid", b"Sigmold"), "operator 'Sigmold' of ONNX; it is not among"),
    ],
    ids=["input does not fit", "output does not fit", "fixed size", "other fixed size", "batch", "unknown operator"],
)
def test_a_network_that_does_not_fit_its_card_is_refused(tmp_path, content, message):
    with pytest.raises(ModelError, match=message):
        load_model(written(tmp_path, content))


def test_a_network_that_takes_one_image_at_a_time_gets_a_batch_one_by_one(tmp_path):
    batch = np.random.default_rng(0).random((3, 1, 8, 12), np.float32)
    expected = load_model(written(tmp_path, tiny_onnx())).predict(batch)
    (tmp_path / "other").mkdir()
    model = load_model(written(tmp_path / "other", tiny_onnx(batch=1)))
    np.testing.assert_array_equal(model.predict(batch), expected)


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


def test_the_sum_is_that_of_the_file_as_it_was_opened(tiny_model):
    content = tiny_model.read_bytes()
    first = load_model(tiny_model, "cpu")
    assert first.sha256 == hashlib.sha256(content).hexdigest()
    other = tiny_onnx(gain=13.0)
    assert len(other) == len(content)
    tiny_model.write_bytes(other)
    os.utime(str(tiny_model), ns=(1, 1))
    assert first.sha256 == hashlib.sha256(content).hexdigest()
    assert load_model(tiny_model, "cpu").sha256 == hashlib.sha256(other).hexdigest()


def test_a_file_without_a_card_is_used_with_the_one_that_is_given(tmp_path):
    path = written(tmp_path, tiny_onnx(card=None))
    with pytest.raises(ModelError, match="carries no cpunet model card"):
        load_model(path, "cpu")
    given = card_from_content(changed_card(name="answers"))
    model = load_model(path, "cpu", card=given)
    assert model.card == given
    assert model.predict(np.ones((1, 1, 8, 8), np.float32)).shape == (1, 1, 8, 8)


def test_a_file_keeps_its_own_card(tiny_model):
    assert load_model(tiny_model, "cpu", card=card_from_content(changed_card(name="answers"))).card.name == "tiny"


def test_an_unsound_card_is_not_covered_by_the_one_that_is_given(tmp_path):
    path = written(tmp_path, tiny_onnx("{"))
    with pytest.raises(ModelError, match="not readable JSON"):
        load_model(path, "cpu", card=card_from_content(CARD))


def test_another_given_card_changes_the_card_and_opens_no_second_network(tmp_path):
    path = written(tmp_path, tiny_onnx(card=None))
    first = load_model(path, "cpu", card=card_from_content(CARD))
    second = load_model(path, "cpu", card=card_from_content(changed_card(input={"diameter_px": 30.0})))
    assert second.card.input.diameter_px == 30
    assert second._session is first._session
    assert second.sha256 == first.sha256
    assert load_model(path, "cpu", card=card_from_content(changed_card(input={"diameter_px": 30.0}))) is second


@pytest.mark.parametrize("opened_before", [False, True])
def test_a_given_card_must_fit_the_network(tmp_path, opened_before):
    path = written(tmp_path, tiny_onnx(card=None))
    if opened_before:
        load_model(path, "cpu", card=card_from_content(CARD))
    wrong = card_from_content(changed_card(input={"channels": ["red", "green"]}))
    with pytest.raises(ModelError, match="input has 1 channels and its card names 2"):
        load_model(path, "cpu", card=wrong)


class FakeSession:
    """What `load_model` needs of an onnxruntime session, on a machine without a GPU."""

    def __init__(self, path, sess_options, providers):
        self.providers = providers

    def get_providers(self):
        return [each if isinstance(each, str) else each[0] for each in self.providers]

    def get_inputs(self):
        return [SimpleNamespace(name="image", type="tensor(float)", shape=["N", 1, "Y", "X"])]

    def get_outputs(self):
        return self.get_inputs()

    def disable_fallback(self):
        pass


@pytest.fixture
def fake_cuda(monkeypatch):
    module = SimpleNamespace(
        __version__="1.19.2",
        InferenceSession=FakeSession,
        SessionOptions=lambda: SimpleNamespace(add_session_config_entry=lambda *_: None),
        get_available_providers=lambda: ["CUDAExecutionProvider", "CPUExecutionProvider"],
    )
    monkeypatch.setitem(sys.modules, "onnxruntime", module)
    return module


@pytest.mark.parametrize("device", ["automatic", "cuda"])
def test_a_limit_of_gpu_memory_reaches_onnxruntime(tiny_model, fake_cuda, device):
    model = load_model(tiny_model, device, gpu_memory_bytes=3 * 2**30)
    limits = {"gpu_mem_limit": "3221225472", "arena_extend_strategy": "kSameAsRequested"}
    assert model._session.providers == [("CUDAExecutionProvider", limits), "CPUExecutionProvider"]
    assert model.provider == "CUDAExecutionProvider"


def test_without_a_limit_onnxruntime_manages_the_gpu_itself(tiny_model, fake_cuda):
    assert load_model(tiny_model)._session.providers == ["CUDAExecutionProvider", "CPUExecutionProvider"]


def test_another_limit_opens_the_network_again_and_on_the_cpu_none_counts(tiny_model, fake_cuda):
    first = load_model(tiny_model, gpu_memory_bytes=2**30)
    assert load_model(tiny_model, gpu_memory_bytes=2**30) is first
    assert load_model(tiny_model, gpu_memory_bytes=2**31) is not first
    on_cpu = load_model(tiny_model, "cpu", gpu_memory_bytes=2**30)
    assert on_cpu._session.providers == ["CPUExecutionProvider"]
    assert load_model(tiny_model, "cpu", gpu_memory_bytes=2**31) is on_cpu


def test_a_session_that_does_not_fit_into_memory_says_so(tiny_model, fake_cuda):
    def refuse(*_, **__):
        raise RuntimeError("CUDA failure 2: out of memory ; GPU=0 ; expr=cudaMalloc((void**)&p, size);")

    fake_cuda.InferenceSession = refuse
    with pytest.raises(OutOfMemoryError, match="too small to open this model"):
        load_model(tiny_model)


def failing(tiny_model, error):
    def run(names, inputs):
        raise error

    return replace(load_model(tiny_model), _session=SimpleNamespace(run=run))


def test_a_network_without_memory_is_told_from_a_broken_one(tiny_model):
    batch = np.zeros((1, 1, 8, 12), np.float32)
    with pytest.raises(OutOfMemoryError, match="memory is too small") as found:
        failing(tiny_model, RuntimeError("Failed to allocate memory for requested buffer of size 9")).predict(batch)
    assert found.value.shape == (1, 1, 8, 12)
    with pytest.raises(ModelError, match="the network failed") as found:
        failing(tiny_model, RuntimeError("Got invalid dimensions for input: image")).predict(batch)
    assert not isinstance(found.value, OutOfMemoryError)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        # onnxruntime 1.19.2 on the CPU, with its memory limited
        (
            "[ONNXRuntimeError] : 6 : RUNTIME_EXCEPTION : Non-zero status code returned while running Conv node. "
            "Name:'probabilities_nchwc' Status Message: /onnxruntime_src/onnxruntime/core/framework/bfc_arena.cc:376 "
            "void* onnxruntime::BFCArena::AllocateRawInternal(size_t, bool, onnxruntime::Stream*, bool, "
            "onnxruntime::WaitNotificationFn) Failed to allocate memory for requested buffer of size 1073741824",
            True,
        ),
        (
            "[ONNXRuntimeError] : 6 : RUNTIME_EXCEPTION : Non-zero status code returned while running Conv node. "
            "Name:'probabilities_nchwc' Status Message: std::bad_alloc",
            True,
        ),
        # https://github.com/microsoft/onnxruntime/issues/16305, Windows
        ("Non-zero status code returned while running FusedMatMul node. Status Message: bad allocation", True),
        # https://github.com/microsoft/onnxruntime/issues/23121, with gpu_mem_limit or its like
        ("BFCArena::AllocateRawInternal(...) Available memory of 0 is smaller than requested bytes of 2048", True),
        # https://github.com/QwenAudio/CosyVoice/issues/833
        ("CUDA failure 2: out of memory ; GPU=0 ; hostname=x ; expr=cudaMalloc((void**)&p, size);", True),
        # https://github.com/hacksider/Deep-Live-Cam/issues/383
        ("CUBLAS failure 3: CUBLAS_STATUS_ALLOC_FAILED ; GPU=0 ; hostname=x ; expr=cublasCreate(&handle);", True),
        ("CUDNN failure 2: CUDNN_STATUS_ALLOC_FAILED ; GPU=0 ; hostname=x", True),
        ("CUDNN_FE failure 11: CUDNN_BACKEND_API_FAILED ; GPU=0 ; hostname=x", False),
        ("[ONNXRuntimeError] : 2 : INVALID_ARGUMENT : Got invalid dimensions for input: image", False),
    ],
)
def test_the_words_of_onnxruntime_are_known(words, expected):
    assert is_out_of_memory(RuntimeError(words)) is expected


def test_a_memory_error_needs_no_words():
    assert is_out_of_memory(MemoryError())


def test_a_session_that_started_anew_predicts_the_same(tiny_model):
    model = load_model(tiny_model, "cpu")
    batch = np.random.default_rng(0).random((1, 1, 64, 64), np.float32)
    before, session = model.predict(batch), model._session._sess
    model.start_anew()
    assert model._session._sess is not session
    np.testing.assert_array_equal(model.predict(batch), before)


def test_a_network_that_could_not_be_opened_again_is_opened_by_the_next_prediction(tiny_model, monkeypatch):
    model = load_model(tiny_model, "cpu")
    batch = np.zeros((1, 1, 64, 64), np.float32)
    create = type(model._session)._create_inference_session

    def fail(*_):
        raise RuntimeError("std::bad_alloc")

    monkeypatch.setattr(type(model._session), "_create_inference_session", fail)
    for use in (model.start_anew, lambda: model.predict(batch)):
        with pytest.raises(OutOfMemoryError, match="too small to open"):
            use()
    monkeypatch.setattr(type(model._session), "_create_inference_session", create)
    assert model.predict(batch).shape == (1, len(model.card.output.roles), 64, 64)
    assert model.provider == "CPUExecutionProvider"


def test_a_session_goes_on_with_other_threads_when_other_programs_begin_or_end(tiny_model, monkeypatch):
    model = load_model(tiny_model, "cpu")
    batch = np.random.default_rng(0).random((1, 1, 64, 64), np.float32)
    expected = model.predict(batch)
    counts = iter([1, 1, 0])
    monkeypatch.setattr(session_threads, "LOOK_SECONDS", 0)
    monkeypatch.setattr(session_threads, "threads_for", lambda free: next(counts))
    model._threads.count, model._threads.looked = 0, CoreTimes(0.0, 0.0, 0.0)
    sessions = [model._session._sess]
    for count in (1, 1, 0):
        np.testing.assert_array_equal(model.predict(batch), expected)
        sessions.append(model._session._sess)
        assert model._session.get_session_options().intra_op_num_threads == count
    first, second, third, fourth = sessions
    assert first is not second is third is not fourth


def test_a_number_of_threads_that_was_asked_for_stays(tiny_model):
    assert load_model(tiny_model, "cpu", 1)._threads is None


def test_a_network_of_volumes_predicts_volumes(tmp_path):
    model = load_model(written(tmp_path, tiny_volume_onnx()), "cpu")
    batch = np.random.default_rng(0).random((2, 1, 4, 8, 12), np.float32)
    np.testing.assert_allclose(model.predict(batch), 1 / (1 + np.exp(4 - 14 * batch)), rtol=1e-5)
    assert model.smallest_shape == (1, 1, 8, 64, 64)
    assert model.needed_bytes((1, 1, 8, 64, 64)) >= 2 * 4 * 8 * 64 * 64


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (tiny_volume_onnx(CARD), "takes volumes, .N, C, Z, Y, X., and its card is one of images"),
        (tiny_onnx(VOLUME_CARD), "takes images, .N, C, Y, X., and its card is one of volumes"),
        (tiny_volume_onnx(size=(16, 64, 64)), "fixed shape .* so that images of any size fit"),
        (
            tiny_volume_onnx(changed_volume_card(input={"channels": ["a", "b"]})),
            "has 1 channels and its card names 2",
        ),
    ],
    ids=["card of images", "card of volumes", "fixed size", "channels"],
)
def test_a_network_of_volumes_that_does_not_fit_its_card_is_refused(tmp_path, content, message):
    with pytest.raises(ModelError, match=message):
        load_model(written(tmp_path, content), "cpu")
