"""Each command of docs/cluster.md is run, in the order of the page, with CellProfiler and Snakemake."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tifffile

from cpunet.checks.synthetic import synthetic_field
from tests.places import REPOSITORY
from tests.plugin.headless import input_modules, make_module, rows_of, write_pipeline
from tests.plugin.test_batch_with_snakemake import PATH

PAGE = REPOSITORY / "docs" / "cluster.md"
COMMANDS = [line.strip() for line in PAGE.read_text(encoding="utf-8").splitlines() if line.startswith("    ")]
HAS_SNAKEMAKE = shutil.which("snakemake", path=PATH) is not None
INSTALLS = ("python3.11 -m pip install",)


def write_pipelines(folder):
    """Two plates of two fields; a pipeline that groups them, and the same with CreateBatchFiles."""
    (folder / "images").mkdir()
    image = np.round(synthetic_field((60, 90), columns=3, diameter_px=20).image * 4095).astype(np.uint16)
    for name in ("A_1", "A_2", "B_1", "B_2"):
        tifffile.imwrite(folder / "images" / f"{name}.tif", image)
    images, metadata, names, groups = input_modules()
    metadata.wants_metadata.value = True
    metadata.extraction_methods[0].file_regexp.value = r"^(?P<Plate>[A-Z])_(?P<Field>[0-9])"
    groups.wants_groups.value = True
    groups.grouping_metadata[0].metadata_choice.value = "Plate"
    unet = make_module("IdentifyObjectsUNet", x_name="DNA", y_name="Nuclei")
    modules = [images, metadata, names, groups, unet, make_module("ExportToSpreadsheet", wants_prefix=False)]
    write_pipeline(folder / "pipeline.cppipe", modules)
    write_pipeline(folder / "with-batch.cppipe", [*modules, make_module("CreateBatchFiles")])


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with all that the commands name, and programs of their names."""
    folder = tmp_path_factory.mktemp("cluster")
    write_pipelines(folder)
    (folder / "plugins").symlink_to(REPOSITORY / "plugins")
    programs = folder / "programs"
    programs.mkdir()
    own = Path(sys.executable)
    for name, command in (
        ("python", str(own)),
        ("cellprofiler", f"{own} -m cellprofiler"),
        ("cpunet", f"env PYTHONPATH={REPOSITORY / 'plugins'} {own} -m cpunet"),
        (".venv/cellprofiler/bin/python", str(own)),
        (".venv/batch/bin/python", str(own)),  # finds Snakemake on PATH, as that of .venv/batch has it itself
    ):
        script = (folder if name.startswith(".") else programs) / name
        script.parent.mkdir(parents=True, exist_ok=True)
        script.write_text(f'#!/bin/sh\nexec {command} "$@"\n')
        script.chmod(0o755)
    return folder, {**os.environ, "PATH": f"{programs}{os.pathsep}{PATH}"}


@pytest.mark.skipif(os.name == "nt", reason="the page's commands are for a shell")
@pytest.mark.parametrize("command", [command for command in COMMANDS if not command.startswith(INSTALLS)])
def test_the_command_runs(place, command):
    folder, environment = place
    if "batch pipeline" in command and not HAS_SNAKEMAKE:
        pytest.skip("Snakemake is not installed: run `make batch` once")
    if command.startswith("taskset") and shutil.which("taskset") is None:
        pytest.skip("taskset is a program of Linux")
    done = subprocess.run(
        command,
        shell=True,
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert done.returncode == (1 if "with-batch" in command else 0), done.stdout


def test_the_pieces_have_the_objects_of_the_one_run(place):
    folder, _ = place
    whole = rows_of(folder / "results" / "Nuclei.csv")
    assert len(whole) > 10
    assert rows_of(folder / "piece-1" / "Nuclei.csv") == [row for row in whole if row["ImageNumber"] in "12"]
    assert rows_of(folder / "plate-B" / "Nuclei.csv") == [row for row in whole if row["ImageNumber"] in "34"]
    assert rows_of(folder / "results-of-two-threads" / "Nuclei.csv") == whole
    for name in ("done", "piece-1", "plate-B"):
        assert (folder / f"{name}.txt").read_text().strip() == "Complete"
    if HAS_SNAKEMAKE:
        for name in ("results-of-pieces", "results-in-repository"):
            assert (folder / name / "Nuclei.csv").read_bytes() == (folder / "results" / "Nuclei.csv").read_bytes()
        assert not (folder / "results-on-slurm" / "Nuclei.csv").exists()
