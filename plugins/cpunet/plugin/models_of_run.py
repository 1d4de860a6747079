"""Hold the models of a run from its first image set to its last, whatever becomes of their files."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Dict, Sequence, Tuple

from cpunet.errors import ModelError
from cpunet.model.session import OnnxModel
from cpunet.onnx_reader.model_file import ModelFile, read_model_file
from cpunet.plugin.measurements import LONGEST_SUMS, ModelUsed
from cpunet.plugin.progress import warn_once


@dataclass
class ModelsOfRun:
    """The models with which a run began.

    Attributes
    ----------
    sums : str
        Their SHA-256, as the table of the experiment has them.
    files : sequence of ModelFile
        Their bytes, read when the run began or at its first image set in this process.
    opened : dict
        What was made of them, by where it runs: the model or the mean of several, what was used, and the models one
        by one.
    """

    sums: str
    files: Sequence[ModelFile] = ()
    opened: Dict[Any, Tuple[Any, ModelUsed, Sequence[OnnxModel]]] = field(default_factory=dict)

    def keep(self, files: Sequence[ModelFile]) -> None:
        """Keep the files if they are those with which the run began, and raise ModelError otherwise.

        This happens in a process that opens the models for the first time after a file was replaced: it has nothing
        of the earlier file, and two networks in one table would be worse than an error.
        """
        found = sums_of(files)
        if found != self.sums:
            paths = ", ".join(str(file.path) for file in files)
            raise ModelError(
                f"{paths}: the model was changed or replaced after this run began: its SHA-256 is {found}, and the run "
                f"began with {self.sums}. Put the earlier file back, or start the run again."
            )
        self.files = files


def form_of_run(forms: Sequence[Path], sums: str) -> ModelFile:
    """Read the form of a model with which a run began; the first, if it was none of them.

    The run may have begun on another computer, whose processor is faster with another form than this one.
    """
    files = [read_model_file(path) for path in forms]
    return next((file for file in files if file.sha256 in sums), files[0])


def sums_of(files: Sequence[ModelFile]) -> str:
    """Return the sums of model files as the table of the experiment has them."""
    return "+".join(file.sha256 for file in files)[:LONGEST_SUMS]


def warn_of_changes(models: Sequence[OnnxModel]) -> None:
    """Log, once, that a file is no longer what the run began with."""
    for model in models:
        if model.file_has_changed():
            warn_once(
                f"The model file {model.path} was changed, replaced or removed during this run. The run goes on with "
                f"the network that it began with (SHA-256 {model.sha256}). Start a new run to use the new file."
            )
