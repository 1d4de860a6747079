import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from skimage.io import imread, imsave

from cpunet.__main__ import main
from cpunet.errors import WeightsError
from cpunet.training.data.labeled_images import read_index, read_labeled_image
from cpunet.training.network.losses import SegmentationLoss
from cpunet.training.patches.sources import normalized_patch
from cpunet.training.patches.stream import targets_and_weights
from cpunet.training.run_review.image_losses import ImageLoss, extremes, image_losses, weights_of_run
from cpunet.training.train import train
from cpunet.training.weights import load_trained
from tests.synthetic_data_set import write_data_set


@pytest.fixture(scope="module")
def reviewed(tmp_path_factory):
    """A run of seconds, and its data, in which the labels of one validation image lie beside its objects."""
    from cpunet.training.config import config_from_dict
    from tests.synthetic_data_set import SMALL

    folder = tmp_path_factory.mktemp("review")
    write_data_set(folder / "data" / "drawn", ["train"] * 6 + ["val"] * 4)
    labels = folder / "data" / "drawn" / "labels"
    imsave(str(labels / "f7.png"), np.roll(imread(str(labels / "f7.png")), 14, axis=(0, 1)), check_contrast=False)
    config = replace(config_from_dict(SMALL), patch_size=96, validate_every=40, validation_images=1)
    train(config, folder / "data", folder / "run")
    return folder


def test_the_loss_of_an_image_is_that_of_the_training(reviewed):
    trained = load_trained(reviewed / "run" / "weights.safetensors")
    found = image_losses(trained, reviewed / "data", "val")
    losses = [image.loss for image in found]
    assert losses == sorted(losses, reverse=True)
    assert {image.row.id for image in found} == {"f6", "f7", "f8", "f9"}
    loss = SegmentationLoss(trained.config.loss, trained.config.targets)
    row = next(row for row in read_index(reviewed / "data" / "drawn") if row.id == "f6")
    patch = normalized_patch(read_labeled_image(row), trained.config)
    targets, weights = (torch.from_numpy(each) for each in targets_and_weights(patch.labels, trained.config))
    with torch.no_grad():
        logits = trained.network(torch.from_numpy(patch.image)[None])
        expected = float(loss(logits, targets[None], weights[None, None]))
    assert {image.row.id: image.loss for image in found}["f6"] == pytest.approx(expected, rel=1e-4)


def test_wrong_labels_have_the_highest_loss_and_the_page_shows_them(reviewed, capsys):
    assert main(["train-review", str(reviewed / "run"), "--data", str(reviewed / "data"), "--images", "1"]) == 0
    said = capsys.readouterr().out
    assert "4 images; the highest loss has drawn/f7" in said
    page = (reviewed / "run" / "review" / "review.html").read_text()
    listed = json.loads((reviewed / "run" / "review" / "losses.json").read_text())["images"]
    assert listed[0]["id"] == "f7"
    assert page.count("<h3>") == 2
    assert f"drawn/f7: loss {listed[0]['loss']:.4f}" in page
    assert f"drawn/{listed[-1]['id']}: loss {listed[-1]['loss']:.4f}" in page
    assert page.count("data:image/jpeg") == 6  # image, labels and what was found, of each
    assert "The loss of the validation images was not computed during this training" in page
    for image in listed:
        assert f"<td>drawn/{image['id']}</td><td>fluorescence</td><td>{image['loss']:.4f}</td>" in page


def test_other_images_and_files_of_the_user(reviewed, tmp_path, capsys):
    words = ["train-review", str(reviewed / "run" / "last.ckpt"), "--data", str(reviewed / "data"), "--images", "0"]
    assert main([*words, "--split", "train", "-o", str(tmp_path)]) == 0
    assert len(json.loads((tmp_path / "losses.json").read_text())["images"]) == 6
    (tmp_path / "review.html").write_text("mine")
    assert main([*words, "-o", str(tmp_path)]) == 2
    assert "review.html exists, and was not written by cpunet" in capsys.readouterr().err
    assert main([*words[:-1], "-1"]) == 2
    assert "--images must be 0 or more; it is -1" in capsys.readouterr().err
    with pytest.raises(WeightsError, match=r"there is no weights\.safetensors and no last"):
        weights_of_run(tmp_path)


EXTREMES = {0: ([], []), 2: ([9, 7], [3, 1]), 3: ([9, 7, 5], [3, 1]), 9: ([9, 7, 5, 3, 1], [])}


@pytest.mark.parametrize(("number", "expected"), EXTREMES.items())
def test_no_image_is_both_among_the_highest_and_the_lowest(number, expected):
    losses = [ImageLoss(None, loss, None) for loss in (9, 7, 5, 3, 1)]
    found = extremes(losses, number)
    assert tuple([image.loss for image in images] for images in found.values()) == expected


def test_images_are_scaled_as_in_training(reviewed):
    trained = load_trained(reviewed / "run" / "weights.safetensors")
    at_half = replace(trained, config=replace(trained.config, diameter_px=9.0, patch_size=48))
    losses = [image_losses(each, reviewed / "data", "val") for each in (trained, at_half)]
    assert all(image.diameter_px is None for image in losses[0])
    assert all(image.diameter_px == pytest.approx(18, abs=2) for image in losses[1])
    assert not np.allclose([image.loss for image in losses[0]], [image.loss for image in losses[1]])
