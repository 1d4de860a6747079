import sys

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
