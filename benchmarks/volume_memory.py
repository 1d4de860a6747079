"""Measure the memory and the time that `cpunet segment` takes for one large stack, by each of several models.

    .venv/cellprofiler/bin/python benchmarks/volume_memory.py nuclei_3d nuclei_fluorescence

The stack is drawn: nuclei of 20 pixels in noise, 256 x 512 x 512 voxels of 16 bits, planes that lie 2 pixels apart. A
model of volumes sees it as a volume, and one of images plane by plane. Each runs in a process of its own, on the CPU;
what is printed is the largest resident set of that process, from reading the file to writing the labels. It is read
from Linux' /proc: what getrusage() gives counts the process that started it, too.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple, Sequence, Tuple

REPOSITORY = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(REPOSITORY / "plugins"), str(REPOSITORY)]

import numpy as np

from cpunet.checks.synthetic_volume import synthetic_volume
from cpunet.files.formats.volume import read_label_volume, write_volume
from cpunet.files.formats.voxel_size import VoxelSize

SHAPE, BLOCK = (256, 512, 512), (64, 128, 128)
DIAMETER_PX, Z_STEP_PX = 20.0, 2.0
SEGMENT = """
import sys
from pathlib import Path
from cpunet.__main__ import main
code = main(sys.argv[2:])
Path(sys.argv[1]).write_text(Path("/proc/self/status").read_text())
sys.exit(code)
"""


class Measured(NamedTuple):
    """What one run took: the largest resident set in bytes, seconds, and the objects found."""

    most_bytes: int
    seconds: float
    objects: int


def drawn_stack(shape: Tuple[int, ...], seed: int = 0) -> np.ndarray:
    """Draw nuclei, some of which touch, in blocks that repeat, with noise that does not; (Z, Y, X), uint16."""
    block = synthetic_volume(BLOCK, DIAMETER_PX, Z_STEP_PX, touching=True, seed=seed).image
    noise = np.random.default_rng(seed)
    stack = np.empty(shape, np.uint16)
    for plane in range(shape[0]):
        rows = np.tile(block[plane % BLOCK[0]], [-(-size // own) for size, own in zip(shape[1:], BLOCK[1:])])
        noisy = 500 + 3000 * rows[: shape[1], : shape[2]] + noise.normal(0, 30, shape[1:])
        stack[plane] = np.clip(noisy, 0, 65535)
    return stack


def measure(image: Path, model: str, output: Path) -> Measured:
    """Run `cpunet segment` on one stack in a process of its own."""
    started = time.monotonic()
    status = output.with_suffix(".status")
    words = [sys.executable, "-c", SEGMENT, str(status), "segment", str(image), "-o", str(output), "--device", "cpu"]
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY / "plugins")}
    code = subprocess.run([*words, "--model", model], env=environment, check=False).returncode
    if code:
        raise RuntimeError(f"cpunet segment ended with the code {code} for the model {model}.")
    (most_kib,) = (line.split()[1] for line in status.read_text().splitlines() if line.startswith("VmHWM"))
    labels = read_label_volume(output / f"{image.stem}_labels.tif").pixels
    return Measured(int(most_kib) * 1024, time.monotonic() - started, int(labels.max(initial=0)))


def main(arguments: Sequence[str]) -> int:
    """Print a line for each model."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("models", nargs="+", metavar="MODEL")
    parser.add_argument("--shape", nargs=3, type=int, default=SHAPE, metavar=("Z", "Y", "X"))
    chosen = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        image = Path(folder) / "stack.tif"
        write_volume(image, drawn_stack(tuple(chosen.shape)), VoxelSize(1.0, Z_STEP_PX))
        for number, model in enumerate(chosen.models):
            found = measure(image, model, Path(folder) / str(number))
            print(
                f"{model}: {found.most_bytes / 2**30:.2f} GiB at most, {found.seconds:.0f} s, {found.objects} objects",
                flush=True,
            )
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
