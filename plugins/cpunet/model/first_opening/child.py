"""The process in which a model file is opened for the first time; started by `in_child.py`."""

from __future__ import annotations

import json
import sys
from typing import Any, Dict

from cpunet.model.first_opening.in_child import ANSWER, BYTES_A_BYTE_OF_FILE, MOST_BYTES, MOST_CPU_SECONDS


def main() -> None:
    """Read a model from the standard input, try it, and print one line on how that ended."""
    given: Any = json.loads(sys.stdin.buffer.readline())
    content = sys.stdin.buffer.read()
    limit(MOST_BYTES + BYTES_A_BYTE_OF_FILE * len(content))
    print(ANSWER + json.dumps(tried(given["path"], given["card"], content)), flush=True)


def limit(most_bytes: int) -> None:
    """Limit the memory and the processor time of this process, as far as the system can.

    Linux can do both, macOS the time alone. On Windows, the parent's limit of time is all there is.
    """
    try:
        import resource
    except ImportError:
        return
    for kind, most in (("RLIMIT_AS", most_bytes), ("RLIMIT_CPU", MOST_CPU_SECONDS), ("RLIMIT_CORE", 0)):
        number = getattr(resource, kind, None)
        if number is None:
            continue
        try:
            _, hard = resource.getrlimit(number)
            resource.setrlimit(number, (most if hard == resource.RLIM_INFINITY else min(most, hard), hard))
        except (OSError, ValueError):
            continue


def tried(path: str, card: str, content: bytes) -> Dict[str, Any]:
    """Open a model and run it; return what to say of it."""
    try:
        import hashlib
        from pathlib import Path

        from cpunet.errors import CpunetError, RuntimeMissingError
        from cpunet.model.card_limits import card_from_json
        from cpunet.model.first_opening.first_run import run_once
        from cpunet.model.session import open_session
        from cpunet.onnx_reader.model_file import ModelFile
    except ImportError as error:
        return {"tried": False, "why": str(error)}
    file = ModelFile(Path(path), content, hashlib.sha256(content).hexdigest(), (0, 0, 0))
    try:
        model = open_session(file, card_from_json(card), "cpu", threads=1)
        run_once(file, model, model.smallest_shape)
    except RuntimeMissingError as error:
        return {"tried": False, "why": str(error)}
    except MemoryError:
        return {"tried": True, "error": f"{path}: opening it, or running it on a small image, took all memory."}
    except CpunetError as error:
        return {"tried": True, "error": str(error)}
    return {"tried": True, "error": ""}
