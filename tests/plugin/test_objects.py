"""The objects that later modules get."""

import numpy as np
import pytest
from cellprofiler_core.image import Image
from cellprofiler_core.object import Objects

from cpunet.plugin.objects import FilteredObjects


def labels_of(*numbers, shape=(6, 20)):
    labels = np.zeros(shape, np.int32)
    for place, number in enumerate(numbers):
        labels[..., 2:4, 3 * place : 3 * place + 2] = number
    return labels


@pytest.mark.parametrize("shape", [(6, 20), (3, 6, 20)])
@pytest.mark.parametrize("parent_first", [True, False])
def test_they_are_those_that_cellprofiler_makes_of_three_label_images(shape, parent_first):
    kept, found = labels_of(0, 1, 0, 2, shape=shape), labels_of(1, 2, 3, 4, 300, shape=shape)
    small_removed = labels_of(1, 2, 0, 4, shape=shape)
    image = Image(np.zeros(shape), dimensions=len(shape))
    theirs = Objects()
    theirs.segmented, theirs.unedited_segmented, theirs.small_removed_segmented = kept, found, small_removed
    ours = FilteredObjects(kept, found, small_removed)
    theirs.parent_image = image
    if parent_first:
        ours.parent_image = image
    for _ in range(2):
        for name in ("segmented", "unedited_segmented", "small_removed_segmented"):
            np.testing.assert_array_equal(getattr(ours, name), getattr(theirs, name))
            assert getattr(ours, name).dtype == getattr(theirs, name).dtype
    ours.parent_image = image
    assert ours.has_unedited_segmented()
    assert ours.has_small_removed_segmented()
    assert (ours.count, ours.shape, ours.volumetric) == (theirs.count, theirs.shape, theirs.volumetric)
    np.testing.assert_array_equal(ours.ijv, theirs.ijv)


def test_a_module_may_replace_the_objects_before_the_filters():
    ours = FilteredObjects(labels_of(1), labels_of(1, 2), labels_of(1, 0, 2))
    ours.unedited_segmented, ours.small_removed_segmented = labels_of(3), labels_of(4)
    np.testing.assert_array_equal(ours.unedited_segmented, labels_of(3))
    np.testing.assert_array_equal(ours.small_removed_segmented, labels_of(4))
