import numpy as np
import pytest

from cpunet.checks.synthetic import synthetic_input
from cpunet.checks.synthetic_volume import synthetic_volume
from cpunet.model.card import card_from_content
from tests.tiny_volumes import changed_volume_card


def test_the_same_seed_gives_the_same_volume():
    first, again, other = (synthetic_volume((8, 50, 60), 15, 2.0, seed=seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first.image, again.image)
    np.testing.assert_array_equal(first.labels, again.labels)
    assert not np.array_equal(first.image, other.image)


@pytest.mark.parametrize(("touching", "count"), [(False, 8), (True, 16)])
def test_nuclei_are_bright_numbered_and_balls_of_the_diameter_in_widths_of_a_pixel(touching, count):
    z_step_px, diameter_px = 2.0, 20
    volume = synthetic_volume((40, 80, 160 if touching else 80), diameter_px, z_step_px, touching)
    assert volume.image.dtype == np.float32
    assert 0 <= volume.image.min() < volume.image.max() <= 1
    np.testing.assert_array_equal(np.unique(volume.labels), np.arange(count + 1))
    voxels = np.bincount(volume.labels.ravel())[1:]
    diameters = (6 * voxels * z_step_px / np.pi) ** (1 / 3)
    assert 0.85 * diameter_px < np.mean(diameters) < 1.1 * diameter_px
    planes = [len(np.unique(np.nonzero(volume.labels == label)[0])) for label in range(1, count + 1)]
    assert 0.8 * diameter_px / z_step_px < np.mean(planes) < 1.2 * diameter_px / z_step_px
    assert volume.image[volume.labels > 0].mean() > 5 * volume.image[volume.labels == 0].mean()


def test_a_volume_of_one_plane_is_drawn_too():
    assert synthetic_volume((1, 40, 40), 15, 2.0).labels.max() >= 1


def test_the_input_of_a_stored_test_is_a_volume_that_the_network_takes():
    card = card_from_content(
        changed_volume_card(input={"divisible_by": 32, "divisible_by_planes": 3, "channels": ["nuclei", "membranes"]})
    )
    image = synthetic_input(card.input)
    assert image.shape == (1, 2, 9, 64, 64)
    assert image.dtype == np.float32
    assert not np.array_equal(image[0, 0], image[0, 1])
    np.testing.assert_array_equal(image * 4096, np.round(image * 4096))
