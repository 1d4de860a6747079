"""Labels that are corrupted on purpose."""

import numpy as np

from benchmarks.imperfect_labels.corrupt import BLOB_RADIUS_PX, REMOVED_SHARE, corrupt


def grid_of_squares():
    labels = np.zeros((300, 400), np.uint16)
    corners = [(y, x) for y in range(10, 280, 60) for x in range(10, 380, 60)]
    for number, (y, x) in enumerate(corners, start=1):
        labels[y : y + 15, x : x + 15] = number
    return labels


def test_a_share_is_removed_and_as_many_blobs_lie_in_the_background():
    truth = grid_of_squares()
    found = corrupt(truth, np.random.default_rng(1))
    count = truth.max()
    assert sorted(np.unique(found)) == list(range(found.max() + 1))
    kept = [number for number in range(1, count + 1) if (found[truth == number] > 0).all()]
    gone = [number for number in range(1, count + 1) if (found[truth == number] == 0).all()]
    assert (len(gone), len(kept) + len(gone)) == (round(REMOVED_SHARE * count), count)
    blobs = np.unique(found[(found > 0) & (truth == 0)])
    assert len(blobs) == len(gone)
    for blob in blobs:
        assert not truth[found == blob].any()
        assert np.sum(found == blob) < 1.1 * np.pi * BLOB_RADIUS_PX[1] ** 2
    for number in kept:
        assert len(np.unique(found[truth == number])) == 1
    assert truth.max() == count, "the truth is as it was"


def test_the_generator_decides():
    truth = grid_of_squares()
    one, again, other = (corrupt(truth, np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert np.array_equal(one, again)
    assert not np.array_equal(one, other)


def test_an_image_without_objects_stays_empty():
    assert not corrupt(np.zeros((50, 60), np.uint16), np.random.default_rng(1)).any()
