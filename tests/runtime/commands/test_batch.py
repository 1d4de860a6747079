"""What `cpunet batch` refuses before anything runs."""

import sys

import pytest

from cpunet.__main__ import main
from tests.places import REPOSITORY


@pytest.fixture
def call(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("cpunet.commands.batch.snakemake", lambda: ["snakemake"])
    ran = []
    monkeypatch.setattr("cpunet.commands.batch.plan_batch", lambda *arguments: ran.append(arguments) or 1 / 0)
    (tmp_path / "images").mkdir()
    (tmp_path / "a.cppipe").write_text("a pipeline\n")
    paths = {"pipeline": tmp_path / "a.cppipe", "images": tmp_path / "images", "output": tmp_path / "out"}

    def run(*more, **other):
        used = {**paths, **other}
        words = ["batch", str(used["pipeline"]), str(used["images"]), "-o", str(used["output"]), *more]
        if "--cellprofiler" not in words:
            words += ["--cellprofiler", sys.executable]
        code = main(words)
        return code, capsys.readouterr().err, ran

    run.paths = paths
    return run


@pytest.mark.parametrize(
    ("other", "said"),
    [
        ({"pipeline": "nothing.cppipe"}, "no such pipeline file"),
        ({"images": "nowhere"}, "no such folder of images"),
        ({"output": "FILE"}, "-o needs a folder"),
    ],
)
def test_a_path_that_does_not_fit_is_named(call, other, said):
    other = {key: call.paths["pipeline"] if value == "FILE" else value for key, value in other.items()}
    code, err, ran = call(**other)
    assert (code, ran) == (2, [])
    assert said in err


@pytest.mark.parametrize("option", ["--jobs", "--piece-size", "--threads", "--memory-mb", "--minutes"])
def test_a_number_below_one_is_refused(call, option):
    code, err, ran = call(option, "0")
    assert (code, ran) == (2, [])
    assert f"{option} 0: it must be 1 or more" in err


def test_a_folder_with_files_of_the_user_is_refused(call):
    call.paths["output"].mkdir()
    (call.paths["output"] / "thesis.txt").write_text("mine")
    code, err, ran = call()
    assert (code, ran) == (2, [])
    assert "thesis.txt" in err
    assert sorted(path.name for path in call.paths["output"].iterdir()) == ["thesis.txt"]


def test_another_batch_is_not_mixed_with_the_first(call):
    code, _, ran = call("--piece-size", "5")
    assert (code, len(ran)) == (2, 1)  # the stand-in for the plan fails
    code, err, ran = call("--piece-size", "7")
    assert (code, len(ran)) == (2, 1)
    assert "piece size 5, not 7" in err
    call.paths["pipeline"].write_text("an edited pipeline\n")
    _, err, ran = call("--piece-size", "5")
    assert "pipeline sha256" in err
    assert len(ran) == 1


def test_a_folder_without_the_module_is_refused(call, tmp_path):
    code, err, _ = call("--plugins-directory", str(tmp_path))
    assert code == 2
    assert "identifyobjectsunet.py" in err
    code, _, ran = call("--plugins-directory", str(REPOSITORY / "plugins"))
    assert len(ran) == 1
