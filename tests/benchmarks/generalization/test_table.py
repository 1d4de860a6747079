import pytest

from benchmarks.generalization import __main__ as table
from cpunet.errors import OptionError
from tests.synthetic_data_set import write_data_set
from tests.tiny_onnx import changed_card, tiny_onnx


@pytest.fixture
def root(tmp_path):
    write_data_set(tmp_path / "data" / "mnfinder", ["train", "val", "excluded", "val"])
    return tmp_path


def model_of(root, *sets):
    path = root / f"{'_'.join(sets) or 'unknown'}.onnx"
    path.write_bytes(tiny_onnx(changed_card(name="tiny", provenance={"data": [{"name": name} for name in sets]})))
    return path


def rows_of(capsys):
    return [line for line in capsys.readouterr().out.splitlines() if line.startswith("| mnfinder")]


def test_a_set_is_scored_with_all_methods(root, capsys):
    left_out, other = model_of(root, "dsb2018", "bbbc039"), model_of(root, "mnfinder")
    arguments = [f"mnfinder={left_out}", "--data", str(root / "data"), "--shipped", str(other)]
    assert table.main(arguments) == 0
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in rows_of(capsys)]
    assert [cells[1].split(":")[0] for cells in rows] == [
        "trained without mnfinder",
        "tiny 1.0.0, trained on it",
        "IdentifyPrimaryObjects",
        "IdentifyPrimaryObjects, tuned",
    ]
    assert {cells[2] for cells in rows} == {"3"}
    assert {len(cells) for cells in rows} == {len(table.HEADER)}
    assert rows[0][2:] == rows[1][2:]  # the same network
    assert all(float(cells[4]) > 0.8 for cells in rows[2:])  # drawn nuclei are easy for a threshold


def test_some_images_and_no_primary_objects(root, capsys):
    arguments = [f"mnfinder={model_of(root, 'dsb2018')}", "--data", str(root / "data"), "--shipped"]
    assert table.main([*arguments, "--images", "2", "--no-primary"]) == 0
    (line,) = rows_of(capsys)
    assert line.startswith("| mnfinder | trained without mnfinder | 2 |")


@pytest.mark.parametrize(
    ("sets", "said"),
    [(["mnfinder"], "was trained on mnfinder"), ([], "sets that its card does not name")],
    ids=["the set itself", "unknown"],
)
def test_a_model_that_may_have_seen_the_set_is_refused(root, sets, said):
    with pytest.raises(OptionError, match=said):
        table.main([f"mnfinder={model_of(root, *sets)}", "--data", str(root / "data")])


@pytest.mark.parametrize("text", ["mnfinder", "mnfinder=", "cells=model.onnx"])
def test_what_is_not_a_set_and_a_file_is_refused(text):
    with pytest.raises(OptionError, match="is not SET=FILE"):
        table.files_of([text])
