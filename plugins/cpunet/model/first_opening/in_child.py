"""Open a model file that this user has not trusted yet in a process of its own, which may die of it."""

from __future__ import annotations

import json
import logging
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any, List, Optional

from cpunet.errors import ModelError
from cpunet.model.card import ModelCard, card_to_json
from cpunet.onnx_reader.model_file import ModelFile

# A U-Net opens and runs its test in a second. On a busy machine it may take ten times as long.
MOST_SECONDS, MOST_CPU_SECONDS = 120, 30
# The address space of Python, numpy and onnxruntime takes 1 GiB of it.
MOST_BYTES, BYTES_A_BYTE_OF_FILE = 4 * 2**30, 8
# The child prints a line that begins so, with a message or nothing behind it, when it has come to an end of its own.
ANSWER = "cpunet-first-opening:"
PACKAGE_FOLDER = Path(__file__).resolve().parents[3]
START = (
    "import sys; sys.path[:] = sys.argv[1].split(chr(10)); from cpunet.model.first_opening.child import main; main()"
)


def python_for_children() -> Optional[str]:
    """Return the Python that can start a child with this process's packages; None in a frozen application.

    There, ``sys.executable`` is the application itself, and would open a second window.
    """
    if getattr(sys, "frozen", False) or not sys.executable:
        return None
    name = os.path.basename(sys.executable).lower()
    return sys.executable if name.startswith(("python", "pypy")) and os.access(sys.executable, os.X_OK) else None


def try_in_child(file: ModelFile, card: ModelCard) -> bool:
    """Open a model and run the test in it, or one small image, in a child process with limits of memory and time.

    Parameters
    ----------
    file : ModelFile
        Its bytes are handed to the child, which reads no file.
    card : ModelCard
        The file's own, or that of the user's answers.

    Returns
    -------
    bool
        False if no child can be started here; then nothing was tried.

    Raises
    ------
    ModelError
        If the model cannot be used, fails its own test, or ends the child, or takes more than the child may.
    """
    python = python_for_children()
    if python is None:
        return False
    header = json.dumps({"path": str(file.path), "card": card_to_json(card)}).encode("ascii") + b"\n"
    try:
        done = subprocess.run(
            [python, "-I", "-S", "-c", START, "\n".join(search_path())],
            input=header + file.content,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=MOST_SECONDS,
            check=False,
            env={**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"},
            # Otherwise a black window appears over CellProfiler's on Windows for a moment.
            creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
        )
    except subprocess.TimeoutExpired:
        raise ModelError(_harmful(file, f"took more than {MOST_SECONDS} seconds")) from None
    except OSError as error:
        logging.warning("No process of its own could be started to try %s: %s", file.path, error)
        return False
    return _judged(file, done.returncode, done.stdout)


def search_path() -> List[str]:
    """Return where this process finds its packages, for a child that asks nothing of its environment."""
    found = [os.path.abspath(folder) for folder in sys.path if folder]
    return [*found, str(PACKAGE_FOLDER)]


def _judged(file: ModelFile, code: int, said: bytes) -> bool:
    for line in reversed(said.decode("ascii", "replace").splitlines()):
        if line.startswith(ANSWER):
            answer: Any = json.loads(line[len(ANSWER) :])
            if answer.get("error"):
                raise ModelError(str(answer["error"]))
            if not answer["tried"]:
                logging.warning("%s could not be tried in a process of its own: %s", file.path, answer["why"])
            return bool(answer["tried"])
    if code < 0 and -code == getattr(signal, "SIGXCPU", None):
        raise ModelError(_harmful(file, f"took more than {MOST_CPU_SECONDS} seconds of processor time"))
    try:
        how = f"was ended by the signal {signal.Signals(-code).name}" if code < 0 else f"ended with the code {code}"
    except ValueError:
        how = f"was ended by the signal {-code}"
    raise ModelError(_harmful(file, how))


def _harmful(file: ModelFile, how: str) -> str:
    return (
        f"{file.path}: this file was opened for the first time, in a process of its own, and that process {how}. The "
        "file would do the same to CellProfiler, so it is not used. It is damaged or harmful: copy or download it "
        "again, export it again, or ask its author."
    )
