"""A module as a pipeline file holds it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Mapping, Optional, Protocol, Sequence, Tuple

from cpunet.errors import PipelineError

PRIMARY, UNET = "IdentifyPrimaryObjects", "IdentifyObjectsUNet"
# What early versions of CellProfiler 2 called IdentifyPrimaryObjects; the settings stand in the same order.
NAMES_OF_PRIMARY = (PRIMARY, "IdentifyPrimAutomatic")


@dataclass(frozen=True)
class Setting:
    """One setting of a saved module.

    Attributes
    ----------
    text : str
        Its name, as the window shows it.
    value : str
        As CellProfiler understands what the file says.
    as_saved : str, optional
        As the file spells the value; None for a value that no file has yet.
    kind : str
        Where CellProfiler finds the code of this kind of setting. Only pipelines in JSON have it.
    """

    text: str
    value: str
    as_saved: Optional[str] = None
    kind: str = ""


@dataclass(frozen=True)
class SavedModule:
    """A module of a pipeline.

    Attributes
    ----------
    number : int
        Its place among the modules, from 1.
    name : str
        Its kind, such as ``IdentifyPrimaryObjects``.
    revision : int
        Of its settings: which of them there are, in which order.
    enabled : bool
    settings : tuple of Setting
        In the order of the file.
    """

    number: int
    name: str
    revision: int
    enabled: bool
    settings: Tuple[Setting, ...]

    def check_settings(self, needed: int) -> None:
        """Raise PipelineError if there are fewer settings than the revision has."""
        if len(self.settings) < needed:
            raise PipelineError(
                f"module {self.number}, {self.name}, has {len(self.settings)} settings, and revision {self.revision} "
                f"has at least {needed}. Take the file as CellProfiler saved it."
            )


class SavedPipeline(Protocol):
    """The content of a pipeline file, in any of CellProfiler's formats."""

    @property
    def modules(self) -> Sequence[SavedModule]:
        """Return all modules in order."""

    def with_modules(self, changed: Mapping[int, SavedModule]) -> bytes:
        """Return the file with these modules in the places of those of the same number; all else is kept."""
