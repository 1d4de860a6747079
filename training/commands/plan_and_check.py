"""What ``--plan`` and ``--check`` say and write, whatever network is trained."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from cpunet.training.licence import plan_with_licence
from cpunet.training.planning.duration import Duration
from cpunet.training.planning.plan import Plan
from cpunet.training.planning.plan_file import plan_as_text, write_plan
from cpunet.training.planning.sanity_check import PATCHES_FILE, SanityCheck


def write_and_say(plan: Plan, path: Path, duration: Duration, tuned: str) -> None:
    """Print a plan, how long it will take and what is tuned at the end, ask for the license, and write the file."""
    print(plan_as_text(plan), flush=True)
    print(f"time: {duration}\n{tuned}")
    write_plan(path, plan_with_licence(plan), str(duration))
    print(f"written: {path}")


def say_checks(checks: Sequence[SanityCheck]) -> None:
    """Print the sanity checks, before the time is measured."""
    print("\n".join(map(str, checks)), flush=True)


def code_of_checks(checks: Sequence[SanityCheck], duration: Duration, tuned: str, run_folder: Path, what: str) -> int:
    """Print how long the training will take and where its patches are drawn; return 0 if it may begin, else 1.

    `what` is what the loss weighs: pixels, or voxels.
    """
    print(f"time: {duration}\n{tuned}")
    print(f"look at {run_folder / PATCHES_FILE}: image, outlines, each target, and {what} weights, after augmentation")
    return 0 if all(check.passed for check in checks) else 1
