"""A real Chromium without a window, driven through a pipe by its DevTools protocol: real clicks, keys and downloads."""

import base64
import json
import os
import select
import shutil
import subprocess
import sys
import time

PROGRAMS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
LONGEST_WAIT_S = 30
# A virtual key code, and what is typed, of the keys that tests press by name.
KEYS = {"Enter": (13, "\r"), "Escape": (27, ""), "ArrowLeft": (37, ""), "ArrowRight": (39, ""), "Tab": (9, "")}
CONTROL, SHIFT = 2, 8
# Chromium reads commands from file 3 and writes answers to file 4, whatever the numbers of the pipes are here.
WITH_PIPES = """
import fcntl, os, sys
for place, pipe in enumerate([fcntl.fcntl(int(each), fcntl.F_DUPFD, 10) for each in sys.argv[1:3]], start=3):
    os.dup2(pipe, place)
os.execv(sys.argv[3], sys.argv[3:])
"""


def chromium():
    """The path of the program, or None."""
    return next(filter(None, map(shutil.which, PROGRAMS)), None)


class Browser:
    """One tab of a Chromium with a profile of its own in a folder, where downloads go too."""

    def __init__(self, folder, size=(1400, 900)):
        self.downloads = folder / "downloads"
        self.downloads.mkdir(parents=True, exist_ok=True)
        to_child, self._to = os.pipe()
        self._from, from_child = os.pipe()
        words = [
            chromium(),
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--no-first-run",
            "--hide-scrollbars",
            "--remote-debugging-pipe",
            f"--user-data-dir={folder / 'profile'}",
            f"--window-size={size[0]},{size[1]}",
            "about:blank",
        ]
        self._process = subprocess.Popen(
            [sys.executable, "-c", WITH_PIPES, str(to_child), str(from_child), *words],
            pass_fds=(to_child, from_child),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(to_child)
        os.close(from_child)
        self._number, self._unread, self._session = 0, b"", None
        try:
            self._attach(size)
        except BaseException:
            self.close()
            raise

    def _attach(self, size):
        targets = self.call("Target.getTargets")["targetInfos"]
        target = next(each["targetId"] for each in targets if each["type"] == "page")
        self._session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        width, height = size
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)
        self.call("Page.enable")
        self.call("Page.setDownloadBehavior", behavior="allow", downloadPath=str(self.downloads))

    def close(self):
        """End Chromium; also one that does not answer."""
        self._process.terminate()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        os.close(self._to)
        os.close(self._from)

    def call(self, method, **parameters):
        """Call a method of the DevTools protocol and return its result."""
        self._number += 1
        message = {"id": self._number, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._to, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._next()
            if answer.get("id") == self._number:
                assert "error" not in answer, f"{method}: {answer['error']}"
                return answer["result"]

    def _next(self):
        while b"\0" not in self._unread:
            ready, _, _ = select.select([self._from], [], [], LONGEST_WAIT_S)
            assert ready, "Chromium does not answer"
            part = os.read(self._from, 2**20)
            assert part, "Chromium ended"
            self._unread += part
        message, _, self._unread = self._unread.partition(b"\0")
        return json.loads(message)

    def open(self, path):
        """Open a file, or the same one again, and wait until it is there."""
        self.js("window.isLeft = true")
        self.call("Page.navigate", url=path.resolve().as_uri())
        self.until("!window.isLeft && document.readyState === 'complete'")

    def js(self, code):
        """Return what an expression is worth."""
        result = self.call("Runtime.evaluate", expression=code, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in result, result["exceptionDetails"]
        return result["result"].get("value")

    def until(self, code):
        """Wait until an expression is true."""
        end = time.monotonic() + LONGEST_WAIT_S
        while time.monotonic() < end:
            if self.js(code):
                return
            time.sleep(0.05)
        raise AssertionError(f"{code} did not become true")

    def text(self, selector):
        return self.js(f"document.querySelector({json.dumps(selector)}).textContent.trim()")

    def value(self, selector):
        return self.js(f"document.querySelector({json.dumps(selector)}).value")

    def box(self, selector):
        """Where an element is in the window: left, top, width and height, pixels."""
        box = f"document.querySelector({json.dumps(selector)}).getBoundingClientRect()"
        return self.js(f"(({{x, y, width, height}}) => [x, y, width, height])({box})")

    def click(self, selector):
        """Click in the middle of an element, with the mouse."""
        left, top, width, height = self.box(selector)
        self.click_at(left + width / 2, top + height / 2)

    def click_at(self, x, y):
        self.drag((x, y), (x, y))

    def drag(self, start, end, modifiers=0):
        """Press the mouse's button at one place of the window and release it at another."""
        place = {"button": "left", "clickCount": 1, "modifiers": modifiers}
        self.call("Input.dispatchMouseEvent", type="mouseMoved", x=start[0], y=start[1])
        self.call("Input.dispatchMouseEvent", type="mousePressed", x=start[0], y=start[1], **place)
        if end != start:
            self.call("Input.dispatchMouseEvent", type="mouseMoved", x=end[0], y=end[1], button="left", buttons=1)
        self.call("Input.dispatchMouseEvent", type="mouseReleased", x=end[0], y=end[1], **place)

    def type(self, text):
        self.call("Input.insertText", text=text)

    def key(self, name, modifiers=0):
        """Press a key: one of `KEYS`, or a letter."""
        code, text = KEYS[name] if name in KEYS else (ord(name.upper()), name)
        text = "" if modifiers & CONTROL else text
        key = {"key": name, "windowsVirtualKeyCode": code, "modifiers": modifiers}
        self.call("Input.dispatchKeyEvent", type="keyDown" if text else "rawKeyDown", text=text, **key)
        self.call("Input.dispatchKeyEvent", type="keyUp", **key)

    def screenshot(self, path):
        path.write_bytes(base64.b64decode(self.call("Page.captureScreenshot")["data"]))

    def downloaded(self):
        """Wait for the files in the folder of downloads, and return their paths."""
        end = time.monotonic() + LONGEST_WAIT_S
        while time.monotonic() < end:
            files = sorted(self.downloads.iterdir())
            if files and not any(path.suffix == ".crdownload" for path in files):
                return files
            time.sleep(0.05)
        raise AssertionError("nothing was downloaded")
