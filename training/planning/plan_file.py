"""A plan as a YAML file, each field under a comment that says why."""

from __future__ import annotations

from pathlib import Path

import yaml

from cpunet.errors import DataError
from cpunet.files.written_beside import written_beside
from cpunet.training.planning.plan import Plan


def plan_as_yaml(plan: Plan, duration: str = "") -> str:
    """Return a plan as YAML for `read_config`, with the reason of each field in a comment above it.

    `duration` says how long the run will take.
    """
    lines = [
        f"# Planned by `{plan.command}` from the data and the machine; edit any value.",
        f"# The network: {plan.summary}.",
        *([f"# The training takes {duration}."] if duration else []),
    ]
    for field, value in plan.content.items():
        lines += ["", f"# {plan.reasons[field]}"]
        # Lists of mappings get a line for each item; all else goes on one line.
        if isinstance(value, list) and isinstance(value[0], dict):
            lines += [f"{field}:", *(f"  - {_in_line(each)}" for each in value)]
        else:
            lines.append(f"{field}: {_in_line(value)}")
    return "\n".join(lines) + "\n"


def plan_as_text(plan: Plan) -> str:
    """Return a plan for the terminal: each field with its reason, and the network."""
    lines = [f"{name}: {plan.content[name]}\n    {reason}" for name, reason in plan.reasons.items()]
    return "\n".join([*lines, f"network: {plan.summary}"])


def _in_line(value: object) -> str:
    """Write a value as YAML on one line."""
    text = yaml.safe_dump([value], sort_keys=False, default_flow_style=True, width=1000)
    return text.strip().removeprefix("[").removesuffix("]")


def check_plan_is_new(path: Path) -> None:
    """Raise DataError if the file of a plan exists, because it may have been edited."""
    if path.exists():
        raise DataError(f"{path} already exists. Choose another name or move the file.")


def write_plan(path: Path, plan: Plan, duration: str = "") -> None:
    """Write a plan as a complete YAML file; raise DataError if the file exists."""
    check_plan_is_new(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    with written_beside(path) as beside:
        beside.write_text(plan_as_yaml(plan, duration), encoding="utf-8")
