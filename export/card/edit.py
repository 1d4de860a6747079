"""Change fields of the card in an ONNX file, and nothing else in the file."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from cpunet.errors import OptionError
from cpunet.export.card.fields import check_known, field_value, value_from_text, with_field
from cpunet.export.card.file import card_content, checked_text, put_runnable, sum_lines
from cpunet.model.card import METADATA_KEY
from cpunet.onnx_reader.metadata import metadata_of
from cpunet.onnx_reader.model_file import read_model_file
from cpunet.onnx_reader.write_metadata import with_metadata


def edit_card(path: Path, changes: Sequence[str]) -> list[str]:
    """Change fields of a card, and return lines that say what was changed.

    Parameters
    ----------
    path : Path
        Left as it is if anything fails.
    changes : sequence of str
        Each ``FIELD=VALUE``, such as ``postprocessing.marker_threshold=0.3``.

    Raises
    ------
    ModelError
        If a field is unknown, a value cannot be, or the network does not fit the card.
    """
    file = read_model_file(path)
    content = card_content(path, metadata_of(file))
    wanted = dict(_change(change) for change in changes)
    check_known(wanted)
    changed = content
    for name, text in wanted.items():
        changed = with_field(changed, name, value_from_text(name, text))
    put_runnable(path, with_metadata(file.content, METADATA_KEY, checked_text(changed)))
    lines = []
    for name in wanted:
        old, new = field_value(content, name), json.dumps(field_value(changed, name))
        lines.append(f"{name}: {'not given' if old is None else json.dumps(old)} -> {new}")
    return [*lines, *sum_lines(path, file.sha256)]


def _change(text: str) -> tuple[str, str]:
    name, found, value = text.partition("=")
    if not found:
        raise OptionError(f"--set takes FIELD=VALUE, such as postprocessing.marker_threshold=0.3; it is {text!r}.")
    return name.strip(), value
