"""docs/troubleshooting.md quotes each message that the module can show, and none that there is not."""

import re

import pytest

from tests.docs.messages_of_code import all_messages, messages_in
from tests.places import REPOSITORY

PAGE = REPOSITORY / "docs" / "troubleshooting.md"
LEAST_QUOTED = 20  # letters, so that a quote belongs to few messages
MESSAGES = all_messages()


def quotes():
    """Each quoted message of the page: the first cell of a row, or an item of a list."""
    return re.findall(r"^(?:\| |- )`([^`]+)`", PAGE.read_text(encoding="utf-8"), flags=re.M)


def pattern(quote):
    parts = [part.strip(" .:;") for part in quote.split("…")]
    return re.compile(".*".join(re.escape(part) for part in parts if part), flags=re.S)


@pytest.mark.parametrize("quote", quotes())
def test_what_is_quoted_stands_in_the_code(quote):
    assert len(quote.replace("…", "")) >= LEAST_QUOTED
    assert any(pattern(quote).search(message) for _, message in MESSAGES)


@pytest.mark.parametrize(("place", "message"), MESSAGES, ids=[place for place, _ in MESSAGES])
def test_each_message_of_the_code_is_quoted(place, message):
    assert any(pattern(quote).search(message) for quote in quotes()), message


def test_no_quote_stands_there_twice():
    assert len(set(quotes())) == len(quotes())


def test_messages_are_found_however_they_are_made(tmp_path):
    path = tmp_path / "code.py"
    path.write_text(
        'INSTALL_HELP = "Install it: " + COMMAND\n'
        "def _words(what):\n    return f'no {what} here'\n"
        "def f(value, warn):\n"
        "    warn('a warning')\n"
        "    if value:\n        raise ModelError(_words(value))\n"
        "    raise ValueError(f'it is {value}, '\n        'not 1') from None\n"
        "NOTE = 'A note.'\n"
        "def g(value):\n    notes = (NOTE,) if value else ()\n    notes += (f'Of {value}.',)\n"
        "    return ['One more.']\n",
        encoding="utf-8",
    )
    assert {text for _, text in messages_in(path)} == {
        "Install it: …",
        "no … here",
        "a warning",
        "it is …, not 1",
        "A note.",
        "Of ….",
        "One more.",
    }
