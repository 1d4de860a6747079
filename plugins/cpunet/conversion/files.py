"""Pipeline files: which a folder holds, where each result goes, and how it is put there."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import List, Optional, Tuple

from cpunet.conversion.json_format import is_pipeline
from cpunet.errors import OptionError, OutputError
from cpunet.files.written_beside import written_beside

SUFFIXES = (".cppipe", ".cp", ".cpproj", ".json")
# CellProfiler tells JSON by the suffix; what is text, or a project, may have several.
KINDS = {".json": "JSON", ".cpproj": "a project", ".h5": "a project"}
TEXT = "text"


def pipelines_in(folder: Path, without: Optional[Path]) -> List[Path]:
    """Return the pipeline files in a folder and in those below it, but for hidden ones and those in another folder.

    JSON files count only if they hold a pipeline.
    """
    skipped = None if without is None else without.resolve()
    found = []
    for path in sorted(folder.rglob("*")):
        hidden = any(part.startswith(".") for part in path.relative_to(folder).parts)
        if hidden or path.suffix.lower() not in SUFFIXES or not path.is_file():
            continue
        if skipped is not None and skipped != folder.resolve() and skipped in path.resolve().parents:
            continue
        if path.suffix.lower() != ".json" or _is_pipeline_of_json(path):
            found.append(path)
    return found


def places(source: Path, output: Optional[Path]) -> List[Tuple[Path, Optional[Path]]]:
    """Return each pipeline file, and where its result goes; None if there is to be no result.

    Raises
    ------
    OptionError
        If there is no such file or folder, or it cannot go where the user says.
    """
    if not source.exists():
        raise OptionError(f"{source}: there is no such file or folder.")
    if source.is_dir():
        if output is not None and output.exists() and not output.is_dir():
            raise OptionError(f"{output}: this is a file; the pipelines of a folder need a folder.")
        found = pipelines_in(source, output)
        if not found:
            raise OptionError(f"{source}: this folder holds no pipelines ({', '.join(SUFFIXES)}).")
        return [(path, None if output is None else output / path.relative_to(source)) for path in found]
    if output is None:
        return [(source, None)]
    place = output / source.name if output.is_dir() else output
    kind, wanted = (KINDS.get(path.suffix.lower(), TEXT) for path in (source, place))
    if kind != wanted:
        raise OptionError(
            f"{place}: the name ends as that of {wanted}, and {source.name} is {kind}. Give the result the suffix "
            f"{source.suffix}."
        )
    return [(source, place)]


def put(content: bytes, place: Path, overwrite: bool) -> bool:
    """Write a pipeline, completely or not at all; return False if the file is there already.

    Raises
    ------
    OutputError
        If another file is there, and the user did not ask to replace it.
    """
    if os.path.lexists(place):
        if place.is_dir():
            raise OutputError(f"{place} is a folder, and a file is to be written there.")
        if place.exists() and place.read_bytes() == content:
            return False
        if not overwrite:
            raise OutputError(f"{place} exists. Write elsewhere, or give --overwrite.")
    place.parent.mkdir(parents=True, exist_ok=True)
    with written_beside(place) as beside:
        beside.write_bytes(content)
    return True


def _is_pipeline_of_json(path: Path) -> bool:
    """Return whether a JSON file is a pipeline, or one that is damaged, so that it is not passed over in silence."""
    try:
        content = path.read_bytes()
    except OSError:
        return True  # reading it says what is wrong
    try:
        return is_pipeline(json.loads(content.decode("utf-8")))
    except ValueError:
        return b'"module_name"' in content
