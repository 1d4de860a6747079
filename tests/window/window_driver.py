"""Press, wait and look in CellProfiler's own window, from inside its event loop."""

import json
import os
import subprocess
import time
import traceback

import wx

TICK_MS = 100
# A step of the window waits for this long at most; an analysis on a slow machine takes a minute.
PATIENCE_S = 150


class Driver:
    """Goes on with a generator of steps each time that the condition it waits for is true.

    Parameters
    ----------
    frame : wx.Frame
        CellProfiler's main window.
    output : pathlib.Path
        Folder of screenshots and of the report.
    scenario : callable
        Takes the driver, and returns a generator. It yields conditions (callables without arguments), and is sent what
        a condition returned once that is true.

    Notes
    -----
    wx's timer ticks inside modal dialogs too. So whatever may open one is pressed by `later`, and the next step
    sees it.
    """

    def __init__(self, frame, output, scenario):
        self.frame, self.output, self.report = frame, output, {}
        self._steps = scenario(self)
        self._condition, self._since, self._inside = next(self._steps), time.monotonic(), False
        self._timer = wx.Timer(frame)
        frame.Bind(wx.EVT_TIMER, self._tick, self._timer)
        self._timer.Start(TICK_MS)

    def _tick(self, _):
        if self._inside:
            return
        self._inside = True
        try:
            found = self._condition()
            if found:
                self._condition, self._since = self._steps.send(found), time.monotonic()
            elif time.monotonic() - self._since > PATIENCE_S:
                self._steps.throw(TimeoutError(f"nothing came of a step in {PATIENCE_S} s"))
        except StopIteration:
            self.leave()
        except Exception:
            self.report["error"] = traceback.format_exc() + "\nWindows: " + "; ".join(titles())
            try:
                self.shoot_now(screen(), "error")
            finally:
                self.leave()
        self._inside = False

    def leave(self):
        """Write the report and end the process: nothing of a failed step may hold it."""
        (self.output / "report.json").write_text(json.dumps(self.report, indent=1), encoding="utf-8")
        os._exit(1 if "error" in self.report else 0)

    def shoot(self, window, name):
        """Bring a window to the front, and write a picture of it once it is drawn."""
        window.Raise()
        window.Refresh()
        yield seconds(0.7)
        self.shoot_now(window.GetScreenRect(), name)

    def shoot_now(self, place, name):
        """Write a picture of what the screen shows at a place."""
        place = place.Intersect(screen())
        crop = f"{place.width}x{place.height}+{place.x}+{place.y}"
        path = str(self.output / f"{name}.png")
        # wx's own ScreenDC keeps the first picture that it took of a screen without a compositor
        subprocess.run(["import", "-window", "root", "-crop", crop, "+repage", path], check=True, timeout=30)


def screen():
    """Return the place of the whole screen."""
    return wx.Rect(wx.Point(0, 0), wx.GetDisplaySize())


def titles():
    """Return the titles of the windows that are shown."""
    return [window.GetTitle() for window in wx.GetTopLevelWindows() if window.IsShown()]


def shown(title, kind=wx.TopLevelWindow):
    """Return a condition that finds the shown window whose title contains this."""

    def find():
        for window in wx.GetTopLevelWindows():
            if window and isinstance(window, kind) and window.IsShown() and title in window.GetTitle():
                return window
        return None

    return find


def gone(window):
    """Return a condition that is true once a window has been closed."""
    return lambda: not window or not window.IsShown()


def seconds(number):
    """Return a condition that is true after so many seconds."""
    begun = time.monotonic()
    return lambda: time.monotonic() - begun >= number


def later(call, *arguments):
    """Call in the event loop, outside the step, which may then see a modal dialog that the call opens."""
    wx.CallAfter(call, *arguments)


def press(window, label):
    """Press the button of that label, as a click does."""
    for button in descendants(window):
        if isinstance(button, wx.Button) and button.GetLabelText() == label and button.IsShown():
            later(send, button, wx.EVT_BUTTON)
            return
    raise LookupError(f"{window.GetTitle()!r} has no button {label!r}")


def send(control, kind):
    """Send a control the event of its kind."""
    event = wx.CommandEvent(kind.typeId, control.GetId())
    event.SetEventObject(control)
    control.GetEventHandler().ProcessEvent(event)


def descendants(window):
    """Yield all controls in a window."""
    for child in window.GetChildren():
        yield child
        yield from descendants(child)
