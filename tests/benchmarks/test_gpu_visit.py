"""What travels to a machine with a GPU, and what comes back. Runs in the training world."""

import csv

import numpy as np
import pytest
import torch
from skimage.io import imread, imsave

from benchmarks.gpu_visit.collect import collect, newest_weights
from benchmarks.gpu_visit.pack import LARGEST, VALIDATION_IMAGES, companded, expanded, pack, packed_rows, unpack
from cpunet.training.weights import load_trained, save_trained
from tests.random_network import random_network

FIELDS = ("id", "channels", "modality", "split", "duplicate_of")


def write_set(folder, rows, image_of):
    """Write a data set; each image comes from its row."""
    for kind in ("images", "labels"):
        (folder / kind).mkdir(parents=True)
    with (folder / "index.csv").open("w", newline="") as stream:
        writer = csv.DictWriter(stream, FIELDS)
        writer.writeheader()
        writer.writerows(rows)
    for row in rows:
        image, labels = image_of(row)
        imsave(folder / "images" / f"{row['id']}.png", image, check_contrast=False)
        imsave(folder / "labels" / f"{row['id']}.png", labels, check_contrast=False)


def row(name, split="train", channels=1, modality="fluorescence"):
    return {"id": name, "channels": channels, "modality": modality, "split": split, "duplicate_of": ""}


def noisy_field(given):
    """A field with 400 objects; 12-bit gray, or a color image."""
    rng = np.random.default_rng(len(given["id"]))
    labels = np.kron(np.arange(1, 401).reshape(20, 20), np.ones((5, 5))).astype(np.uint16)
    image = rng.normal(200 + 3 * labels, 15).clip(0, 4095).astype(np.uint16)
    if given["channels"] == 3:
        return np.stack([image // 16] * 3, axis=2).astype(np.uint8), labels
    return image, labels


def test_a_packed_set_comes_back_with_its_labels_and_nearly_its_images(tmp_path):
    rows = [
        row("a"),
        row("bb", "val"),
        row("ccc", channels=3, modality="color"),
        row("d", "excluded"),
        row("e", "test"),
    ]
    write_set(tmp_path / "data" / "one", rows, noisy_field)
    pack(tmp_path / "data", tmp_path / "packed.tar", ["one"])
    unpack(tmp_path / "packed.tar", tmp_path / "again")
    assert sorted(path.stem for path in (tmp_path / "again/one/images").iterdir()) == ["a", "bb", "ccc"]
    for name in ("a", "bb", "ccc"):
        before, after = (
            imread(tmp_path / root / "one/images" / f"{name}.png").astype(float) for root in ("data", "again")
        )
        labels = imread(tmp_path / "data/one/labels" / f"{name}.png")
        np.testing.assert_array_equal(imread(tmp_path / "again/one/labels" / f"{name}.png"), labels)
        assert before.shape == after.shape
        assert np.corrcoef(before.ravel(), after.ravel())[0, 1] > 0.99


def test_large_images_are_cut_and_few_validation_images_of_each_modality_are_packed(tmp_path):
    def large(_):
        return np.tile(np.arange(1000, dtype=np.uint8), (800, 1)), np.ones((800, 1000), np.uint16)

    rows = [row(f"{modality}{number}", "val", modality=modality) for modality in ("x", "y") for number in range(30)]
    assert LARGEST < (800, 1000)
    write_set(tmp_path / "data" / "one", rows[:1], large)
    pack(tmp_path / "data", tmp_path / "packed.tar", ["one"])
    unpack(tmp_path / "packed.tar", tmp_path / "again")
    assert imread(tmp_path / "again/one/labels/x0.png").shape == LARGEST
    write_set(tmp_path / "many", rows, lambda _: (np.zeros((4, 4), np.uint8), np.zeros((4, 4), np.uint16)))
    packed = [each["modality"] for each in packed_rows(tmp_path / "many")]
    assert packed == ["x"] * VALIDATION_IMAGES + ["y"] * VALIDATION_IMAGES


@pytest.mark.parametrize("high", [255, 4095, 65535])
def test_companding_keeps_the_order_and_what_noise_leaves_of_the_values(high):
    values = np.linspace(0, high, 5000).reshape(50, 100)
    again = expanded(companded(values)).astype(float) * high / 65025
    assert (np.diff(again.ravel()) >= 0).all()
    assert np.abs(again - values).max() < 0.006 * high


def test_weights_come_back_in_half_precision_from_finished_and_stopped_runs(tmp_path):
    trained = random_network()
    finished, empty = tmp_path / "finished", tmp_path / "empty"
    for folder in (finished, empty):
        folder.mkdir()
    save_trained(finished / "weights.safetensors", trained)
    assert newest_weights(empty) is None
    (written,) = collect(tmp_path / "out", [finished, empty])
    assert written.name == "finished.safetensors"
    again = load_trained(written)
    assert again.facts == trained.facts
    assert again.config == trained.config
    for name, value in again.network.state_dict().items():
        before = trained.network.state_dict()[name]
        torch.testing.assert_close(value.float(), before.float(), rtol=1e-3, atol=1e-4)
    assert written.stat().st_size < 0.7 * (finished / "weights.safetensors").stat().st_size
