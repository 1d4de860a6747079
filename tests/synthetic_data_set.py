"""A labeled data set of drawn nuclei, and a training run of seconds on it."""

import csv

import numpy as np
from skimage.io import imsave

from cpunet.checks.synthetic import synthetic_field

SMALL = {
    "name": "small",
    "description": "A model of drawn nuclei.",
    "licence": "CC0-1.0",
    "data": [{"folder": "drawn", "modalities": ["fluorescence"]}],
    "architecture": {"base_channels": 8, "depth": 2, "max_channels": 16},
    "patch_size": 64,
    "batch_size": 4,
    "steps": 40,
    "validate_every": 20,
    "validation_images": 2,
    "learning_rate": 0.01,
    "precision": "32-true",
    "workers": 0,
    "seed": 3,
}


def write_data_set(folder, splits):
    """Write drawn fields with their labels and an index; `splits` names the split of each."""
    for sub in ("images", "labels"):
        (folder / sub).mkdir(parents=True)
    with (folder / "index.csv").open("w", newline="") as stream:
        writer = csv.DictWriter(stream, ["id", "modality", "split", "duplicate_of"])
        writer.writeheader()
        for seed, split in enumerate(splits):
            drawn = synthetic_field((96, 96), columns=3, diameter_px=18, touching=seed % 2 == 1, seed=seed)
            imsave(str(folder / "images" / f"f{seed}.png"), (drawn.image * 255).astype(np.uint8), check_contrast=False)
            imsave(str(folder / "labels" / f"f{seed}.png"), drawn.labels.astype(np.uint16), check_contrast=False)
            writer.writerow({"id": f"f{seed}", "modality": "fluorescence", "split": split, "duplicate_of": ""})
