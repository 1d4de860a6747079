"""Say how far the segmentation of a mosaic is: the tiles and the time left, and then the stages after them."""

from __future__ import annotations

from typing import Optional, Tuple

from cpunet.progress import Progress


class Stages:
    """Shows the progress of each stage of one mosaic.

    Parameters
    ----------
    name : str
        Of the mosaic.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._stage: Tuple[str, int] = ("", 0)
        self._progress: Optional[Progress] = None

    def report(self, stage: str, done: int, total: int) -> None:
        """Show a step; the first call of a stage says how many steps an earlier run has done."""
        if (stage, total) != self._stage:
            self.end()
            self._stage, self._progress = (stage, total), Progress(f"{self._name}: {stage}", total, done)
            if done and done < total:
                self._progress.tell(done, "done by an earlier run")
        if self._progress is not None:
            self._progress.show(done)

    def end(self) -> None:
        """Remove the bar."""
        if self._progress is not None:
            self._progress.end()
