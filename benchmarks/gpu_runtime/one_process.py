"""Segment one synthetic image in a process of its own, as the module does, and print what happened as JSON.

In another process the GPU can be hidden, and its memory be counted from nothing. `in_a_process` starts it.
"""

import json
import os
import subprocess
import sys
import tempfile
from functools import partial
from pathlib import Path
from typing import Dict, List, NamedTuple, Optional, Sequence, Tuple

import numpy as np

from benchmarks.gpu_runtime.fields import SMALL, Shape, field
from cpunet.errors import CpunetError
from cpunet.model.memory import segment_within_memory
from cpunet.model.session import OnnxModel, load_model
from cpunet.options import Options
from cpunet.segment import segment_image

REPOSITORY = Path(__file__).resolve().parents[2]
HIDDEN_GPU = {"CUDA_VISIBLE_DEVICES": "-1"}
WARM_UP: Shape = (256, 256)


class Happened(NamedTuple):
    """What a process reported.

    Attributes
    ----------
    provider : str
        Of the session; empty if the model was not opened.
    said : list of str
        What a user was told, in order; an error is the last.
    finished_on : str
        The provider of the session that made the labels; empty if none did.
    labels : ndarray of shape (Y, X), int32, or None
    grown_bytes : int or None
        How much more memory of the GPU was used after the image than after a small one before it; None if no GPU
        answers.
    """

    provider: str
    said: List[str]
    finished_on: str
    labels: Optional[np.ndarray]
    grown_bytes: Optional[int]


def used_gpu_memory_bytes() -> Optional[int]:
    """Ask the NVIDIA driver how much memory of the first GPU is in use, by all processes; None without an answer."""
    try:
        answer = subprocess.run(
            ["nvidia-smi", "--query-gpu=memory.used", "--format=csv,noheader,nounits"],
            capture_output=True,
            text=True,
            check=True,
            timeout=10,
        ).stdout
        return int(answer.split("\n")[0]) * 2**20
    except (OSError, subprocess.SubprocessError, ValueError):
        return None


def in_a_process(
    path: Path,
    device: str,
    shape: Shape = SMALL,
    gpu_memory_bytes: Optional[int] = None,
    environment: Optional[Dict[str, str]] = None,
) -> Happened:
    """Open a model and segment a field of this shape in another process, with these variables set for it.

    RuntimeError if the process itself fails.
    """
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.json"
        command = [sys.executable, "-m", __spec__.name, str(path.resolve()), device, *map(str, shape)]
        command += [str(gpu_memory_bytes or 0), str(report)]
        paths = [str(REPOSITORY / "plugins"), str(REPOSITORY), *filter(None, [os.environ.get("PYTHONPATH")])]
        variables = {**os.environ, "PYTHONPATH": os.pathsep.join(paths), **(environment or {})}
        done = subprocess.run(command, env=variables, cwd=REPOSITORY, capture_output=True, text=True, check=False)
        if not report.exists():
            raise RuntimeError(f"{' '.join(command)} returned {done.returncode}: {done.stdout}{done.stderr}")
        content = json.loads(report.read_text())
        labels = np.load(report.with_suffix(".npy")) if content["finished_on"] else None
        return Happened(labels=labels, **content)


def within_memory(shape: Shape, model: OnnxModel, said: List[str]) -> Tuple[np.ndarray, str]:
    """Segment a field as the module does; return its labels and the provider that made them."""
    opened = [model]

    def open_on_cpu() -> OnnxModel:
        opened.append(load_model(model.path, "cpu"))
        return opened[-1]

    segment = partial(segment_image, field(shape, model))
    labels = segment_within_memory(segment, model, Options(), open_on_cpu, said.append).labels
    return labels, opened[-1].provider  # asked for at the end: onnxruntime itself may change it while it runs


def main(arguments: Sequence[str]) -> None:
    """Segment, and write the report."""
    path, device, height, width, limit, report = arguments
    limit_bytes = int(limit) or None
    said: List[str] = []
    provider, finished_on, grown = "", "", None
    try:
        model = load_model(Path(path), device, gpu_memory_bytes=limit_bytes)
        provider = model.provider
        within_memory(WARM_UP, model, [])
        before = used_gpu_memory_bytes()
        labels, finished_on = within_memory((int(height), int(width)), model, said)
        after = used_gpu_memory_bytes()
        grown = None if before is None or after is None else after - before
        np.save(Path(report).with_suffix(".npy"), labels)
    except CpunetError as error:
        said.append(str(error))
    content = {"provider": provider, "said": said, "finished_on": finished_on, "grown_bytes": grown}
    Path(report).write_text(json.dumps(content))


if __name__ == "__main__":
    main(sys.argv[1:])
