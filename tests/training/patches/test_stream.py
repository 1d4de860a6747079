from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from cpunet.checks.synthetic import synthetic_field
from cpunet.model.card import Normalization
from cpunet.training.config import DataSource
from cpunet.training.data.labeled_images import (
    LabeledImage,
    object_diameters,
    read_labeled_image,
    rows_of_split,
    validation_sample,
)
from cpunet.training.network.losses import Loss
from cpunet.training.patches.patch import Patch
from cpunet.training.patches.sources import normalized_patch, read_sources
from cpunet.training.patches.stream import PatchData, PatchStream
from cpunet.training.patches.targets import Targets, make_targets
from cpunet.training.patches.weight_maps import pixel_weights
from cpunet.training.train import build_trainer

DRAWN = synthetic_field((96, 96), columns=3, diameter_px=18, touching=True, seed=1)


def even_patch(value):
    """An image of one value, by which it is known again."""
    return Patch(np.full((1, 96, 96), value, np.float32), DRAWN.labels)


def test_sets_are_drawn_by_their_shares(small_config):
    shares = replace(small_config, data=(DataSource("a", share=1.0), DataSource("b", share=3.0)))
    still = replace(shares.augmentation, empty_fraction=0, noise=0, brightness_low=1, brightness_high=1)
    stream = PatchStream([[even_patch(0.2)], [even_patch(0.9)]], replace(shares, augmentation=still), 0, 400)
    values = [float(np.median(stream.patch(index).image)) for index in range(400)]
    # a gamma of 0.6 to 1.6 leaves the two apart: an even patch has no range, and stays as it is
    assert np.mean(np.array(values) > 0.5) == pytest.approx(0.75, abs=0.07)


def test_an_item_is_image_targets_and_weights_of_one_patch(small_config, data_root):
    config = replace(small_config, targets=Targets("three_class"), loss=Loss(weight_map="unet"))
    _, sources, _ = read_sources(config, data_root)
    stream = PatchStream(sources, config, 0, 3)
    image, targets, weights = (tensor.numpy() for tensor in stream[2])
    patch = stream.patch(2)
    np.testing.assert_array_equal(image, patch.image)
    np.testing.assert_array_equal(targets, make_targets(patch.labels, config.targets))
    np.testing.assert_array_equal(weights[0], pixel_weights(patch.labels, targets, config.loss, config.targets))


def test_another_seed_gives_other_patches(small_config, data_root):
    _, sources, _ = read_sources(small_config, data_root)
    first, same, other = (
        PatchStream(sources, replace(small_config, seed=seed), 0, 1)[0][0].numpy() for seed in (3, 3, 4)
    )
    np.testing.assert_array_equal(first, same)
    assert not np.array_equal(first, other)


def test_large_numbers_of_objects_become_small_ones(small_config):
    far = np.where(DRAWN.labels > 0, 2**31 - 50 + DRAWN.labels, 0).astype(np.int32)
    patch = normalized_patch(LabeledImage("a", DRAWN.image, far), small_config)
    np.testing.assert_array_equal(patch.labels, DRAWN.labels)


def batches(config, sources, workers, rank=0, devices=1):
    data = PatchData(replace(config, workers=workers, devices=devices), sources)
    data.trainer = SimpleNamespace(global_step=3, global_rank=rank, world_size=devices)
    return [image.numpy() for image, _, _ in data.train_dataloader()]


@pytest.mark.parametrize("workers", [1, 2])
def test_the_number_of_workers_changes_nothing(small_config, data_root, workers):
    _, sources, _ = read_sources(small_config, data_root)
    config = replace(small_config, validate_every=3)
    for found, expected in zip(batches(config, sources, workers), batches(config, sources, 0), strict=True):
        np.testing.assert_array_equal(found, expected)


def test_devices_share_each_batch(small_config, data_root):
    _, sources, _ = read_sources(small_config, data_root)
    config = replace(small_config, validate_every=2)
    whole = batches(config, sources, 0)
    first, second = (batches(config, sources, 0, rank, devices=2) for rank in (0, 1))
    for step in range(2):
        np.testing.assert_array_equal(whole[step][::2], first[step])
        np.testing.assert_array_equal(whole[step][1::2], second[step])


def test_a_scaled_image_keeps_its_objects(small_config):
    image = LabeledImage("a", DRAWN.image, DRAWN.labels)
    half = normalized_patch(image, small_config, 0.5)
    assert half.image.shape == (1, 48, 48)
    assert half.labels.shape == (48, 48)
    assert len(np.unique(half.labels)) == len(np.unique(DRAWN.labels))
    ratio = np.median(object_diameters(half.labels)) / np.median(object_diameters(DRAWN.labels))
    assert ratio == pytest.approx(0.5, rel=0.1)


def test_normalization_is_the_configurations(small_config):
    image = LabeledImage("a", DRAWN.image, DRAWN.labels)
    plain = normalized_patch(image, replace(small_config, normalization=Normalization(kind="none")))
    np.testing.assert_array_equal(plain.image[0], DRAWN.image.astype(np.float32))
    usual, other = (
        normalized_patch(image, replace(small_config, normalization=Normalization(percentile_high=high))).image
        for high in (99.8, 60.0)
    )
    assert other.max() > 1.5 * usual.max()


def test_validation_looks_at_as_many_images_as_asked_for(small_config, data_root):
    for wanted, found in ((1, 1), (2, 2), (3, 3), (50, 3)):
        sample = validation_sample(replace(small_config, validation_images=wanted), data_root)
        assert len(sample[0]) == found


NO_GPU = pytest.mark.skipif(not torch.cuda.is_available(), reason="16-mixed needs a GPU, and there is none here")


@pytest.mark.parametrize("precision", ["32-true", "bf16-mixed", pytest.param("16-mixed", marks=NO_GPU)])
def test_the_trainer_computes_in_the_precision_asked_for(small_config, tmp_path, precision):
    assert build_trainer(replace(small_config, precision=precision), tmp_path, []).precision == precision


def test_patches_do_not_depend_on_where_the_stream_begins(data_root, small_config):
    rows = rows_of_split(small_config.data, data_root, "train")
    sources = [[normalized_patch(read_labeled_image(row), small_config) for row in source] for source in rows]
    whole, rest = PatchStream(sources, small_config, 0, 10), PatchStream(sources, small_config, 6, 4)
    for index in range(4):
        for one, other in zip(whole[6 + index], rest[index], strict=True):
            np.testing.assert_array_equal(one.numpy(), other.numpy())
