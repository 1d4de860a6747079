import importlib
import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

from cpunet.errors import RuntimeMissingError
from cpunet.model import packages as bundled_packages
from cpunet.model import session

PLUGINS = Path(bundled_packages.__file__).resolve().parents[2]


def write_onnxruntime(folder, version):
    (folder / "onnxruntime").mkdir(parents=True)
    (folder / "onnxruntime" / "__init__.py").write_text(f"__version__ = {version!r}\nInferenceSession = None\n")
    return folder


def say_version(tmp_path, *paths):
    """Ask a Python that has only the given folders which onnxruntime it loads."""
    code = (
        f"import sys; sys.path[:0] = {[str(path) for path in (PLUGINS, *paths)]!r}\n"
        "from pathlib import Path\n"
        "from cpunet.model import packages as bundled_packages\n"
        f"bundled_packages.PACKAGES_FOLDER = Path({str(tmp_path / 'cpunet_packages')!r})\n"
        "there = bundled_packages.onnxruntime_is_there()\n"
        "assert 'onnxruntime' not in sys.modules\n"
        "if there: import onnxruntime\n"
        "print(onnxruntime.__version__ if there else 'none')"
    )
    result = subprocess.run([sys.executable, "-S", "-c", code], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    return result.stdout.strip()


@pytest.mark.parametrize("folder", ["", f"python{bundled_packages.PYTHON_VERSION}"])
def test_onnxruntime_beside_the_plugin_is_found(tmp_path, folder):
    assert say_version(tmp_path) == "none"
    write_onnxruntime(tmp_path / "cpunet_packages" / folder, "bundled")
    assert say_version(tmp_path) == "bundled"


def test_another_pythons_packages_are_not_loaded(tmp_path):
    write_onnxruntime(tmp_path / "cpunet_packages" / "python2.7", "bundled")
    assert say_version(tmp_path) == "none"


def test_an_onnxruntime_that_python_has_is_preferred(tmp_path):
    write_onnxruntime(tmp_path / "cpunet_packages", "bundled")
    own = write_onnxruntime(tmp_path / "own", "own")
    assert say_version(tmp_path, own) == "own"


def test_the_folder_is_added_once_and_last(tmp_path, monkeypatch):
    monkeypatch.setattr(bundled_packages, "PACKAGES_FOLDER", tmp_path)
    monkeypatch.setattr(sys, "path", ["first"])
    bundled_packages.add_bundled_packages()
    bundled_packages.add_bundled_packages()
    assert sys.path == ["first", str(tmp_path)]


def test_import_onnxruntime_looks_beside_the_plugin(tmp_path, monkeypatch):
    write_onnxruntime(tmp_path / "cpunet_packages", "bundled")
    monkeypatch.setattr(bundled_packages, "PACKAGES_FOLDER", tmp_path / "cpunet_packages")
    monkeypatch.setattr(sys, "path", [])
    for name in [name for name in sys.modules if name.split(".")[0] == "onnxruntime"]:
        monkeypatch.delitem(sys.modules, name)
    try:
        assert session.import_onnxruntime().__version__ == "bundled"
    finally:
        sys.modules.pop("onnxruntime", None)


BROKEN = {
    "an empty folder": None,
    "a file of that name": "x = 1\n",
    "a library that does not load": "raise OSError('DLL load failed')\n",
    "half an installation": "from . import missing_part\n",
    "another error": "nothing.here\n",
}


@pytest.mark.parametrize("content", BROKEN.values(), ids=BROKEN)
def test_a_broken_copy_is_named_with_the_command_that_replaces_it(tmp_path, monkeypatch, content):
    folder = tmp_path / "onnxruntime"
    (folder / "capi").mkdir(parents=True)
    if content is not None:
        (folder / "__init__.py").write_text(content)
    monkeypatch.setattr(bundled_packages, "PACKAGES_FOLDER", tmp_path)
    monkeypatch.setattr(sys, "path", [])
    for name in [name for name in sys.modules if name.split(".")[0] == "onnxruntime"]:
        monkeypatch.delitem(sys.modules, name)
    try:
        with pytest.raises(RuntimeMissingError) as caught:
            session.import_onnxruntime()
    finally:
        sys.modules.pop("onnxruntime", None)
    assert f"the copy of it in {folder} is broken" in str(caught.value)
    assert "-m pip install --force-reinstall --no-deps onnxruntime" in str(caught.value)
    assert bundled_packages.onnxruntime_is_there() == (content is not None)


def test_the_installed_application_is_told_where_to_put_it(monkeypatch):
    command = frozen_install_command(monkeypatch)
    assert f"--python-version {bundled_packages.PYTHON_VERSION}" in command
    assert f'--target "{bundled_packages.packages_folder_of_this_python()}" onnxruntime==1.19.2' in command


@pytest.mark.parametrize("python", ["3.8", "3.9"])
def test_the_docs_give_the_same_command(monkeypatch, python):
    monkeypatch.setattr(bundled_packages, "PYTHON_VERSION", python)
    command = frozen_install_command(monkeypatch).replace(f'"{PLUGINS}', "plugins").replace('"', "")
    assert f"\n    {command}\n" in (PLUGINS.parent / "docs" / "install.md").read_text(encoding="utf-8")


def frozen_install_command(monkeypatch):
    """Return the command as a frozen application computes it, from a second copy of the file."""
    monkeypatch.setattr(sys, "frozen", True, raising=False)
    spec = importlib.util.spec_from_file_location("session_of_a_frozen_application", session.__file__)
    frozen = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, spec.name, frozen)  # dataclasses look their module up
    spec.loader.exec_module(frozen)
    return frozen.INSTALL_COMMAND
