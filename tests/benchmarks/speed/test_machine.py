import pytest

from benchmarks.speed import machine

CPUINFO = ["processor\t: 0", "model\t\t: 85", "model name\t: Some(R) CPU @ 2.0GHz", "flags\t\t: fpu avx2 avx512_vnni"]


def test_a_machine_is_described_and_named_by_its_processor_and_cores():
    found = machine.describe(CPUINFO)
    assert (found["processor"], found["model"]) == ("Some(R) CPU @ 2.0GHz", "85")
    assert found["features"] == ["avx2", "avx512_vnni"]
    assert found["cores"] >= 1
    assert {"numpy", "onnxruntime"} <= set(found["packages"])
    assert machine.folder_name({**found, "cores": 4}) == "some-85-4-cores"


def test_the_share_of_other_work_is_what_was_neither_idle_nor_our_own(monkeypatch):
    watched = iter([(100, 1000), (150, 1200)])
    monkeypatch.setattr(machine, "_idle_and_all", lambda: next(watched))
    monkeypatch.setattr(machine.time, "process_time", lambda: 0.0)
    assert machine.busy_share(0.0) == pytest.approx(150 / 200)


def test_a_busy_machine_is_warned_of():
    assert machine.warning_of_load(0.01) == ""
    assert "50% of this machine's cores" in machine.warning_of_load(0.5)
    assert "does not tell" in machine.warning_of_load(None)
