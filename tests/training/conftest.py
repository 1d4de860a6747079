import csv
from pathlib import Path

import numpy as np
import pytest
from skimage.io import imsave

from cpunet.drawn_nuclei import draw_field
from cpunet.training.config import config_from_dict

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
            drawn = draw_field((96, 96), columns=3, diameter_px=18, touching=seed % 2 == 1, seed=seed)
            imsave(str(folder / "images" / f"f{seed}.png"), (drawn.image * 255).astype(np.uint8), check_contrast=False)
            imsave(str(folder / "labels" / f"f{seed}.png"), drawn.labels.astype(np.uint16), check_contrast=False)
            writer.writerow({"id": f"f{seed}", "modality": "fluorescence", "split": split, "duplicate_of": ""})


@pytest.fixture(scope="session")
def data_root(tmp_path_factory):
    """A folder with one small data set, `drawn`."""
    root = tmp_path_factory.mktemp("data")
    write_data_set(root / "drawn", ["train"] * 6 + ["val"] * 3)
    return root


@pytest.fixture
def small_config():
    """A training run of seconds."""
    return config_from_dict(SMALL)


@pytest.fixture
def small_yaml(tmp_path):
    """The same as a file."""
    import yaml

    path = Path(tmp_path) / "small.yaml"
    path.write_text(yaml.safe_dump(SMALL))
    return path
