"""Report the progress of a long computation, and let the user stop it between tiles."""

from __future__ import annotations

import logging
import time
from typing import Any, Callable, Set

from cellprofiler_core.pipeline.event import CancelledException

# The first time is short enough that the window does not seem to hang, and long enough for most images.
SECONDS_BEFORE_FIRST, SECONDS_BETWEEN = 2.0, 5.0

Progress = Callable[[int, int], None]  # takes the number of tiles done, and of all tiles

_logged: Set[str] = set()


def warn_once(warning: str) -> None:
    """Log a warning once a process, since a batch would repeat it for each image."""
    if warning not in _logged:
        _logged.add(warning)
        logging.warning(warning)


def progress_reporter(what: str, frame: Any) -> Progress:
    """Return `show_progress` in test mode, which has a frame, and `log_progress` elsewhere."""
    return log_progress(what) if frame is None else show_progress(what, frame)


def log_progress(what: str, log: Callable[[str], None] = logging.info) -> Progress:
    """Return a function that logs the progress every five seconds; `what` begins each line."""
    next_line = time.monotonic() + SECONDS_BETWEEN

    def progress(done: int, total: int) -> None:
        nonlocal next_line
        if time.monotonic() >= next_line:
            log(f"{what}: {done} of {total} tiles")
            next_line = time.monotonic() + SECONDS_BETWEEN

    return progress


def show_progress(what: str, frame: Any) -> Progress:
    """Return a function that shows the progress in a window with a Cancel button, after two seconds of work.

    Parameters
    ----------
    what : str
        The window's title.
    frame : wx.Window
        CellProfiler's window, in test mode. The workers of an analysis have none.

    Returns
    -------
    callable
        Raises CancelledException if the button was pressed. The window closes with the last tile.
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
            dialog = wx.ProgressDialog(what, "Processing the image", maximum=100, parent=frame, style=style)
        if dialog is not None:
            goes_on, _ = dialog.Update(int(100 * done / total), f"{done} of {total} tiles")
            if not goes_on:
                dialog.Destroy()
                dialog = None
                raise CancelledException(f"{what} was stopped after {done} of {total} tiles.")

    return progress
