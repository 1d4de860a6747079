"""Accuracy of a model with its default settings, in the CellProfiler environment, on labeled images.

export PYTHONPATH=plugins
.venv/cellprofiler/bin/python -m benchmarks.accuracy data/bbbc039 data/dsb2018 --modality fluorescence
"""

import argparse
import itertools
import sys
from pathlib import Path
from typing import Dict, List, Sequence

import numpy as np

from benchmarks.labeled_images import labeled_images
from benchmarks.resized_images import resized
from benchmarks.run_module import primary_objects, primary_objects_tuned, run_module
from cpunet.files.images import written_beside
from cpunet.model.find import DEFAULT_MODEL, find_model
from cpunet.model.session import load_model
from cpunet.onnx_reader.metadata import sha256
from cpunet.options import Options
from cpunet.scores import ImageScores, SetScores, pool_scores, score_image
from cpunet.segment import segment_image

HEADER = ("set", "images", "mean F1", "F1 at 0.5", "F1 at 0.7", "F1 at 0.9", "mAP", "PQ", "over / under", "count error")


def table(scores: Dict[str, SetScores]) -> List[str]:
    """Lay out scores as Markdown, a row a set."""
    lines = ["| " + " | ".join(HEADER) + " |", "|" + "---|" * len(HEADER)]
    for name, score in scores.items():
        cells = [
            name,
            str(score.images),
            f"{score.mean_f1:.3f}",
            *[f"{score.f1[threshold]:.3f}" for threshold in (0.5, 0.7, 0.9)],
            f"{score.mean_average_precision:.3f}",
            f"{score.panoptic_quality:.3f}",
            f"{score.over_segmented} / {score.under_segmented}",
            f"{score.count_error:.2f}",
        ]
        lines.append("| " + " | ".join(cells) + " |")
    return lines


def zero_to_one(image: np.ndarray) -> np.ndarray:
    """Scale an image by its bit depth, as CellProfiler loads it."""
    return image.astype(np.float32) / np.iinfo(image.dtype).max


def main(arguments: Sequence[str]) -> int:
    """Print the table, and write it where asked."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folders", nargs="+", type=Path, metavar="FOLDER", help="data sets: images/ labels/ index.csv")
    parser.add_argument("--model", default=DEFAULT_MODEL, metavar="NAME|FILE")
    parser.add_argument("--split", default="val")
    parser.add_argument("--modality", default="")
    parser.add_argument(
        "--beside",
        type=int,
        nargs=2,
        metavar=("MIN", "MAX"),
        help="also score IdentifyPrimaryObjects, as it comes and set to this diameter range (see run_module.py)",
    )
    parser.add_argument(
        "--resize",
        type=float,
        nargs="+",
        default=[1.0],
        metavar="FACTOR",
        help="score the images enlarged or shrunk by each of these (1); nobody tells the model",
    )
    parser.add_argument(
        "--scale", type=float, metavar="S", help="always enlarge by this for the network; 1: never rescale"
    )
    parser.add_argument("--output", type=Path, metavar="FILE.md")
    options = parser.parse_args(arguments)
    path = find_model(options.model)
    model = load_model(path)
    settings = Options(scale=options.scale)
    methods = {model.card.name: lambda image: segment_image(image, model, settings).labels}
    if options.beside:
        plain, tuned = primary_objects(), primary_objects_tuned(*options.beside)
        methods["IdentifyPrimaryObjects"] = lambda image: run_module(plain, zero_to_one(image)).labels
        methods["IdentifyPrimaryObjects, set"] = lambda image: run_module(tuned, zero_to_one(image)).labels
    scores = {}
    for folder, factor in itertools.product(options.folders, options.resize):
        found: Dict[str, List[ImageScores]] = {name: [] for name in methods}
        for original in labeled_images(folder, options.split, options.modality):
            truth = original if factor == 1 else resized(original, factor)
            for name, method in methods.items():
                found[name].append(score_image(truth.labels, method(truth.image)))
        what = f"{folder.name} {options.split}" + ("" if factor == 1 else f" x {factor:g}")
        scores.update({f"{what}, {name}": pool_scores(each) for name, each in found.items()})
    lines = [f"{model.card.name} {model.card.version}, sha256 {sha256(path)}", "", *table(scores)]
    print("\n".join(lines))
    if options.output:
        with written_beside(options.output) as beside:
            beside.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
