"""Write a file beside its place, let it be checked there, and only then put it in its place."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cpunet.checks.verify import Reference, verify_model
from cpunet.errors import CpunetError, ExportError, ModelError
from cpunet.files.written_beside import written_beside
from cpunet.model.find import MODEL_FILE


def check_model_name(path: Path) -> None:
    """Raise ModelError if the name of a model file to be written does not end in ``.onnx``."""
    if path.suffix != ".onnx":
        raise ModelError(f"{path}: the name of a model file must end in .onnx, such as models/NAME/{MODEL_FILE}.")


@contextmanager
def put_in_place(path: Path, content: bytes) -> Iterator[Path]:
    """Give a copy of a file to check, and rename it to the file's own name if no check raises an error.

    Parameters
    ----------
    path : Path
        Its folder is made. A file that is there already is replaced at the end, and keeps its permissions.
    content : bytes

    Yields
    ------
    Path
        The copy, in the same folder. Errors that name it are made to name `path`.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with written_beside(path) as beside:
        beside.write_bytes(content)
        if path.exists():
            shutil.copymode(path, beside)
        with errors_name(path, instead_of=beside):
            yield beside


@contextmanager
def errors_name(path: Path, instead_of: Path) -> Iterator[None]:
    """Let errors name the file that the user gave, instead of the copy that was tried."""
    try:
        yield
    except CpunetError as error:
        text = str(error).replace(str(instead_of.resolve()), str(path)).replace(str(instead_of), str(path))
        error.args = (text,)
        raise


def put_verified(path: Path, content: bytes, reference: Reference | None = None) -> None:
    """Put a model file in its place if it passes every check of `cpunet verify`.

    Parameters
    ----------
    path : Path
    content : bytes
        With a card and a stored test.
    reference : Reference, optional
        Another computation of the same network, to compare with.

    Raises
    ------
    ExportError
        Names the first check that fails. The file is left as it was.
    """
    with put_in_place(path, content) as beside:
        for finding in verify_model(beside, reference):
            if not finding.passed:
                raise ExportError(f"the exported file fails the check of its {finding.check}: {finding.text}")
