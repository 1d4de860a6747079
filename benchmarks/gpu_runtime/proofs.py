"""The proofs: each is one or more rows of the table."""

from functools import partial
from pathlib import Path
from typing import List, NamedTuple, Optional, Sequence

from benchmarks.gpu_runtime.differences import difference
from benchmarks.gpu_runtime.fields import LARGE, SMALL, Shape, field
from benchmarks.gpu_runtime.nodes import nodes_by_provider
from benchmarks.gpu_runtime.one_process import HIDDEN_GPU, Happened, in_a_process
from benchmarks.in_turns import median_seconds
from cpunet.model.session import CPU, CUDA, OnnxModel, load_model
from cpunet.segment import segment_image

MIB = 2**20
# CUDA loads the code of a kernel into the GPU's memory when the kernel is first used; that is not the network's data.
KERNEL_CODE_BYTES = 64 * MIB
SMALLER_TILES, ON_THE_CPU = "trying again with", "the network now runs on the CPU"


class Row(NamedTuple):
    """One row: whether the proof held, or None for what is only measured."""

    model: str
    proof: str
    found: str
    held: Optional[bool]


def provider(gpu: OnnxModel) -> List[Row]:
    """Prove that a session runs on the GPU, and most of its nodes with it."""
    counts = nodes_by_provider(gpu)
    nodes = ", ".join(f"{count} on {name}" for name, count in counts.most_common())
    held = gpu.provider == CUDA and counts[CUDA] > sum(counts.values()) / 2
    return [Row(gpu.card.name, "provider", f"the session runs on {gpu.provider}; nodes: {nodes}", held)]


def same_labels(gpu: OnnxModel, cpu: OnnxModel, shapes: Sequence[Shape] = (SMALL, LARGE)) -> List[Row]:
    """Prove that two devices find the same objects."""
    rows = []
    for shape in shapes:
        image = field(shape, cpu)
        on_gpu, on_cpu = segment_image(image, gpu), segment_image(image, cpu)
        found = difference(on_cpu.labels, on_gpu.labels)
        words = f"{found}; scales {on_cpu.scale:.3f} and {on_gpu.scale:.3f}"
        if on_gpu.probabilities.shape == on_cpu.probabilities.shape:
            words += f"; probabilities differ by at most {abs(on_gpu.probabilities - on_cpu.probabilities).max():.5f}"
        rows.append(Row(cpu.card.name, f"same labels, {_size(shape)}", words, found.is_rounding))
    return rows


def speed(gpu: OnnxModel, cpu: OnnxModel, rounds: int, shapes: Sequence[Shape] = (SMALL, LARGE)) -> List[Row]:
    """Measure images a second on two devices in turns, from image to labels."""
    rows = []
    for shape in shapes:
        image = field(shape, cpu)
        actions = {name: partial(segment_image, image, model) for name, model in (("GPU", gpu), ("CPU", cpu))}
        seconds = median_seconds(actions, rounds)
        words = (
            f"GPU {1 / seconds['GPU']:.2f}, CPU {1 / seconds['CPU']:.2f}: {seconds['CPU'] / seconds['GPU']:.1f} times"
        )
        rows.append(Row(cpu.card.name, f"images a second, {_size(shape)}", words, None))
    return rows


def memory_cap(path: Path, cpu: OnnxModel, caps_mib: Sequence[int], shape: Shape = LARGE) -> List[Row]:
    """Prove that a limit of the GPU's memory is kept: tiles shrink, then the CPU takes over, and each is said once.

    The last row says whether one of the limits made tiles smaller on the GPU, and another one led to the CPU.
    """
    expected = segment_image(field(shape, cpu), cpu).labels
    free = in_a_process(path, "automatic", shape)
    rows = [_row_of_cap(cpu.card.name, "no memory cap", free, None, expected)]
    runs = [in_a_process(path, "automatic", shape, cap * MIB) for cap in caps_mib]
    rows += [
        _row_of_cap(cpu.card.name, f"memory cap {c} MiB", run, c * MIB, expected) for c, run in zip(caps_mib, runs)
    ]
    shrunk = [c for c, run in zip(caps_mib, runs) if run.finished_on == CUDA and _says(run, SMALLER_TILES)]
    left = [c for c, run in zip(caps_mib, runs) if run.finished_on == CPU and _says(run, ON_THE_CPU)]
    words = f"smaller tiles on the GPU at {shrunk or 'no'} MiB, the CPU at {left or 'no'} MiB"
    return [*rows, Row(cpu.card.name, "memory cap, both steps seen", words, bool(shrunk and left))]


def _row_of_cap(model: str, proof: str, run: Happened, cap_bytes: Optional[int], expected: object) -> Row:
    if run.labels is None:
        return Row(model, proof, f"no labels: {' '.join(run.said)}", False)
    found = difference(expected, run.labels)
    grown = "unknown" if run.grown_bytes is None else f"{run.grown_bytes / MIB:.0f} MiB"
    words = f"labels from {run.finished_on}; the image took {grown} of the GPU's memory; {found}; said: " + (
        " / ".join(run.said) or "nothing"
    )
    return Row(model, proof, words, found.is_rounding and is_kept(run, cap_bytes))


def is_kept(run: Happened, cap_bytes: Optional[int]) -> bool:
    """Return True if a process stayed within its limit, and said once what it did about it and nothing else.

    Without a limit nothing may be said. `run` must have made labels.
    """
    said_once = len(run.said) == len(set(run.said))
    told = _says(run, ON_THE_CPU) == (run.finished_on == CPU)
    if cap_bytes is None:
        return run.provider == CUDA and run.finished_on == CUDA and not run.said
    within = run.grown_bytes is not None and run.grown_bytes <= cap_bytes + KERNEL_CODE_BYTES
    return run.provider == CUDA and said_once and told and within


def fallback(path: Path, name: str) -> List[Row]:
    """Prove that without a GPU the device `cuda` says why it cannot be used, and `automatic` runs on the CPU."""
    asked = in_a_process(path, "cuda", environment=HIDDEN_GPU)
    automatic = in_a_process(path, "automatic", environment=HIDDEN_GPU)
    refused = asked.labels is None and len(asked.said) == 1 and "CUDA was asked for" in asked.said[0]
    on_cpu = automatic.labels is not None and automatic.provider == automatic.finished_on == CPU and not automatic.said
    what = "no labels" if automatic.labels is None else f"{automatic.labels.max()} objects"
    return [
        Row(name, "GPU hidden, device cuda", " ".join(asked.said) or "nothing was said", refused),
        Row(name, "GPU hidden, device automatic", f"runs on {automatic.provider}; {what}", on_cpu),
    ]


def proofs_on_gpu(path: Path, rounds: int, caps_mib: Sequence[int]) -> List[Row]:
    """Run all proofs that need a GPU on one model; no limit of memory is tried if `caps_mib` is empty."""
    cpu = load_model(path, "cpu")
    gpu = load_model(path, "cuda")
    rows = [*provider(gpu), *same_labels(gpu, cpu), *speed(gpu, cpu, rounds)]
    return rows + (memory_cap(path, cpu, caps_mib) if caps_mib else [])


def _says(run: Happened, words: str) -> bool:
    return any(words in sentence for sentence in run.said)


def _size(shape: Shape) -> str:
    return f"{shape[0]}x{shape[1]}"
