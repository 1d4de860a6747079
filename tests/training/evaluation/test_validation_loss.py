from dataclasses import replace

import numpy as np
import pytest
import torch

from cpunet.training.data.labeled_images import read_labeled_image, rows_of_split
from cpunet.training.evaluation.validation_loss import mean_loss, patches_of, validation_batches
from cpunet.training.patches.patch import Patch
from cpunet.training.patches.sources import normalized_patch
from cpunet.training.patches.targets import Targets
from cpunet.training.task import SegmentationTask


@pytest.mark.parametrize("shape", [(64, 64), (65, 100), (20, 130)])
def test_patches_cover_each_pixel_once_and_mirror_what_is_beyond(shape):
    labels = np.arange(shape[0] * shape[1], dtype=np.int32).reshape(shape)
    patches = list(patches_of(Patch(labels[np.newaxis].astype(np.float32), labels), 64))
    assert {patch.labels.shape for patch in patches} == {(64, 64)}
    columns = -(-shape[1] // 64)
    joined = np.concatenate(
        [
            np.concatenate([patch.labels for patch in patches[start : start + columns]], axis=1)
            for start in range(0, len(patches), columns)
        ]
    )
    np.testing.assert_array_equal(joined[: shape[0], : shape[1]], labels)
    if shape == (65, 100):
        np.testing.assert_array_equal(joined[65], np.pad(labels, [(0, 0), (0, 28)], mode="reflect")[63])
    for patch in patches:
        np.testing.assert_array_equal(patch.image[0], patch.labels)


@pytest.mark.parametrize("kind", ["foreground", "three_class"])
def test_the_loss_is_that_of_the_images_themselves(data_root, small_config, kind):
    config = replace(small_config, targets=Targets(kind), patch_size=96, batch_size=1)
    rows = rows_of_split(config.data, data_root, "val")
    task = SegmentationTask(config, {})
    task.network.train()
    batches = validation_batches(config, rows, [None])
    assert [len(image) for image, _, _ in batches] == [1, 1, 1]
    expected = []
    for row, (image, targets, weights) in zip(rows[0], batches, strict=True):
        whole = normalized_patch(read_labeled_image(row), config)
        np.testing.assert_array_equal(image[0].numpy(), whole.image)
        with torch.no_grad():
            expected.append(float(task.loss(task.network.eval()(image), targets, weights)))
    task.network.train()
    assert mean_loss(task.network, task.loss, batches) == pytest.approx(np.mean(expected), rel=1e-5)
    assert task.network.training
    assert mean_loss(task.network, task.loss, batches) == mean_loss(task.network, task.loss, batches)


def test_images_are_scaled_as_in_training(data_root, small_config):
    config = replace(small_config, diameter_px=9.0, patch_size=48, batch_size=2)
    rows = rows_of_split(config.data, data_root, "val")
    batches = validation_batches(config, rows, [18.0])
    assert [tuple(image.shape) for image, _, _ in batches] == [(2, 1, 48, 48), (1, 1, 48, 48)]


def test_pixels_that_nobody_labeled_have_no_loss(data_root, small_config, monkeypatch):
    rows = rows_of_split(small_config.data, data_root, "val")
    part = read_labeled_image(rows[0][0])
    part.labels[:, 48:] = -1
    monkeypatch.setattr("cpunet.training.evaluation.validation_loss.read_labeled_image", lambda row: part)
    ((_, _, weights),) = validation_batches(replace(small_config, patch_size=96), [rows[0][:1]], [None])
    assert not weights[..., 48:].any()
    assert weights[..., :48].all()
