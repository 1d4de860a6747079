"""Which model files were opened before without harm: remembered by their SHA-256, for this user."""

from __future__ import annotations

import contextlib
import os
import sys
from pathlib import Path
from typing import Mapping

from cpunet.model.first_opening.shipped import SHIPPED_SUMS


def cache_folder(platform: str, environment: Mapping[str, str], home: str) -> Path:
    """Return the folder where cpunet keeps what it can do without, which need not exist.

    It is cpunet/cache in %LOCALAPPDATA% (Windows), cpunet in ~/Library/Caches (macOS), or in $XDG_CACHE_HOME or else
    ~/.cache (Linux). The arguments are ``sys.platform``, ``os.environ`` and the user's home folder.
    """
    if platform == "win32":
        return Path(environment.get("LOCALAPPDATA") or os.path.join(home, "AppData", "Local"), "cpunet", "cache")
    if platform == "darwin":
        return Path(home, "Library", "Caches", "cpunet")
    cache = environment.get("XDG_CACHE_HOME", "")
    if not os.path.isabs(cache):  # to be ignored, as the XDG Base Directory Specification asks
        cache = os.path.join(home, ".cache")
    return Path(cache, "cpunet")


def is_trusted(sha256: str) -> bool:
    """Return True for a shipped model, and for a file that this user has opened before without harm."""
    if sha256 in SHIPPED_SUMS:
        return True
    try:
        return _mark(sha256).exists()
    except OSError:
        return False


def remember(sha256: str) -> None:
    """Remember that a file was opened without harm; where nothing can be written, it is tried again next time.

    One empty file for each sum: processes that do this at once cannot disturb each other.
    """
    with contextlib.suppress(OSError):
        mark = _mark(sha256)
        mark.parent.mkdir(parents=True, exist_ok=True)
        mark.touch()


def _mark(sha256: str) -> Path:
    folder = cache_folder(sys.platform, os.environ, os.path.expanduser("~"))
    if not folder.is_absolute():  # a user without a home folder
        raise FileNotFoundError(str(folder))
    return folder / "opened_models" / sha256
