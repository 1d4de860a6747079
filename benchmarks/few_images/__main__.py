"""Fine-tune a shipped model on 1, 3, 6 and 12 images of sets that it never saw, and score it on others of their images.

In the training environment, first on the idle machine, then whenever there is time; what was stopped goes on:

    .venv/training/bin/python -m benchmarks.few_images rates --data DATA
    .venv/training/bin/python -m benchmarks.few_images measure --data DATA
    .venv/training/bin/python -m benchmarks.few_images table

A budget is at most so many minutes of two idle cores: it becomes a number of steps by the measured rates, so that a run
can be repeated on a busy machine. A training that is planned shorter takes less. The measured minutes of the table
include tuning and export, and other work that ran.
Rates and results lie beside this file, so that a table that takes a day can be made in several parts.
Images are chosen by their names alone. Those that are scored are used for nothing else.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from itertools import product
from pathlib import Path

from benchmarks.few_images.cells import (
    AVERAGED,
    CALIBRATED,
    METHODS,
    SCRATCH,
    SHIPPED,
    TUNED,
    Cell,
    measure,
    steps_a_minute,
)
from benchmarks.few_images.sets import SETS, TEACHING
from benchmarks.few_images.table import learning_curves, results, table
from cpunet.errors import CpunetError, OptionError
from cpunet.files.written_beside import written_beside
from cpunet.training.quiet import quiet_libraries

BUDGETS = (5, 15, 45)
RESULTS = Path(__file__).parent / "results"


def main(arguments: Sequence[str]) -> int:
    """Measure rates or cells, or print the table."""
    parser = argparse.ArgumentParser(prog="benchmarks.few_images", description=__doc__.splitlines()[0])
    parser.add_argument("action", choices=("rates", "measure", "table"))
    parser.add_argument("--data", type=Path, metavar="ROOT", help="folder that holds the data sets")
    parser.add_argument("--folder", type=Path, default=Path("runs/few_images"), metavar="DIR", help="trained models")
    parser.add_argument("--results", type=Path, default=RESULTS, metavar="DIR", help="rates, scores and pictures")
    parser.add_argument("--sets", nargs="+", choices=SETS, default=list(SETS))
    parser.add_argument("--images", nargs="+", type=int, choices=TEACHING, default=list(TEACHING))
    parser.add_argument("--minutes", nargs="+", type=int, choices=BUDGETS, default=list(BUDGETS))
    parser.add_argument("--methods", nargs="+", choices=METHODS, default=list(METHODS))
    options = parser.parse_args(arguments)
    if options.action == "table":
        found = results(options.results)
        print(table(found))
        for minutes in sorted({each["minutes"] for each in found} - {0}):
            learning_curves(found, minutes, options.results / f"few_images_{minutes}.png")
        return 0
    if options.data is None:
        parser.error("--data is needed to measure")
    rates_file = options.results / "rates.json"
    if options.action == "rates":
        options.results.mkdir(parents=True, exist_ok=True)
        rates = _rates(rates_file) if rates_file.exists() else {}
        for name, method in product(options.sets, [each for each in (TUNED, SCRATCH) if each in options.methods]):
            with quiet_libraries():
                rate = steps_a_minute(name, method, options.data, options.folder)
            rates[f"{name} {method}"] = round(rate, 1)
            with written_beside(rates_file) as beside:
                beside.write_text(json.dumps(rates, indent=1) + "\n", encoding="utf-8")
        print(json.dumps(rates, indent=1))
        return 0
    failed = 0
    for cell in cells(options.sets, options.images, options.minutes, options.methods):
        if cell.path(options.results).exists():
            continue
        try:
            with quiet_libraries():
                found = measure(cell, options.data, options.folder, _steps(cell, rates_file))
            cell.write(options.results, found)
        except CpunetError as error:
            failed += 1
            print(f"FAILED {cell}: {error}", file=sys.stderr)
            continue
        print(json.dumps(found), flush=True)
    return 1 if failed else 0


def cells(sets: Sequence[str], images: Sequence[int], minutes: Sequence[int], methods: Sequence[str]) -> Iterator[Cell]:
    """List what is to be measured: short budgets first, so that the whole table is there early."""
    for name, method in product(sets, (SHIPPED, CALIBRATED)):
        if method in methods:
            yield from (Cell(name, number, 0, method) for number in ([0] if method == SHIPPED else images))
    for budget, number, name, method in product(minutes, images, sets, (TUNED, AVERAGED, SCRATCH)):
        if method in methods:
            yield Cell(name, number, budget, method)


def _steps(cell: Cell, rates_file: Path) -> int:
    """Turn a cell's minutes into steps; 0 where nothing is trained."""
    if not cell.minutes:
        return 0
    key = f"{cell.name} {SCRATCH if cell.method == SCRATCH else TUNED}"
    rates = _rates(rates_file)
    if key not in rates:
        raise OptionError(f"{rates_file}: there is no rate of {key!r}. Measure it first, with the action rates.")
    return max(1, round(cell.minutes * rates[key]))


def _rates(path: Path) -> dict[str, float]:
    if not path.exists():
        raise OptionError(f"{path}: there is no such file. Measure the rates first, on an idle machine.")
    rates: dict[str, float] = json.loads(path.read_text(encoding="utf-8"))
    return rates


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
