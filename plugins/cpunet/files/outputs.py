"""Keep what is the user's: where results may be written, and where they would replace something."""

from __future__ import annotations

import json
import os
import zipfile
from pathlib import Path
from typing import Callable, Collection, Optional

from cpunet.errors import CpunetError, OutputError
from cpunet.files.find import identity
from cpunet.files.mark import (
    COMMENTS,
    PROGRAM,
    Mark,
    Source,
    is_as_written,
    read_mark,
    text_is_as_written,
)
from cpunet.model.card import METADATA_KEY
from cpunet.onnx_reader.metadata import CHOOSER_KEY, read_metadata

WAYS_OUT = "Move it away, write elsewhere with -o, or give --overwrite."
# The metadata of weights that the trainings of all kinds of networks wrote, as `cpunet.training.weights` names it.
WEIGHTS_KEYS = {"cpunet_config", "cpunet_detection_config", "cpunet_volume_config"}
LONGEST_HEADER_BYTES = 2**24


def check_output(
    path: Path,
    inputs: Collection[str] = (),
    overwrite: bool = False,
    source: Optional[Source] = None,
) -> None:
    """Raise OutputError if a result must not be written to a place.

    Parameters
    ----------
    path : Path
        Of the result.
    inputs : collection of str
        The `identity` of each file that the command reads.
    overwrite : bool
        Whether the user asked to replace what is there. Inputs are never replaced.
    source : Source, optional
        The image that the result is made from.

    Raises
    ------
    OutputError
        If the file is an input, or exists and was not written by this program, was changed after that, or holds the
        result of another image.
    """
    if identity(path) in inputs:
        raise OutputError(
            f"{path} is an input of this command, which its result of the same name would replace. Choose another "
            "place with -o."
        )
    if not os.path.lexists(path):
        return
    if os.path.isdir(path):
        raise OutputError(f"{path} is a folder, and a file is to be written there. Write elsewhere with -o.")
    if overwrite:
        return
    if path.suffix.lower() in (".tif", ".tiff", ".png"):
        check_marked(path, read_mark(path), is_as_written, source)
        return
    written = _written_here(path)
    if written is None:
        raise OutputError(f"{path} exists, and was not written by {PROGRAM}. {WAYS_OUT}")
    if not written:
        raise OutputError(f"{path} was changed after {PROGRAM} wrote it. {WAYS_OUT}")


def check_marked(
    path: Path,
    mark: Optional[Mark],
    is_as_written: Callable[[Path, Mark], bool],
    source: Optional[Source],
) -> None:
    """Raise OutputError if what exists at a place, and carries this mark or none, must not be replaced.

    `is_as_written` says whether the content is still what a mark was made for; see `check_output` for the rest.
    """
    if mark is None:
        raise OutputError(f"{path} exists, and was not written by {PROGRAM}. {WAYS_OUT}")
    if not is_as_written(path, mark):
        raise OutputError(f"{path} was changed after {PROGRAM} wrote it, as by hand. {WAYS_OUT}")
    before = mark.source
    if source is None or before is None or source.place == before.place or source.content == before.content:
        return
    raise OutputError(
        f"{path} holds the objects of another image, {before.name}, of another folder and with another content. "
        f"{WAYS_OUT}"
    )


def _written_here(path: Path) -> Optional[bool]:
    """Return whether a file is as this program wrote it; None if it did not write it."""
    suffix = path.suffix.lower()
    try:
        if suffix == ".onnx":
            return True if {METADATA_KEY, CHOOSER_KEY} & read_metadata(path).keys() else None
        if suffix == ".zip":
            with zipfile.ZipFile(path) as archive:
                return True if archive.comment == PROGRAM.encode("ascii") else None
        if suffix == ".safetensors":
            return True if WEIGHTS_KEYS.intersection(_safetensors_metadata(path)) else None
        if suffix in (*COMMENTS, ".json"):
            return text_is_as_written(path.read_text(encoding="utf-8"))
        return None
    except (OSError, ValueError, CpunetError, zipfile.BadZipFile):  # what cannot be read is another program's
        return None


def _safetensors_metadata(path: Path) -> Collection[str]:
    """Return the keys of the metadata of a safetensors file: 8 bytes with the length of a header of JSON, and that."""
    with path.open("rb") as stream:
        length = int.from_bytes(stream.read(8), "little")
        if length > LONGEST_HEADER_BYTES:
            return ()
        header = json.loads(stream.read(length))
    metadata = header.get("__metadata__", {}) if isinstance(header, dict) else {}
    return metadata if isinstance(metadata, dict) else ()
