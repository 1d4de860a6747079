"""Read a model file once, so that the bytes that are checked and hashed are those that are run."""

from __future__ import annotations

import hashlib
import io
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, Tuple

from cpunet.errors import ModelError

# protobuf, and so onnxruntime, reads no longer file.
LARGEST_FILE_BYTES = 2**31 - 1

# Time of the last change (ns), size (bytes) and inode: another file, or other content, has another state.
FileState = Tuple[int, int, int]


@dataclass(frozen=True)
class ModelFile:
    """The content of a model file at one moment.

    Attributes
    ----------
    path : Path
        Where it was read; it may hold something else by now.
    content : bytes
    sha256 : str
        Of the content, hexadecimal.
    state : tuple of int
        See `state_of`.
    """

    path: Path
    content: bytes = field(repr=False)
    sha256: str
    state: FileState

    def stream(self) -> BinaryIO:
        """Return a new stream of the content."""
        return io.BytesIO(self.content)


def read_model_file(path: Path) -> ModelFile:
    """Read a model file as a whole.

    Raises
    ------
    ModelError
        If it is missing, empty, larger than ONNX files can be, or cannot be read.
    """
    path = Path(path).resolve()
    try:
        if not path.is_file():  # a pipe or a device would never end
            raise ModelError(what_is_no_file(path))
        with path.open("rb") as stream:
            state = _state(os.fstat(stream.fileno()))
            check_size(state[1])
            content = stream.read(LARGEST_FILE_BYTES + 1)
        check_size(len(content))
    except OSError as error:
        raise ModelError(f"{path}: the model file cannot be read ({error.strerror or error}).") from None
    except ModelError as error:
        raise ModelError(f"{path}: {error}") from None
    return ModelFile(path, content, hashlib.sha256(content).hexdigest(), state)


def check_size(size_bytes: int) -> None:
    """Raise ModelError if no model has this size."""
    if size_bytes == 0:
        raise ModelError("the model file is empty. Copy or download it again.")
    if size_bytes > LARGEST_FILE_BYTES:
        raise ModelError(
            f"the model file has {size_bytes} bytes, and ONNX files of more than {LARGEST_FILE_BYTES} cannot be "
            "opened. Choose a smaller network."
        )


def state_of(path: Path) -> FileState:
    """Return what shows that a file was changed or replaced, without reading it; OSError if it is not there."""
    return _state(os.stat(path))


def _state(status: os.stat_result) -> FileState:
    return status.st_mtime_ns, status.st_size, status.st_ino


def what_is_no_file(path: Path) -> str:
    """Say why there is no model file at a path."""
    if path.is_dir():
        return "this is a folder, and a model is one file. Give the .onnx file in it."
    return "there is no such model file. Check its folder and its name."
