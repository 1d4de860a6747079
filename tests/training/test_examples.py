"""Each ``>>>`` in the docstrings of the training package is run."""

import doctest
import importlib
import pkgutil

import pytest

import cpunet.training

MODULES = sorted(module.name for module in pkgutil.walk_packages(cpunet.training.__path__, "cpunet.training."))


@pytest.mark.parametrize("name", MODULES)
def test_examples_give_what_they_say(name):
    failed, _ = doctest.testmod(importlib.import_module(name))
    assert failed == 0


def test_examples_are_found():
    finder = doctest.DocTestFinder(exclude_empty=True)
    with_examples = [name for name in MODULES if any(t.examples for t in finder.find(importlib.import_module(name)))]
    assert "cpunet.training.patches.targets" in with_examples
    assert len(with_examples) >= 4
