"""Break model files and cards in many ways, and check that each is read or refused: no crash, no hang, one error type.

PYTHONPATH=plugins:. python -m benchmarks.model_files.fuzz --count 100000

A sample of the files that pass all checks is opened with onnxruntime too, each in a process of its own.
"""

from __future__ import annotations

import argparse
import contextlib
import random
import resource
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from collections import Counter
from pathlib import Path
from typing import Any, List, Sequence, Tuple

from benchmarks.model_files.mutations import mutated_card, mutated_file, seed_files
from cpunet.errors import ModelError
from cpunet.model.card import METADATA_KEY
from cpunet.onnx_reader.metadata import read_card
from cpunet.onnx_reader.model_file import read_model_file
from cpunet.onnx_reader.safety import check_onnx
from tests.tiny_onnx import field, tiny_onnx

LONGEST_S = 2
LARGEST_GROWTH_MIB = 256
SESSION_S, SESSION_GIB = 30, 4
PASSED, REFUSED = "passed", "refused"
ALL_PASSED = f"card {PASSED}, network {PASSED}"
OPENED, FAILED = 0, 3  # exit codes of the process that opens one file


def read_and_check(path: Path) -> None:
    """Check the network of a file."""
    check_onnx(read_model_file(path))


class HangError(BaseException):
    """An input takes longer than it may. It is no Exception, so that no handler takes it for a bad file."""


def ring(*_: Any) -> None:
    """Handle the signal of the timer in `outcome`."""
    raise HangError


def mutated(seed: int, index: int, seeds: Sequence[bytes]) -> bytes:
    """Return one broken model file, the same for the same seed and index."""
    rng = random.Random(f"{seed} {index}")
    if rng.random() < 0.3:
        return tiny_onnx(card=None) + field(14, field(1, METADATA_KEY) + field(2, mutated_card(rng)))
    return mutated_file(rng, rng.choice(seeds))


def outcome(path: Path) -> Tuple[str, str]:
    """Read a file's card and check its network; return what became of both, and any failure.

    More than `LONGEST_S` of processor time is a failure.
    """
    found = {"card": "", "network": ""}
    failure = ""
    try:
        signal.setitimer(signal.ITIMER_PROF, LONGEST_S)
        for name, action in (("card", read_card), ("network", read_and_check)):
            found[name] = REFUSED
            with contextlib.suppress(ModelError):
                action(path)
                found[name] = PASSED
        signal.setitimer(signal.ITIMER_PROF, 0)
    except HangError:
        failure = f"took longer than {LONGEST_S} s of processor time"
    except BaseException:
        signal.setitimer(signal.ITIMER_PROF, 0)
        failure = traceback.format_exc(limit=-3)
    return "card {card}, network {network}".format(**found), failure


def open_one(path: Path) -> int:
    """Open a file with onnxruntime and run it once, in a process that may die of it."""
    import numpy as np

    from cpunet.model.session import load_model

    resource.setrlimit(resource.RLIMIT_AS, (SESSION_GIB * 2**30,) * 2)
    try:
        model = load_model(path, "cpu", 1)
        side = max(model.card.input.min_size, model.card.input.divisible_by)
        model.predict(np.zeros((1, len(model.card.input.channels), side, side), np.float32))
    except (ModelError, MemoryError):
        return FAILED
    return OPENED


def opened(content: bytes, folder: Path) -> str:
    """Open a file with onnxruntime in a process of its own, and return how that ended."""
    path = folder / "sample.onnx"
    path.write_bytes(content)
    command = [sys.executable, "-m", "benchmarks.model_files.fuzz", "--open", str(path)]
    try:
        code = subprocess.run(command, capture_output=True, timeout=SESSION_S, check=False).returncode
    except subprocess.TimeoutExpired:
        return f"took longer than {SESSION_S} s"
    return {OPENED: "opened and run", FAILED: REFUSED}.get(code, f"ended with {code}")


def fuzz(seed: int, first: int, count: int, sample: int, folder: Path) -> List[str]:
    """Check the inputs first..first+count-1, print how many passed or were refused, and return the failures."""
    signal.signal(signal.SIGPROF, ring)
    seeds = seed_files()
    counts: Counter[str] = Counter()
    failures, passed, slowest = [], [], 0.0
    path = folder / "model.onnx"
    start, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for index in range(first, first + count):
        content = mutated(seed, index, seeds)
        path.write_bytes(content)
        began = time.perf_counter()
        found, failure = outcome(path)
        slowest = max(slowest, time.perf_counter() - began)
        counts[found] += 1
        if failure:
            failures.append(f"seed {seed}, input {index} ({len(content)} bytes): {failure}")
        elif found == ALL_PASSED and content not in seeds:
            passed.append(index)
    growth = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024  # Linux gives KiB
    if growth > LARGEST_GROWTH_MIB:
        failures.append(f"the memory grew by {growth:.0f} MiB, more than the limit of {LARGEST_GROWTH_MIB}")
    print(f"{count} inputs from {len(seeds)} files and their cards, in {time.perf_counter() - start:.0f} s")
    for name, number in sorted(counts.items()):
        print(f"    {name:36} {number}")
    print(f"    slowest {slowest * 1000:.0f} ms; memory grew by {growth:.0f} MiB")
    sessions: Counter[str] = Counter()
    chosen = random.Random(seed).sample(passed, min(sample, len(passed)))
    for index in chosen:
        said = opened(mutated(seed, index, seeds), folder)
        sessions[said] += 1
        if said not in ("opened and run", REFUSED):
            failures.append(f"seed {seed}, input {index}: onnxruntime {said}")
    print(f"{len(chosen)} of the {len(passed)} that passed, given to onnxruntime: {dict(sessions)}")
    return failures


def main(arguments: Sequence[str]) -> int:
    """Fuzz, print the failures and return 1 if there is any."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--count", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--first", type=int, default=0, help="with --count 1, repeats one input of a seed")
    parser.add_argument("--sample", type=int, default=300, help="how many of those that pass go to onnxruntime")
    parser.add_argument("--open", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.open:
        return open_one(options.open)
    with tempfile.TemporaryDirectory() as folder:
        failures = fuzz(options.seed, options.first, options.count, options.sample, Path(folder))
    print("\n".join(failures[:20]) or "no failure")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
