"""Label BBBC039 with IdentifyPrimaryObjects, in CellProfiler's environment.

    PYTHONPATH=plugins .venv/cellprofiler/bin/python -m benchmarks.imperfect_labels.primary DATA/bbbc039 LABELS

The settings are those of the comparison with IdentifyPrimaryObjects: three-class Otsu, declumping by shape, 15 to
80 px.
"""

import argparse
import sys
from pathlib import Path
from typing import Sequence

import numpy as np
from skimage.io import imsave

from benchmarks.labeled_images import labeled_images, zero_to_one
from benchmarks.run_module import primary_objects_tuned, run_module

DIAMETERS_PX = (15, 80)


def main(arguments: Sequence[str]) -> int:
    """Write the labels of the splits train and val as PNG files."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("output", type=Path)
    options = parser.parse_args(arguments)
    options.output.mkdir(parents=True, exist_ok=True)
    module = primary_objects_tuned(*DIAMETERS_PX)
    for split in ("train", "val"):
        for each in labeled_images(options.data, split):
            labels = run_module(module, zero_to_one(each.image)).labels
            imsave(str(options.output / f"{each.id}.png"), labels.astype(np.uint16), check_contrast=False)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
