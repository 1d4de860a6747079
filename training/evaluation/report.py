"""What an evaluation found, as a page for people and as JSON for programs."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from cpunet import __version__
from cpunet.files.images import write_text
from cpunet.scores import IOU_THRESHOLDS, SetScores
from cpunet.training.data.labeled_images import object_diameters, read_labeled_image
from cpunet.training.evaluation.object_scores import RECALL_THRESHOLDS, Binning
from cpunet.training.evaluation.pictures import (
    LEGEND,
    count_figure,
    f1_figure,
    outcome_picture,
    outcomes,
    recall_figure,
    worst_window,
)
from cpunet.training.evaluation.score_texts import SCORE_LINES, SHORT_COLUMNS
from cpunet.training.evaluation.scored_images import (
    OUTCOME_THRESHOLD,
    Evaluation,
    ScoredImage,
    ScoredMethod,
    by_data_set,
    by_modality,
    worst_images,
)
from cpunet.training.html_page import figure_uri, picture_uri, write_page

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
                "overall": _group_as_json(method, bins),
                "by_data_set": {name: _group_as_json(group, bins) for name, group in by_data_set(method).items()},
                "by_modality": {name: _group_as_json(group, bins) for name, group in by_modality(method).items()},
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
    content = {
        "evaluation": evaluation,
        "thresholds": IOU_THRESHOLDS,
        "recall_thresholds": RECALL_THRESHOLDS,
        "outcome_threshold": OUTCOME_THRESHOLD,
        "legend": LEGEND,
        "lines": SCORE_LINES,
        "columns": SHORT_COLUMNS,
        "groupings": {
            title: {name: [groups[name] for groups in of_methods] for name in of_methods[0]}
            for title, of_methods in groupings.items()
        },
        "recalls": recalls,
        "f1_figure": figure_uri(f1_figure(methods)),
        "count_figure": figure_uri(count_figure(methods)),
        "recall_figure": figure_uri(recall_figure(methods, recalls)) if recalls else "",
        "gallery": [{"image": image, "panels": _panels(methods, image)} for image in worst_images(methods[0], worst)],
    }
    write_page(path, "evaluation.html", content)


def _panels(methods: Sequence[ScoredMethod], worst: ScoredImage) -> list[dict[str, Any]]:
    """Draw one image as each method segmented it; the window is where the first is worst."""
    truth = read_labeled_image(worst.row)
    diameters = object_diameters(truth.labels)
    window, panels = None, []
    for method in methods:
        image = next(image for image in method.images if image.row.key == worst.row.key)
        shown = outcomes(truth.labels, method.labels(worst.row))
        if window is None:
            wrong = (shown.false_positive != 0) | (shown.false_negative != 0)
            window = worst_window(wrong, float(np.median(diameters)) if len(diameters) else 0.0)
        panels.append(
            {
                "method": method.name,
                "picture": picture_uri(outcome_picture(truth.image, window, shown)),
                "scores": image.pooled,
                "found": image.matched,
                "false": image.scores.prediction_count - image.matched,
                "missed": image.scores.truth_count - image.matched,
            }
        )
    return panels


def _group_as_json(group: ScoredMethod, bins: Iterable[Binning]) -> dict[str, Any]:
    recall_by = {
        binning.fact: [
            {"bin": each.name, "objects": each.objects, "recall": _by_threshold(each.recall)}
            for each in group.recall(binning)
        ]
        for binning in bins
    }
    return {**_set_as_json(group.pooled), "recall_by": recall_by}


def _image_as_json(image: ScoredImage) -> dict[str, Any]:
    return {
        "data_set": image.row.folder.name,
        "id": image.row.id,
        "modality": image.row.modality,
        **_set_as_json(image.pooled),
    }


def _set_as_json(scores: SetScores) -> dict[str, Any]:
    return {
        **asdict(scores),
        "f1": _by_threshold(scores.f1),
        "average_precision": _by_threshold(scores.average_precision),
    }


def _by_threshold(values: Mapping[float, float]) -> dict[str, float]:
    return {f"{threshold:.2f}": value for threshold, value in values.items()}
