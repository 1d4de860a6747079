"""Run one piece of a batch: CellProfiler in a process of its own, on a range of image sets."""

from __future__ import annotations

import os
import platform
import shutil
import tempfile
import time
from pathlib import Path
from typing import Any, Dict, List

from cpunet.batch.folder import BatchFolder, Piece, Request, write_json
from cpunet.batch.run_cellprofiler import run_cellprofiler
from cpunet.cellprofiler_program.log import failures_in, models_in, reason_in
from cpunet.cores import THREADS_VARIABLE
from cpunet.errors import BatchError

# Libraries below CellProfiler that start threads of their own.
LIBRARY_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS")
# Java, which reads images for CellProfiler, compiles what it runs more and more thoroughly, on other threads: about two
# seconds of a core in each piece, which reading got no faster by (measured on plain and LZW-compressed TIFF files).
JAVA_VARIABLE, JAVA_OPTIONS = "JAVA_TOOL_OPTIONS", "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC"
COMPLETE = "Complete"


def run_piece(folder: BatchFolder, name: str, threads: int) -> None:
    """Run a piece, and write its ``result.json``.

    Parameters
    ----------
    folder : BatchFolder
    name : str
        Of the piece.
    threads : int
        As many as the piece may use.

    Raises
    ------
    BatchError
        If CellProfiler or one of the image sets failed. The attempt's log stays, its output does not.

    Notes
    -----
    Each attempt has a folder of its own: a process that outlived the one that started it cannot disturb a later one.
    """
    request = folder.read_request()
    assert request is not None
    piece = {each.name: each for each in folder.read_plan().pieces}[name]
    folder.piece(name).mkdir(parents=True, exist_ok=True)
    attempt = Path(tempfile.mkdtemp(prefix="attempt-", dir=str(folder.piece(name))))
    output = attempt / "output"
    shutil.copytree(folder.empty_tables, output)
    command = command_of_piece(request, folder, piece, output, attempt / "done.txt")
    began = time.time()
    said: Dict[str, Any] = {
        "piece": name,
        "first": piece.first,
        "last": piece.last,
        "command": command,
        "computer": platform.node(),
        "began": began,
        "attempt": attempt.name,
    }
    log_file, done_file = attempt / "log.txt", attempt / "done.txt"
    ended = run_cellprofiler(command, environment_of_piece(threads), log_file)
    said.update(exit_code=ended.exit_code, seconds=round(ended.seconds, 2), cpu_seconds=round(ended.cpu_seconds, 2))
    log = log_file.read_text(encoding="utf-8", errors="replace") if log_file.exists() else ""
    done = done_file.read_text(encoding="utf-8").strip() if done_file.exists() else ""
    fault = fault_of(ended.exit_code, done, log)
    if fault:
        shutil.rmtree(output, ignore_errors=True)
        write_json(attempt / "failure.json", {**said, "fault": fault})
        raise BatchError(f"piece {name} (image sets {piece.first} to {piece.last}): {fault} Log: {log_file}")
    write_json(folder.result(name), {**said, "models": models_in(log)})


def command_of_piece(request: Request, folder: BatchFolder, piece: Piece, output: Path, done_file: Path) -> List[str]:
    """Return CellProfiler's command line for a piece."""
    command = [request.python, "-m", "cellprofiler", "-c", "-r", "-p", str(folder.batch_file)]
    command += ["-f", str(piece.first), "-l", str(piece.last), "-o", str(output), "-d", str(done_file)]
    return [*command, f"--plugins-directory={request.plugins}"]


def environment_of_piece(threads: int) -> Dict[str, str]:
    """Return the environment of a piece, in which no library starts more threads than the piece may use."""
    environment = dict(os.environ)
    for variable in LIBRARY_THREADS:
        environment.setdefault(variable, str(threads))
    environment[THREADS_VARIABLE] = str(threads)
    environment.setdefault(JAVA_VARIABLE, JAVA_OPTIONS)  # Java does not start with two garbage collectors
    return environment


def fault_of(exit_code: int, done: str, log: str) -> str:
    """Say what is wrong with a run; an empty text if all image sets are done.

    Parameters
    ----------
    exit_code : int
        Negative: the number of the signal that ended CellProfiler.
    done : str
        What it wrote into its done-file: ``Complete`` or ``Failure``; empty if there is no such file.
    log : str

    Notes
    -----
    CellProfiler 4 returns 0 where a module failed at the end of the run, unless it is asked for a done-file; and where
    it is told to go on after errors, it returns 0 and writes ``Complete``, with the failed image sets missing.
    """
    failed = failures_in(log)
    if exit_code == 0 and done == COMPLETE and not failed:
        return ""
    if failed:
        return f"{failed[0].rstrip('.')}: {reason_in(log)}"
    if exit_code < 0:
        return f"CellProfiler was ended by signal {-exit_code}; 9 is most often a lack of memory."
    return f"CellProfiler ended with exit code {exit_code}, done-file {done or 'missing'}: {reason_in(log)}"
