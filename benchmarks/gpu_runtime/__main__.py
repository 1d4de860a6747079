"""Print one table that proves how models run on an NVIDIA GPU; return 1 if a proof failed.

PYTHONPATH=plugins python -m benchmarks.gpu_runtime models/*/model.onnx

Needs numpy, scipy, scikit-image and onnxruntime-gpu, and neither CellProfiler nor torch. Without a GPU, only the
fallback to the CPU is proven, and the last line says what was not.
"""

import argparse
import platform
import sys
from pathlib import Path
from typing import List, Sequence

import numpy as np

from benchmarks.gpu_runtime.proofs import Row, fallback, proofs_on_gpu
from benchmarks.markdown import header, row
from cpunet.checks.device import device_report
from cpunet.errors import CpunetError
from cpunet.model.find import DEFAULT_MODEL, find_model
from cpunet.model.memory import total_gpu_memory_bytes
from cpunet.model.session import import_onnxruntime
from cpunet.onnx_reader.metadata import read_card

COLUMNS = ("model", "proof", "found", "held")
CAPS_MIB = (256, 64, 16, 6)  # the last is to be too small for any tile, but not for the weights of a small model
NEEDS_A_GPU = "provider, same labels, images a second, memory cap"


def proven(files: Sequence[Path], has_gpu: bool, rounds: int, caps_mib: Sequence[int]) -> List[Row]:
    """Run the proofs and print each row at once; memory caps and the fallback are tried on the first model alone."""
    rows: List[Row] = []
    print(header(COLUMNS), flush=True)
    for number, path in enumerate(files):
        name = read_card(path).name
        new: List[Row] = []
        if has_gpu:
            try:
                new += proofs_on_gpu(path, rounds, caps_mib if number == 0 else ())
            except CpunetError as error:
                new.append(Row(name, NEEDS_A_GPU, str(error), False))
        if number == 0:
            new += fallback(path, name)
        for each in new:
            held = {True: "yes", False: "NO", None: "measured"}[each.held]
            found = each.found.replace("|", "/").replace("\n", " ")
            print(row([each.model, each.proof, found, held]), flush=True)
        rows += new
    return rows


def main(arguments: Sequence[str]) -> int:
    """Print the table, and what was not proven."""
    parser = argparse.ArgumentParser(prog="benchmarks.gpu_runtime", description=__doc__.splitlines()[0])
    parser.add_argument("models", nargs="*", default=[DEFAULT_MODEL], metavar="NAME|FILE")
    parser.add_argument("--rounds", type=int, default=5, help="take the median of so many runs (5)")
    caps = "limits of the GPU's memory to try on the first model (%(default)s)"
    parser.add_argument("--caps", type=int, nargs="*", default=CAPS_MIB, metavar="MIB", help=caps)
    options = parser.parse_args(arguments)
    files = [find_model(each) for each in options.models]
    has_gpu = total_gpu_memory_bytes() is not None
    versions = f"numpy {np.__version__}, onnxruntime {import_onnxruntime().__version__}"
    print(f"Python {platform.python_version()}, {versions}\n{' '.join(device_report(files[0]))}\n", flush=True)
    rows = proven(files, has_gpu, options.rounds, options.caps)
    failed = [each for each in rows if each.held is False]
    print(f"\n{sum(each.held is True for each in rows)} proofs held, {len(failed)} failed.")
    if not has_gpu:
        print(f"No NVIDIA GPU with a working driver was found. Not proven here: {NEEDS_A_GPU}.")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
