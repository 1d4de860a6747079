"""Write the newest weights of some runs, in half precision, into a folder that leaves the machine.

PYTHONPATH=. python -m benchmarks.gpu_visit.collect OUTPUT runs/visit/nuclei_fluorescence runs/visit/nuclei_generalist
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from cpunet.files.outputs import check_output, identity
from cpunet.training.train import BEST, LAST
from cpunet.training.weights import WEIGHTS_FILE, load_trained, save_trained


def newest_weights(run: Path) -> Path | None:
    """Return a run's finished weights, or else its last checkpoint, or nothing."""
    return next((run / name for name in (WEIGHTS_FILE, LAST, BEST) if (run / name).is_file()), None)


def collect(output: Path, runs: Sequence[Path]) -> list[Path]:
    """Write RUN.safetensors for each run that has weights, and return these files."""
    output.mkdir(parents=True, exist_ok=True)
    written = []
    for run in runs:
        newest = newest_weights(run)
        if newest is None:
            continue
        trained = load_trained(newest)
        target = output / f"{run.name}.safetensors"
        check_output(target, {identity(newest)})
        # Half precision halves what must travel, and changes probabilities by less than a thousandth.
        save_trained(target, replace(trained, network=trained.network.half()))
        written.append(target)
    return written


def main(arguments: Sequence[str]) -> int:
    """Collect, and say what was written."""
    output, *runs = map(Path, arguments)
    for path in collect(output, runs):
        print(f"{path}  {path.stat().st_size / 1e6:.1f} MB")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
