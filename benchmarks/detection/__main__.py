"""Score models on labeled images by the path of the module, Mask R-CNN beside U-Nets.

In any environment with onnxruntime, such as CellProfiler's; benchmarks/detection/*.yaml say how the models are trained:

    PYTHONPATH=plugins .venv/cellprofiler/bin/python -W ignore -m benchmarks.detection \
        runs/mask_rcnn/model.onnx nuclei_fluorescence --data data/dsb2018 --folder runs/detection

The settings are those of each card. What is scored already is not scored again, unless the file changed.
"""

import argparse
import json
import sys
import time
from pathlib import Path
from typing import Any, Dict, List, Sequence

from benchmarks.labeled_images import labeled_images
from benchmarks.markdown import header, row
from cpunet.files.written_beside import written_beside
from cpunet.model.find import find_model
from cpunet.model.session import OnnxModel, load_model
from cpunet.progress import Progress
from cpunet.scores import pool_scores, score_image
from cpunet.segment import segment_image

THRESHOLDS = (0.5, 0.7, 0.9)
COLUMNS = [
    *("model", "images", "objects", "mean F1", *(f"F1 at {each}" for each in THRESHOLDS), "mAP"),
    *("over / under", "seconds an image"),
]


def main(arguments: Sequence[str]) -> int:
    """Score the models, and print the table."""
    parser = argparse.ArgumentParser(prog="benchmarks.detection", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("models", nargs="+", metavar="MODEL", help="names of models, or .onnx files")
    parser.add_argument("--data", type=Path, required=True, help="a data set")
    parser.add_argument("--split", default="val", help="which of its images (val)")
    parser.add_argument("--modality", default="fluorescence", help="which of these (fluorescence)")
    parser.add_argument("--folder", type=Path, default=Path("runs/detection"), help="gets a JSON file for each model")
    options = parser.parse_args(arguments)
    print(header(COLUMNS))
    for name in options.models:
        model = load_model(find_model(name), device="cpu")
        kept = options.folder / f"{model.card.name}_{model.sha256[:12]}_{options.data.name}_{options.split}.json"
        if not kept.exists():
            kept.parent.mkdir(parents=True, exist_ok=True)
            found = scores_of(model, options.data, options.split, options.modality)
            with written_beside(kept) as beside:
                beside.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
        print(row(cells(json.loads(kept.read_text(encoding="utf-8")))), flush=True)
    return 0


def scores_of(model: OnnxModel, data: Path, split: str, modality: str) -> Dict[str, Any]:
    """Segment the images of a split with the model's own settings, and pool their scores."""
    images = list(labeled_images(data, split, modality))
    scores, seconds = [], 0.0
    progress = Progress(f"{model.card.name}: image", len(images))
    for done, each in enumerate(images, start=1):
        start = time.perf_counter()
        labels = segment_image(each.image, model).labels
        seconds += time.perf_counter() - start
        scores.append(score_image(each.labels, labels))
        progress.show(done)
    progress.end()
    pooled = pool_scores(scores)
    return {
        "model": f"{model.card.name} {model.card.version}",
        "sha256": model.sha256,
        "data": f"{data.name} {split} {modality}",
        "images": pooled.images,
        "objects": pooled.truth_count,
        "mean_f1": pooled.mean_f1,
        **{f"f1_at_{each}": pooled.f1[each] for each in THRESHOLDS},
        "mean_average_precision": pooled.mean_average_precision,
        "over_segmented": pooled.over_segmented,
        "under_segmented": pooled.under_segmented,
        "seconds_an_image": seconds / len(images),
    }


def cells(found: Dict[str, Any]) -> List[object]:
    """Return the cells of a model's row."""
    scores = ["mean_f1", *(f"f1_at_{each}" for each in THRESHOLDS), "mean_average_precision"]
    return [
        *(found[name] for name in ("model", "images", "objects")),
        *(f"{found[name]:.3f}" for name in scores),
        f"{found['over_segmented']} / {found['under_segmented']}",
        f"{found['seconds_an_image']:.2f}",
    ]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
