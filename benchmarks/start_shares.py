"""Score mixtures of the weights before and after a training, to choose its ``start_share``.

In the training environment, with a run that was trained with ``start_share: 0`` from a model:

    .venv/training/bin/python -m benchmarks.start_shares runs/mine --data data --models nuclei_fluorescence

aitslab is in no training. The validation images of the other sets show what a mixture costs on images like those that
it was trained on. Some rows of the stress table (`benchmarks.stress`) show what it does to difficult images.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from contextlib import redirect_stdout
from dataclasses import replace
from io import StringIO
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.generalization.left_out import some_of
from benchmarks.labeled_images import BenchmarkImage
from benchmarks.markdown import header, row
from benchmarks.stress.rows import ROWS, degraded
from benchmarks.stress.table import choose_images, score_model
from cpunet.export.export_model import export_model
from cpunet.training.config import DataSource
from cpunet.training.data.labeled_images import IndexRow, read_index, read_labeled_image, rows_of_split
from cpunet.training.fine_tune import averaged_with_start
from cpunet.training.weights import WEIGHTS_FILE, TrainedNetwork, load_trained, save_trained

LEFT_OUT = "aitslab"
STRESS_ROWS = ("x 1", "cytoplasmic haze", "fibers", "chromocenters", "out of focus", "packed")
STRESS_FIELDS = 8
AT_HOME = {
    "BBBC039": DataSource("bbbc039", modalities=("fluorescence",)),
    "DSB 2018, fluorescence": DataSource("dsb2018", modalities=("fluorescence",)),
    "mnfinder": DataSource("mnfinder", modalities=("fluorescence",)),
    "DSB 2018, stained": DataSource("dsb2018", modalities=("brightfield_colour",), stain="hematoxylin"),
}


def main(arguments: Sequence[str]) -> int:
    """Print a table with one column for each set and one line for each share."""
    parser = argparse.ArgumentParser(prog="benchmarks.start_shares", description=__doc__.splitlines()[0])
    parser.add_argument("run", type=Path, help="folder of the run, with its trained weights")
    parser.add_argument("--data", type=Path, required=True, metavar="ROOT", help="folder that holds the data sets")
    parser.add_argument(
        "--shares", type=float, nargs="+", default=[0, 0.2, 0.4], help="of the weights before, 0 to below 1"
    )
    parser.add_argument("--models", nargs="*", default=[], help="finished models that are scored beside them")
    parser.add_argument("--images", type=int, default=12, help=f"most of a set, and of {LEFT_OUT}; default 12")
    options = parser.parse_args(arguments)
    trained = load_trained(options.run / WEIGHTS_FILE)
    if trained.config.start_share:
        parser.error(f"{options.run} has a start_share of {trained.config.start_share:g} already: train it with 0.")
    columns = list(image_sets(options.data, options.images))
    print(header(["part of the weights before", *(f"{name} ({len(truths)})" for name, truths in columns)]))
    with TemporaryDirectory() as folder:
        models = {name: name for name in options.models}
        for share in options.shares:
            models[f"{share:g}"] = str(export_mixture(trained, share, Path(folder) / f"{share:g}"))
        for name, model in models.items():
            scores = (score_model(model, truths)[0] for _, truths in columns)
            print(row([name, *(f"{each.mean_f1:.3f}, {each.f1[0.9]:.3f}" for each in scores)]), flush=True)
    print("Mean F1, and F1 at an IoU of 0.9.")
    return 0


def image_sets(root: Path, most: int) -> Iterator[tuple[str, list[BenchmarkImage]]]:
    """Read at most so many images of each set, chosen evenly, and make those of the stress rows."""
    yield LEFT_OUT, [_read(each) for each in some_of(read_index(root / LEFT_OUT), most)]
    for name, source in AT_HOME.items():
        yield f"{name}, val", [_read(each) for each in some_of(rows_of_split([source], root, "val")[0], most)]
    fields = choose_images(root / "bbbc039", STRESS_FIELDS)
    for name in STRESS_ROWS:
        yield name, [degraded(field, name, ROWS[name]) for field in fields]


def export_mixture(trained: TrainedNetwork, share: float, folder: Path) -> Path:
    """Export weights with so much of those that they started from."""
    config = replace(trained.config, start_share=share)
    folder.mkdir()
    weights = folder / "mixed.safetensors"
    save_trained(weights, TrainedNetwork(averaged_with_start(trained.network, config), config, trained.facts))
    with redirect_stdout(StringIO()):
        export_model(weights, folder / "model.onnx")
    return folder / "model.onnx"


def _read(image: IndexRow) -> BenchmarkImage:
    found = read_labeled_image(image)
    return BenchmarkImage(found.id, found.image, found.labels)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
