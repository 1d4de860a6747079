import numpy as np
import pytest

from cpunet.counting.by_area import counted, typical_area
from cpunet.errors import DataError
from cpunet.steps.confidence import ObjectAreas, areas_apart
from cpunet.steps.runs import runs_of


def of_areas(areas, apart=()):
    return ObjectAreas(np.array(areas, int), np.array(apart, int), len(areas), False)


def test_objects_that_touch_each_other_or_the_frame_do_not_tell_the_typical_area():
    labels = np.zeros((40, 60), np.int32)
    labels[0:4, 10:14] = 1  # at the frame
    labels[10:20, 10:20], labels[10:20, 20:30] = 2, 3  # touch
    for number, (row, size) in enumerate(((10, 4), (16, 5), (22, 6), (30, 5), (36, 3)), start=4):
        labels[row : row + size, 40 : 40 + size] = number
    labels[36:40, 50] = 9
    found = areas_apart(labels, runs_of(labels))
    assert sorted(found.apart) == [9, 16, 25, 25, 36]
    assert (len(found.areas), found.inside, found.some_touch) == (9, 7, True)
    assert typical_area([found]) == 25
    assert typical_area([found, of_areas([400] * 6, [400] * 6)]) == 400  # of the whole set


def test_too_few_objects_apart_are_refused_with_the_way_out():
    with pytest.raises(DataError, match=r"of 9 objects, 4 lie apart.*--typical-area"):
        typical_area([of_areas([9] * 9, [9] * 4)])


@pytest.mark.parametrize(
    ("areas", "disagreement", "flag"),
    [
        ([100] * 8, 0.0, ""),
        ([100] * 6 + [400], 0.3, "the area holds 1.4 times as many objects as were found"),
        ([50] * 10, 0.5, "2.0 times as many objects were found as the area holds"),
        ([250], 0.6, ""),  # of a handful, 1.5 more are no sign
        ([], 0.0, ""),
    ],
)
def test_counts_that_disagree_are_flagged_with_the_likely_reason(areas, disagreement, flag):
    found = counted(of_areas(areas), 100.0)
    assert (found.objects, found.area_px, found.from_area) == (len(areas), sum(areas), sum(areas) / 100)
    assert found.disagreement == pytest.approx(disagreement)
    assert found.flag.startswith(flag)
    assert bool(found.flag) == bool(flag)


def test_the_bound_decides():
    assert counted(of_areas([100] * 6 + [400]), 100.0, 0.31).flag == ""
    assert counted(of_areas([100] * 6 + [400]), 100.0, 0.29).flag
