"""The dialogs that the module's buttons open in CellProfiler's window."""

from __future__ import annotations

import sys
from typing import Any, List, Optional


def show_lines(title: str, lines: List[str]) -> None:
    """Show text in a dialog from which it can be copied. Without a window, print it."""
    text = "\n".join(lines)
    window = _window()
    if window is None:
        sys.stdout.write(f"{title}\n{text}\n")
        return
    import wx.lib.dialogs

    with wx.lib.dialogs.ScrolledMessageDialog(window, text, title, size=(720, 360)) as dialog:
        dialog.ShowModal()


def ask_for_folder(question: str, start: str) -> Optional[str]:
    """Let the user choose a folder; return None if the user canceled, or there is no window."""
    window = _window()
    if window is None:
        return None
    import wx

    with wx.DirDialog(window, question, start) as dialog:
        chosen: Optional[str] = dialog.GetPath() if dialog.ShowModal() == wx.ID_OK else None
    return chosen


def ask_which(question: str, choices: List[str]) -> Optional[int]:
    """Let the user choose one of several; return its place, or None if the user canceled, or there is no window."""
    window = _window()
    if window is None:
        return None
    import wx

    with wx.SingleChoiceDialog(window, question, "IdentifyObjectsUNet", choices) as dialog:
        chosen: Optional[int] = dialog.GetSelection() if dialog.ShowModal() == wx.ID_OK else None
    return chosen


def _window() -> Any:
    """Return CellProfiler's main window, or None without one."""
    if "wx" not in sys.modules:
        return None
    import wx

    application = wx.GetApp()
    return None if application is None else application.GetTopWindow()
