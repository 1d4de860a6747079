import numpy as np
import pytest
from skimage.io import imsave

from cpunet.checks.synthetic import synthetic_field
from cpunet.training.data.index import write_table


@pytest.fixture(scope="session")
def flat_set(tmp_path_factory):
    """A set of two images of one plane, with stripes for textures, one of them to validate on."""
    folder = tmp_path_factory.mktemp("sets") / "flat"
    for sub in ("images", "labels"):
        (folder / sub).mkdir(parents=True)
    for seed, name in enumerate(["a", "b"]):
        drawn = synthetic_field((160, 160), columns=4, diameter_px=28, seed=seed)
        stripes = 1 + 0.5 * np.sin(np.arange(160) * (1.6 if name == "a" else 0.8))
        imsave(
            str(folder / "images" / f"{name}.png"), (drawn.image * stripes * 150).astype(np.uint8), check_contrast=False
        )
        imsave(str(folder / "labels" / f"{name}.png"), drawn.labels.astype(np.uint16), check_contrast=False)
    rows = [
        {"id": "a", "modality": "fluorescence", "split": "train"},
        {"id": "b", "modality": "fluorescence", "split": "val"},
    ]
    write_table(folder, ["id", "modality", "split", "duplicate_of"], rows)
    return folder


@pytest.fixture(scope="session")
def plain():
    """Textures that are none."""
    return np.ones((1, 48, 48), np.float32)
