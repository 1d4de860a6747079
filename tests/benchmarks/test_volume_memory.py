import re
from pathlib import Path

import numpy as np
import pytest

from benchmarks.volume_memory import drawn_stack, main
from tests.tiny_volumes import tiny_volume_onnx


def test_the_blocks_repeat_and_the_noise_does_not():
    stack = drawn_stack((70, 130, 128))
    assert (stack.shape, stack.dtype) == ((70, 130, 128), np.uint16)
    first, again = stack[0, :2].astype(float), stack[64, 128:].astype(float)
    assert 20 < (first - again).std() < 80
    assert abs((first - again).mean()) < 10


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the memory is read from Linux' /proc")
def test_a_line_for_each_model_says_what_it_took(tmp_path, capfd):
    path = tmp_path / "tiny_3d.onnx"
    path.write_bytes(tiny_volume_onnx())
    assert main([str(path), "--shape", "20", "64", "64"]) == 0
    found = re.search(r"tiny_3d.onnx: (\d\.\d\d) GiB at most, \d+ s, (\d+) objects", capfd.readouterr().out)
    assert 0.05 < float(found[1]) < 2
    assert int(found[2]) > 0
