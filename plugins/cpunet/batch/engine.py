"""Hand a batch to Snakemake, which runs its pieces here or on a cluster."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Dict, Iterator, List, Optional

from cpunet.batch.folder import BatchFolder
from cpunet.batch.run_piece import environment_of_piece
from cpunet.cellprofiler_program.ending import SECONDS_TO_END, end
from cpunet.errors import BatchError

PACKAGE = Path(__file__).resolve().parents[1]
PLUGINS = PACKAGE.parent
INSTALL_COMMAND = "python -m pip install snakemake   (Python 3.11 or newer; or cpunet[batch])"


@dataclass(frozen=True)
class Engine:
    """How Snakemake is asked to run the pieces.

    Attributes
    ----------
    jobs : int
        Pieces at once.
    profile : str, optional
        A profile of workflow/profiles, or one of the user's own; pieces run on this computer without one.
    retries : int
        How often a failed piece is run again.
    threads : int
        Cores of a piece.
    memory_mb : int
        Memory of a piece, for a cluster; each further attempt asks for as much more.
    minutes : int
        The time that a piece may take on a cluster; likewise.
    more : tuple of str
        Further arguments of Snakemake.
    """

    jobs: int
    profile: Optional[str] = None
    retries: int = 2
    threads: int = 1
    memory_mb: int = 4000
    minutes: int = 240
    more: tuple[str, ...] = ()


def workflow_folder() -> Path:
    """Return the folder with the Snakefile: of the installed package, or of the repository."""
    for folder in (PACKAGE / "workflow", PLUGINS.parent / "workflow"):
        if (folder / "Snakefile").is_file():
            return folder
    raise BatchError(
        f"The file workflow/Snakefile is neither in {PACKAGE} nor in {PLUGINS.parent}. Install cpunet again."
    )


def snakemake() -> List[str]:
    """Return the command that starts Snakemake; BatchError with the command that installs it where it is missing."""
    if find_spec("snakemake") is not None:
        return [sys.executable, "-m", "snakemake"]
    found = shutil.which("snakemake")
    if found is None:
        raise BatchError(f"Snakemake, which runs the pieces, is not installed. Install it: {INSTALL_COMMAND}")
    return [found]


def command_of(folder: BatchFolder, engine: Engine) -> List[str]:
    """Return Snakemake's command line for a batch."""
    workflow = workflow_folder()
    command = [*snakemake(), "--snakefile", str(workflow / "Snakefile"), "--directory", str(folder.path)]
    command += ["--jobs", str(engine.jobs)]
    if engine.profile is None:
        command += ["--cores", str(engine.jobs * engine.threads)]
    else:
        own = workflow / "profiles" / engine.profile
        command += ["--profile", str(own) if own.is_dir() else engine.profile]
    command += ["--retries", str(engine.retries), "--keep-going", "--rerun-incomplete", "--rerun-triggers", "mtime"]
    command += ["--nolock", *engine.more]  # a lock of Snakemake's own outlives a process that was killed
    return [
        *command,
        "--config",
        f"python={sys.executable}",
        f"threads={engine.threads}",
        f"memory_mb={engine.memory_mb}",
        f"minutes={engine.minutes}",
    ]


def run_engine(folder: BatchFolder, engine: Engine, environment: Dict[str, str], lock: Optional[int]) -> int:
    """Run all pieces that are not done, and merge them; return Snakemake's exit code.

    Parameters
    ----------
    folder : BatchFolder
    engine : Engine
    environment : dict of str to str
        Of Snakemake and its steps.
    lock : int, optional
        A file that Snakemake keeps open, see `locked`.
    """
    process = subprocess.Popen(
        command_of(folder, engine),
        stdin=subprocess.DEVNULL,
        stdout=sys.stderr.fileno(),  # what this command prints is its report
        env=environment,
        pass_fds=() if lock is None else (lock,),
        start_new_session=True,
    )
    try:
        return process.wait()
    except BaseException:
        _end_with_pieces(process)
        raise


def _end_with_pieces(process: subprocess.Popen[Any]) -> None:
    """End Snakemake and the pieces that it runs here, which it would wait for; jobs of a cluster it cancels itself."""
    if not hasattr(os, "killpg"):
        end(process)
        return
    for sent in (signal.SIGINT, signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, sent)  # its session has all of them
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(SECONDS_TO_END)
            return


def environment_of(engine: Engine) -> Dict[str, str]:
    """Return the environment of the pieces: those that run beside each other here share the GPU."""
    from cpunet.model.memory import PROCESSES_VARIABLE

    if engine.profile is not None:
        return dict(os.environ)
    environment = environment_of_piece(engine.threads)
    environment.setdefault(PROCESSES_VARIABLE, str(engine.jobs))
    return environment


@contextlib.contextmanager
def locked(folder: BatchFolder) -> Iterator[Optional[int]]:
    """Keep a second call from running the same batch; yield the lock's file, for Snakemake to keep open.

    The system drops the lock when the last process that has the file open ends, however it ends. Windows has no such
    lock.

    Raises
    ------
    BatchError
        If the batch is being run.
    """
    try:
        import fcntl
    except ImportError:
        yield None
        return
    folder.path.mkdir(parents=True, exist_ok=True)
    with (folder.path / "lock").open("w") as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise BatchError(
                f"{folder.output}: this batch is being run by another process. Wait for it, or end it first."
            ) from error
        yield stream.fileno()
