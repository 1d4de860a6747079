from benchmarks.speed.fields import Wanted
from benchmarks.speed.gpu import time_devices, time_gpu
from benchmarks.speed.series import matching
from cpunet.model import session
from cpunet.model.find import DEFAULT_MODEL, find_model
from cpunet.model.session import load_model


def test_without_a_gpu_nothing_is_measured_and_the_reason_is_told(monkeypatch):
    monkeypatch.setattr(session, "_open_models", {})
    monkeypatch.setattr(session.import_onnxruntime(), "get_available_providers", lambda: [session.CPU])
    assert time_gpu([Wanted((64, 64))], DEFAULT_MODEL, 1) == (
        [],
        ["gpu: no session gets an NVIDIA GPU here; the network runs on CPUExecutionProvider."],
    )


def test_devices_are_timed_in_turns_on_each_field():
    model = load_model(find_model(DEFAULT_MODEL), "cpu")
    series = time_devices(Wanted((96, 128), 2), {"one": model, "other": model}, rounds=2)
    one, other = ({each.quantity: each.values for each in matching(series, method=name)} for name in ("one", "other"))
    assert one["objects"] == other["objects"]
    assert len(one["objects"]) == 4
    for seconds, rate, network, rest in zip(
        *[one[name] for name in ("seconds", "images a second", "network", "all else")]
    ):
        assert abs(rate * seconds - 1) < 1e-9
        assert 0 < network < seconds
        assert abs(network + rest - seconds) < 1e-9
