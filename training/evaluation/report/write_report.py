"""What an evaluation found, as a page for people and as JSON for programs."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from cpunet import __version__
from cpunet.files.images import write_text
from cpunet.outcomes import OutcomeCounts
from cpunet.report.html_page import figure_uri, write_page
from cpunet.report.overlays import STYLES
from cpunet.scores import IOU_THRESHOLDS, SetScores
from cpunet.training.evaluation.object_scores import RECALL_THRESHOLDS, Binning
from cpunet.training.evaluation.report.advice import advice
from cpunet.training.evaluation.report.charts import count_figure, f1_figure, recall_figure
from cpunet.training.evaluation.report.gallery import gallery
from cpunet.training.evaluation.report.score_texts import (
    HIDDEN_MERGES,
    LOW_IS_GOOD,
    OVERLAP_LINES,
    SCORE_LINES,
    SHORT_COLUMNS,
    best_texts,
)
from cpunet.training.evaluation.scored_images import Evaluation, ScoredImage, ScoredMethod, by_data_set, by_modality

FACT_TITLES = {"area_px": "area in pixels", "eccentricity": "eccentricity", "clump_size": "objects in the clump"}


def scores_as_json(evaluation: Evaluation) -> dict[str, Any]:
    """Return all scores as JSON content: of all images, by data set, modality and image. IoU has two decimals."""
    bins = evaluation.binnings()
    return {
        "cpunet": __version__,
        "split": evaluation.split,
        "diameter_px": evaluation.diameter_px,
        "methods": [
            {
                "name": method.name,
                "source": method.source,
                "overall": _group_as_json(method, bins, evaluation.noisy_labels),
                "by_data_set": {
                    name: _group_as_json(group, bins, evaluation.noisy_labels)
                    for name, group in by_data_set(method).items()
                },
                "by_modality": {
                    name: _group_as_json(group, bins, evaluation.noisy_labels)
                    for name, group in by_modality(method).items()
                },
                "images": [_image_as_json(image) for image in method.images],
            }
            for method in evaluation.methods
        ],
        "failed": [{"data_set": key[0], "id": key[1], "reason": why} for key, why in evaluation.failed.items()],
    }


def write_scores(path: Path, evaluation: Evaluation) -> None:
    """Write `scores_as_json` into a file, whole or not at all."""
    write_text(path, json.dumps(scores_as_json(evaluation), indent=1, allow_nan=False) + "\n")


def write_report(path: Path, evaluation: Evaluation, worst: int) -> None:
    """Write the page to an ``.html`` file; its gallery shows at most `worst` images."""
    methods = evaluation.methods
    recalls = {
        FACT_TITLES[binning.fact]: [method.recall(binning) for method in methods]
        for binning in evaluation.binnings()
        if methods[0].pooled.truth_count
    }
    groupings = {
        "data set": [by_data_set(method) for method in methods],
        "modality": [by_modality(method) for method in methods],
    }
    mean_f1_of_image = {"/".join(image.row.key): image.pooled.mean_f1 for image in methods[0].images}
    content = {
        "evaluation": evaluation,
        "thresholds": IOU_THRESHOLDS,
        "recall_thresholds": RECALL_THRESHOLDS,
        "styles": STYLES,
        "advice": advice(methods[0].counts, methods[0].pooled.prediction_count, mean_f1_of_image),
        "best_texts": best_texts,
        "texts_of": lambda line, shown: [line.text(method.pooled) for method in shown],
        "column_texts": lambda text, shown: [text(method.pooled) for method in shown],
        "f1_texts": lambda shown, threshold: [f"{method.pooled.f1[threshold]:.3f}" for method in shown],
        "image_texts": lambda shown, number: [f"{method.images[number].pooled.mean_f1:.3f}" for method in shown],
        "low_is_good": LOW_IS_GOOD,
        "lines": SCORE_LINES,
        "overlap_lines": OVERLAP_LINES if evaluation.noisy_labels else (),
        "overlap_texts": lambda line, shown: [line.text(method.overlap) for method in shown],
        "hidden_merges": HIDDEN_MERGES,
        "columns": SHORT_COLUMNS,
        "groupings": {
            title: {name: [groups[name] for groups in of_methods] for name in of_methods[0]}
            for title, of_methods in groupings.items()
        },
        "recalls": recalls,
        "f1_figure": figure_uri(f1_figure(methods)),
        "count_figure": figure_uri(count_figure(methods)),
        "recall_figure": figure_uri(recall_figure(methods, recalls)) if recalls else "",
        "gallery": gallery(methods, worst),
        "numbers_by_score": _by_score(methods[0]),
    }
    write_page(path, "cpunet.training", "evaluation.html", content)


def _by_score(method: ScoredMethod) -> list[int]:
    """Return the numbers of the images, those with the lowest mean F1 first."""
    return sorted(range(len(method.images)), key=lambda number: method.images[number].pooled.mean_f1)


def _group_as_json(group: ScoredMethod, bins: Iterable[Binning], noisy_labels: bool) -> dict[str, Any]:
    recall_by = {
        binning.fact: [
            {"bin": each.name, "objects": each.objects, "recall": _by_threshold(each.recall)}
            for each in group.recall(binning)
        ]
        for binning in bins
    }
    by_overlap = {"by_any_overlap": asdict(group.overlap)} if noisy_labels else {}
    return {
        **_set_as_json(group.pooled),
        "objects_by_fate": _counts_as_json(group.counts),
        "recall_by": recall_by,
        **by_overlap,
    }


def _image_as_json(image: ScoredImage) -> dict[str, Any]:
    return {
        "data_set": image.row.folder.name,
        "id": image.row.id,
        "modality": image.row.modality,
        **_set_as_json(image.pooled),
        "objects_by_fate": _counts_as_json(image.counts),
    }


def _counts_as_json(counts: OutcomeCounts) -> dict[str, int]:
    return {name: count for name, count in vars(counts).items() if name != "area_ratios"}


def _set_as_json(scores: SetScores) -> dict[str, Any]:
    return {
        **asdict(scores),
        "f1": _by_threshold(scores.f1),
        "average_precision": _by_threshold(scores.average_precision),
    }


def _by_threshold(values: Mapping[float, float]) -> dict[str, float]:
    return {f"{threshold:.2f}": value for threshold, value in values.items()}
