"""Score a model on each data set that it was not trained on, beside IdentifyPrimaryObjects and the shipped models.

For each SET of dsb2018 (fluorescence), bbbc039, mnfinder and aitslab, a model is trained on the others, in the training
environment. Its thresholds are tuned on validation images of those sets alone:

    cpunet train benchmarks/generalization/without_SET.yaml --data DATA
    cpunet export runs/without_SET/weights.safetensors -o runs/without_SET/model.onnx --data DATA

Then the table is made in the CellProfiler environment:

    PYTHONPATH=plugins .venv/cellprofiler/bin/python -m benchmarks.generalization --data DATA

All images of a set count, except those that another set holds too. IdentifyPrimaryObjects is tuned on the scored set
itself: it gets the range of diameters, of some, that scores best on every fifth image. All models run with default
settings.
"""

import argparse
import sys
from pathlib import Path
from typing import Callable, Dict, Iterable, List, Sequence, Tuple

import numpy as np

from benchmarks.generalization.left_out import SETS, new_images, sets_seen, some_of
from benchmarks.labeled_images import labeled_image, zero_to_one
from benchmarks.markdown import header, row
from benchmarks.run_module import primary_objects, primary_objects_tuned, run_module
from cpunet.errors import OptionError
from cpunet.model.find import find_model
from cpunet.model.session import load_model
from cpunet.scores import SetScores, pool_scores, score_image
from cpunet.segment import segment_image

Method = Callable[[np.ndarray], np.ndarray]
SHIPPED = ("nuclei_fluorescence", "nuclei_generalist")
RANGES = ((5, 30), (10, 40), (15, 80), (25, 120))
TUNED_ON = 5
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


def tuned_primary(folder: Path, images: Sequence[str]) -> Tuple[str, Method]:
    """Return IdentifyPrimaryObjects with the range of diameters that scores best on every fifth image, and its name."""
    found = {limits: scored(of_module(primary_objects_tuned(*limits)), folder, images[::TUNED_ON]) for limits in RANGES}
    low, high = max(found, key=lambda limits: found[limits].mean_f1)
    return f"IdentifyPrimaryObjects, tuned: {low} to {high} px", of_module(primary_objects_tuned(low, high))


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
        methods: Dict[str, Method] = {f"trained without {name}": of_model(path)}
        for other in map(find_model, options.shipped):
            card = load_model(other).card
            note = ", trained on it" if name in sets_seen(card) else ""
            methods[f"{card.name} {card.version}{note}"] = of_model(other)
        if not options.no_primary:
            methods["IdentifyPrimaryObjects"] = of_module(primary_objects())
            methods.update([tuned_primary(folder, images)])
        for method, segment in methods.items():
            print(row([name, method, *cells(scored(segment, folder, images))]), flush=True)
    return 0


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
