"""Every command line in README, docs/ and the models' pages is taken by the real command; none is run."""

import argparse
import importlib
import re

import pytest

from cpunet.__main__ import COMMANDS
from tests.docs.pages import PAGES, SCRIPTS, commands_of, name_of, text_of
from tests.places import REPOSITORY

SOURCES = [*PAGES, *SCRIPTS]
CPUNET = [(page, words) for page in SOURCES for words in commands_of(page, "cpunet")]
BENCHMARKS = [(page, words) for page in SOURCES for words in commands_of(page, r"benchmarks\.\w+")]
# A code span within a line that begins with a command, such as `cpunet data split --folds`.
SPANS = [
    (page, span)
    for page in PAGES
    for span in re.findall(r"`(?:PYTHONPATH=\w+ python -m )?cpunet ([a-z][^`]*)`", " ".join(text_of(page).split()))
]


def ids(pairs):
    return [f"{name_of(page)}: {words if isinstance(words, str) else ' '.join(words)}" for page, words in pairs]


@pytest.fixture(scope="module")
def parsers():
    """The parser of each command; those of `cpunet data` and `cpunet card` hold one for each action."""
    found = {}
    for name, (module, _) in COMMANDS.items():
        found[name] = argparse.ArgumentParser(prog=f"cpunet {name}", exit_on_error=False)
        importlib.import_module(module).add_arguments(found[name])
    return found


def actions_of(parser):
    """The parsers of a command's actions, by name; empty if it has none."""
    groups = [action.choices for action in parser._actions if isinstance(action, argparse._SubParsersAction)]
    return groups[0] if groups else {}


@pytest.mark.parametrize(("page", "words"), CPUNET, ids=ids(CPUNET))
def test_the_command_takes_the_line(page, words, parsers, capsys):
    arguments = [word for word in words[2:] if word != "..."]
    try:
        parsers[words[1]].parse_args(arguments)
    except (SystemExit, argparse.ArgumentError) as error:
        pytest.fail(f"{error}\n{capsys.readouterr().err}")


@pytest.mark.parametrize(("page", "span"), SPANS, ids=ids(SPANS))
def test_the_command_in_the_text_has_these_options(page, span, parsers):
    command, *words = span.split()
    parser = parsers[command]
    actions = actions_of(parser)
    if actions and words and not words[0].startswith("-"):
        parser = actions[words[0]]
    options = {option for action in parser._actions for option in action.option_strings}
    assert {word for word in words if word.startswith("-")} <= options


@pytest.mark.parametrize(("page", "words"), BENCHMARKS, ids=ids(BENCHMARKS))
def test_the_benchmark_has_these_options(page, words):
    place = REPOSITORY / words[0].replace(".", "/")
    source = text_of(place / "__main__.py" if place.is_dir() else place.with_suffix(".py"))
    for word in words[1:]:
        if re.match(r"-\D", word):  # no negative number
            assert f'"{word}"' in source


def test_each_target_of_make_exists():
    targets = set(re.findall(r"^([a-z][\w-]*):", text_of(REPOSITORY / "Makefile"), flags=re.M))
    named = {
        target for page in SOURCES for target in re.findall(r"(?:^    |`)make ([a-z][\w-]*)", text_of(page), flags=re.M)
    }
    assert {"demo", "test", "lint", "bench", "bundles"} <= named <= targets


def test_commands_are_found_with_what_belongs_to_them(tmp_path):
    page = tmp_path / "page.md"
    page.write_text(
        "Text with cpunet train x.\n\n    PYTHONPATH=plugins python -m cpunet models  # all\n"
        '    cpunet train a.yaml \\\n        --data "b c" && echo\n    cpunet-other\n    bin/python -m cpunet doctor\n',
        encoding="utf-8",
    )
    assert commands_of(page, "cpunet") == [
        ["cpunet", "models"],
        ["cpunet", "train", "a.yaml", "--data", "b c"],
        ["cpunet", "doctor"],
    ]
