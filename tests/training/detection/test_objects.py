import numpy as np

from cpunet.scores import IGNORED
from cpunet.training.detection.objects import image_of, objects_of
from cpunet.training.patches.patch import Patch


def test_each_object_has_the_box_around_its_pixels_and_its_mask():
    labels = np.zeros((9, 8), np.int32)
    labels[1:4, 2:7] = 2
    labels[3:6, 1:3] = 5  # covers a corner of the first
    found = objects_of(labels)
    assert found["boxes"].tolist() == [[2, 1, 7, 4], [1, 3, 3, 6]]
    assert found["labels"].tolist() == [1, 1]
    assert np.array_equal(found["masks"].numpy(), [labels == 2, labels == 5])


def test_slivers_are_left_out_and_an_empty_patch_has_no_object():
    labels = np.zeros((6, 6), np.int32)
    assert [value.shape for value in objects_of(labels).values()] == [(0, 4), (0,), (0, 6, 6)]
    labels[0, :3] = 1
    assert not len(objects_of(labels)["boxes"])
    labels[0, 3] = 1
    assert objects_of(labels)["boxes"].tolist() == [[0, 0, 4, 1]]


def test_what_nobody_labeled_is_no_object_and_black():
    labels = np.array([[1, 1, IGNORED], [1, 1, IGNORED]], np.int32)
    patch = Patch(np.ones((1, 2, 3), np.float32), labels)
    assert objects_of(labels)["boxes"].tolist() == [[0, 0, 2, 2]]
    assert image_of(patch).tolist() == [[[1, 1, 0], [1, 1, 0]]]
