import numpy as np
import pytest

from benchmarks.gpu_runtime import __main__ as command
from benchmarks.gpu_runtime import proofs
from benchmarks.gpu_runtime.fields import field
from benchmarks.gpu_runtime.nodes import nodes_by_provider
from benchmarks.gpu_runtime.one_process import Happened, in_a_process
from cpunet.model.session import CPU, CUDA, import_onnxruntime, load_model
from cpunet.segment import segment_image

SHAPE = (200, 300)
SMALLER = "The memory is too small for tiles of 608 x 704 pixels; trying again with 288 x 352 pixels."
ON_CPU = "The memory is too small for tiles of 256 x 256 pixels too; the network now runs on the CPU, slower."
MIB = proofs.MIB


@pytest.fixture
def cpu(tiny_model):
    return load_model(tiny_model, "cpu")


def test_the_field_has_the_diameter_of_the_model(cpu):
    image = field(SHAPE, cpu)
    assert image.shape == SHAPE
    labels = segment_image(image, cpu).labels
    areas = np.bincount(labels.ravel())[1:]
    assert len(areas) > 10
    assert 0.6 < np.sqrt(np.median(areas) * 4 / np.pi) / cpu.card.input.diameter_px < 1.6


def test_nodes_are_counted_where_they_ran(cpu):
    counts = nodes_by_provider(cpu)
    assert set(counts) == {CPU}
    assert counts[CPU] >= 1


def test_a_session_on_the_cpu_is_no_proof_of_a_gpu(cpu):
    (row,) = proofs.provider(cpu)
    assert row.held is False
    assert "runs on CPUExecutionProvider" in row.found


def test_the_same_device_finds_the_same_labels(cpu):
    (row,) = proofs.same_labels(cpu, cpu, [SHAPE])
    assert row.held
    assert row.found.startswith("0 pixels differ")


def test_speed_is_measured_and_proves_nothing(cpu):
    (row,) = proofs.speed(cpu, cpu, 1, [SHAPE])
    assert row.held is None
    assert row.found.endswith("times")


def test_the_image_is_segmented_in_another_process(tiny_model, cpu):
    happened = in_a_process(tiny_model, "cpu", SHAPE)
    assert (happened.provider, happened.finished_on, happened.said) == (CPU, CPU, [])
    np.testing.assert_array_equal(happened.labels, segment_image(field(SHAPE, cpu), cpu).labels)


def test_without_a_gpu_the_fallback_holds(tiny_model):
    rows = proofs.fallback(tiny_model, "tiny")
    assert [row.held for row in rows] == [True, True]
    assert "CUDA was asked for" in rows[0].found


def test_a_model_that_does_not_say_so_is_noticed(tiny_model, monkeypatch):
    silent = Happened(CPU, [], CPU, np.ones(SHAPE, np.int32), None)
    monkeypatch.setattr(proofs, "in_a_process", lambda *_, **__: silent)
    assert [row.held for row in proofs.fallback(tiny_model, "tiny")] == [False, True]


def test_a_broken_process_is_an_error(tiny_model, tmp_path):
    (tmp_path / "numpy.py").write_text("raise SystemError('no numpy today')")
    with pytest.raises(RuntimeError, match="no numpy today"):
        in_a_process(tiny_model, "cpu", SHAPE, environment={"PYTHONPATH": str(tmp_path)})


@pytest.mark.parametrize(
    ("said", "provider", "finished_on", "grown_mib", "cap_mib", "kept"),
    [
        ([], CUDA, CUDA, 900, None, True),
        ([SMALLER], CUDA, CUDA, 900, None, False),
        ([], CUDA, CUDA, 40, 64, True),
        ([SMALLER], CUDA, CUDA, 100, 64, True),
        ([SMALLER], CUDA, CUDA, 900, 64, False),
        ([SMALLER], CUDA, CUDA, None, 64, False),
        ([SMALLER, SMALLER], CUDA, CUDA, 40, 64, False),
        ([SMALLER, ON_CPU], CUDA, CPU, 0, 4, True),
        ([SMALLER], CUDA, CPU, 0, 4, False),
        ([], CPU, CPU, 0, 64, False),
    ],
    ids=[
        "no cap",
        "no cap, and too small",
        "fits",
        "smaller tiles",
        "over its cap",
        "memory unknown",
        "said twice",
        "on the CPU",
        "on the CPU unsaid",
        "never on the GPU",
    ],
)
def test_a_cap_is_kept(said, provider, finished_on, grown_mib, cap_mib, kept):
    run = Happened(
        provider, said, finished_on, np.ones(SHAPE, np.int32), None if grown_mib is None else grown_mib * MIB
    )
    assert proofs.is_kept(run, None if cap_mib is None else cap_mib * MIB) == kept


@pytest.mark.parametrize(
    ("least_tiles_mib", "least_gpu_mib", "held"),
    [(100, 10, True), (1, 1, False), (100, 100, False)],
    ids=["tiles shrink, then the CPU", "always fits", "the CPU at once"],
)
def test_both_steps_of_a_small_memory_must_be_seen(tiny_model, cpu, monkeypatch, least_tiles_mib, least_gpu_mib, held):
    labels = segment_image(field(SHAPE, cpu), cpu).labels

    def run(path, device, shape, gpu_memory_bytes=10**12):
        said = [SMALLER] * (gpu_memory_bytes < least_tiles_mib * MIB) + [ON_CPU] * (
            gpu_memory_bytes < least_gpu_mib * MIB
        )
        return Happened(CUDA, said, CPU if ON_CPU in said else CUDA, labels, 0)

    monkeypatch.setattr(proofs, "in_a_process", run)
    rows = proofs.memory_cap(tiny_model, cpu, [256, 64, 4], SHAPE)
    assert [row.held for row in rows] == [True, True, True, True, held]


def test_without_a_gpu_the_command_says_what_it_did_not_prove(tiny_model, monkeypatch, capsys):
    monkeypatch.setattr(command, "total_gpu_memory_bytes", lambda: None)
    monkeypatch.setattr("cpunet.checks.device.total_gpu_memory_bytes", lambda: None)
    assert command.main([str(tiny_model)]) == 0
    out = capsys.readouterr().out
    assert "2 proofs held, 0 failed." in out
    assert "Not proven here: provider, same labels, images a second, memory cap." in out


def test_a_failed_proof_is_the_exit_code(tiny_model, monkeypatch, capsys):
    monkeypatch.setattr(command, "total_gpu_memory_bytes", lambda: 2**33)
    monkeypatch.setattr(command, "proofs_on_gpu", lambda *_: [proofs.Row("tiny", "provider", "on the | CPU", False)])
    monkeypatch.setattr(command, "fallback", lambda *_: [proofs.Row("tiny", "fallback", "fine", True)])
    assert command.main([str(tiny_model)]) == 1
    assert "| tiny | provider | on the / CPU | NO |" in capsys.readouterr().out


def test_a_gpu_that_cannot_be_used_fails(tiny_model, monkeypatch, capsys):
    if CUDA in import_onnxruntime().get_available_providers():
        pytest.skip("this onnxruntime has CUDA")
    monkeypatch.setattr(command, "total_gpu_memory_bytes", lambda: 2**33)
    assert command.main([str(tiny_model)]) == 1
    assert "this onnxruntime has no GPU support" in capsys.readouterr().out
