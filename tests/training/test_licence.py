import io
import sys
from dataclasses import replace

import pytest

from cpunet.training.licence import asked_licence, plan_with_licence, weights_with_licence
from cpunet.training.planning.machine import Machine
from cpunet.training.planning.plan import make_plan

MACHINE = Machine(free_bytes=16 * 10**9, gpu="", cores=2, fast_bf16=False)


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture
def terminal(monkeypatch):
    def answer(text):
        monkeypatch.setattr(sys, "stdin", Terminal(text))
        monkeypatch.setattr(sys, "stderr", Terminal())

    return answer


def test_the_license_is_asked_for_at_a_terminal_alone(terminal, monkeypatch):
    terminal("CC-BY-4.0\n")
    assert asked_licence() == "CC-BY-4.0"
    assert "Under which license" in sys.stderr.getvalue()
    terminal("")  # Ctrl-D
    assert asked_licence() == ""
    monkeypatch.setattr(sys, "stdin", io.StringIO("CC-BY-4.0\n"))
    assert asked_licence() == ""


def test_a_plan_holds_the_answer_or_a_blank_and_a_note(data_root, terminal, capsys, monkeypatch):
    plan = make_plan("mine", [data_root / "drawn"], MACHINE)
    assert plan_with_licence(plan).config.licence == ""
    assert "NOTE licence is blank" in capsys.readouterr().out
    terminal("CC0-1.0\n")
    asked = plan_with_licence(plan)
    assert (asked.config.licence, asked.reasons["licence"]) == ("CC0-1.0", "your answer")


def test_weights_get_the_license_that_they_lack(trained, terminal, capsys):
    blank = replace(trained, config=replace(trained.config, licence=" "))
    assert weights_with_licence(blank).config.licence == ""
    assert "cpunet card edit" in capsys.readouterr().err
    terminal("MIT\n")
    assert weights_with_licence(blank).config.licence == "MIT"
    given = replace(trained, config=replace(trained.config, licence="CC0-1.0"))
    terminal("MIT\n")
    assert weights_with_licence(given) is given
