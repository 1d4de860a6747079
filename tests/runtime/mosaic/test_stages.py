import pytest

from cpunet.mosaic.stages import Stages


@pytest.fixture
def said(monkeypatch):
    lines = []
    monkeypatch.setattr("cpunet.progress.report", lambda line, stream: lines.append(line))
    monkeypatch.setattr("cpunet.progress.LINE_SECONDS", 0.0)
    return lines


def test_tiles_of_an_earlier_run_are_said_and_each_stage_begins_anew(said):
    stages = Stages("a.tif")
    for done in (3, 4, 5):
        stages.report("tiles", done, 5)
    for done in (0, 1):
        stages.report("objects", done, 2)
    stages.end()
    assert said[0] == "a.tif: tiles 3 of 5, done by an earlier run"
    assert said[-2:] == ["a.tif: objects 0 of 2", said[-1]]
    assert said[-1].startswith("a.tif: objects 1 of 2; about ")
