"""Score a model with its default settings, in the CellProfiler environment, on labeled images.

export PYTHONPATH=plugins
.venv/cellprofiler/bin/python -m benchmarks.accuracy data/bbbc039 data/dsb2018 --modality fluorescence
"""

import argparse
import itertools
import sys
from pathlib import Path
from typing import Dict, List, Sequence

from benchmarks.labeled_images import labeled_images, resized, zero_to_one
from benchmarks.markdown import header, row
from benchmarks.run_module import primary_objects, primary_objects_tuned, run_module
from cpunet.model.find import DEFAULT_MODEL, find_model
from cpunet.model.session import load_model
from cpunet.onnx_reader.metadata import sha256
from cpunet.options import Options
from cpunet.scores import ImageScores, SetScores, pool_scores, score_image
from cpunet.segment import segment_image

HEADER = ("set", "images", "mean F1", "F1 at 0.5", "F1 at 0.7", "F1 at 0.9", "mAP", "PQ", "over / under", "count error")


def cells(score: SetScores) -> List[str]:
    """Lay out the scores of a set as the cells of a table row."""
    shares = [score.mean_f1, *(score.f1[threshold] for threshold in (0.5, 0.7, 0.9))]
    shares += [score.mean_average_precision, score.panoptic_quality]
    counts = [f"{score.over_segmented} / {score.under_segmented}", f"{score.count_error:.2f}"]
    return [str(score.images), *(f"{share:.3f}" for share in shares), *counts]


def main(arguments: Sequence[str]) -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folders", nargs="+", type=Path, metavar="FOLDER", help="data sets: images/ labels/ index.csv")
    parser.add_argument("--model", default=DEFAULT_MODEL, metavar="NAME|FILE")
    parser.add_argument("--split", default="val")
    parser.add_argument("--modality", default="")
    beside = "also score IdentifyPrimaryObjects: with default settings, and tuned by hand for this diameter range"
    parser.add_argument("--beside", type=int, nargs=2, metavar=("MIN", "MAX"), help=beside)
    resize = "score the images enlarged or shrunk by each of these (1); the model is not given the factor"
    parser.add_argument("--resize", type=float, nargs="+", default=[1.0], metavar="FACTOR", help=resize)
    scale = "always enlarge by this for the network; 1: never rescale"
    parser.add_argument("--scale", type=float, metavar="S", help=scale)
    level = "move outlines toward this level of the edge, between 0 and 1; by default as the model learned"
    parser.add_argument("--outline-level", type=float, metavar="L", help=level)
    options = parser.parse_args(arguments)
    path = find_model(options.model)
    model = load_model(path)
    settings = Options(scale=options.scale, outline_level=options.outline_level)
    methods = {model.card.name: lambda image: segment_image(image, model, settings).labels}
    if options.beside:
        plain, tuned = primary_objects(), primary_objects_tuned(*options.beside)
        methods["IdentifyPrimaryObjects"] = lambda image: run_module(plain, zero_to_one(image)).labels
        methods["IdentifyPrimaryObjects, set"] = lambda image: run_module(tuned, zero_to_one(image)).labels
    print(f"{model.card.name} {model.card.version}, sha256 {sha256(path)}\n\n{header(HEADER)}")
    for folder, factor in itertools.product(options.folders, options.resize):
        found: Dict[str, List[ImageScores]] = {name: [] for name in methods}
        for original in labeled_images(folder, options.split, options.modality):
            truth = original if factor == 1 else resized(original, factor)
            for name, method in methods.items():
                found[name].append(score_image(truth.labels, method(truth.image)))
        what = f"{folder.name} {options.split}" + ("" if factor == 1 else f" x {factor:g}")
        for name, each in found.items():
            print(row([f"{what}, {name}", *cells(pool_scores(each))]), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
