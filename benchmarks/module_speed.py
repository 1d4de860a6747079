"""Time the module beside IdentifyPrimaryObjects: the same fields, in one process, in turns.

PYTHONPATH=plugins .venv/cellprofiler/bin/python -m benchmarks.module_speed [--data DATA/bbbc039] [--model NAME]
"""

import argparse
import itertools
import statistics
import sys
from pathlib import Path
from typing import Dict, List, Optional, Sequence, Tuple

import numpy as np

from benchmarks.labeled_images import labeled_images, zero_to_one
from benchmarks.run_module import objects_unet, primary_objects, run_analysis
from cpunet.checks.synthetic import synthetic_field
from cpunet.model.find import DEFAULT_MODEL

FIELD = (520, 696)
DIAMETER_PX = 28


def fields(data: Optional[Path], count: int, shape: Tuple[int, int]) -> List[np.ndarray]:
    """Return fields, 0..1: those of a data set in their own size, or synthetic ones of a height and width."""
    if data is None:
        columns = max(2, round(shape[1] / (2.2 * DIAMETER_PX)))
        return [synthetic_field(shape, columns, DIAMETER_PX, touching=True, seed=seed).image for seed in range(count)]
    return [zero_to_one(truth.image) for truth in itertools.islice(labeled_images(data, "val"), count)]


def main(arguments: Sequence[str]) -> int:
    """Time both modules in turns and print medians and their ratio."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, help="a data set; synthetic fields by default")
    parser.add_argument(
        "--shape", type=int, nargs=2, default=FIELD, metavar=("HEIGHT", "WIDTH"), help="of synthetic fields"
    )
    parser.add_argument("--fields", type=int, default=10)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--model", default=DEFAULT_MODEL)
    options = parser.parse_args(arguments)
    primary, unet = primary_objects(), objects_unet()
    unet.model_name.value = options.model
    images = fields(options.data, options.fields, tuple(options.shape))
    taken: Dict[str, List[float]] = {primary.module_name: [], unet.module_name: []}
    # The first image set opens the model and fills the caches.
    analyses = {module: run_analysis(module, images[:1] + images * options.rounds) for module in (primary, unet)}
    for done in analyses.values():
        next(done)
    # One module takes all fields before the other does: memory that one leaves behind is not freed in the other's time.
    for _ in range(options.rounds):
        for module, done in analyses.items():
            taken[module.module_name] += [run.seconds for run in itertools.islice(done, len(images))]
    medians = {name: statistics.median(values) for name, values in taken.items()}
    kind = options.data.name if options.data else "synthetic"
    size = "x".join(map(str, images[0].shape))
    print(f"{len(images)} {kind} fields of {size}, {options.rounds} rounds, median seconds")
    for name, median in medians.items():
        print(f"    {name:24} {median:.3f}")
    print(f"    ratio                    {medians[unet.module_name] / medians[primary.module_name]:.2f}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
