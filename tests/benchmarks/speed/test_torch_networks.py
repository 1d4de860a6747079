import torch

from benchmarks.speed import torch_networks
from benchmarks.speed.fields import Wanted
from benchmarks.speed.series import matching
from benchmarks.speed.torch_networks import DIFFERENCE, ON_CPU, time_in_this_process
from cpunet.model.find import DEFAULT_MODEL

EAGER = [variant for variant in ON_CPU if not variant.compiled]


def test_torch_computes_what_onnxruntime_does(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    timed = time_in_this_process(Wanted((96, 128)), 1, DEFAULT_MODEL, None, 2, EAGER)
    assert not timed.left_out
    differences = {(each.method, each.situation): each.median for each in matching(timed.series, quantity=DIFFERENCE)}
    assert differences["torch eager", "float32"] < 1e-4
    assert differences["torch eager, channels last", "float32"] < 1e-4
    assert 0 < differences["torch eager, channels last", "bf16"] < 0.2
    assert all(len(each.values) == 2 for each in matching(timed.series, quantity="seconds"))


def test_a_variant_that_fails_is_left_out_with_its_reason(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)

    def fail(*arguments):
        raise OSError("no compiler\nmore")

    monkeypatch.setattr(torch_networks, "_with_torch", fail)
    timed = time_in_this_process(Wanted((64, 64)), 1, DEFAULT_MODEL, None, 1, EAGER[:1])
    assert timed.left_out == ["torch eager, float32: OSError: no compiler"]
    assert {each.method for each in timed.series} == {"onnxruntime"}
