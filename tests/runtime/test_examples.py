import doctest
import importlib

import pytest

from tests.places import REPOSITORY

PLUGINS = REPOSITORY / "plugins"
MODULES = [
    ".".join(path.relative_to(PLUGINS).with_suffix("").parts)
    for path in sorted((PLUGINS / "cpunet").rglob("*.py"))
    if (PLUGINS / "cpunet" / "plugin") not in path.parents and not path.stem.startswith("__")
]
WITH_EXAMPLES = [name for name in MODULES if ">>>" in (PLUGINS / f"{name.replace('.', '/')}.py").read_text("utf-8")]


@pytest.mark.parametrize("name", WITH_EXAMPLES)
def test_the_examples_in_docstrings_give_what_they_say(name):
    result = doctest.testmod(importlib.import_module(name))
    assert result.attempted > 0
    assert result.failed == 0


def test_examples_are_found():
    assert len(WITH_EXAMPLES) >= 4
