"""Print how much memory CellProfiler holds while the module works through many image sets in one process.

Printed are the memory after some image sets, and the most so far. Linux only: it reads /proc.
"""

import argparse
import os
import resource
import sys
from pathlib import Path
from typing import Any, Dict, Iterator, NamedTuple, Sequence, Tuple

REPOSITORY = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(REPOSITORY / "plugins"), str(REPOSITORY)]

import numpy as np

from benchmarks.run_module import objects_unet, primary_objects, run_analysis
from cpunet.checks.synthetic import synthetic_field
from cpunet.model.find import DEFAULT_MODEL

MOST_GROWTH = 0.02


class Memory(NamedTuple):
    """The resident set of this process, and the largest that it ever was, in bytes."""

    now: int
    most: int


def memory_held() -> Memory:
    """Return what this process holds, and has held."""
    now = int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    return Memory(now, max(now, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024))


def fields(shape: Tuple[int, int], count: int, diameter_px: float) -> Iterator[np.ndarray]:
    """Yield images (Y, X) that all differ: ten synthetic fields, mirrored and shifted."""
    columns = max(3, shape[1] // 70)
    drawn = [synthetic_field(shape, columns=columns, diameter_px=diameter_px, seed=seed).image for seed in range(10)]
    for number in range(count):
        image = drawn[number % len(drawn)]
        image = image[:: -1 if number // 10 % 2 else 1, :: -1 if number // 20 % 2 else 1]
        yield np.roll(image, 7 * number, axis=1).astype(float)


def memory_by_image_set(module: Any, shape: Tuple[int, int], count: int, diameter_px: float = 30) -> Dict[int, Memory]:
    """Run a module of `benchmarks.run_module` on image sets; return the memory after each, by its number from 1."""
    images = fields(shape, count, diameter_px)
    return {number: memory_held() for number, _ in enumerate(run_analysis(module, images), start=1)}


def main(arguments: Sequence[str]) -> int:
    """Print the memory after some of the image sets; return 1 if it grew by more than 2 % after the tenth."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--image-sets", type=int, default=200)
    parser.add_argument("--model", default=DEFAULT_MODEL)
    parser.add_argument("--primary", action="store_true", help="IdentifyPrimaryObjects instead")
    chosen = parser.parse_args(arguments)
    module = primary_objects() if chosen.primary else objects_unet()
    if not chosen.primary:
        module.model_name.value = chosen.model
    noted = memory_by_image_set(module, (520, 696), chosen.image_sets)
    print("image set    held (MB)    most ever (MB)")
    for number in sorted({1, 10, 20, 50, 100, 200, 400, chosen.image_sets} & set(noted)):
        print(f"{number:>9}    {noted[number].now / 1e6:>9.1f}    {noted[number].most / 1e6:>14.1f}")
    later = [memory for number, memory in noted.items() if number > 10]
    held, most = (max(values) / at_tenth - 1 for values, at_tenth in zip(zip(*later), noted[10]))
    print(f"after the tenth, at most: held {100 * held:+.2f} %, most ever {100 * most:+.2f} %")
    return int(max(held, most) > MOST_GROWTH)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
