import numpy as np

from cpunet.training.data.labeled_images import row_of
from cpunet.training.volumes.checking.shown_planes import fullest_plane, planes_side_by_side, planes_to_show
from tests.labeled_volumes import drawn_volume, write_volumes


def test_planes_are_chosen_among_those_with_objects():
    labels = np.zeros((40, 4, 4), int)
    assert planes_to_show(labels) == [5, 15, 25, 35]
    labels[8:16] = 1
    assert planes_to_show(labels) == [9, 11, 13, 15]
    labels[:] = 0
    labels[7] = 1
    assert planes_to_show(labels) == [7]


def test_planes_stand_beside_a_section_of_the_right_height(tmp_path):
    cells = {"id": "a", "split": "train", "modality": "", "duplicate_of": ""}
    write_volumes(tmp_path / "drawn", [{"id": "a", "split": "train"}])
    row = row_of(tmp_path / "drawn", cells)
    image, labels, planes = planes_side_by_side(row, 5.0)
    drawn, truth = drawn_volume(0)
    shown = [int(number) - 1 for number in planes.split(", ")]
    # Eight planes, five pixels high each, are higher than the 30 rows.
    assert image.shape == labels.shape == (40, 32 * (len(shown) + 1))
    np.testing.assert_array_equal(image[:30, :32], drawn[shown[0]])
    np.testing.assert_array_equal(labels[:30, 32:64], truth[shown[1]])
    assert set(np.unique(labels[:, -32:])) <= {0, 1, 2, 3}
    assert labels[:, -32:].any()
    plane, of_plane = fullest_plane(row)
    assert of_plane.astype(bool).sum() == (truth > 0).sum(axis=(1, 2)).max()
    assert plane.shape == (30, 32)
