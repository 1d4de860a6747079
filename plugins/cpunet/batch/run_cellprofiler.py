"""Run CellProfiler in a process of its own, forked from one that has loaded it already where there is such a server."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Dict, Iterator, List, Optional, Tuple

from cpunet.batch import fork_server
from cpunet.cellprofiler_program.ending import SECONDS_TO_END, end
from cpunet.errors import BatchError

SCRIPT = Path(fork_server.__file__)
# Names the socket of the server for the steps that Snakemake starts on this computer.
SERVER_VARIABLE = "CPUNET_BATCH_SERVER"


@dataclass(frozen=True)
class Ended:
    """How a process ended.

    Attributes
    ----------
    exit_code : int
        Negative: the number of the signal that ended it.
    seconds, cpu_seconds : float
        By the clock, and of the processor; the latter is 0 on Windows.
    """

    exit_code: int
    seconds: float
    cpu_seconds: float


def run_cellprofiler(command: List[str], environment: Dict[str, str], log: Path) -> Ended:
    """Run a command of the Python that has CellProfiler.

    Parameters
    ----------
    command : list of str
        That Python, then ``-m MODULE`` or a script, and arguments.
    environment : dict of str to str
        Of a new process. A forked one has that of its server.
    log : Path
        Gets what it prints.

    Raises
    ------
    BatchError
        If it cannot be started, or the server that it was forked from ended.
    """
    began = time.monotonic()
    server = _connected(environment.get(SERVER_VARIABLE, ""))
    if server is not None:
        with server:
            code, cpu_seconds = _fork(server, command, log)
    else:
        code, cpu_seconds = _start(command, environment, log)
    return Ended(code, time.monotonic() - began, cpu_seconds)


def _connected(path: str) -> Optional[socket.socket]:
    """Return a connection to the server; None if there is none, or none any more."""
    if not path:
        return None
    server = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        server.connect(path)
    except OSError:
        server.close()
        return None
    return server


def _fork(server: socket.socket, command: List[str], log: Path) -> Tuple[int, float]:
    task = {"command": command, "cwd": os.getcwd(), "log": str(log)}
    try:
        server.sendall(json.dumps(task).encode() + b"\n")
        with server.makefile("rb") as answers:
            try:
                answer = answers.readline()
            except BaseException:
                server.shutdown(socket.SHUT_WR)  # this ends the run
                answers.readline()
                raise
    except OSError as error:
        raise BatchError(f"the process that starts CellProfiler for the batch was lost: {error}") from error
    if not answer:
        raise BatchError("the process that starts CellProfiler for the batch has ended.")
    found: Dict[str, Any] = json.loads(answer)
    return found["exit_code"], found["cpu_seconds"]


def _start(command: List[str], environment: Dict[str, str], log: Path) -> Tuple[int, float]:
    cpu_before = _cpu_seconds_of_children()
    with log.open("w", encoding="utf-8") as stream:
        try:
            process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=stream, stderr=subprocess.STDOUT, env=environment
            )
        except OSError as error:
            raise BatchError(f"{command[0]}: the Python with CellProfiler cannot be started: {error}") from error
        try:
            code = process.wait()
        except BaseException:
            end(process)
            raise
    return code, _cpu_seconds_of_children() - cpu_before


def _cpu_seconds_of_children() -> float:
    times: Tuple[float, ...] = os.times()
    return times[2] + times[3]


@contextlib.contextmanager
def loaded_once(python: str, plugins: str, environment: Dict[str, str]) -> Iterator[Dict[str, str]]:
    """Start the server, and yield the environment of the processes that are to use it; end it in the end.

    Parameters
    ----------
    python : str
        The Python that has CellProfiler.
    plugins : str
        The folder with the module.
    environment : dict of str to str
        Of all runs.

    Notes
    -----
    Only Linux: on macOS a process that has loaded the system's libraries may not go on after a fork, and Windows has no
    fork. Without a server, each run is a process that loads CellProfiler for itself. So it is too if the server cannot
    load it: the run says then what is wrong.
    """
    if sys.platform != "linux":
        yield environment
        return
    folder = tempfile.mkdtemp(prefix="cpunet-batch-")  # a socket's path must be short
    path = os.path.join(folder, "socket")
    try:
        process = subprocess.Popen(
            [python, str(SCRIPT), path, plugins],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=environment,
            start_new_session=True,  # Ctrl-C reaches the batch alone, which ends its runs in their order
        )
    except OSError:
        shutil.rmtree(folder)
        yield environment
        return
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        listens = any(line.endswith(fork_server.LISTENS) for line in process.stdout)
        yield {**environment, SERVER_VARIABLE: path} if listens else environment
    finally:
        process.stdin.close()
        try:
            process.wait(2 * SECONDS_TO_END)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        process.stdout.close()
        shutil.rmtree(folder)
