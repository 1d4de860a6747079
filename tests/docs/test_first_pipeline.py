"""docs/first-pipeline.md does what it says, with the real ExampleFly in a real, headless CellProfiler."""

import csv
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from cellprofiler_core.pipeline import Pipeline
from identifyobjectsunet import IdentifyObjectsUNet

from tests.places import REPOSITORY

PAGE = REPOSITORY / "docs" / "first-pipeline.md"


def rows_of_table(first_header):
    text = PAGE.read_text(encoding="utf-8")
    lines = text[text.index(f"| {first_header} |") :].splitlines()
    rows = []
    for line in lines:
        if not line.strip().startswith("|"):
            break
        rows.append([cell.strip() for cell in line.strip().strip("|").split("|")])
    return rows[2:]


@pytest.fixture
def pipeline_of_the_page(example_fly, tmp_path):
    """The pipeline that steps 1 to 4 and 7 make."""
    pipeline = Pipeline()
    with (example_fly / "ExampleFly.cppipe").open(encoding="utf-8") as stream:
        pipeline.load(stream)
    primary = next(module for module in pipeline.modules() if module.module_name == "IdentifyPrimaryObjects")
    module = IdentifyObjectsUNet()
    module.set_module_num(primary.module_num + 1)
    settings = {setting.text: setting for setting in module.visible_settings()}
    for text, value, _ in rows_of_table("setting"):
        settings[text].value_text = value
    pipeline.add_module(module)
    pipeline.remove_module(primary.module_num)
    path = tmp_path / "fly.cppipe"
    with path.open("w", encoding="utf-8") as stream:
        pipeline.dump(stream)
    return path


def test_the_commands_run_and_give_the_counts_of_the_page(pipeline_of_the_page, tmp_path):
    (tmp_path / "plugins").symlink_to(REPOSITORY / "plugins", target_is_directory=True)
    section = PAGE.read_text(encoding="utf-8").split("\n## Without the window\n")[1]
    commands = re.findall(r"^    (.+)$", section, flags=re.M)
    assert [command.split()[0] for command in commands] == ["python", "cellprofiler"]
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    environment["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{environment['PATH']}"
    done = subprocess.run(
        ["bash", "-e", "-c", "\n".join(commands)],
        cwd=tmp_path,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    with (tmp_path / "results" / "Image.csv").open(newline="", encoding="utf-8") as stream:
        images = list(csv.DictReader(stream))
    found = {row["FileName_OrigBlue"]: int(float(row["Count_Nuclei"])) for row in images}
    promised = {name: int(count) for name, count in rows_of_table("FileName_OrigBlue")}
    # Another processor rounds differently, which may tip one doubtful nucleus.
    assert found == pytest.approx(promised, abs=1)
    with (tmp_path / "results" / "Nuclei.csv").open(newline="", encoding="utf-8") as stream:
        assert len(list(csv.DictReader(stream))) == sum(found.values())
    lines = [line for line in done.stdout.splitlines() if ", image set" in line and "SHA-256" in line]
    assert images[0]["Segmentation_Model_Nuclei"] in lines[0]
    assert images[0]["Segmentation_ModelSHA256_Nuclei"] in lines[0]
