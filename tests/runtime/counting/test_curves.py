from pathlib import Path

import numpy as np
import pytest

from cpunet.counting.curves import curves_of, groups_csv, incomplete_groups, wells_csv, why_no_curves
from cpunet.counting.facts_table import FactsRow, FactsTable
from cpunet.counting.label_files import MeasuredImage
from cpunet.counting.picture import can_draw, curves_picture
from cpunet.counting.rows import check_names, count_rows, counts_csv
from cpunet.errors import DataError, OptionError
from cpunet.steps.confidence import ObjectAreas
from cpunet.time_lapse.file_names import pattern_of
from tests.drawn_frames import write_stack

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


def test_groups_whose_wells_are_not_seen_at_each_time_are_named():
    groups = GROUPS._replace(by_well={**GROUPS.by_well, "C2": FactsRow(None, "drug", None)})
    drug = [image(f"C2_t{time}", 4) for time in (1, 2)]
    assert incomplete_groups(curves_of(count_rows([*IMAGES, *drug], 100.0, table=groups))) == []
    assert incomplete_groups(curves_of(count_rows([*IMAGES[:-1], *drug], 100.0, table=groups))) == ["control"]


def test_without_hours_frames_are_the_time_and_one_well_has_no_spread():
    curves = curves_of(count_rows([image("m", 3, frame=1), image("m", 4, frame=2)], 100.0))
    assert curves.unit == "frame"
    assert groups_csv(curves).splitlines()[1:] == [",1,1,3.00,,3.00,", ",2,1,4.00,,4.00,"]


def test_without_times_or_with_one_there_are_no_curves():
    for names, reason in (
        (("a", "b"), "the time of a_labels.tif and 1 more is not known."),
        (("a_t1", "b_t1"), "all images are of the same time."),
        (("a_t1", "b"), "the time of b_labels.tif is not known."),
        (("a_t1", "b_01d06h"), "some times are hours, and others are numbers of frames."),
    ):
        rows = count_rows([image(name, 3) for name in names], 100.0)
        assert curves_of(rows) is None
        assert why_no_curves(rows) == reason


@pytest.mark.parametrize(
    ("paths", "table", "error", "reason"),
    [
        (["p1/B02_t1.tif", "p2/B02_t1.tif"], None, DataError, "have the same name, so that their wells"),
        (["B02_t1.5.tif"], None, OptionError, "1.5, and no whole number. For a time in hours"),
        (["B02_tnan.tif"], None, OptionError, "is 'nan', which is no number"),
        (["B02_t1.tif"], {"B2": FactsRow(None, None, 3.0)}, DataError, "one time for all images of a well"),
    ],
)
def test_what_would_be_counted_as_another_image_or_time_is_refused(paths, table, error, reason):
    pattern = pattern_of(r"(?P<well>[A-H][0-9]+)_t(?P<time>.+)$")
    with pytest.raises(error, match=reason):
        check_names(list(map(Path, paths)), pattern, table and FactsTable(Path("t.csv"), {}, table))


def test_the_hours_of_each_well_are_taken_where_names_say_no_time():
    check_names([Path("B02.tif")], None, FactsTable(Path("t.csv"), {}, {"B2": FactsRow(None, None, 3.0)}))


def test_one_time_for_a_stack_is_refused(tmp_path):
    write_stack(tmp_path / "m.tif", np.zeros((3, 8, 8), np.uint16))
    with pytest.raises(DataError, match=r"one time for all frames of m\.tif"):
        check_names([tmp_path / "m.tif"], None, FactsTable(Path("t.csv"), {"m": FactsRow(None, None, 3.0)}, {}))


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


@pytest.mark.skipif(not can_draw(), reason="no matplotlib")
def test_the_legend_names_groups_as_they_are(monkeypatch):
    from matplotlib.axes import Axes

    drawn, plot = [], Axes.plot
    monkeypatch.setattr(Axes, "plot", lambda self, *words, **said: drawn.append(said) or plot(self, *words, **said))
    groups = {"B2": FactsRow(None, "_control", None), "B3": FactsRow(None, "$5 and $6", None)}
    curves_picture(curves_of(count_rows(IMAGES, 100.0, table=FactsTable(Path("t.csv"), {}, groups))))
    labels = {said["label"] for said in drawn if "label" in said}
    assert {r"\$5 and \$6 (B3)", " _control (B02)"} <= labels
