import numpy as np
import pytest

from cpunet.checks.synthetic import synthetic_field


def test_the_same_seed_gives_the_same_field():
    first, again, other = (synthetic_field((80, 90), 3, 15, seed=seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first.image, again.image)
    np.testing.assert_array_equal(first.labels, again.labels)
    assert not np.array_equal(first.image, other.image)


@pytest.mark.parametrize(("touching", "count"), [(False, 16), (True, 32)])
def test_nuclei_are_bright_numbered_and_as_large_as_asked_for(touching, count):
    field = synthetic_field((400, 400), columns=4, diameter_px=40, touching=touching)
    assert field.image.dtype == np.float32
    assert 0 <= field.image.min() < field.image.max() <= 1
    np.testing.assert_array_equal(np.unique(field.labels), np.arange(count + 1))
    diameters = 2 * np.sqrt(np.bincount(field.labels.ravel())[1:] / np.pi)
    assert 0.8 * 40 < np.mean(diameters) < 1.1 * 40
    assert field.image[field.labels > 0].mean() > 5 * field.image[field.labels == 0].mean()
