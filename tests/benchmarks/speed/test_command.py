import pytest

from benchmarks.speed import __main__ as command
from benchmarks.speed import machine, parts
from benchmarks.speed.effort import EFFORTS, cores_at
from benchmarks.speed.series import Series, read_part

SERIES = Series("start", "", 1, "net", "open the model", (1.0, 2.0))


@pytest.fixture
def two_parts(monkeypatch):
    """One part that works and one that fails, in a Python that has the packages for both."""

    def fail(asked, sizes):
        raise RuntimeError("no compiler")

    def work(asked, sizes):
        return [SERIES], [f"{sizes}"]

    known = {"start": parts.Part("numpy", work), "limit": parts.Part("numpy", fail)}
    monkeypatch.setattr(parts, "PARTS", known)
    monkeypatch.setattr(machine, "busy_share", lambda: 0.5)


def test_the_command_line_names_all_parts_and_efforts():
    assert set(command.PARTS) == set(parts.PARTS)
    assert set(command.EFFORTS) == set(EFFORTS)
    for effort in EFFORTS.values():
        assert set(effort.sizes) <= set(parts.PARTS)
    assert set(EFFORTS["full"].sizes) == set(parts.PARTS)


def test_a_part_that_fails_does_not_stop_the_others(two_parts, tmp_path, capsys):
    assert command.main(["quick", "--output", str(tmp_path)]) == 1
    printed = capsys.readouterr()
    assert "limit failed: RuntimeError: no compiler" in printed.err
    assert "WARNING: Other programs take 50%" in printed.err
    written = read_part(tmp_path / "start.json")
    assert written.series == [SERIES]
    assert written.machine["busy_before"] == 0.5
    assert not (tmp_path / "limit.json").exists()


def test_the_sizes_of_the_command_line_count(two_parts, tmp_path):
    assert command.main(["start", "--output", str(tmp_path), "--sizes", "20x30", "7x8"]) == 0
    assert read_part(tmp_path / "start.json").left_out == ["((20, 30), (7, 8))"]


def test_single_parts_can_be_joined_but_not_with_an_effort(two_parts, tmp_path, capsys):
    assert command.main(["limit", "start", "--output", str(tmp_path)]) == 1
    assert (tmp_path / "start.json").exists()
    with pytest.raises(SystemExit):
        command.main(["start", "quick", "--output", str(tmp_path)])
    assert "or single parts" in capsys.readouterr().err


def test_the_table_is_written_and_printed(two_parts, tmp_path, capsys):
    assert command.main(["table", "--output", str(tmp_path)]) == 1
    assert "nothing was measured here yet" in capsys.readouterr().err
    command.main(["start", "--output", str(tmp_path)])
    assert command.main(["table", "--output", str(tmp_path)]) == 0
    text = (tmp_path / "speed.md").read_text(encoding="utf-8")
    assert "| 1 | net | 1.5 (1 to 2) |" in text
    assert text in capsys.readouterr().out


def test_one_core_is_measured_where_others_are_compared():
    usual, quick = EFFORTS["usual"], EFFORTS["quick"]
    assert cores_at(usual, (520, 696), None, 4) == [1, 4]
    assert cores_at(usual, (1080, 1080), None, 4) == [4]
    assert cores_at(quick, (520, 696), None, 4) == [4]
    assert cores_at(quick, (520, 696), [2, 3], 4) == [2, 3]
