"""Score a model on each data set that it was not trained on, beside IdentifyPrimaryObjects and the shipped models.

For each SET of dsb2018 (fluorescence), bbbc039, mnfinder and aitslab, a model is trained on the others, in the training
environment. How it decodes stands in its configuration (found on some images of the left-out sets, alike for all):

    cpunet train benchmarks/generalization/without_SET.yaml --data DATA
    cpunet export runs/without_SET/weights.safetensors -o runs/without_SET/model.onnx --data DATA

Then the table is made in the CellProfiler environment:

    PYTHONPATH=plugins .venv/cellprofiler/bin/python -m benchmarks.generalization --data DATA

All images of a set count, except those that another set holds too. All models run with default settings.
IdentifyPrimaryObjects is tuned on the scored set itself: it gets the threshold and the range of diameters, of 16 pairs,
that score best on some of its images.
"""

import argparse
import sys
from pathlib import Path
from typing import Callable, Dict, Iterable, List, Sequence

import numpy as np

from benchmarks.generalization.left_out import SETS, new_images, sets_seen, some_of
from benchmarks.generalization.primary import tuned_primary
from benchmarks.labeled_images import labeled_image, zero_to_one
from benchmarks.markdown import header, row
from benchmarks.run_module import primary_objects, run_module
from cpunet.errors import OptionError
from cpunet.model.find import find_model
from cpunet.model.session import load_model
from cpunet.scores import SetScores, pool_scores, score_image
from cpunet.segment import segment_image

Method = Callable[[np.ndarray], np.ndarray]
SHIPPED = ("nuclei_fluorescence", "nuclei_generalist")
TUNED_ON = 10  # images
HEADER = ("set", "method", "images", "mean F1", "F1 at 0.5", "F1 at 0.7", "F1 at 0.9", "mAP", "over / under")


def cells(scores: SetScores) -> List[str]:
    """Lay out the scores of a set as the cells of a table row."""
    shares = [scores.mean_f1, *(scores.f1[iou] for iou in (0.5, 0.7, 0.9)), scores.mean_average_precision]
    return [
        str(scores.images),
        *(f"{share:.3f}" for share in shares),
        f"{scores.over_segmented} / {scores.under_segmented}",
    ]


def scored(method: Method, folder: Path, images: Iterable[str]) -> SetScores:
    """Segment images of a data set and score their labels."""
    truths = (labeled_image(folder, image_id) for image_id in images)
    return pool_scores([score_image(truth.labels, method(truth.image)) for truth in truths])


def of_model(path: Path) -> Method:
    """Segment with a model and its default settings."""
    model = load_model(path)
    return lambda image: segment_image(image, model).labels


def of_module(module: object) -> Method:
    """Segment with a module of CellProfiler."""
    return lambda image: run_module(module, zero_to_one(image)).labels


def model_without(name: str, path: Path) -> Path:
    """Return the file of the model that was trained without a set; OptionError if its card says that it was not."""
    seen = sets_seen(load_model(path).card)
    if name in seen or not seen:
        raise OptionError(
            f"{path}: this model was trained on {', '.join(sorted(seen)) or 'sets that its card does not name'}. Its "
            f"scores on {name} say nothing about images that it never saw. Give {name}=FILE with a model that was "
            f"trained by benchmarks/generalization/without_{name}.yaml."
        )
    return path


def main(arguments: Sequence[str]) -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(prog="benchmarks.generalization", description=__doc__.splitlines()[0])
    parser.add_argument("rows", nargs="*", metavar="SET=FILE", help="the sets, and the models trained without them")
    parser.add_argument("--data", type=Path, required=True, metavar="ROOT", help="folder that holds the data sets")
    parser.add_argument("--runs", type=Path, default=Path("runs"), metavar="DIR", help="holds without_SET/model.onnx")
    parser.add_argument("--shipped", nargs="*", default=SHIPPED, metavar="NAME|FILE", help="other models to score")
    parser.add_argument("--images", type=int, metavar="N", help="score about so many images of each set")
    parser.add_argument("--no-primary", action="store_true", help="leave IdentifyPrimaryObjects out")
    options = parser.parse_args(arguments)
    files = {name: options.runs / f"without_{name}" / "model.onnx" for name in SETS}
    if options.rows:
        files = files_of(options.rows)
    models = {name: model_without(name, path) for name, path in files.items()}
    print(header(HEADER), flush=True)
    for name, path in models.items():
        folder, images = options.data / name, some_of(new_images(options.data, name), options.images)
        methods = {f"trained without {name}": of_model(path), **shipped_methods(options.shipped, name)}
        if not options.no_primary:
            methods.update(primary_methods(folder, images))
        for method, segment in methods.items():
            print(row([name, method, *cells(scored(segment, folder, images))]), flush=True)
    return 0


def shipped_methods(names: Sequence[str], scored_set: str) -> Dict[str, Method]:
    """Return models, by name and version and whether they were trained on the set that is scored."""
    methods = {}
    for path in map(find_model, names):
        card = load_model(path).card
        note = ", trained on it" if scored_set in sets_seen(card) else ""
        methods[f"{card.name} {card.version}{note}"] = of_model(path)
    return methods


def primary_methods(folder: Path, images: List[str]) -> Dict[str, Method]:
    """Return IdentifyPrimaryObjects with default settings, and tuned on some of the images."""
    few = some_of(images, TUNED_ON)
    tuned = tuned_primary(lambda module: scored(of_module(module), folder, few).mean_f1)
    return {
        "IdentifyPrimaryObjects": of_module(primary_objects()),
        f"IdentifyPrimaryObjects, tuned: {tuned.words}": of_module(tuned.module),
    }


def files_of(rows: Sequence[str]) -> Dict[str, Path]:
    """Split SET=FILE; OptionError for anything else."""
    files = {}
    for each in rows:
        name, _, path = each.partition("=")
        if name not in SETS or not path:
            raise OptionError(f"{each!r} is not SET=FILE with one of the sets {', '.join(SETS)}.")
        files[name] = Path(path)
    return files


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
