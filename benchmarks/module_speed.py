"""How long the module takes beside IdentifyPrimaryObjects: the same fields, in one process, in turns.

PYTHONPATH=plugins .venv/cellprofiler/bin/python -m benchmarks.module_speed [--data DATA/bbbc039]
"""

import argparse
import statistics
import sys
import time
from pathlib import Path
from typing import Any, List, Sequence

import cellprofiler_core.preferences

cellprofiler_core.preferences.set_headless()

import numpy as np
from cellprofiler_core.image import Image, ImageSetList
from cellprofiler_core.measurement import Measurements
from cellprofiler_core.object import ObjectSet
from cellprofiler_core.pipeline import Pipeline
from cellprofiler_core.workspace import Workspace

from benchmarks.labelled_images import labelled_images
from cpunet.drawn_nuclei import draw_field

FIELD = (520, 696)


def fields(data: Path, count: int) -> List[np.ndarray]:
    """Return fields of 520x696 pixels, 0..1: of a data set, or drawn."""
    if data is None:
        return [draw_field(FIELD, columns=11, diameter_px=28, touching=True, seed=seed).image for seed in range(count)]
    images = [truth.image for truth in labelled_images(data, "val")][:count]
    return [image.astype(np.float32) / np.iinfo(image.dtype).max for image in images]


def modules() -> List[Any]:
    """Return IdentifyPrimaryObjects and IdentifyObjectsUNet, as they come but for the names."""
    from cellprofiler.modules.identifyprimaryobjects import IdentifyPrimaryObjects
    from identifyobjectsunet import IdentifyObjectsUNet

    made = [IdentifyPrimaryObjects(), IdentifyObjectsUNet()]
    for number, module in enumerate(made, start=1):
        module.set_module_num(number)
        module.x_name.value, module.y_name.value = "DNA", "Nuclei"
        module.show_window = False
    return made


def seconds_of(module: Any, pixels: np.ndarray) -> float:
    """Run a module on one field, in a fresh workspace, and return the seconds of its run()."""
    image_set = ImageSetList().get_image_set(0)
    image_set.add("DNA", Image(pixels))
    pipeline = Pipeline()
    pipeline.add_module(module)
    workspace = Workspace(pipeline, module, image_set, ObjectSet(), Measurements(), None)
    start = time.perf_counter()
    module.run(workspace)
    return time.perf_counter() - start


def main(arguments: Sequence[str]) -> int:
    """Time both modules in turns and print medians and their ratio."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, help="a data set of 520x696 fields; drawn fields by default")
    parser.add_argument("--fields", type=int, default=10)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args(arguments)
    primary, unet = modules()
    images = fields(options.data, options.fields)
    for module in (primary, unet):
        seconds_of(module, images[0])  # opens the model, fills the caches
    taken: dict = {primary.module_name: [], unet.module_name: []}
    for _ in range(options.rounds):
        for image in images:
            for module in (primary, unet):
                taken[module.module_name].append(seconds_of(module, image))
    medians = {name: statistics.median(values) for name, values in taken.items()}
    kind = options.data.name if options.data else "drawn"
    size = "x".join(map(str, images[0].shape))
    print(f"{len(images)} {kind} fields of {size}, {options.rounds} rounds, median seconds")
    for name, median in medians.items():
        print(f"    {name:24} {median:.3f}")
    print(f"    ratio                    {medians[unet.module_name] / medians[primary.module_name]:.2f}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
