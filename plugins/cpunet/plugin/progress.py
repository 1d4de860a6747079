"""Say how far a long computation is, and let it be stopped between tiles."""

from __future__ import annotations

import logging
import time
from typing import Any, Callable, Set

from cellprofiler_core.pipeline.event import CancelledException

# What takes less needs no progress; a longer silence looks like a window that hangs.
SECONDS_BEFORE_FIRST, SECONDS_BETWEEN = 2.0, 5.0

Progress = Callable[[int, int], None]

_said: Set[str] = set()


def warn_once(warning: str) -> None:
    """Write a warning into the log, once a process: a batch of a thousand images would repeat it as often."""
    if warning not in _said:
        _said.add(warning)
        logging.warning(warning)


def log_progress(what: str, log: Callable[[str], None] = logging.info) -> Progress:
    """Return a function that is told of each tile, and writes a line into the log every five seconds.

    Parameters
    ----------
    what : str
        Begins each line.
    log : callable
        Takes a line.

    Returns
    -------
    callable
        Takes the tiles done and all tiles.
    """
    next_line = time.monotonic() + SECONDS_BETWEEN

    def progress(done: int, total: int) -> None:
        nonlocal next_line
        if time.monotonic() >= next_line:
            log(f"{what}: {done} of {total} tiles")
            next_line = time.monotonic() + SECONDS_BETWEEN

    return progress


def show_progress(what: str, frame: Any) -> Progress:
    """Return a function that shows a window with a button to stop once the work has taken two seconds.

    Parameters
    ----------
    what : str
        The window's title.
    frame : wx.Window
        CellProfiler's, in which test mode runs a module; an analysis' workers have none, and are stopped by ending
        them.

    Returns
    -------
    callable
        Takes the tiles done and all tiles; raises CancelledException if the button was pressed. The window goes with
        the last tile, or with the function.
    """
    import wx

    log = log_progress(what)
    begun = time.monotonic()
    dialog = None

    def progress(done: int, total: int) -> None:
        nonlocal dialog
        log(done, total)
        if done >= total:
            if dialog is not None:
                dialog.Destroy()
                dialog = None
            return
        if dialog is None and time.monotonic() - begun >= SECONDS_BEFORE_FIRST:
            style = wx.PD_APP_MODAL | wx.PD_CAN_ABORT | wx.PD_ELAPSED_TIME
            dialog = wx.ProgressDialog(what, "Looking at the image", maximum=100, parent=frame, style=style)
        if dialog is not None:
            goes_on, _ = dialog.Update(int(100 * done / total), f"{done} of {total} tiles")
            if not goes_on:
                dialog.Destroy()
                dialog = None
                raise CancelledException(f"{what} was stopped after {done} of {total} tiles.")

    return progress
