"""Score models on the volumes of BBBC050 by the path of the module: as volumes, or plane by plane and linked.

In the CellProfiler environment, without torch:

    PYTHONPATH=plugins .venv/cellprofiler/bin/python -m benchmarks.bbbc050 --data data --json runs/bbbc050.json

A model of volumes is told how far the planes lie apart, and measures the nuclei itself. A model of images enlarges the
planes by --scale. Their nuclei are 12 to 23 pixels wide in the planes, and all but a few smaller than what
nuclei_fluorescence was trained on; 1.5 was chosen on the training volumes, among the measured size, 1, 1.5 and 2.
"""

import argparse
import json
import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any, Dict, List, Sequence

from benchmarks.bbbc050.volumes import Z_STEP_PX, labeled_volumes
from benchmarks.markdown import header, row
from cpunet.files.written_beside import written_beside
from cpunet.model.card import VOLUMES
from cpunet.model.find import DEFAULT_MODEL, find_model
from cpunet.model.session import OnnxModel, load_model
from cpunet.options import Options
from cpunet.progress import Progress
from cpunet.scores import pool_scores, score_image
from cpunet.segment import segment_stack
from cpunet.volume_scores import mean_of_volumes, score_volume

AS_VOLUME, PLANE_BY_PLANE = "as a volume", "plane by plane and linked"
SCALE_OF_PLANES = 1.5
COLUMNS = ("model", "volume", "SEG", "IoU", "MUCov", "F1 at 0.5", "true", "found", "seconds")


def main(arguments: Sequence[str]) -> int:
    """Score the models, write the scores and print the table."""
    parser = argparse.ArgumentParser(prog="benchmarks.bbbc050", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, metavar="ROOT", help="the folder that holds bbbc050/")
    models = f"names of models, or .onnx files ({DEFAULT_MODEL})"
    parser.add_argument("--models", nargs="+", default=[DEFAULT_MODEL], metavar="MODEL", help=models)
    parser.add_argument("--split", default="val", help="which of its volumes (val)")
    scale = f"models of images: enlarge the planes by this for the network ({SCALE_OF_PLANES:g}); 0: measure the nuclei"
    parser.add_argument("--scale", type=float, default=SCALE_OF_PLANES, metavar="S", help=scale)
    parser.add_argument("--json", type=Path, metavar="FILE", help="gets all scores")
    options = parser.parse_args(arguments)
    found = []
    print(header(COLUMNS))
    for name in options.models:
        found.append(scores_of(load_model(find_model(name), device="cpu"), options.data, options.split, options.scale))
        for each in [*found[-1]["volumes"], found[-1]["mean"]]:
            print(row(cells(found[-1], each)), flush=True)
    if options.json:
        options.json.parent.mkdir(parents=True, exist_ok=True)
        with written_beside(options.json) as beside:
            beside.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    return 0


def scores_of(model: OnnxModel, data: Path, split: str, scale: float) -> Dict[str, Any]:
    """Segment the volumes of a split, and score each by itself, and their mean.

    F1 is pooled over the objects of all volumes; all other scores of the mean count each volume alike.
    """
    as_volume = model.card.input.dimensions == VOLUMES
    settings = Options(z_step_px=Z_STEP_PX) if as_volume else Options(scale=scale or None)
    volumes = labeled_volumes(data, split)
    progress = Progress(f"{model.card.name}: volume", len(volumes))
    scores, matched, rows = [], [], []
    for done, each in enumerate(volumes, start=1):
        start = time.perf_counter()
        labels = segment_stack(each.pixels, model, settings).labels
        seconds = time.perf_counter() - start
        scores.append(score_volume(each.labels, labels))
        matched.append(score_image(each.labels, labels))
        f1 = pool_scores(matched[-1:]).f1[0.5]
        rows.append({"id": each.id, **asdict(scores[-1]), "f1_at_0.5": f1, "seconds": seconds})
        progress.show(done)
    progress.end()
    mean = {"id": f"mean of {len(rows)}", **asdict(mean_of_volumes(scores)), "f1_at_0.5": pool_scores(matched).f1[0.5]}
    return {
        "model": f"{model.card.name} {model.card.version}",
        "sha256": model.sha256,
        "seen": AS_VOLUME if as_volume else PLANE_BY_PLANE,
        "scale": None if as_volume else scale or None,
        "data": f"bbbc050 {split}",
        "volumes": rows,
        "mean": {**mean, "seconds": sum(each["seconds"] for each in rows) / len(rows)},
    }


def cells(found: Dict[str, Any], scores: Dict[str, Any]) -> List[str]:
    """Lay out the scores of a volume, or of the mean, as a row of the table."""
    shares = [f"{scores[name]:.3f}" for name in ("seg", "iou", "mucov", "f1_at_0.5")]
    counts = [str(scores["truth_count"]), str(scores["prediction_count"])]
    return [f"{found['model']}, {found['seen']}", scores["id"], *shares, *counts, f"{scores['seconds']:.1f}"]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
