import numpy as np
from onnx import TensorProto

from benchmarks.speed import limit
from benchmarks.speed.series import matching
from benchmarks.speed.share_of_limit import BANDWIDTH, RATE
from cpunet.model.find import DEFAULT_MODEL


def test_the_product_of_onnxruntime_is_right():
    left, right = np.array([[1, 2], [3, 250]], np.uint8), np.array([[-5, 6], [7, 8]], np.int8)
    (found,) = limit._product("MatMulInteger", left, right, TensorProto.INT32, 1)()
    assert found.tolist() == (left.astype(int) @ right.astype(int)).tolist()


def test_each_number_type_has_a_rate(monkeypatch):
    monkeypatch.setattr(limit, "in_a_process", lambda cores, function, *arguments: function(*arguments))
    series = limit.measure_limits([1], [DEFAULT_MODEL], rounds=2, sides=[32], copied_bytes=4096)
    rates = {(each.method, each.situation) for each in matching(series, quantity=RATE, field="32x32", cores=1)}
    assert rates == {
        ("torch", "float32"),
        ("torch", "bf16"),
        ("torch", "int8"),
        ("onnxruntime", "float32"),
        ("onnxruntime", "int8"),
    }
    assert len(matching(series, quantity=BANDWIDTH)[0].values) == 2
    (work,) = matching(series, method=DEFAULT_MODEL, quantity="MAC a pixel")
    assert (work.situation, round(work.median)) == ("float32", 11416)
