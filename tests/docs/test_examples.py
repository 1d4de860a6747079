"""The examples in docstrings of training/, export/ and benchmarks/ are right; tests/runtime has the others."""

import doctest
import importlib

import pytest

from tests.detection import NEEDS_TORCHVISION
from tests.docs.pages import name_of, text_of
from tests.places import REPOSITORY

PACKAGES = {"training": "cpunet.training", "export": "cpunet.export", "benchmarks": "benchmarks"}
FILES = [
    path
    for folder in PACKAGES
    for path in sorted((REPOSITORY / folder).rglob("*.py"))
    if "    >>> " in text_of(path) and "cellprofiler" not in text_of(path)
]


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_the_examples_of_the_file_are_right(path):
    folder, *inside = path.relative_to(REPOSITORY).with_suffix("").parts
    if "detection" in inside:
        pytest.importorskip("torchvision", reason=NEEDS_TORCHVISION)
    result = doctest.testmod(importlib.import_module(".".join([PACKAGES[folder], *inside])))
    assert result.attempted > 0
    assert result.failed == 0
