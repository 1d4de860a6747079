"""Score methods on labeled images: which images, each method's labels, and the scores."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from cpunet.errors import DataError, LabelFileError
from cpunet.interruption import stop_if_requested
from cpunet.progress import Progress
from cpunet.terminal import report
from cpunet.training.data.ignored_pixels import without_ignored
from cpunet.training.data.labeled_images import IndexRow, Key, read_index, read_labeled_image, rows_in_split
from cpunet.training.evaluation.methods import Method
from cpunet.training.evaluation.object_scores import true_objects
from cpunet.training.evaluation.scored_images import Evaluation, ScoredImage, ScoredMethod, score_labels


def evaluate(
    methods: Sequence[Method],
    rows: Sequence[IndexRow],
    split: str,
    diameter_px: float | None,
    noisy_labels: bool = False,
) -> Evaluation:
    """Score all methods on the same images.

    Parameters
    ----------
    methods : sequence of Method
    rows : sequence of IndexRow
    split : str
        Where `rows` come from, for the report.
    diameter_px : float, optional
        Which diameter the model was given, for the report.
    noisy_labels : bool
        Whether the report tells the scores by any overlap as well.

    Raises
    ------
    DataError
        If no image could be scored. An image that one method fails on is left out of all, so that their scores stay
        comparable; `Evaluation.failed` says why.
    """
    images: list[list[ScoredImage]] = []
    failed: dict[Key, str] = {}
    progress = Progress("scoring: image", len(rows))
    for done, row in enumerate(rows):
        progress.show(done, row.id)
        try:
            images.append(score_row(methods, row))
        except Exception as error:  # one bad image must not stop the others
            stop_if_requested()
            failed[row.key] = str(error) or type(error).__name__
            report(f"FAILED {'/'.join(row.key)}: {failed[row.key]}", sys.stderr)
    progress.end()
    if not images:
        raise DataError("no image could be scored, so there is no report.")
    scored = (
        ScoredMethod(method.name, method.source, method.labels, tuple(of_methods[number] for of_methods in images))
        for number, method in enumerate(methods)
    )
    return Evaluation(split, diameter_px, tuple(scored), failed, noisy_labels)


def score_row(methods: Sequence[Method], row: IndexRow) -> list[ScoredImage]:
    """Score one image for each method; ValueError if a file cannot be read, or labels have another shape."""
    truth = read_labeled_image(row)
    objects = true_objects(without_ignored(truth.labels))
    scored = []
    for method in methods:
        labels = method.segment(row, truth)
        if labels.shape != truth.labels.shape:
            raise LabelFileError(
                f"the labels of {method.name} have the shape {labels.shape} and the image {truth.labels.shape}. They "
                "must be saved at the size of the image, neither cropped nor rescaled."
            )
        scored.append(score_labels(row, truth.labels, objects, labels))
    return scored


def chosen_rows(folders: Sequence[Path], split: str, modalities: Sequence[str]) -> list[IndexRow]:
    """Choose the images of a split and of some modalities (all if empty) from data sets.

    Of a set with so few images that none was left for validation, those of ``val`` are its training images.

    Raises
    ------
    DataError
        If a data set has no such image, or two images have the same set and id.
    """
    chosen: dict[Key, IndexRow] = {}
    for folder in folders:
        index = read_index(folder.resolve())
        rows = [row for row in rows_in_split(index, split) if not modalities or row.modality in modalities]
        if not rows:
            there = ", ".join(sorted({f"{row.split} / {row.modality}" for row in index}))
            raise DataError(
                f"{folder}: no image has the split {split!r}"
                + (f" and a modality of {', '.join(modalities)}" if modalities else "")
                + f". It has, as split / modality: {there or 'no image at all'}."
            )
        for row in rows:
            if row.key in chosen:
                raise DataError(
                    f"{folder}: the image {'/'.join(row.key)} is listed twice. Give each data set once, and "
                    "rename a folder if two have the same name."
                )
            chosen[row.key] = row
    return list(chosen.values())
