"""Drawn focus stacks of four planes, in which only the order of the planes tells cells from dirt, and a model of them.

Run as a program in the training environment, it trains the model anew and writes it, within a minute::

    PYTHONPATH=. .venv/training/bin/python -m tests.focus_stack
"""

import csv
import tempfile
from pathlib import Path

import numpy as np
import tifffile
from scipy import ndimage

MODEL = Path(__file__).parent / "plugin" / "focus_stack.onnx"
CHANNELS = ("below", "near below", "near above", "above")
# Cells are bright below the focus and dark above it, as phase objects are; dirt is the other way round.
CELL, DIRT = (1.0, 0.5, -0.5, -1.0), (-1.0, -0.5, 0.5, 1.0)
CONFIG = {
    "name": "focus_stack",
    "description": "Drawn cells in focus stacks of four planes.",
    "licence": "CC0-1.0",
    "modality": "phase_contrast",
    "channels": list(CHANNELS),
    "data": [{"folder": "stacks", "licence": "CC0-1.0", "source": "drawn by the tests"}],
    "targets": {"kind": "foreground"},
    "architecture": {"base_channels": 6, "depth": 2, "max_channels": 8, "dropout": 0.05, "dropout_levels": "all"},
    "loss": {"focal": 1, "cross_entropy": 0, "dice": 0, "weight_map": "none"},
    "augmentation": "gentle",
    "patch_size": 64,
    "batch_size": 4,
    "steps": 300,
    "optimizer": "adam",
    "learning_rate": 0.01,
    "validate_every": 150,
    "validation_images": 2,
    "validation_loss": True,
    "judged_by": "loss",
    "precision": "32-true",
    "workers": 0,
    "seed": 1,
}


def focus_stack(seed, side=96, number=6):
    """Draw as many cells as specks of dirt, none touching another.

    Returns
    -------
    planes : ndarray of shape (4, side, side), uint16
        In the order of `CHANNELS`.
    labels : ndarray of shape (side, side), uint16
        The cells, 1..n.
    """
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:side, :side]
    cell, apart = side // 4, 12
    places = [(row * cell + apart, column * cell + apart) for row in range(4) for column in range(4)]
    planes = rng.normal(0, 0.05, (4, side, side))
    labels = np.zeros((side, side), np.uint16)
    for count, index in enumerate(rng.permutation(len(places))[: 2 * number]):
        middle = np.array(places[index]) + rng.integers(-2, 3, 2)
        disc = np.hypot(y - middle[0], x - middle[1]) < rng.uniform(6, 8)
        kind = CELL if count % 2 == 0 else DIRT
        planes += np.array(kind)[:, np.newaxis, np.newaxis] * ndimage.gaussian_filter(disc.astype(float), 1)
        labels[disc] = count // 2 + 1 if kind is CELL else 0
    return np.clip(30000 + 12000 * planes, 0, 65535).astype(np.uint16), labels


def write_stacks(folder, number):
    """Write a data set of focus stacks, the last third of them for validation."""
    for sub in ("images", "labels"):
        (folder / sub).mkdir(parents=True)
    with (folder / "index.csv").open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["id", "modality", "split", "duplicate_of"])
        for seed in range(number):
            planes, labels = focus_stack(seed)
            tifffile.imwrite(folder / "images" / f"f{seed}.tif", planes, metadata={"axes": "CYX"}, ome=True)
            tifffile.imwrite(folder / "labels" / f"f{seed}.tif", labels)
            writer.writerow([f"f{seed}", "phase_contrast", "train" if seed < 2 * number // 3 else "val", ""])


def train_on_stacks(folder, steps):
    """Draw a data set in a folder, train so many steps on it, and return the weights."""
    from cpunet.training.config import config_from_dict
    from cpunet.training.train import train

    write_stacks(folder / "stacks", 9)
    return train(config_from_dict({**CONFIG, "steps": steps}), folder, folder / "run")


def main():
    """Train and export the model, and put it in its place."""
    from cpunet.export.export_model import export_model

    with tempfile.TemporaryDirectory() as scratch:
        weights = train_on_stacks(Path(scratch), CONFIG["steps"])
        export_model(weights, Path(scratch) / MODEL.name, Path(scratch), "python -m tests.focus_stack")
        MODEL.write_bytes((Path(scratch) / MODEL.name).read_bytes())


if __name__ == "__main__":
    main()
