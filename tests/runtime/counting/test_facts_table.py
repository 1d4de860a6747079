import pytest

from cpunet.counting.facts_table import read_facts_table
from cpunet.errors import DataError


def table(tmp_path, text):
    path = tmp_path / "table.csv"
    path.write_text(text, encoding="utf-8-sig")
    return path


def test_a_table_by_wells_as_excel_writes_it(tmp_path):
    found = read_facts_table(table(tmp_path, "Well;Group;note\nB03;drug;x\nb4;control;\n\n;;\n"))
    assert {well: row.group for well, row in found.by_well.items()} == {"B3": "drug", "B4": "control"}
    assert not found.by_file


def test_a_table_by_files(tmp_path):
    found = read_facts_table(table(tmp_path, "file,well,hours\nplate/a_labels.tif,C1,1.5\nb.PNG,C2,\n"))
    assert found.by_file == {"a": ("C1", None, 1.5), "b": ("C2", None, None)}


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "it has the columns none"),
        ("plate,group\n1,a\n", "it has the columns plate, group. It needs 'file' or 'well'"),
        ("well\nB1\n", "one or more of 'well', 'group', 'hours'"),
        ("well,group\nB1,a\nB01,b\n", "line 3: B01 comes twice"),
        ("file,hours\na.tif,soon\n", "line 2: 'soon' in the column 'hours'"),
    ],
)
def test_what_is_no_such_table_is_refused(tmp_path, text, reason):
    with pytest.raises(DataError, match=reason):
        read_facts_table(table(tmp_path, text))


def test_what_is_no_text_is_refused(tmp_path):
    path = tmp_path / "table.csv"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(DataError, match="no text in UTF-8"):
        read_facts_table(path)
