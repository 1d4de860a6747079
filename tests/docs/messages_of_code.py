"""The messages of the code, found in its source: fixed parts as they are, ``…`` for each value that is put in."""

import ast
import re
from pathlib import Path
from typing import Dict, Iterator, List, Tuple

from cpunet.model.card import OWNER
from tests.places import REPOSITORY

PLUGINS = REPOSITORY / "plugins"
RUNTIME = PLUGINS / "cpunet"
# The module shows messages of all files of the runtime, except those of the command line: commands/, files/ and what
# checks/ holds beside the file that the button "Check device" runs. scores.py, overlap_scores.py and volume_scores.py
# serve training and the benchmarks, calibration/ and write_metadata.py the command `cpunet calibrate`, mosaic/ the
# command `cpunet segment`, batch/ the command `cpunet batch`, comparison/ and report/ `cpunet compare`, review/
# `cpunet review`, counting/ and time_lapse/ `cpunet count` and `cpunet align`, conversion/ `cpunet convert`:
# the button of the module takes over from modules that CellProfiler has read. cellprofiler_program/ serves
# `cpunet batch` and `cpunet compare`.
NOT_IN_THE_MODULE = {
    *("commands", "files", "checks", "calibration", "mosaic", "batch", "comparison", "report", "review", "conversion"),
    *("cellprofiler_program", "counting", "time_lapse", "__main__.py", "scores.py", "overlap_scores.py"),
    "volume_scores.py",
}
SOURCES = [
    PLUGINS / "identifyobjectsunet.py",
    RUNTIME / "checks" / "device.py",
    *[
        path
        for path in sorted(RUNTIME.rglob("*.py"))
        if path.relative_to(RUNTIME).parts[0] not in NOT_IN_THE_MODULE and path.name != "write_metadata.py"
    ],
]
# Details that another message quotes in brackets or after a colon.
DETAILS = {"ProtobufError", "GraphInNodeError", "RefusedError"}


def template(node: ast.AST) -> str:
    """A string of the source with … for each value; empty if it is none."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        return "".join(part.value if isinstance(part, ast.Constant) else "…" for part in node.values)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        return template(node.left) + (template(node.right) or "…")
    return ""


def name_of(call: ast.Call) -> str:
    return getattr(call.func, "id", getattr(call.func, "attr", ""))


def is_told(call: ast.Call) -> bool:
    """Whether a call makes an error, or hands a warning to the user."""
    name = name_of(call)
    return (name.endswith(("Error", "Exception")) and name not in DETAILS) or name in ("warn", "warn_once", "error")


def messages_in(path: Path) -> Iterator[Tuple[int, str]]:
    """Line and template of each message of a file."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    returned: Dict[str, List[ast.AST]] = {}
    for function in ast.walk(tree):
        if isinstance(function, ast.FunctionDef):
            returned[function.name] = [
                node.value for node in ast.walk(function) if isinstance(node, ast.Return) and node.value is not None
            ]
    assigned = {
        target.id: node.value
        for node in tree.body
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    for call in ast.walk(tree):
        if not isinstance(call, ast.Call) or not is_told(call) or not call.args:
            continue
        first = call.args[0]
        found = [first]
        if isinstance(first, ast.Call):
            found = returned.get(name_of(first), [])
        elif isinstance(first, ast.Name):
            found = [assigned[first.id]] if first.id in assigned else []
        for node in found:
            text = template(node)
            if text.strip("… :().%"):
                yield call.lineno, text
    if path.name != "device.py":  # its lines are a report, but for those below
        yield from notes_in(tree, assigned)
    yield from ((node.lineno, template(node)) for name, node in assigned.items() if name.endswith("_HELP"))
    if path.name == "device.py":  # what the button Check device says of a GPU
        yield from ((node.lineno, template(node)) for node in returned["_why_no_gpu"] if template(node))


def notes_in(tree: ast.AST, assigned: Dict[str, ast.AST]) -> Iterator[Tuple[int, str]]:
    """Line and template of each sentence for the log that a function returns in a list, or adds to its notes."""
    for node in ast.walk(tree):
        is_list = isinstance(node, (ast.Return, ast.Assign, ast.AnnAssign, ast.AugAssign)) and node.value is not None
        for found in ast.walk(node.value) if is_list else ():
            for each in found.elts if isinstance(found, (ast.Tuple, ast.List)) else ():
                sentence = assigned.get(each.id, each) if isinstance(each, ast.Name) else each
                if re.match(r"[A-Z…].*\.( |$)", template(sentence)):
                    yield each.lineno, template(sentence)


def all_messages() -> List[Tuple[str, str]]:
    """Place and template of each message that the module can show."""
    messages = [(f"{path.name}:{line}", text) for path in SOURCES for line, text in messages_in(path)]
    # Of the plain contents the module reads cards alone, in which unknown fields are kept.
    return [
        (place, text.replace("…", OWNER, 1) if place.startswith("plain_content") else text)
        for place, text in messages
        if not text.startswith("…there is no field")
    ]
