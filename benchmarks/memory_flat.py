"""How much memory CellProfiler holds while the module works through many image sets in one process.

Each image set goes the way that CellProfiler's own loop takes: one file of measurements for the whole run, a workspace
and a set of objects for each image set, and everything of it dropped afterwards. CellProfiler's workspaces refer to
themselves, so that Python frees them, with the images that they hold, only now and then, whatever the module. What is
to be seen is what stays for good: Python is made to free them after each image set, as CellProfiler does with its
preference to conserve memory, unless --as-it-comes. Linux only: it reads /proc.
"""

import argparse
import gc
import os
import sys
from pathlib import Path
from typing import Any, Dict, Iterator, Sequence, Tuple

REPOSITORY = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(REPOSITORY / "plugins"), str(REPOSITORY)]

from benchmarks.run_module import objects_unet, primary_objects

# isort: split
import numpy as np
from cellprofiler_core.image import Image
from cellprofiler_core.measurement import Measurements
from cellprofiler_core.object import ObjectSet
from cellprofiler_core.pipeline import Pipeline
from cellprofiler_core.workspace import Workspace

from cpunet.drawn_nuclei import draw_field

MOST_GROWTH = 0.02


def resident_bytes() -> int:
    """Return how much memory this process holds (its resident set)."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def fields(shape: Tuple[int, int], count: int, diameter_px: float) -> Iterator[np.ndarray]:
    """Yield as many images, none like another: ten drawn fields, mirrored and shifted."""
    drawn = [
        draw_field(shape, columns=max(3, shape[1] // 70), diameter_px=diameter_px, seed=seed).image
        for seed in range(10)
    ]
    for number in range(count):
        image = drawn[number % len(drawn)]
        image = image[:: -1 if number // 10 % 2 else 1, :: -1 if number // 20 % 2 else 1]
        yield np.roll(image, 7 * number, axis=1).astype(float)


def memory_by_image_set(
    module: Any, shape: Tuple[int, int], count: int, diameter_px: float = 30, collect: bool = True
) -> Dict[int, int]:
    """Run a module on image sets, one after another, and note the memory after each.

    Parameters
    ----------
    module : cellprofiler_core.module.Module
        From `benchmarks.run_module`.
    shape : tuple of int
        Of the images.
    count : int
        How many image sets.
    diameter_px : float
        Of the nuclei.
    collect : bool
        Let Python free what refers to itself after each image set.

    Returns
    -------
    dict of int to int
        Resident bytes by image set, from 1.
    """
    pipeline = Pipeline()
    pipeline.add_module(module)
    measurements = Measurements(image_set_start=1)
    noted = {}
    try:
        for number, pixels in enumerate(fields(shape, count, diameter_px), start=1):
            measurements.clear_cache()
            for provider in measurements.providers:
                provider.release_memory()
            measurements.next_image_set(number)
            measurements.add("DNA", Image(pixels))
            module.run(Workspace(pipeline, module, measurements, ObjectSet(), measurements, None))
            if collect:
                gc.collect()
            noted[number] = resident_bytes()
    finally:
        measurements.close()
    return noted


def main(arguments: Sequence[str]) -> int:
    """Print the memory after some of the image sets; return 1 if it grew by more than 2 % after the tenth."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--image-sets", type=int, default=200)
    parser.add_argument("--model", default="nuclei_fluorescence")
    parser.add_argument("--as-it-comes", action="store_true", help="leave it to Python when to free workspaces")
    parser.add_argument("--primary", action="store_true", help="IdentifyPrimaryObjects instead")
    chosen = parser.parse_args(arguments)
    module = primary_objects() if chosen.primary else objects_unet()
    if not chosen.primary:
        module.model_name.value = chosen.model
    noted = memory_by_image_set(module, (520, 696), chosen.image_sets, collect=not chosen.as_it_comes)
    print("image set    memory (MB)    against the 10th")
    for number in sorted({1, 10, 20, 50, 100, 200, 400, chosen.image_sets} & set(noted)):
        print(f"{number:>9}    {noted[number] / 1e6:>11.1f}    {100 * (noted[number] / noted[10] - 1):>+14.2f} %")
    growth = max(noted[number] for number in noted if number > 10) / noted[10] - 1
    print(f"most after the tenth: {100 * growth:+.2f} %")
    return int(growth > MOST_GROWTH)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
