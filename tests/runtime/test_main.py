import errno
import os
import sys
from types import SimpleNamespace

import pytest

from cpunet.__main__ import main


def test_a_command_whose_packages_are_missing_says_what_to_install(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "cpunet.training.commands.train", None)
    assert main(["train", "x.yaml"]) == 2
    assert 'pip install --editable ".[training]"' in capsys.readouterr().err


@pytest.mark.parametrize("words", [["--help"], ["segment", "--help"], ["models", "--help"]])
def test_help(words, capsys):
    with pytest.raises(SystemExit) as caught:
        main(words)
    assert caught.value.code == 0
    assert "usage" in capsys.readouterr().out


def test_no_command_is_a_usage_error(capsys):
    with pytest.raises(SystemExit) as caught:
        main([])
    assert caught.value.code == 2


def test_a_package_that_is_broken_is_said_in_one_line(monkeypatch, capsys):
    def import_module(name):
        raise AttributeError("module 'numpy' has no attribute 'ndarray'")

    monkeypatch.setattr("cpunet.__main__.importlib", SimpleNamespace(import_module=import_module))
    assert main(["models"]) == 2
    said = capsys.readouterr().err
    assert "no attribute 'ndarray'" in said
    assert said.count("\n") == 1


@pytest.mark.parametrize(
    ("error", "words"),
    [(MemoryError(), "the memory is too small"), (ZeroDivisionError("division by zero"), "CPUNET_TRACEBACK=1")],
)
def test_an_error_that_nobody_expected_is_one_line(monkeypatch, capsys, error, words):
    def run(_):
        raise error

    command = SimpleNamespace(add_arguments=lambda _: None, run=run)
    monkeypatch.setattr("cpunet.__main__.importlib", SimpleNamespace(import_module=lambda name: command))
    assert main(["models"]) == 2
    said = capsys.readouterr().err
    assert words in said
    assert said.count("\n") == 1
    monkeypatch.setenv("CPUNET_TRACEBACK", "1")
    with pytest.raises(type(error)):
        main(["models"])


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (errno.ENOSPC, "The disk is full"),
        (errno.EACCES, "change the permissions"),
        (errno.ENOTDIR, "a folder is needed"),
    ],
)
def test_what_the_system_refuses_is_said_with_the_way_out(monkeypatch, capsys, number, words):
    def run(_):
        raise OSError(number, os.strerror(number), "results")

    command = SimpleNamespace(add_arguments=lambda _: None, run=run)
    monkeypatch.setattr("cpunet.__main__.importlib", SimpleNamespace(import_module=lambda name: command))
    assert main(["models"]) == 2
    said = capsys.readouterr().err
    assert words in said
    assert "'results'" in said


def test_a_file_whose_name_begins_with_a_hyphen_is_no_option(monkeypatch, tmp_path):
    seen = []

    def add_arguments(parser):
        parser.add_argument("images", nargs="+")
        parser.add_argument("--output", "-o", required=True)

    command = SimpleNamespace(add_arguments=add_arguments, run=lambda parsed: seen.append(parsed) or 0)
    monkeypatch.setattr("cpunet.__main__.importlib", SimpleNamespace(import_module=lambda name: command))
    monkeypatch.chdir(tmp_path)
    for name in ("-1.tif", "-o", "--out"):
        (tmp_path / name).touch()
    assert main(["segment", "a.tif", "-1.tif", "-o", "x"]) == 0
    assert main(["segment", "a.tif", "--out", "x"]) == 0
    assert [parsed.images for parsed in seen] == [["a.tif", os.path.join(".", "-1.tif")], ["a.tif"]]
    with pytest.raises(SystemExit):
        main(["segment", "a.tif", "-2.tif", "-o", "x"])
