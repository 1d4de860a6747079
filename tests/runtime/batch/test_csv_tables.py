import csv

import pytest

from cpunet.batch.folder import Piece, Plan
from cpunet.batch.merging.csv_tables import image_numbers_in, is_table, merge_tables
from cpunet.batch.merging.paths_in_text import Moved
from cpunet.errors import BatchError

PLAN = Plan((Piece("1", 1, 2), Piece("2", 3, 3)), ((1, 1), (2, 3)), "the pipeline\nof one run")
RELATIONSHIPS = [
    *("Module", "Module Number", "Relationship", "First Object Name", "First Image Number", "First Object Number"),
    *("Second Object Name", "Second Image Number", "Second Object Number"),
]


@pytest.fixture
def merged(tmp_path):
    """Write tables as pieces do, merge them and return the rows."""

    def merge(*tables, name="a.csv", delimiter=","):
        sources = []
        for number, rows in enumerate(tables):
            folder = tmp_path / f"piece{number}"
            folder.mkdir()
            with (folder / name).open("w", newline="", encoding="utf-8") as stream:
                csv.writer(stream, delimiter=delimiter).writerows(
                    [cell.replace("HERE", str(folder)) for cell in row] for row in rows
                )
            assert is_table(folder / name)
            sources.append((folder / name, Moved(folder, to=tmp_path / "results")))
        merge_tables(sources, tmp_path / name, PLAN)
        with (tmp_path / name).open(newline="", encoding="utf-8") as stream:
            return [
                [cell.replace(str(tmp_path / "results"), "OUT") for cell in row]
                for row in csv.reader(stream, delimiter=delimiter)
            ]

    return merge


def test_rows_follow_each_other_below_one_head(merged):
    head = ["ImageNumber", "ObjectNumber", "Area"]
    assert merged([head, ["1", "1", "5"]], [head], [head, ["3", "1", "7"]]) == [head, ["1", "1", "5"], ["3", "1", "7"]]


def test_tabs_stay_tabs(merged):
    head = ["ImageNumber", "A,B"]
    assert merged([head, ["1", "x"]], [head, ["3", "y"]], name="a.txt", delimiter="\t")[1:] == [["1", "x"], ["3", "y"]]


def test_two_rows_of_head_are_kept_once(merged):
    head = [["Image", "Nuclei", "Cells"], ["ImageNumber", "ObjectNumber", "Area"]]
    assert merged([*head, ["1", "1", "5"]], [*head, ["3", "1", "7"]]) == [*head, ["1", "1", "5"], ["3", "1", "7"]]


def test_a_column_that_a_piece_lacks_is_empty_there(merged):
    assert merged(
        [["Count", "ImageNumber"], ["1", "1"]], [["Area", "Count", "ImageNumber", "Z"], ["8", "2", "3", "z"]]
    ) == [["Area", "Count", "ImageNumber", "Z"], ["", "1", "1", ""], ["8", "2", "3", "z"]]


def test_other_columns_of_objects_are_an_error(merged):
    with pytest.raises(BatchError, match="other columns"):
        merged([["ImageNumber", "B", "A"], ["1", "2", "3"]], [["ImageNumber", "B"], ["1", "2"]])


def test_groups_are_numbered_over_the_whole_batch(merged):
    head = ["Group_Index", "Group_Length", "Group_Number", "ImageNumber"]
    assert merged([head, ["1", "1", "1", "1"], ["1", "1", "2", "2"]], [head, ["1", "1", "1", "3"]])[1:] == [
        ["1", "1", "1", "1"],
        ["1", "2", "2", "2"],
        ["2", "2", "2", "3"],
    ]


def test_the_folder_of_a_piece_becomes_that_of_the_results(merged):
    rows = merged([["ImageNumber", "PathName_X", "URL_X"], ["1", "HERE/pictures", "file:HERE/a.tif"]])
    assert rows[1] == ["1", "OUT/pictures", "file:OUT/a.tif"]


def test_relationships_are_sorted_by_kind_and_then_by_image(merged):
    def row(module, image):
        return ["M", module, "Parent", "A", image, "1", "B", image, "1"]

    assert merged([RELATIONSHIPS, row("5", "1"), row("6", "1")], [RELATIONSHIPS, row("6", "3"), row("5", "3")])[1:] == [
        row("5", "1"),
        row("5", "3"),
        row("6", "1"),
        row("6", "3"),
    ]


def test_the_experiment_begins_with_the_first_piece_and_ends_with_the_last(merged):
    rows = [
        [
            ["Key", "Value"],
            ["CellProfiler_Version", "4"],
            ["Modification_Timestamp", f"end {piece}"],
            ["Pipeline_Pipeline", "with CreateBatchFiles"],
            ["Pipeline_UserPipeline", "u"],
            ["Run_Timestamp", f"begin {piece}"],
        ]
        for piece in (1, 2)
    ]
    assert merged(*rows) == [
        ["Key", "Value"],
        ["CellProfiler_Version", "4"],
        ["Modification_Timestamp", "end 2"],
        ["Pipeline_Pipeline", PLAN.pipeline_text],
        ["Run_Timestamp", "begin 1"],
    ]


@pytest.mark.parametrize(
    ("name", "text", "table"),
    [
        ("a.csv", "ImageNumber,Area\n", True),
        ("a.csv", "Image,Nuclei\nImageNumber,Area\n", True),
        ("a.csv", "name,value\n1,2\n", False),
        ("a.txt", "some text\n", False),
        ("a.csv", "", False),
        ("a.png", "ImageNumber,Area\n", False),
    ],
)
def test_a_table_is_known_by_its_head(tmp_path, name, text, table):
    (tmp_path / name).write_text(text, encoding="utf-8")
    assert is_table(tmp_path / name) is table


def test_only_a_table_of_images_tells_which_are_there(tmp_path):
    (tmp_path / "i.csv").write_text("Count,ImageNumber\n5,1\n6,2\n", encoding="utf-8")
    (tmp_path / "o.csv").write_text("ImageNumber,ObjectNumber\n1,1\n", encoding="utf-8")
    assert image_numbers_in(tmp_path / "i.csv") == [1, 2]
    assert image_numbers_in(tmp_path / "o.csv") == []
