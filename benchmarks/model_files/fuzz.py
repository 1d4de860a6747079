"""Break model files and cards in many ways, and check that each is read or refused: no crash, no hang, one error type.

PYTHONPATH=plugins:. python -m benchmarks.model_files.fuzz --count 100000

A sample of the files that pass all checks is opened with onnxruntime too, each in the child process in which cpunet
opens a file for the first time.
"""

from __future__ import annotations

import argparse
import contextlib
import random
import resource
import signal
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
from cpunet.model.first_opening.in_child import try_in_child
from cpunet.onnx_reader.metadata import read_card
from cpunet.onnx_reader.model_file import read_model_file
from cpunet.onnx_reader.safety import check_onnx
from tests.tiny_onnx import field, tiny_onnx

LONGEST_S = 2
LARGEST_GROWTH_MIB = 256
PASSED, REFUSED = "passed", "refused"
ALL_PASSED = f"card {PASSED}, network {PASSED}"
OPENED, CHILD_DIED = "opened and run", "in a process of its own, and that process"


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


def opened(content: bytes, folder: Path) -> str:
    """Open a file for the first time, in the child process in which cpunet does that, and return how it ended."""
    path = folder / "sample.onnx"
    path.write_bytes(content)
    file = read_model_file(path)
    try:
        assert try_in_child(file, read_card(path)), "no child process can be started here"
    except ModelError as error:
        # The child protects CellProfiler of such a file; where there is no child, the list of operators must.
        return str(error) if CHILD_DIED in str(error) else REFUSED
    return OPENED


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
        if said not in (OPENED, REFUSED):
            failures.append(f"seed {seed}, input {index}: {said}")
    print(f"{len(chosen)} of the {len(passed)} that passed, opened in a child process: {dict(sessions)}")
    return failures


def main(arguments: Sequence[str]) -> int:
    """Fuzz, print the failures and return 1 if there is any."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--count", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--first", type=int, default=0, help="with --count 1, repeats one input of a seed")
    parser.add_argument("--sample", type=int, default=300, help="how many of those that pass go to onnxruntime")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        failures = fuzz(options.seed, options.first, options.count, options.sample, Path(folder))
    print("\n".join(failures[:20]) or "no failure")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
