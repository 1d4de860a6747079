"""Lay out what was measured as a page of Markdown tables."""

from typing import Any, Dict, List, Optional, Sequence

from benchmarks.markdown import header, row
from benchmarks.speed.machine import warning_of_load
from benchmarks.speed.series import (
    CPU_SECONDS,
    CPU_SECONDS_AN_IMAGE,
    IMAGES_A_SECOND,
    PRIMARY,
    SECONDS,
    PartOfRun,
    Series,
    matching,
    spread,
)
from benchmarks.speed.share_of_limit import limit_table

Parts = Dict[str, PartOfRun]
# Times and rates, whose ratio to another method's says something.
COMPARED = (SECONDS, CPU_SECONDS, IMAGES_A_SECOND, CPU_SECONDS_AN_IMAGE)
HOW_TO_READ = (
    "Each cell is the median of all repeats, with the lowest and the highest behind it. Only what stands in one table "
    "was measured in turns, and only that can be compared. [How to read this](../../../docs/speed.md)."
)


def page(parts: Parts) -> str:
    """Lay out all parts, in an order from the whole to its parts."""
    series = [each for part in parts.values() for each in part.series]
    sections = [
        "# Speed on one machine",
        HOW_TO_READ,
        "![The same figures as a picture](speed.png)",
        machine_table(parts),
        _section("The whole module, one process", whole_module(series)),
        _section("The stages of the module, seconds and share", stages(series)),
        _section("Every core busy", beside_reference(matching(series, part="processes"), PRIMARY)),
        _section("The limit", limit_table(series)),
        _section(
            "The network alone",
            beside_reference(matching(series, part="networks"), "onnxruntime", "float32", "numbers"),
        ),
        _section(
            "Other programs, speed only", beside_reference(matching(series, part="peers"), _first(series, "peers"))
        ),
        _section("After the network, by the number of objects", by_quantity(matching(series, part="objects"))),
        _section("Memory of one image", by_quantity(matching(series, part="memory"))),
        _section("A mosaic", by_quantity(matching(series, part="mosaic"))),
        _section("Start of a session, seconds", by_quantity(matching(series, part="start"))),
        _section(
            "What this machine can do", beside_reference(matching(series, part="limit"), None, situation_name="numbers")
        ),
        _left_out(parts),
    ]
    return "\n\n".join(section for section in sections if section) + "\n"


def machine_table(parts: Parts) -> str:
    """Describe the machine, and for each part the packages and how busy the machine was before."""
    machine = next(iter(parts.values())).machine
    gpu = machine["gpu_memory_gib"]
    words = [
        f"{machine['processor']} (model {machine['model'] or 'unknown'}), {machine['cores']} cores, "
        f"{machine['memory_gib']} GiB, {machine['system']}",
        f"{', '.join(machine['features']) or 'none of the known'} instructions",
        "no GPU" if gpu is None else f"a GPU of {gpu} GiB",
    ]
    lines = [
        f"{'; '.join(words)}.",
        "",
        header(["part", "Python and packages", "variables", "other programs took before"]),
    ]
    for name, part in sorted(parts.items()):
        packages = ", ".join(f"{package} {version}" for package, version in part.machine["packages"].items())
        variables = ", ".join(f"{key}={value}" for key, value in part.machine["variables"].items())
        share = part.machine["busy_before"]
        cells = [name, f"{part.machine['python']}; {packages}", variables or "-"]
        lines.append(row([*cells, "unknown" if share is None else f"{share:.0%} of the cores"]))
    warnings = sorted({warning_of_load(part.machine["busy_before"]) for part in parts.values()} - {""})
    return "\n".join([*lines, *(f"\n**{warning}**" for warning in warnings[:1])])


def whole_module(series: Sequence[Series]) -> str:
    """Show the seconds of all methods, on the clock and of the cores, and their ratio to IdentifyPrimaryObjects."""
    return beside_reference(matching(series, part="module"), PRIMARY)


def beside_reference(
    series: Sequence[Series],
    reference: Optional[str],
    situation: Optional[str] = None,
    situation_name: str = "situation",
) -> str:
    """Show one row for each condition and method, one column for each quantity, and ratios to a reference.

    The reference is the method of this name in the same field, cores and situation; or in this situation, if one is
    given. Ratios of medians are shown for what is a time or a rate.
    """
    if not series:
        return ""
    quantities = list(dict.fromkeys(each.quantity for each in series))
    compared = [name for name in quantities if reference is not None and name in COMPARED]
    has_fields = any(each.field for each in series)
    has_situations = any(each.situation for each in series)
    names = [
        *(["field"] if has_fields else []),
        "cores",
        *([situation_name] if has_situations else []),
        "method",
        *quantities,
    ]
    lines = [header([*names, *(f"{name} / {reference}" for name in compared)])]
    for field, cores, where, method in dict.fromkeys((*each.condition, each.method) for each in series):
        of_row = {
            each.quantity: each for each in matching(series, field=field, cores=cores, situation=where, method=method)
        }
        cells: List[Any] = [
            *([field or "-"] if has_fields else []),
            cores or "-",
            *([where or "-"] if has_situations else []),
            method,
        ]
        cells += [spread(of_row[name].values) if name in of_row else "-" for name in quantities]
        for name in compared:
            basis = matching(
                series, field=field, cores=cores, situation=situation or where, method=reference, quantity=name
            )
            cells.append(f"{of_row[name].median / basis[0].median:.2f}" if basis and name in of_row else "-")
        lines.append(row(cells))
    return "\n".join(lines)


def stages(series: Sequence[Series]) -> str:
    """Show the median of each stage with its share of the whole, and the share of all but the network."""
    found = matching(series, part="stages")
    if not found:
        return ""
    names = list(dict.fromkeys(each.quantity for each in found))
    lines = [header(["field", "cores", "model", *names, "all but the network"])]
    for field, cores, method in dict.fromkeys((each.field, each.cores, each.method) for each in found):
        of_row = {each.quantity: each for each in matching(found, field=field, cores=cores, method=method)}
        # Shares of each image, whose stages add up to it.
        totals = [sum(values) for values in zip(*(each.values for each in of_row.values()))]
        cells = [_with_share(of_row[name], totals) if name in of_row else "-" for name in names]
        network = of_row.get("network")
        rest = "-" if network is None else f"{1 - _share(network, totals):.0%}"
        lines.append(row([field, cores, method, *cells, rest]))
    return "\n".join(lines)


def by_quantity(series: Sequence[Series]) -> str:
    """Show one row for each condition and method, and one column for each quantity."""
    return beside_reference(series, None)


def _with_share(stage: Series, totals: Sequence[float]) -> str:
    return f"{stage.median:.3f} ({_share(stage, totals):.0%})"


def _share(stage: Series, totals: Sequence[float]) -> float:
    whole = sum(totals)
    return sum(stage.values) / whole if whole else 0.0


def _first(series: Sequence[Series], part: str) -> Optional[str]:
    found = matching(series, part=part)
    return found[0].method if found else None


def _section(title: str, text: str) -> str:
    return f"## {title}\n\n{text}" if text else ""


def _left_out(parts: Parts) -> str:
    reasons = [reason for part in parts.values() for reason in part.left_out]
    return _section("Left out", "\n".join(f"- {reason}" for reason in reasons))
