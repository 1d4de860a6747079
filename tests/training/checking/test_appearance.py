import numpy as np
import pytest

from cpunet.training.checking.appearance import cluster_numbers


@pytest.mark.parametrize("count", [1, 2, 3])
def test_clusters_are_as_many_as_stand_apart(count):
    rng = np.random.default_rng(0)
    truth = np.arange(90) % count
    points = rng.normal(0, 0.02, (90, 6)) + truth[:, np.newaxis] * [1, 0, 0.5, 0, 0, 0]
    numbers = cluster_numbers(points)
    assert len(set(zip(truth, numbers, strict=True))) == count
    assert len(set(numbers)) == count


def test_many_images_are_clustered_like_few():
    rng = np.random.default_rng(0)
    truth = np.arange(4000) % 2
    numbers = cluster_numbers(rng.normal(0, 0.02, (4000, 6)) + truth[:, np.newaxis])
    assert len(set(zip(truth, numbers, strict=True))) == 2
