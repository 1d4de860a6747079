"""Pipelines as text (.cppipe, .cp): each module is a header and its settings, a line each."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import List, Mapping, Optional, Sequence, Tuple

from cpunet.conversion.escapes import value_of, written_for
from cpunet.conversion.saved import NAMES_OF_PRIMARY, UNET, SavedModule, Setting
from cpunet.errors import PipelineError

FIRST_LINE = re.compile(
    rb"CellProfiler Pipeline: (http://www\.cellprofiler\.org|https?://\S+\.proofpoint\.com.+http-3A__www\.cellprofiler\.org)"
)
BYTE_ORDER_MARK = b"\xef\xbb\xbf"
REVISION = re.compile(r"(\bvariable_revision_number:)(\d+)")
# A list of texts in quotes; or as CellProfiler 2 wrote it, with its brackets escaped.
NOTES = re.compile(r"""\|notes:\[(?:(?:'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")(?:, )?)*\]""")
ESCAPED_NOTES = re.compile(r"\|notes:.*?(?:\]|\\x5D)(?=\||\]\s*\Z)")
EXCHANGED = (*NAMES_OF_PRIMARY, UNET)


def is_text(content: bytes) -> bool:
    """Return whether a file begins as CellProfiler's pipelines in text do."""
    return FIRST_LINE.match(content[:1024].replace(BYTE_ORDER_MARK, b"", 1)) is not None


@dataclass(frozen=True)
class Block:
    """The lines of one module: its header, and then its settings.

    Attributes
    ----------
    first, end : int
        The places of its header, and of the line behind its last setting, among the lines of the file.
    module : SavedModule
    """

    first: int
    end: int
    module: SavedModule


@dataclass(frozen=True)
class TextPipeline:
    """A pipeline in text: its lines with their ends, and the modules in them.

    Bytes that are no UTF-8 are kept as surrogates, so that all lines are written as they were read.
    """

    lines: Tuple[str, ...]
    blocks: Tuple[Block, ...]

    @property
    def modules(self) -> Sequence[SavedModule]:
        """Return all modules in order."""
        return [block.module for block in self.blocks]

    def with_modules(self, changed: Mapping[int, SavedModule]) -> bytes:
        """Return the text with these modules in the places of those of the same number, and all other lines kept."""
        lines: List[str] = []
        done = 0
        for block in self.blocks:
            if block.module.number in changed:
                lines += [*self.lines[done : block.first], *self._rewritten(block, changed[block.module.number])]
                done = block.end
        return "".join([*lines, *self.lines[done:]]).encode("utf-8", "surrogateescape")

    def _rewritten(self, block: Block, module: SavedModule) -> List[str]:
        before = self.lines[block.first : block.end]
        header = _header_of(before[0], module)
        line_end = _end_of(before[0]) or "\n"
        indent = _indent_of(before[1]) if len(before) > 1 else "    "
        lines = [header if _end_of(header) else header + line_end]
        for setting in module.settings:
            written = written_for(setting.value) if setting.as_saved is None else setting.as_saved
            lines.append(f"{indent}{setting.text}:{written}{line_end}")
        lines[-1] = lines[-1][: -len(line_end)] + _end_of(before[-1])
        return lines


def read_text(content: bytes) -> TextPipeline:
    """Read a pipeline in text.

    Parameters
    ----------
    content : bytes
        Of any version of CellProfiler from 2.0 on.

    Returns
    -------
    TextPipeline
        Without the byte order mark that an editor may have put in front, since CellProfiler refuses it.

    Raises
    ------
    PipelineError
        If a module that may be exchanged is damaged.
    """
    content = content[len(BYTE_ORDER_MARK) :] if content.startswith(BYTE_ORDER_MARK) else content
    # bytes.splitlines knows the ends of lines that CellProfiler knows; that of str would know more.
    lines = tuple(line.decode("utf-8", "surrogateescape") for line in content.splitlines(keepends=True))
    place = next((number for number, line in enumerate(lines) if not line.strip()), len(lines))
    count = _module_count(lines[:place])
    blocks: List[Block] = []
    while count is None or len(blocks) < count:
        while place < len(lines) and not lines[place].strip():
            place += 1
        if place == len(lines):
            break
        end = next((number for number in range(place, len(lines)) if not lines[number].strip()), len(lines))
        blocks.append(Block(place, end, _module_in(lines[place:end], place + 1, len(blocks) + 1)))
        place = end
    return TextPipeline(lines, tuple(blocks))


def _module_count(header: Sequence[str]) -> Optional[int]:
    """Return how many modules the file says it has; what follows them is a list of images. None where it does not."""
    for line in header:
        key, _, value = line.strip().partition(":")
        if key == "ModuleCount" and value.strip().isdigit():
            return int(value)
    return None


def _module_in(lines: Sequence[str], line_number: int, number: int) -> SavedModule:
    """Read a module from its lines.

    Of other modules than those that are exchanged, a damaged line is passed over: CellProfiler says what is wrong.
    """
    name, _, attributes = lines[0].strip().partition(":")
    is_exchanged = name.strip() in EXCHANGED
    revision = REVISION.search(_without_notes(attributes))
    if revision is None and is_exchanged:
        raise PipelineError(
            f"line {line_number} is {_shortened(lines[0])!r}, without the variable_revision_number that CellProfiler "
            "expects there. Open the pipeline in CellProfiler and save it again."
        )
    settings = []
    for offset, line in enumerate(lines[1:], start=1):
        text, colon, value = line.strip().partition(":")
        if not colon and is_exchanged:
            raise PipelineError(
                f"line {line_number + offset} is {_shortened(line)!r}, where CellProfiler expects a setting of {name} "
                "and its value with a colon between them. Correct the line."
            )
        settings.append(Setting(value_of(text), value_of(value), value))
    enabled = "enabled:False" not in _without_notes(attributes)
    return SavedModule(number, name.strip(), int(revision[2]) if revision else 0, enabled, tuple(settings))


def _notes_in(line: str) -> Optional[Tuple[int, int]]:
    """Return where the notes of a module begin and end, or None if it has none. They may hold any text."""
    found = NOTES.search(line) or ESCAPED_NOTES.search(line)
    return None if found is None else found.span()


def _without_notes(attributes: str) -> str:
    notes = _notes_in(attributes)
    return attributes if notes is None else attributes[: notes[0]] + attributes[notes[1] :]


def _header_of(line: str, module: SavedModule) -> str:
    """Return a module's first line with another name and revision, and with its other attributes as they are."""
    notes = _notes_in(line)
    spans = [(0, len(line))] if notes is None else [(0, notes[0]), (notes[1], len(line))]
    for start, end in spans:
        revision = REVISION.search(line, start, end)
        if revision:
            line = f"{line[: revision.start(2)]}{module.revision}{line[revision.end(2) :]}"
            break
    indent, rest = _indent_of(line), line.lstrip()
    return f"{indent}{module.name}{rest[len(rest.partition(':')[0].rstrip()) :]}"


def _indent_of(line: str) -> str:
    return line[: len(line) - len(line.lstrip())]


def _end_of(line: str) -> str:
    return line[len(line.rstrip("\r\n")) :]


def _shortened(line: str) -> str:
    text = line.strip().encode("utf-8", "replace").decode("utf-8")
    return text if len(text) <= 60 else text[:57] + "..."
