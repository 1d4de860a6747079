"""The tutorial of docs/swap-a-model.md: run by `cpunet demo-swap`, and its script with stand-ins for the programs."""

import os
import re
import subprocess
import sys

import pytest

from cpunet.__main__ import main
from cpunet.export.tutorial import steps
from cpunet.export.tutorial.files import PIPELINE, with_model
from cpunet.export.tutorial.steps import AFTER_THE_CHOICE, BEFORE_THE_CHOICE, HEADLESS
from cpunet.model.session import load_model
from tests.places import REPOSITORY

DOCS = REPOSITORY / "docs"


PROGRAMS = ("cpunet ", "mkdir ", "cp ", "sed ", "cellprofiler ")


@pytest.fixture(scope="module")
def walked(tmp_path_factory):
    """The folder of a walk of 25 steps, without CellProfiler, and what was printed."""
    folder = tmp_path_factory.mktemp("walk") / "demo"
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PATH": "", "XDG_DATA_HOME": str(folder.parent)}
    command = [sys.executable, "-m", "cpunet", "demo-swap", "--output", str(folder), "--steps", "25"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=900)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder, done.stdout


def test_the_walk_ends_with_a_verified_model_in_the_models_folder(walked):
    folder, _ = walked
    said = (folder / "tutorial.log").read_text(encoding="utf-8")
    assert "Training may start: 0 errors" in said
    assert "all checks passed; sha256" in said
    assert "FAILED" not in said
    chosen = folder / "my-models" / "mine" / "model.onnx"
    assert chosen.read_bytes() == (folder / "models" / "mine" / "model.onnx").read_bytes()
    assert load_model(chosen, device="cpu").card.provenance["start_from"]
    assert str(chosen) in said  # `cpunet models` lists it


def test_the_new_model_finds_what_the_shipped_one_cuts_to_pieces(walked):
    _, printed = walked
    scores = re.findall(r"^(nuclei_fluorescence_1|mine) +(\d+) +([\d.]+) +([\d.]+)$", printed, re.M)
    (before, *old), (after, *new) = scores
    assert (before, after) == ("nuclei_fluorescence_1", "mine")
    assert "48 nuclei drawn" in printed
    assert float(old[2]) < 0.6 < 0.85 < float(new[2])
    assert int(new[0]) < int(old[0])


def test_only_the_line_with_the_model_changes_in_the_pipeline(walked):
    folder, printed = walked
    before, after = ((folder / name).read_text().splitlines() for name in ("pipeline.cppipe", "pipeline-mine.cppipe"))
    changed = [pair for pair in zip(before, after, strict=True) if pair[0] != pair[1]]
    assert changed == [("    Select the model:nuclei_fluorescence_1", "    Select the model:mine")]
    assert "CellProfiler was not found" in printed
    assert f"cellprofiler {HEADLESS} --plugins-directory=" in printed


def commands(text):
    """Return the commands of a script or a document, without what the script alone has."""
    lines = [line.strip().replace(' ${1:+--steps "$1"}', "") for line in text.splitlines()]
    return [line for line in lines if line.startswith(PROGRAMS) and line != "cpunet demo-swap"]


def test_the_document_shows_the_commands_of_the_script():
    script = commands((DOCS / "swap-a-model.sh").read_text(encoding="utf-8"))
    assert len(script) == 14
    assert commands((DOCS / "swap-a-model.md").read_text(encoding="utf-8")) == script


def test_the_script_runs_the_commands_that_the_walk_runs(tmp_path):
    """The programs are stand-ins that note how they were called: the walk above runs them for real."""
    programs, folder = tmp_path / "bin", tmp_path / "mine"
    programs.mkdir()
    for sub in ("corrected", "new-images", "models/mine"):
        (folder / sub).mkdir(parents=True)
    (folder / "new-images" / "new00.tiff").touch()
    (folder / "models" / "mine" / "model.onnx").write_text("a model")
    (folder / "pipeline.cppipe").write_text(PIPELINE.read_text())
    for name in ("cpunet", "cellprofiler"):
        (programs / name).write_text(f'#!/bin/sh\necho {name} "$@" >> {tmp_path}/called\n')
        (programs / name).chmod(0o755)
    environment = {
        "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}",
        "CPUNET_MODELS": str(tmp_path / "models folder"),
        "PLUGINS": "plugins",
    }
    subprocess.run([str(DOCS / "swap-a-model.sh"), "25"], cwd=folder, env=environment, check=True)
    expected = [command for _, command in [*BEFORE_THE_CHOICE, *AFTER_THE_CHOICE]]
    expected = [each + " --steps 25" if "--plan" in each else each for each in expected]
    expected.append(f"cellprofiler {HEADLESS} --plugins-directory=plugins")
    expected = [each.replace("*", "new00") for each in expected]
    assert (tmp_path / "called").read_text().splitlines() == expected
    assert (tmp_path / "models folder" / "mine" / "model.onnx").read_text() == "a model"
    assert (folder / "pipeline-mine.cppipe").read_text() == with_model(PIPELINE.read_text(), "mine")


def test_a_failing_command_ends_the_walk_with_its_message(tmp_path, capsys, monkeypatch):
    broken = (("Verify the file", "cpunet verify models/mine/model.onnx"),)
    monkeypatch.setattr(steps, "BEFORE_THE_CHOICE", broken)
    assert main(["demo-swap", "--output", str(tmp_path / "demo")]) == 2
    assert "no such model file" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "is not empty"),
        (["--steps", "0"], "1 step or more"),
        (["--cellprofiler", "/no/such/cellprofiler"], "no such program"),
    ],
    ids=["a folder in use", "no steps", "no CellProfiler"],
)
def test_a_walk_that_cannot_begin_says_why_and_touches_nothing(tmp_path, capsys, arguments, message):
    (tmp_path / "notes.txt").write_text("mine")
    assert main(["demo-swap", "--output", str(tmp_path), *arguments]) == 2
    assert message in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]
