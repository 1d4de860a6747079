"""A network of boundaries alone is trained, tuned and exported, and finds nuclei that part the background."""

import csv
from dataclasses import replace

import numpy as np
import pytest
from skimage.io import imsave

from cpunet.export.export_model import export_model
from cpunet.model.session import load_model
from cpunet.options import Options
from cpunet.scores import pool_scores, score_image
from cpunet.segment import segment_image
from cpunet.steps.declump import declump
from cpunet.steps.prepare import prepare
from cpunet.training.config import config_from_dict
from cpunet.training.train import train
from tests.parted_fields import nuclei, seen
from tests.synthetic_data_set import SMALL

OPTIONS = Options(scale=1.0)


def parted(seed):
    """A row of nuclei from edge to edge, and some above and below."""
    rng = np.random.default_rng(seed)
    row = [(64 + rng.uniform(-2, 2), 9 + 17 * number) for number in range(8)]
    others = [(y + rng.uniform(-4, 4), x + rng.uniform(-6, 6)) for y in (22, 106) for x in (25, 64, 103)]
    labels = nuclei(row + others, 10, (128, 128))
    return seen(labels, seed=seed, valley=0.6), labels


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """Trained for seconds on drawn fields."""
    root = tmp_path_factory.mktemp("parted")
    for sub in ("images", "labels"):
        (root / "drawn" / sub).mkdir(parents=True)
    with (root / "drawn" / "index.csv").open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["id", "modality", "split", "duplicate_of"])
        for seed in range(8):
            image, labels = parted(seed)
            name = f"f{seed}.png"
            imsave(str(root / "drawn" / "images" / name), (image.clip(0, 1) * 255).astype(np.uint8))
            imsave(str(root / "drawn" / "labels" / name), labels.astype(np.uint16), check_contrast=False)
            writer.writerow([f"f{seed}", "fluorescence", "train" if seed < 6 else "val", ""])
    config = config_from_dict({**SMALL, "targets": {"kind": "boundary"}, "augmentation": "gentle", "steps": 200})
    weights = train(replace(config, validate_every=200), root, root / "run")
    export_model(weights, root / "model.onnx", root)
    return load_model(root / "model.onnx", device="cpu")


def test_each_nucleus_is_an_object_and_no_piece_of_background_is(model):
    scores = []
    for seed in (100, 101, 102):
        image, labels = parted(seed)
        found = segment_image(image, model, OPTIONS).labels
        scores.append(score_image(labels, found))
        areas, background = np.bincount(found.ravel()), np.bincount(found[labels == 0], minlength=found.max() + 1)
        assert not (background > areas / 2)[1:].any()
        assert found.max() == labels.max()
    assert pool_scores(scores).f1[0.5] > 0.95


def test_dark_nuclei_on_bright_ground_are_told_as_well(model):
    """The network is shown what it learned; the prepared image that the decoding sees is its negative."""
    image, _ = parted(103)
    found = segment_image(image, model, OPTIONS)
    channels = prepare(image, model.card.input).channels
    card = model.card
    other = declump(found.probabilities, card.output.roles, card.postprocessing, image=1 - channels)
    np.testing.assert_array_equal(other, found.labels)
