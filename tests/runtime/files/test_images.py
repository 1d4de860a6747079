import pytest

from cpunet.files.written_beside import written_beside


def test_an_ended_run_leaves_no_half_written_file(tmp_path):
    target = tmp_path / "result.tif"
    target.write_text("before")

    def write_half():
        with written_beside(target) as beside:
            beside.write_text("half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_half()
    assert target.read_text() == "before"
    assert [path.name for path in tmp_path.iterdir()] == ["result.tif"]
