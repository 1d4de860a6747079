"""The newcomer's walk of docs/first-model.sh, on drawn nuclei."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from cpunet.model.session import load_model
from tests.drawn_data_set import write_data_set
from tests.places import REPOSITORY

SCRIPT = REPOSITORY / "docs" / "first-model.sh"


@pytest.fixture
def walked(tmp_path):
    """The folder in which the walk was made: fifty steps, two epochs."""
    write_data_set(tmp_path / "source", ["train"] * 10)
    # stands for the browser, and notes what it is asked to show
    browser = tmp_path / "browser"
    browser.write_text(f'#!/bin/sh\necho "$1" > {tmp_path}/opened\n')
    browser.chmod(0o755)
    environment = {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "BROWSER": f"{browser} %s",
        "OMP_NUM_THREADS": "1",
    }
    command = [str(SCRIPT), "source/images", "source/labels", "mine", "50"]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stdout + done.stderr
    return tmp_path


def test_the_walk_leads_from_two_folders_to_an_open_report(walked):
    plan = yaml.safe_load((walked / "mine.yaml").read_text())
    assert (plan["steps"], plan["validate_every"]) == (50, 25)
    assert (walked / "data" / "mine-check.html").stat().st_size > 1000
    assert (walked / "runs" / "mine" / "patches.png").exists()
    assert (walked / "runs" / "mine" / "curves.png").exists()
    model = load_model(walked / "models" / "mine" / "model.onnx", device="cpu")
    assert model.card.name == "mine"
    scores = json.loads((walked / "evaluation" / "scores.json").read_text())
    assert scores["methods"]
    report = walked / "evaluation" / "report.html"
    assert report.stat().st_size > 10_000
    assert (walked / "opened").read_text().strip() == f"file://{report}"
