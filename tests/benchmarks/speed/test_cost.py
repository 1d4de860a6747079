from importlib.util import find_spec

import pytest

from benchmarks.speed.cost import cost_of
from cpunet.model.find import DEFAULT_MODEL, find_model
from tests.tiny_onnx import tiny_onnx


def test_the_work_of_one_convolution(tmp_path):
    path = tmp_path / "tiny.onnx"
    path.write_bytes(tiny_onnx())
    # 1x1, from one channel to one; 10 x 14 pixels are mirrored to 12 x 16, the next multiples of 4.
    assert cost_of(path, (10, 14)) == ("float32", 12 * 16, 4 * (12 * 16 + 1 + 12 * 16))


def test_the_int8_model_does_the_same_work_on_a_quarter_of_the_bytes():
    exact, rounded = (cost_of(find_model(f"{DEFAULT_MODEL}{kind}"), (256, 256)) for kind in ("", "_int8"))
    assert (exact.number_type, rounded.number_type) == ("float32", "int8")
    assert exact.macs == rounded.macs
    assert rounded.bytes == pytest.approx(exact.bytes / 4, rel=0.1)


@pytest.mark.skipif(find_spec("torch") is None, reason="torch counts in the training environment")
def test_torch_counts_the_same_work():
    from cpunet.training.network.summary import count_macs
    from cpunet.training.weights import WEIGHTS_FILE, load_trained

    path = find_model(DEFAULT_MODEL)
    assert cost_of(path, (256, 256)).macs == count_macs(load_trained(path.with_name(WEIGHTS_FILE)).network, 256)
