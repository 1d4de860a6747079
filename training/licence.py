"""Ask for the license of a model, without which nobody else may use it."""

from __future__ import annotations

import sys
from dataclasses import replace

from cpunet.terminal import report
from cpunet.training.planning.plan import Plan
from cpunet.training.weights import TrainedNetwork

QUESTION = (
    "Under which license may others use this model? Ask whoever owns the images.\n"
    "Such as CC-BY-4.0 or CC0-1.0 (https://spdx.org/licenses); empty if you do not know yet: "
)
FIELD = "licence"


def asked_licence() -> str:
    """Ask at the terminal; an empty text where there is no terminal, or no answer."""
    if not (sys.stdin is not None and sys.stdin.isatty() and sys.stderr.isatty()):
        return ""
    print(QUESTION, end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip()


def plan_with_licence(plan: Plan) -> Plan:
    """Return a plan with the field ``licence``, asked for, or else blank with a line that says so."""
    answer = asked_licence()
    if not answer:
        report("NOTE licence is blank: without a license nobody else may use the model. Write it into the file.")
    reason = "your answer" if answer else "under which license others may use the model, such as CC-BY-4.0"
    return replace(plan, content={**plan.content, FIELD: answer}, reasons={**plan.reasons, FIELD: reason})


def weights_with_licence(trained: TrainedNetwork) -> TrainedNetwork:
    """Return weights whose configuration has a license: its own, or the one that is asked for; blank if there is none.

    A line on the error stream says how to give one later.
    """
    if trained.config.licence.strip():
        return trained
    answer = asked_licence()
    if not answer:
        report(
            "NOTE the model has no license, and without one nobody else may use it. Add it any time: "
            "cpunet card edit FILE.onnx --set licence=CC-BY-4.0",
            sys.stderr,
        )
    return replace(trained, config=replace(trained.config, licence=answer))
