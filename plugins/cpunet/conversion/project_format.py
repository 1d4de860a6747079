"""Projects (.cpproj): HDF5 files that hold the pipeline as text, beside the list of images."""

from __future__ import annotations

import importlib
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Iterator, Mapping, Sequence, Tuple

from cpunet.conversion.saved import SavedModule
from cpunet.conversion.text_format import TextPipeline, read_text
from cpunet.errors import PipelineError, RuntimeMissingError

SIGNATURE = b"\x89HDF\r\n\x1a\n"
# The pipeline that the window shows where a batch has been made of it, and the one that runs.
PIPELINES = ("Pipeline_UserPipeline", "Pipeline_Pipeline")


def is_project(content: bytes) -> bool:
    """Return whether a file is HDF5."""
    return content.startswith(SIGNATURE)


@dataclass(frozen=True)
class ProjectPipeline:
    """A project, and the pipeline in it."""

    content: bytes
    text: bytes
    pipeline: TextPipeline

    @property
    def modules(self) -> Sequence[SavedModule]:
        """Return all modules in order."""
        return self.pipeline.modules

    def with_modules(self, changed: Mapping[int, SavedModule]) -> bytes:
        """Return the project with these modules in the places of those of the same number; see `read_project`."""
        text = self.pipeline.with_modules(changed)
        with _opened_copy(self.content, "r+") as (file, path):
            for dataset in _texts(file):
                if _read(dataset) == self.text:
                    dataset[0] = text
            file.close()
            return path.read_bytes()


def read_project(content: bytes) -> ProjectPipeline:
    """Read the pipeline of a project, which is that of its last run.

    Raises
    ------
    PipelineError
        If the project cannot be opened, or holds no pipeline.
    RuntimeMissingError
        If the package h5py is not installed.
    """
    with _opened_copy(content, "r") as (file, _):
        texts = [_read(dataset) for dataset in _texts(file)]
    if not texts:
        raise PipelineError("this project holds no pipeline. Open it in CellProfiler and save it again.")
    return ProjectPipeline(content, texts[-1], read_text(texts[-1]))


def _texts(file: Any) -> Iterator[Any]:
    """Yield each data set that holds a pipeline, that of the last run last."""
    runs = file.get("Measurements", {})
    for run in sorted(runs):
        experiment = runs[run].get("Experiment", {})
        for name in PIPELINES:
            dataset = experiment[name].get("data") if name in experiment else None
            if dataset is not None and dataset.shape and dataset.shape[0] > 0:
                yield dataset


def _read(dataset: Any) -> bytes:
    text = dataset[0]
    return text if isinstance(text, bytes) else str(text).encode("utf-8")


@contextmanager
def _opened_copy(content: bytes, mode: str) -> Iterator[Tuple[Any, Path]]:
    """Open a copy of an HDF5 file, in a folder that is removed at the end; yield the file and its path."""
    try:
        h5py = importlib.import_module("h5py")
    except ImportError as error:
        raise RuntimeMissingError(
            f"projects (.cpproj) are HDF5 files, and the package h5py is missing ({error}). Install it: "
            'python -m pip install h5py. Or export the pipeline in CellProfiler: "File > Export > Pipeline".'
        ) from error
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "project.cpproj"
        path.write_bytes(content)
        try:
            file = h5py.File(path, mode)
        except OSError as error:
            raise PipelineError(f"this project cannot be opened: {error}. Save it again in CellProfiler.") from error
        with file:
            yield file, path
