import ast
import subprocess
import sys

import pytest

from tests.places import REPOSITORY

PLUGINS = REPOSITORY / "plugins"
RUNTIME = sorted((PLUGINS / "cpunet").rglob("*.py"))
IN_CELLPROFILER = PLUGINS / "cpunet" / "plugin"  # the only folder whose code imports CellProfiler
FORBIDDEN = ("torch", "onnx", "onnxruntime", "lightning", "monai", "cellprofiler", "cellprofiler_core")


@pytest.mark.parametrize(
    "path", [*RUNTIME, PLUGINS / "identifyobjectsunet.py"], ids=lambda path: str(path.relative_to(PLUGINS))
)
def test_runtime_code_parses_on_python_3_8(path):
    ast.parse(path.read_text(encoding="utf-8"), feature_version=(3, 8))


def test_importing_the_runtime_pulls_in_nothing_heavy():
    modules = [
        ".".join(path.relative_to(PLUGINS).with_suffix("").parts)
        for path in RUNTIME
        if IN_CELLPROFILER not in path.parents and not path.stem.startswith("__")
    ]
    assert len(modules) > 30, "the folders are walked"
    code = (
        f"import importlib, sys; sys.path.insert(0, {str(PLUGINS)!r})\n"
        f"for name in {modules!r}: importlib.import_module(name)\n"
        f"found = [name for name in {FORBIDDEN!r} if name in sys.modules]\n"
        "sys.exit(f'imported: {found}' if found else 0)"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
