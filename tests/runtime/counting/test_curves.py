from pathlib import Path

import numpy as np
import pytest

from cpunet.counting.curves import curves_of, groups_csv, wells_csv
from cpunet.counting.facts_table import FactsRow, FactsTable
from cpunet.counting.label_files import MeasuredImage
from cpunet.counting.picture import can_draw, curves_picture
from cpunet.counting.rows import count_rows, counts_csv
from cpunet.errors import DataError
from cpunet.steps.confidence import ObjectAreas

GROUPS = FactsTable(Path("map.csv"), {}, {"B2": FactsRow(None, "control", None), "B3": FactsRow(None, "control", None)})


def image(name, objects, frame=None, clump=0):
    areas = np.array([100] * objects + [100 * clump] * bool(clump))
    return MeasuredImage(Path(f"{name}_labels.tif"), frame, ObjectAreas(areas, areas, len(areas), False))


IMAGES = [
    image("B02_s1_t1", 10),
    image("B02_s2_t1", 14),
    image("B02_s1_t2", 20, clump=20),
    image("B3_s1_t1", 6),
    image("B3_s1_t2", 10),
]


def test_wells_are_means_of_their_sites_and_groups_are_means_of_their_wells():
    rows = count_rows(IMAGES, 100.0, table=GROUPS, hours_per_frame=0.5)
    assert [(row.well, row.group, row.frame, row.hours) for row in rows[:3]] == [
        ("B02", "control", 1, 0.0),
        ("B02", "control", 1, 0.0),
        ("B02", "control", 2, 0.5),
    ]
    curves = curves_of(rows)
    assert wells_csv(curves).splitlines() == [
        "well,group,hours,images,objects,count_from_area,flagged",
        "B02,control,0,2,12.00,12.00,0",
        "B02,control,0.5,1,21.00,40.00,1",
        "B3,control,0,1,6.00,6.00,0",
        "B3,control,0.5,1,10.00,10.00,0",
    ]
    spread = [np.std(pair, ddof=1) for pair in ((12, 6), (12, 6), (21, 10), (40, 10))]
    assert groups_csv(curves).splitlines() == [
        "group,hours,wells,objects_mean,objects_sd,count_from_area_mean,count_from_area_sd",
        f"control,0,2,9.00,{spread[0]:.2f},9.00,{spread[1]:.2f}",
        f"control,0.5,2,15.50,{spread[2]:.2f},25.00,{spread[3]:.2f}",
    ]


def test_without_hours_frames_are_the_time_and_one_well_has_no_spread():
    curves = curves_of(count_rows([image("m", 3, frame=1), image("m", 4, frame=2)], 100.0))
    assert curves.unit == "frame"
    assert groups_csv(curves).splitlines()[1:] == [",1,1,3.00,,3.00,", ",2,1,4.00,,4.00,"]


def test_without_times_or_with_one_there_are_no_curves():
    assert curves_of(count_rows([image("a", 3), image("b", 4)], 100.0)) is None
    assert curves_of(count_rows([image("a_t1", 3), image("b_t1", 4)], 100.0)) is None
    assert curves_of(count_rows([image("a_t1", 3), image("b", 4)], 100.0)) is None


def test_the_table_of_counts_says_what_is_known_of_each_image():
    lines = counts_csv(count_rows([image("B2_01d06h", 3), image("other", 0)], 100.0)).splitlines()
    assert lines == [
        "file,well,group,frame,hours,objects,area_px,count_from_area,disagreement,flag",
        "B2_01d06h_labels.tif,B2,,,30,3,300,3.00,0.000,",
        "other_labels.tif,other,,,,0,0,0.00,0.000,",
    ]


def test_a_table_of_files_goes_before_the_name():
    by_file = FactsTable(Path("t.csv"), {"B2_t1": FactsRow("C9", "drug", 7.0)}, {})
    (row,) = count_rows([image("B2_t1", 3)], 100.0, table=by_file)
    assert (row.well, row.group, row.hours) == ("C9", "drug", 7.0)


@pytest.mark.parametrize(
    ("name", "reason"),
    [("C7_t1", "no row for the well C7"), ("plain", "no row for the well, and plain_labels.tif names")],
)
def test_a_file_or_well_that_the_table_lacks_is_named(name, reason):
    with pytest.raises(DataError, match=reason):
        count_rows([image(name, 3)], 100.0, table=GROUPS)


@pytest.mark.skipif(not can_draw(), reason="no matplotlib")
def test_the_picture_shows_each_group_in_its_color():
    table = FactsTable(Path("t.csv"), {}, {**GROUPS.by_well, "C2": FactsRow(None, "drug", None)})
    drug = [image(f"C2_t{time}", 4 * time) for time in (1, 2)]
    picture = curves_picture(curves_of(count_rows([*IMAGES, *drug], 100.0, table=table)))
    assert picture.shape[2] == 3
    assert picture.dtype == np.uint8
    for color in ((0x00, 0x72, 0xB2), (0xD5, 0x5E, 0x00)):
        assert (picture == color).all(axis=2).sum() > 200
