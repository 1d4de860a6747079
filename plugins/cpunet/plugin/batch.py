"""Rewrite the paths of models for the computers of a cluster, which see the folders elsewhere."""

from __future__ import annotations

import csv
import io
import os
from typing import Callable, List, Sequence

from cellprofiler_core.preferences import ABSOLUTE_FOLDER_NAME
from cellprofiler_core.setting.text import Directory, Filename

from cpunet.model.find import FLOAT32_NAMES, list_models

AlterPath = Callable[..., str]


def map_folder(directory: Directory, alter_path: AlterPath) -> None:
    """Rewrite a folder for the cluster.

    Parameters
    ----------
    directory : Directory
    alter_path : callable
        CreateBatchFiles' own function, from a path here to the path there.

    Notes
    -----
    CellProfiler's own method fails for Windows: a folder that was browsed for has double backslashes, and
    CreateBatchFiles compares it with folders whose backslashes are single.
    """
    if not directory.is_custom_choice:
        return  # CellProfiler maps its default folders itself
    custom = directory.custom_path
    share = "\\\\" if custom.startswith("\\\\") else ""  # of a network, such as \\server\share
    custom = share + custom[len(share) :].replace("\\\\", "\\")
    if directory.dir_choice == ABSOLUTE_FOLDER_NAME:
        custom = _absolute(custom)
    directory.custom_path = alter_path(custom)  # which doubles backslashes, as pipeline files have them


def map_file(file: Filename, alter_path: AlterPath) -> None:
    """Rewrite a file's name for the cluster, which may be a path of its own."""
    if any(separator in file.value for separator in "/\\"):
        file.value = alter_path(file.value)


def map_models(names: Sequence[str], alter_path: AlterPath) -> List[str]:
    """Rewrite those of the models that are paths; the names of models stay."""
    found = {*list_models(), *FLOAT32_NAMES}
    return [name if name in found else alter_path(_absolute(os.path.expanduser(name))) for name in names]


def split_names(text: str) -> List[str]:
    """Split names or paths at commas; a path with a comma stands in double quotes.

    >>> split_names('phase_cells, "/data/June, 3/mine.onnx"')
    ['phase_cells', '/data/June, 3/mine.onnx']
    """
    rows = csv.reader(text.splitlines(), skipinitialspace=True)
    return [name.strip() for row in rows for name in row if name.strip()]


def join_names(names: Sequence[str]) -> str:
    """Join names or paths, so that `split_names` returns them again."""
    text = io.StringIO()
    csv.writer(text, lineterminator="").writerow(names)
    return text.getvalue()


def _absolute(path: str) -> str:
    """Return the full path of a file or folder that is named from the current folder."""
    return os.path.abspath(path) if path and os.path.exists(path) else path
