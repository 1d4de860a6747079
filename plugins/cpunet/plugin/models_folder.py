"""The user's preferred models folder, which CellProfiler's preferences keep."""

from __future__ import annotations

import os
from typing import Optional

from cellprofiler_core.preferences import config_read, config_write

from cpunet.model.find import MODELS_VARIABLE

PREFERENCE = "IdentifyObjectsUNetModelsFolder"


def preferred_models_folder() -> Optional[str]:
    """Return the folder that the user chose in the window, or None."""
    return config_read(PREFERENCE) or None


def prefer_models_folder(folder: str) -> None:
    """Remember a folder for this and later sessions, and use it at once.

    Parameters
    ----------
    folder : str
    """
    config_write(PREFERENCE, folder)
    use_preferred_folder()


def use_preferred_folder() -> None:
    """Let the preference count where the environment names no folder, or named the one before.

    Notes
    -----
    CellProfiler hands its workers only the preferences that it knows itself, but they inherit the environment.
    """
    folder = preferred_models_folder()
    if folder and os.environ.get(MODELS_VARIABLE) in (None, "", _last_used[0]):
        os.environ[MODELS_VARIABLE] = _last_used[0] = folder


_last_used = [""]
