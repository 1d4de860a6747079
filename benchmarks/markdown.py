"""Rows of Markdown tables."""

from typing import Iterable


def row(cells: Iterable[object]) -> str:
    """Join cells as a row.

    >>> row(["BBBC039", 50, 0.921])
    '| BBBC039 | 50 | 0.921 |'
    """
    return f"| {' | '.join(map(str, cells))} |"


def header(cells: Iterable[object]) -> str:
    """Join cells as the first row, with the line below it."""
    names = list(cells)
    return f"{row(names)}\n{'|---' * len(names)}|"
