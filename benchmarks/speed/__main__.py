"""Measure speed and memory, and write a table and a picture of them.

    PYTHONPATH=plugins .venv/cellprofiler/bin/python -m benchmarks.speed usual --data data/bbbc039
    .venv/training/bin/python -m benchmarks.speed usual --data data/bbbc039
    .venv/training/bin/python -m benchmarks.speed table

Each Python measures what it has the packages for: that of CellProfiler the module, that of training the networks in
torch, and one with requirements/peers.txt other programs. Each part writes one JSON file; `table` puts all files of a
machine together. docs/speed.md says how to read it.
"""

import argparse
import sys
from pathlib import Path
from typing import List, Sequence, Tuple

REPOSITORY = Path(__file__).resolve().parents[2]
EFFORTS = ("quick", "usual", "full")
PARTS = ("start", "module", "processes", "objects", "memory", "mosaic", "limit", "networks", "gpu", "peers")
RESULTS = REPOSITORY / "benchmarks" / "results"


def shape_of(text: str) -> Tuple[int, int]:
    """Read a size such as 520x696: height and width."""
    height, width = (int(side) for side in text.split("x"))
    return height, width


def arguments_parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    parser = argparse.ArgumentParser(
        prog="benchmarks.speed", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "what",
        nargs="+",
        choices=[*EFFORTS, *PARTS, "table"],
        help="how much (quick: 10 minutes in all, usual: 15, full: more than an hour), or single parts, or the table",
    )
    parser.add_argument("--data", type=Path, metavar="FOLDER", help="bbbc039: real fields instead of drawn ones")
    parser.add_argument("--models", nargs="+", metavar="NAME|FILE", help="the default model and its int8 version")
    parser.add_argument("--sizes", nargs="+", type=shape_of, metavar="HEIGHTxWIDTH", help="instead of the part's own")
    parser.add_argument("--cores", nargs="+", type=int, metavar="N", help="with so many cores; one and all by default")
    parser.add_argument("--rounds", type=int, help="repeats on small fields; larger ones get fewer")
    parser.add_argument("--fields", type=int, help="different small fields; larger ones are fewer")
    parser.add_argument("--seconds", type=float, help="of each run of processes side by side, on small fields")
    parser.add_argument("--output", type=Path, metavar="FOLDER", help=f"by default {RESULTS.name}/ and the machine")
    return parser


def main(arguments: Sequence[str]) -> int:
    """Measure, or write the table; return 1 if a part failed."""
    # Late, so that the processes that are measured do not load what they do not need.
    from benchmarks.speed.effort import EFFORTS as KNOWN
    from benchmarks.speed.machine import busy_share, describe, folder_name, warning_of_load
    from benchmarks.speed.parts import PARTS as RUNNABLE
    from benchmarks.speed.parts import Asked, parts_of_this_python
    from benchmarks.speed.series import PartOfRun, write_part
    from cpunet.model.find import DEFAULT_MODEL

    parser = arguments_parser()
    options = parser.parse_args(arguments)
    machine = describe()
    output = options.output or RESULTS / folder_name(machine)
    if options.what == ["table"]:
        return write_table(output)
    if len(options.what) > 1 and not set(options.what) <= set(PARTS):
        parser.error("give one of quick, usual, full and table, or single parts")
    effort = KNOWN.get(options.what[0], KNOWN["usual"])
    changed = {name: getattr(options, name) for name in ("rounds", "fields", "seconds") if getattr(options, name)}
    effort = effort._replace(**changed)
    parts = parts_of_this_python(effort) if options.what[0] in KNOWN else options.what
    if not parts:
        parser.error("this Python has the packages of no part; see the environments in CONTRIBUTING.md")
    asked = Asked(effort, options.models or [DEFAULT_MODEL, f"{DEFAULT_MODEL}_int8"], options.data, options.cores)
    failed: List[str] = []
    for name in parts:
        share = busy_share()
        if warning_of_load(share):
            print(f"WARNING: {warning_of_load(share)}", file=sys.stderr, flush=True)
        print(f"{name} ...", flush=True)
        sizes = tuple(options.sizes) if options.sizes else effort.sizes.get(name, KNOWN["full"].sizes[name])
        try:
            series, left_out = RUNNABLE[name].run(asked, sizes)
        except Exception as error:  # the other parts are still worth their time
            print(f"{name} failed: {type(error).__name__}: {error}", file=sys.stderr, flush=True)
            failed.append(name)
            continue
        write_part(output / f"{name}.json", PartOfRun({**describe(), "busy_before": share}, series, left_out))
        for reason in left_out:
            print(f"left out: {reason}", flush=True)
    print(f"written to {output}")
    return 1 if failed else 0


def write_table(folder: Path) -> int:
    """Write the table and the picture of what a folder has, and print the table."""
    from benchmarks.speed.picture import draw
    from benchmarks.speed.series import read_part
    from benchmarks.speed.table import page
    from cpunet.files.written_beside import written_beside

    parts = {path.stem: read_part(path) for path in sorted(folder.glob("*.json"))}
    if not parts:
        print(f"{folder}: nothing was measured here yet.", file=sys.stderr)
        return 1
    text = page(parts)
    with written_beside(folder / "speed.md") as beside:
        beside.write_text(text, encoding="utf-8")
    draw(parts, folder / "speed.png")
    print(text)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
