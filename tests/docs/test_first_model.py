"""docs/first-model.sh leads from two folders to an open report, on synthetic nuclei."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from cpunet.model.session import load_model
from cpunet.onnx_reader.metadata import sha256
from tests.places import REPOSITORY
from tests.synthetic_data_set import write_data_set

SCRIPT = REPOSITORY / "docs" / "first-model.sh"


@pytest.fixture
def folder(tmp_path):
    """The folder in which the script ran: twenty steps of training."""
    write_data_set(tmp_path / "source", ["train"] * 10)
    # The stand-in for a browser notes what it is asked to show.
    browser = tmp_path / "browser"
    browser.write_text(f'#!/bin/sh\necho "$1" > {tmp_path}/opened\n')
    browser.chmod(0o755)
    environment = {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "BROWSER": f"{browser} %s",
        "OMP_NUM_THREADS": "1",
    }
    command = [str(SCRIPT), "source/images", "source/labels", "mine", "20"]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stdout + done.stderr
    return tmp_path


def test_the_script_leads_from_two_folders_to_an_open_report(folder):
    plan = yaml.safe_load((folder / "mine.yaml").read_text())
    assert (plan["name"], plan["steps"]) == ("mine", 20)
    assert "Training may start: 0 errors" in (folder / "data" / "mine-check.html").read_text()
    for picture in ("patches.png", "curves.png"):
        assert (folder / "runs" / "mine" / picture).read_bytes().startswith(b"\x89PNG")
    model = folder / "models" / "mine" / "model.onnx"
    assert load_model(model, device="cpu").card.name == "mine"
    (method,) = json.loads((folder / "evaluation" / "scores.json").read_text())["methods"]
    assert sha256(model) in method["source"]
    assert (method["overall"]["images"], method["overall"]["truth_count"]) == (1, 9)
    report = folder / "evaluation" / "report.html"
    assert method["source"] in report.read_text()
    assert (folder / "opened").read_text().strip() == f"file://{report}"
