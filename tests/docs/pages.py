"""The pages for users and contributors, and the code in them."""

import re
import shlex

from tests.places import REPOSITORY

PAGES = sorted(path for pattern in ("*.md", "docs/*.md", "models/*/README.md") for path in REPOSITORY.glob(pattern))
SCRIPTS = sorted(REPOSITORY.glob("docs/*.sh"))


def name_of(path):
    return path.relative_to(REPOSITORY).as_posix()


def text_of(path):
    return path.read_text(encoding="utf-8")


def without_code(text):
    """A page without its blocks of code, and without code within a line."""
    text = re.sub(r"^( *)```.*?^\1```", "", text, flags=re.M | re.S)
    text = re.sub(r"(?m)(?:^\n)(?: {4,}(?![-*\d!]).*\n)+", "\n", text)
    return re.sub(r"`[^`\n]*`", "", text)


def code_of(path):
    """The code of a page: blocks between fences and lines that are indented; of a script, all of it."""
    text = text_of(path)
    if path.suffix == ".sh":
        return text
    fenced = re.findall(r"^ *```\w*\n(.*?)^ *```", text, flags=re.M | re.S)
    return "\n".join([*fenced, *re.findall(r"^ {4,}(.*)$", text, flags=re.M)])


def commands_of(path, program):
    """The lines of code of a page or script that call a program, as words; what follows it on the line is left out.

    `program` is a regular expression. Lines that a backslash continues are joined. Comments and variables of the
    environment in front are left out. Optional words of a shell script, such as ``${1:+--steps "$1"}``, become
    ``--steps 1``.
    """
    code = re.sub(r" *\\\n *", " ", code_of(path))
    code = re.sub(r"\$\{(\d):\+(.*?) .*?\}", r"\2 \1", code)
    found = re.findall(rf"^ *(?:[A-Z_]+=\S+ )*(?:\S*python3? -m )?({program} .*|{program})$", code, flags=re.M)
    return [shlex.split(re.split(r" (?:&&|\||>) ", line)[0], comments=True) for line in found]
