"""What nobody labeled, from the crop to the weights of the loss."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import ndimage

from cpunet.checks.synthetic import synthetic_field
from cpunet.training.patches.augmentation import PRESETS, augment
from cpunet.training.patches.clumps import paste_touching
from cpunet.training.patches.patch import Patch, crop_at_random, label_pieces
from cpunet.training.patches.stream import PatchStream, targets_and_weights
from cpunet.training.patches.tissue import cut_nuclei

DRAWN = synthetic_field((96, 96), columns=3, diameter_px=18, touching=False, seed=1)


def partly(labels, ignored):
    return np.where(ignored, -1, labels).astype(np.int32)


def image_of(labels):
    """Each pixel tells what it is: 1 in an object, 0.2 in the background, 0.6 where nobody labeled."""
    return np.where(labels > 0, 1.0, np.where(labels < 0, 0.6, 0.2))[np.newaxis].astype(np.float32)


def test_a_crop_holds_a_labeled_pixel():
    labels = np.full((400, 400), -1, np.int32)
    labels[300:304, 10:14] = 0
    patch = Patch(np.zeros((1, 400, 400), np.float32), labels)
    rng = np.random.default_rng(0)
    assert all((crop_at_random(patch, 64, rng).labels >= 0).any() for _ in range(30))


def test_pieces_are_numbered_around_what_nobody_labeled():
    assert label_pieces(np.array([[7, -1, 7, 0]])).tolist() == [[1, -1, 2, 0]]


@pytest.mark.parametrize("preset", ["gentle", "heavy", "broad"])
def test_augmentation_moves_it_with_the_image(preset):
    labels = partly(DRAWN.labels, np.arange(96)[:, np.newaxis] < 40)
    still = dict.fromkeys(
        ("noise", "blur_px", "contrast", "illumination", "lowest_bits", "haze", "tissue_fraction", "spots_fraction"), 0
    )
    still |= dict.fromkeys(("cytoplasm_fraction", "debris_fraction", "fiber_fraction", "black_fraction"), 0)
    still |= dict.fromkeys(("sparse_fraction", "clump_fraction", "empty_fraction"), 0)
    still |= dict.fromkeys(("gamma_low", "gamma_high", "brightness_low", "brightness_high"), 1)
    how = replace(PRESETS[preset], **still)
    patches = [augment(Patch(image_of(labels), labels), how, 64, np.random.default_rng(seed)) for seed in range(8)]
    for patch in patches:
        for number, value in ((-1, 0.6), (0, 0.2)):
            inner = ndimage.binary_erosion(patch.labels == number, iterations=2)
            np.testing.assert_allclose(patch.image[0][inner], value, atol=0.02)
    assert sum(np.count_nonzero(patch.labels == -1) for patch in patches) > 1000


@pytest.mark.parametrize("preset", ["heavy", "broad"])
def test_every_change_takes_it(preset):
    labels = partly(DRAWN.labels, np.arange(96) > 60)
    patch = Patch(image_of(labels), labels)
    always = {name: 1.0 for name in vars(PRESETS[preset]) if name.endswith("_fraction")}
    always |= {"empty_fraction": 0, "tissue_fraction": 0}
    for seed in range(4):
        found = augment(patch, replace(PRESETS[preset], **always), 64, np.random.default_rng(seed))
        assert found.labels.min() >= -1
        assert np.isfinite(found.image).all()


def test_nothing_is_pasted_onto_it_or_cut_out_beside_it():
    labels = partly(DRAWN.labels, np.arange(96) > 50)
    patch = Patch(image_of(labels), labels)
    pasted = paste_touching(patch, np.random.default_rng(2), count=4)
    assert pasted.labels.max() > labels.max()
    np.testing.assert_array_equal(pasted.labels == -1, labels == -1)
    np.testing.assert_array_equal(pasted.image[0][labels == -1], patch.image[0][labels == -1])
    everything = partly(DRAWN.labels, DRAWN.labels == 0)
    assert cut_nuclei([Patch(image_of(labels), labels)], seed=0)
    assert not cut_nuclei([Patch(image_of(everything), everything)], seed=0)


def test_it_has_no_weight_and_objects_have_no_edge_there(small_config):
    labels = np.zeros((32, 32), np.int32)
    labels[8:24, 4:20] = 1
    cut = partly(labels, np.arange(32) >= 12)
    targets, weights = targets_and_weights(cut, small_config)
    assert (weights[:, 12:] == 0).all()
    assert (weights[:, :12] >= 1).all()
    distance = targets[small_config.targets.roles.index("distance")]
    assert (np.diff(distance[16, 4:12]) >= 0).all()  # it rises up to where the labels end, and on


def test_items_of_the_stream_have_the_weights(small_config):
    labels = partly(DRAWN.labels, np.arange(96) >= 48)
    stream = PatchStream([[Patch(image_of(labels), labels)]], small_config, 0, 8)
    weights = [stream[index][2].numpy()[0] for index in range(8)]
    assert all(np.array_equal(found == 0, stream.patch(index).labels < 0) for index, found in enumerate(weights))
    assert any((found == 0).any() for found in weights)
