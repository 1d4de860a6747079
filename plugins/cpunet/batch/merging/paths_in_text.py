"""Put the folder of the results where a piece wrote the folder of its own attempt."""

from __future__ import annotations

from pathlib import Path
from typing import Tuple
from urllib.request import pathname2url


class Moved:
    """Replaces folders in texts.

    Parameters
    ----------
    *folders : Path
        What the pieces and the plan had as the default output folder.
    to : Path
        The folder of the results.
    """

    def __init__(self, *folders: Path, to: Path) -> None:
        pairs = [(str(folder), str(to)) for folder in folders]
        self._pairs: Tuple[Tuple[str, str], ...] = (*pairs, *((_url(old), _url(new)) for old, new in pairs))

    def __call__(self, text: str) -> str:
        """Return the text with the folder of the results, as a path and within a URL."""
        for old, new in self._pairs:
            if old in text:
                text = text.replace(old, new)
        return text


def _url(path: str) -> str:
    return pathname2url(path)
