"""A process that has loaded CellProfiler, and forks itself for each piece of a batch, which then need not load it.

This file is run by the Python that has CellProfiler, by its path, and imports nothing of cpunet:

    python fork_server.py SOCKET PLUGINS

The standard input is a pipe that tells when the batch ends. The first line on the standard output says that the
server listens. A client connects to the socket for each run and sends a line of JSON: ``command`` (as for a process of
its own: a Python, then ``-m MODULE`` or a script, and arguments), ``cwd`` and ``log`` (the file for what it prints).
The answer is a line of JSON: ``exit_code`` (negative: the number of a signal) and ``cpu_seconds``. A client that ends
the connection, or its half of it, ends the run.

Java is started by each run for itself, since it does not survive a fork.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import runpy
import select
import signal
import socket
import sys
import time
from typing import Any, Dict, List, Optional

LISTENS = b"listens\n"
SECONDS_TO_END = 20.0
# How soon the end of a run is noticed.
TICK_SECONDS = 0.05


class Run:
    """A run that goes on in a process of its own, and the client that waits for it."""

    def __init__(self, pid: int, client: socket.socket) -> None:
        self.pid, self.client = pid, client
        self.kill_at: Optional[float] = None

    def end(self) -> None:
        """Ask the process to end; it is killed if it is still there after a while."""
        if self.kill_at is None:
            self.kill_at = time.monotonic() + SECONDS_TO_END
            os.kill(self.pid, signal.SIGTERM)
        elif time.monotonic() > self.kill_at:
            os.kill(self.pid, signal.SIGKILL)

    def goes_on(self) -> bool:
        """Return whether the process is there; tell the client how it ended if it is not."""
        pid, status, usage = os.wait4(self.pid, os.WNOHANG)
        if pid == 0:
            return True
        code = -os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)
        answer = {"exit_code": code, "cpu_seconds": usage.ru_utime + usage.ru_stime}
        with contextlib.suppress(OSError):  # the client may be gone
            self.client.sendall(json.dumps(answer).encode() + b"\n")
        self.client.close()
        return False

    def is_wanted(self) -> bool:
        """Return whether the client still waits."""
        try:
            return self.client.recv(1, socket.MSG_DONTWAIT) != b""
        except BlockingIOError:
            return True
        except OSError:
            return False


def serve(path: str) -> Optional[Dict[str, Any]]:
    """Fork for each client; return None when the batch has ended, and in each forked process what it is to run.

    Parameters
    ----------
    path : str
        Of the socket, which must not exist.
    """
    sys.stdout.flush()  # else each forked process would print what modules printed as they were loaded
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.bind(path)
    listener.listen()
    os.write(1, LISTENS)
    runs: List[Run] = []
    batch_goes_on = True
    while batch_goes_on or runs:
        sources = [0, listener.fileno()] if batch_goes_on else []
        ready, _, _ = select.select(sources, [], [], TICK_SECONDS if runs else None)
        if 0 in ready:
            batch_goes_on = False
        elif ready:
            client, _ = listener.accept()
            task = _task_of(client)
            pid = -1 if task is None else os.fork()
            if pid == 0:
                for stream in (listener, client, *(run.client for run in runs)):
                    stream.close()
                return task
            if task is None:
                client.close()
            else:
                runs.append(Run(pid, client))
        runs = [run for run in runs if run.goes_on()]
        for run in runs:
            if not (batch_goes_on and run.is_wanted()):
                run.end()
    return None


def _task_of(client: socket.socket) -> Optional[Dict[str, Any]]:
    """Return what a client asks for; None if it ended before it asked."""
    with client.makefile("rb") as stream:
        line = stream.readline()
    if not line.endswith(b"\n"):
        return None
    task: Dict[str, Any] = json.loads(line)
    return task


def run(task: Dict[str, Any]) -> None:
    """Do in this process what ``command`` would do in a new one."""
    import numpy

    # Else modules that draw from numpy's global generator would draw the same numbers in all runs.
    numpy.random.seed()  # noqa: NPY002
    # What modules that could not be loaded were said with: CellProfiler sets up its log only if there is none.
    logging.root.handlers.clear()
    nothing = os.open(os.devnull, os.O_RDONLY)
    log = os.open(task["log"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o666)
    for source, target in ((nothing, 0), (log, 1), (log, 2)):
        os.dup2(source, target)
    os.chdir(task["cwd"])
    arguments = task["command"][1:]
    if arguments[0] == "-m":
        sys.argv = arguments[1:]
        sys.modules.pop(f"{arguments[1]}.__main__", None)  # it was imported only for what it imports
        runpy.run_module(arguments[1], run_name="__main__", alter_sys=True)
    else:
        sys.argv = arguments
        runpy.run_path(arguments[0], run_name="__main__")


def load_cellprofiler(plugins: str) -> None:
    """Import what each run needs, the modules of the plugins folder too."""
    import cellprofiler.__main__  # noqa: F401
    from cellprofiler_core.preferences import set_headless, set_plugin_directory

    set_headless()
    set_plugin_directory(plugins, globally=False)
    import cellprofiler_core.modules  # noqa: F401  finds all modules

    with contextlib.suppress(ImportError):  # the module says so, if a pipeline has it
        import onnxruntime  # noqa: F401


def main() -> None:
    """Load CellProfiler, and serve until the standard input ends."""
    path, plugins = sys.argv[1:]
    load_cellprofiler(plugins)
    task = serve(path)
    if task is not None:
        run(task)


if __name__ == "__main__":
    main()
