import subprocess
import sys

import pytest

from cpunet.comparison import plugins_folder
from cpunet.comparison.plugins_folder import write_plugins_folder
from cpunet.errors import ComparisonError


def test_modules_of_several_folders_are_imported_from_one_with_what_lies_beside_them(tmp_path):
    theirs = tmp_path / "it's theirs"
    (theirs / "beside").mkdir(parents=True)
    (theirs / "beside" / "__init__.py").write_text("NAME = 'beside'")
    (theirs / "measuremine.py").write_text(
        "from __future__ import annotations\nimport beside\nWHO = beside.NAME\nFILE = __file__\n"
    )
    (theirs / "_hidden.py").write_text("")
    (theirs / "identifyobjectsunet.py").write_text("raise ImportError('an old copy')")
    write_plugins_folder(tmp_path / "one", [theirs])
    assert sorted(path.name for path in (tmp_path / "one").iterdir()) == [
        "identifyobjectsunet.py",
        "measuremine.py",
        "recordcomparison.py",
    ]
    code = f"import sys; sys.path.insert(0, {str(tmp_path / 'one')!r}); import measuremine as m; print(m.WHO, m.FILE)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == f"beside {(theirs / 'measuremine.py').resolve()}"
    assert "an old copy" not in (tmp_path / "one" / "identifyobjectsunet.py").read_text()


def test_beside_packages_of_pip_the_module_is_taken_from_the_folder_that_is_given(tmp_path, monkeypatch):
    packages, given = tmp_path / "site-packages", tmp_path / "plugins"
    packages.mkdir()
    (packages / "six.py").write_text("")
    monkeypatch.setattr(plugins_folder, "PLUGINS_FOLDER", packages)
    with pytest.raises(ComparisonError, match="Give it with --plugins-directory"):
        write_plugins_folder(tmp_path / "one", [tmp_path])
    (given / "cpunet" / "plugin").mkdir(parents=True)
    for name in ("identifyobjectsunet.py", "cpunet/plugin/recordcomparison.py"):
        (given / name).write_text("")
    write_plugins_folder(tmp_path / "one", [given])
    assert sorted(path.name for path in (tmp_path / "one").iterdir()) == [
        "identifyobjectsunet.py",
        "recordcomparison.py",
    ]
    assert str(packages) not in "".join(path.read_text() for path in (tmp_path / "one").iterdir())


def test_a_folder_that_is_not_there_is_named(tmp_path):
    with pytest.raises(ComparisonError, match="nothing: there is no such folder"):
        write_plugins_folder(tmp_path / "one", [tmp_path / "nothing"])
