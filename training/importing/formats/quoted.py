"""Quote in a message what a file holds, which may be long, or be no text at all."""

from __future__ import annotations

LONGEST = 120


def quoted(text: object) -> str:
    """Return a text on one line, printable and short."""
    line = "".join(sign if sign.isprintable() else "?" for sign in " ".join(str(text).split()))
    return line if len(line) <= LONGEST else f"{line[:LONGEST]}..."


def reason_of(error: Exception) -> str:
    """Return what another package says of a damaged file; the kind of the error if it says nothing."""
    return quoted(error) or type(error).__name__
