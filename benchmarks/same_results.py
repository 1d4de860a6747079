"""Record the SHA-256 of what the code computes, and compare later: rebuilding the code must change none of it.

export PYTHONPATH=plugins
.venv/cellprofiler/bin/python -m benchmarks.same_results segmentation before.json --data data
.venv/training/bin/python -m benchmarks.same_results training before.json
make demo && .venv/cellprofiler/bin/python -m benchmarks.same_results demo before.json

The first call of a part records; later calls compare, and return 1 if a sum differs. Sums hold for one machine.
"""

import argparse
import contextlib
import copy
import csv
import hashlib
import io
import json
import sys
import tempfile
from pathlib import Path
from typing import Callable, Dict, Iterator, Sequence, Tuple

import numpy as np
from skimage.io import imread

from cpunet.checks.synthetic import synthetic_field
from cpunet.files.written_beside import written_beside
from cpunet.model.card import card_to_json
from cpunet.model.ensemble import average_models
from cpunet.model.find import find_model
from cpunet.model.session import load_model
from cpunet.onnx_reader.metadata import read_card
from cpunet.options import Options
from cpunet.segment import segment_image, segment_stack

MODELS = ("nuclei_fluorescence", "nuclei_fluorescence_int8", "nuclei_generalist", "phase_cells")
# How many real images of each set are segmented: 40 in all.
REAL_IMAGES = {"bbbc039": 10, "dsb2018": 16, "mnfinder": 6, "aitslab": 4, "phase_cells": 4}
OPTIONS: Dict[str, Options] = {
    "default": Options(),
    "diameter": Options(diameter_px=20),
    "scale": Options(scale=1.5),
    "threshold": Options(foreground_threshold=0.3),
    "outlines": Options(outline_level=0.3),
    "shape": Options(declump_method="shape"),
    "intensity": Options(declump_method="intensity"),
    "none": Options(declump_method="none"),
    "smoothing": Options(declump_method="probability", smoothing_px=4, min_distance_px=6),
    "holes before": Options(fill_holes="after thresholding"),
    "holes after": Options(fill_holes="after declumping"),
    "flips": Options(augmentation="flips"),
    "rotations": Options(augmentation="flips and rotations"),
    "tiles": Options(tile_shape=(256, 320), batch_size=2),
}
# Columns and files of CellProfiler's that tell of the time or of the place of a run.
VARYING = ("ExecutionTime", "Segmentation_Seconds", "PathName", "URL", "ImageSet_ImageSet")


def sum_of(array: np.ndarray) -> str:
    """Return the SHA-256 of an array's shape, type and values."""
    described = f"{array.shape} {array.dtype.str} ".encode()
    return hashlib.sha256(described + np.ascontiguousarray(array).tobytes()).hexdigest()


def real_images(data: Path) -> Iterator[Tuple[str, np.ndarray]]:
    """Yield names and pixels of the same images at every call, evenly over each set's index."""
    for name, wanted in REAL_IMAGES.items():
        with (data / name / "index.csv").open(newline="", encoding="utf-8") as stream:
            ids = [row["id"] for row in csv.DictReader(stream)]
        for chosen in ids[:: max(1, len(ids) // wanted)][:wanted]:
            yield f"{name}/{chosen}", imread(str(data / name / "images" / f"{chosen}.png"))


def synthetic_images() -> Iterator[Tuple[str, np.ndarray]]:
    """Yield names and pixels of synthetic fields: small, large and touching nuclei, colors, no contrast, one pixel."""
    for diameter_px in (9, 27, 80):
        columns = 400 // (2 * diameter_px)
        yield f"nuclei of {diameter_px} px", synthetic_field((400, 420), columns, diameter_px, True, diameter_px).image
    gray = synthetic_field((200, 220), 5, 25, True, 1).image
    yield "16 bits", (gray * 4095).astype(np.uint16)
    yield "color", np.stack([gray, 1 - gray, gray / 2], axis=-1)
    yield "no contrast", np.full((64, 64), 7, np.uint8)
    yield "one pixel", np.ones((1, 1), np.float32)
    holed = gray.copy()
    holed[50:90, 60:100] = np.nan
    yield "no numbers", holed


def segmentation(data: Path) -> Iterator[Tuple[str, str]]:
    """Yield what is computed, and the sums of its labels, probabilities and scale."""

    def summed(name: str, segment: Callable[[], object]) -> Iterator[Tuple[str, str]]:
        try:
            labels, probabilities, scale = segment()
        except ValueError:  # of any kind: kinds may be divided further
            yield name, "refused: ValueError"
            return
        yield f"{name}, labels", sum_of(labels)
        yield f"{name}, probabilities", sum_of(probabilities)
        yield f"{name}, scale", f"{scale:.12g}"

    models = {name: load_model(find_model(name), device="cpu") for name in MODELS}
    images = [*synthetic_images(), *real_images(data)]
    for model_name, model in models.items():
        for image_name, image in images:
            yield from summed(f"{model_name}, {image_name}", lambda m=model, i=image: segment_image(i, m))
    field = synthetic_field((230, 300), 5, 24, True, 3).image
    mask = np.zeros(field.shape, bool)
    mask[20:200, 40:260] = True
    stack = np.stack([synthetic_field((120, 140), 3, 24, True, 4).image * factor for factor in (0.3, 0.9, 1, 0.6)])
    for option_name, options in OPTIONS.items():
        for model_name in ("nuclei_fluorescence", "phase_cells"):
            name, model = f"{model_name}, option {option_name}", models[model_name]
            yield from summed(name, lambda m=model, o=options: segment_image(field, m, o))
            yield from summed(f"{name}, stack", lambda m=model, o=options: segment_stack(stack, m, o))
    masked = Options(mask=mask)
    yield from summed("mask", lambda: segment_image(field, models["nuclei_fluorescence"], masked))
    ensemble = average_models([models["nuclei_fluorescence"], models["nuclei_fluorescence_int8"]])
    yield from summed("ensemble", lambda: segment_image(field, ensemble))


def demo(output: Path) -> Iterator[Tuple[str, str]]:
    """Yield each CSV of the demonstration, and the sum of its columns that do not tell of time or place."""
    for path in sorted(output.glob("*/*.csv")):
        with path.open(newline="", encoding="utf-8") as stream:
            rows = list(csv.reader(stream))
        keep = [i for i, column in enumerate(rows[0]) if not any(word in column for word in VARYING)]
        text = "\n".join(",".join(row[i] for i in keep) for row in rows)
        yield str(path.relative_to(output)), hashlib.sha256(text.encode()).hexdigest()
    for path in sorted(output.glob("*/*_labels.tiff")):
        yield str(path.relative_to(output)), sum_of(imread(str(path)))


def training(data: Path) -> Iterator[Tuple[str, str]]:
    """Yield the sums of exported bytes, of what 30 steps of training learn, and of their losses."""
    import torch

    from cpunet.__main__ import main as export
    from cpunet.export.batch_norm import fold_batch_norm
    from cpunet.export.card.file import with_card_and_test
    from cpunet.export.export_model import halo_of
    from cpunet.export.to_onnx import predict_with, trace
    from cpunet.export.training_card import card_from_training
    from cpunet.training.config import config_from_dict
    from cpunet.training.curves import read_metrics
    from cpunet.training.network.unet import Probabilities
    from cpunet.training.train import train
    from cpunet.training.weights import load_trained
    from tests.synthetic_data_set import SMALL, write_data_set

    torch.set_num_threads(1)
    for name in ("nuclei_fluorescence", "nuclei_generalist", "phase_cells"):
        trained = load_trained(find_model(name).with_name("weights.safetensors"))
        network = fold_batch_norm(Probabilities(trained.network, trained.config.targets.activation).eval())
        exact = copy.deepcopy(network).double()
        card = card_from_training(trained, "", halo_of(exact, trained))
        content = with_card_and_test(trace(network, card.input), card, predict_with(exact))
        yield f"exported bytes of {name}", hashlib.sha256(content).hexdigest()
    with tempfile.TemporaryDirectory() as folder:
        write_data_set(Path(folder) / "drawn", ["train"] * 6 + ["val"] * 3)
        for preset in ("standard", "heavy"):
            config = config_from_dict({**SMALL, "steps": 30, "validate_every": 10, "augmentation": preset})
            with contextlib.redirect_stdout(io.StringIO()):
                run = Path(folder) / preset
                weights = train(config, Path(folder), run)
            model = run / "model.onnx"
            with contextlib.redirect_stdout(io.StringIO()):
                assert export(["export", str(weights), "-o", str(model), "--data", folder]) == 0
            card = json.loads(card_to_json(read_card(model)))
            del card["provenance"]["commit"]
            yield f"30 steps, {preset}, card", json.dumps(card, sort_keys=True)
            for key, tensor in load_trained(weights).network.state_dict().items():
                yield f"30 steps, {preset}, weights, {key}", sum_of(tensor.numpy())
            for key, values in read_metrics(run).items():
                if key == "loss" or key.startswith("val_"):
                    yield f"30 steps, {preset}, {key}", " ".join(f"{value:.9g}" for _, value in values)


PARTS = {"segmentation": segmentation, "training": training, "demo": demo}


def main(arguments: Sequence[str]) -> int:
    """Record a part, or compare with what was recorded."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("part", choices=list(PARTS))
    parser.add_argument("file", type=Path, metavar="FILE.json", help="written if it lacks the part, else compared with")
    parser.add_argument("--data", type=Path, default=Path("data"), help="folder of the labeled data sets")
    parser.add_argument("--demo-output", type=Path, default=Path("demo-output"))
    given = parser.parse_args(arguments)
    recorded = json.loads(given.file.read_text(encoding="utf-8")) if given.file.exists() else {}
    found = dict(PARTS[given.part](given.demo_output if given.part == "demo" else given.data))
    if given.part not in recorded:
        with written_beside(given.file) as beside:
            beside.write_text(json.dumps({**recorded, given.part: found}, indent=1) + "\n", encoding="utf-8")
        print(f"recorded {len(found)} results of {given.part}")
        return 0
    before = recorded[given.part]
    different = [name for name in {**before, **found} if before.get(name) != found.get(name)]
    for name in different:
        print(f"DIFFERENT {name}: {before.get(name, 'nothing')} before, {found.get(name, 'nothing')} now")
    print(f"{given.part}: {len(found)} results, {len(different)} different")
    return 1 if different or not found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
