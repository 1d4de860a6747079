import pytest

from cpunet.errors import DataError
from cpunet.training.checking.check import check_data
from cpunet.training.data.index import read_table, write_table
from cpunet.training.data.labeled_images import read_index
from cpunet.training.data.splits import inseparable
from tests.synthetic_data_set import write_data_set
from tests.written_sets import FIELDS, write_index


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("id;modality;split;duplicate_of\na;f;train;\n", "semicolons"),
        ("id,modality,split,duplicate_of\na,f,train\n", "line 2 has another number of cells"),
        ("id,modality,split,duplicate_of\na,f,train,,x,y\n", "line 2 has another number of cells"),
        (
            "id,modality,split\n",
            "'duplicate_of' is missing. Needed are .* found: id, modality, split. `cpunet data import`",
        ),
        (b"id,modality,split,duplicate_of\n\xff,f,train,\n", "UTF-8"),
    ],
    ids=["semicolons", "too few", "too many", "no column", "other encoding"],
)
def test_a_broken_index_is_named(tmp_path, content, message):
    (tmp_path / "index.csv").write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(DataError, match=message):
        read_index(tmp_path)


def test_an_index_from_a_spreadsheet_is_read(tmp_path):
    (tmp_path / "index.csv").write_bytes(
        b"\xef\xbb\xbfid, modality ,split,duplicate_of,plate,group\na , f,train,,P1,g\n"
    )
    (row,) = read_index(tmp_path)
    assert (row.id, row.modality, row.group) == ("a", "f", "g")


def test_an_index_that_cannot_be_written_whole_is_left_as_it_was(tmp_path):
    write_index(tmp_path / "set", ("a", "f", "train", ""))
    before = (tmp_path / "set/index.csv").read_bytes()
    with pytest.raises(ValueError, match="fields"):
        write_table(tmp_path / "set", FIELDS, [dict.fromkeys(FIELDS, "x"), {"unknown": "y"}])
    assert (tmp_path / "set/index.csv").read_bytes() == before
    assert [path.name for path in (tmp_path / "set").iterdir()] == ["index.csv"]


def test_a_column_depth_of_another_meaning_makes_no_volumes_of_png_images(tmp_path):
    folder = tmp_path / "drawn"
    write_data_set(folder, ["train", "val"])
    table = read_table(folder)
    write_table(folder, [*table.fields, "depth"], [{**row, "depth": "8"} for row in table.rows])
    assert not check_data([folder]).errors
    assert inseparable(folder, read_table(folder).rows) == [[0], [1]]
