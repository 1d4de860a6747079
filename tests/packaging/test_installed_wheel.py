"""What `pip install .` installs is complete: run from another folder, without the repository."""

import importlib.util
import os
import re
import shutil
import subprocess
import sys

import pytest

from tests.places import REPOSITORY

SOURCES = {
    "plugins/cpunet": "cpunet",
    "training": "cpunet/training",
    "export": "cpunet/export",
    "workflow": "cpunet/workflow",
}
PIP = ["-m", "pip", "--disable-pip-version-check"]


def run_python(*arguments, cwd, **environment):
    result = subprocess.run(
        [sys.executable, *map(str, arguments)],
        cwd=cwd,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """The folder into which the wheel is installed; built from a copy, since setuptools leaves files in its sources."""
    folder = tmp_path_factory.mktemp("wheel")
    copy = folder / "repository"
    copy.mkdir()
    for name in ("setup.py", "pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(REPOSITORY / name, copy)
    for name in ("plugins", "training", "export", "models", "workflow"):
        shutil.copytree(REPOSITORY / name, copy / name, ignore=shutil.ignore_patterns("__pycache__", "cpunet_packages"))
    run_python(*PIP, "wheel", "--no-deps", "--no-build-isolation", "--no-index", "-w", folder, copy, cwd=folder)
    target = folder / "target"
    wheel = next(folder.glob("cpunet-*.whl"))
    run_python(*PIP, "install", "--no-deps", "--no-index", "--target", target, wheel, cwd=folder)
    shutil.rmtree(copy)
    return target


def test_every_source_file_is_installed(installed):
    for source, package in SOURCES.items():
        for path in (REPOSITORY / source).rglob("*"):
            if path.is_file() and "__pycache__" not in path.parts:
                assert (installed / package / path.relative_to(REPOSITORY / source)).is_file(), path


def test_the_shipped_models_are_found(installed, tmp_path):
    listed = run_python(
        *["-m", "cpunet", "models"],
        cwd=tmp_path,
        PYTHONPATH=str(installed),
        XDG_DATA_HOME=str(tmp_path),
        CPUNET_MODELS="",
    )
    for model in (REPOSITORY / "models").glob("*/model.onnx"):
        assert re.search(rf"^{model.parent.name} ", listed, re.M)
        assert str(installed / "cpunet" / "models" / model.parent.name / "model.onnx") in listed
        assert (installed / "cpunet" / "models" / model.parent.name / "README.md").is_file()


def test_the_recipes_are_found_by_their_names(installed, tmp_path):
    if importlib.util.find_spec("torch") is None:
        pytest.skip("recipes are read in the training environment")
    code = (
        "from pathlib import Path\n"
        "from cpunet.training.config import read_content\n"
        "from cpunet.training.planning.recipe import find_config\n"
        "for name in ('label_free', 'label_free_light'):\n"
        "    path = find_config(Path(f'{name}.yaml'))\n"
        "    print(path, read_content(path)['name'])"
    )
    said = run_python("-c", code, cwd=tmp_path, PYTHONPATH=str(installed)).splitlines()
    assert said == [
        f"{installed / 'cpunet' / 'training' / 'recipes' / f'{name}.yaml'} {name}"
        for name in ("label_free", "label_free_light")
    ]


def test_an_installed_model_runs(installed, tmp_path):
    code = (
        "import numpy\n"
        "from cpunet.model.find import find_model\n"
        "from cpunet.model.session import load_model\n"
        "path = find_model('nuclei_fluorescence')\n"
        "print(path, load_model(path, 'cpu', 1).predict(numpy.zeros((1, 1, 32, 32), numpy.float32)).shape)"
    )
    said = run_python(
        *["-c", code], cwd=tmp_path, PYTHONPATH=str(installed), XDG_DATA_HOME=str(tmp_path), CPUNET_MODELS=""
    )
    assert said.startswith(str(installed))
    assert said.endswith("(1, 2, 32, 32)\n")
