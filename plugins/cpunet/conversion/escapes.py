r"""Read and write the values of a .cppipe as CellProfiler 4 does, which decodes what versions 1 to 3 escaped."""

from __future__ import annotations

import contextlib

ESCAPE = "\\x"


def value_of(written: str) -> str:
    r"""Return the value that CellProfiler reads from the text behind a setting's colon.

    Examples
    --------
    >>> value_of(r"Elsewhere...\x7CC\x3A\\images")
    'Elsewhere...|C:\\images'
    >>> value_of("Kerne größer")
    'Kerne größer'
    """
    if r"\\\\g<" in written:
        written = written.replace(r"\x7C\\\\g<", r"|\g<").replace(r"\\\\g<", r"\g<")
    if ESCAPE in written:
        with contextlib.suppress(UnicodeError):
            written = written.encode("utf-8").decode("unicode_escape")
    if len(written) > 1:  # CellProfiler 3 wrote UTF-16 with its byte order mark
        written = written.replace("\x00", "").strip("ÿþ")
    return written


def written_for(value: str) -> str:
    r"""Return the text from which CellProfiler reads a value.

    Examples
    --------
    >>> written_for("D:/models/mine.onnx")
    'D:/models/mine.onnx'
    >>> value_of(written_for(r"C:\xray"))
    'C:\\xray'
    """
    return value.encode("unicode_escape").decode("ascii") if ESCAPE in value else value
