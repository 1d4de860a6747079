"""Score a model, and label volumes of other methods, on labeled volumes."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cpunet import __version__
from cpunet.errors import DataError, LabelFileError
from cpunet.files.formats.volume import read_label_volume
from cpunet.files.images import write_labels
from cpunet.files.mark import source_of
from cpunet.interruption import stop_if_requested
from cpunet.progress import Progress
from cpunet.scores import ImageScores, pool_scores
from cpunet.segment import segment_stack
from cpunet.terminal import report
from cpunet.training.data.labeled_images import IndexRow, Key
from cpunet.training.evaluation.methods import LabelFolder, Method
from cpunet.training.evaluation.report.score_texts import aligned
from cpunet.training.volumes.data.labeled_volumes import LabeledVolume, find_labeled_volumes
from cpunet.training.volumes.evaluation.scores import read_truth, scores_of
from cpunet.volume_scores import VolumeScores, mean_of_volumes

COLUMNS = ("objects", "found", "mean F1", "F1 (IoU 0.5)", "SEG", "IoU", "MUCov")


@dataclass(frozen=True)
class ScoredVolume:
    """One volume as one method segmented it.

    Attributes
    ----------
    key : tuple of str
        Its set and its id.
    objects : ImageScores
    volume : VolumeScores
    """

    key: Key
    objects: ImageScores
    volume: VolumeScores


@dataclass(frozen=True)
class EvaluationOfVolumes:
    """What each method scored on the same volumes.

    Attributes
    ----------
    methods : dict of str to list of ScoredVolume
        By the method's name.
    sources : dict of str to str
        The model's file, or the folder of label volumes.
    failed : dict of tuple to str
        Why a volume was left out, by its set and id.
    """

    methods: dict[str, list[ScoredVolume]]
    sources: dict[str, str]
    failed: dict[Key, str]

    @property
    def scored(self) -> int:
        """How many volumes were scored."""
        return len(next(iter(self.methods.values())))

    def table(self) -> list[str]:
        """Return the scores of each volume and of all, as lines of text."""
        rows = [["volume", "method", *COLUMNS]]
        for name, volumes in self.methods.items():
            rows += [["/".join(each.key), name, *_texts([each])] for each in volumes]
        rows += [["all", name, *_texts(volumes)] for name, volumes in self.methods.items()]
        return [
            *aligned(rows),
            "All: mean F1 of the pooled objects; SEG, IoU and MUCov are means over the volumes, as in Tokuoka et al. "
            "2020, doi:10.1038/s41540-020-00152-8.",
        ]

    def as_json(self) -> dict[str, Any]:
        """Return all scores as JSON content."""
        return {
            "cpunet": __version__,
            "methods": [
                {
                    "name": name,
                    "source": self.sources[name],
                    "overall": _numbers(volumes),
                    "volumes": [{"data_set": each.key[0], "id": each.key[1], **_numbers([each])} for each in volumes],
                }
                for name, volumes in self.methods.items()
            ],
            "failed": [{"data_set": key[0], "id": key[1], "reason": why} for key, why in self.failed.items()],
        }


def _numbers(volumes: Sequence[ScoredVolume]) -> dict[str, Any]:
    pooled = pool_scores([each.objects for each in volumes])
    mean = mean_of_volumes([each.volume for each in volumes])
    return {
        "mean_f1": pooled.mean_f1,
        "mean_average_precision": pooled.mean_average_precision,
        "f1": {f"{threshold:.2f}": value for threshold, value in pooled.f1.items()},
        **asdict(mean),
    }


def _texts(volumes: Sequence[ScoredVolume]) -> list[str]:
    found = _numbers(volumes)
    numbers = (found["mean_f1"], found["f1"]["0.50"], found["seg"], found["iou"], found["mucov"])
    return [str(found["truth_count"]), str(found["prediction_count"]), *(f"{number:.3f}" for number in numbers)]


def evaluate_volumes(
    methods: Sequence[Method], rows: Sequence[IndexRow], volumes: Sequence[LabeledVolume]
) -> EvaluationOfVolumes:
    """Score all methods on the same volumes; a model of images segments plane by plane.

    Parameters
    ----------
    methods : sequence of Method
        From `cpunet.training.evaluation.methods.chosen_methods`. Models write their label volumes.
    rows : sequence of IndexRow
    volumes : sequence of LabeledVolume
        From `volumes_of_rows`.

    Raises
    ------
    DataError
        If no volume could be scored. A volume that one method fails on is left out of all.
    """
    segment = [_segmenter(method) for method in methods]
    scored: list[list[ScoredVolume]] = []
    failed: dict[Key, str] = {}
    progress = Progress("scoring: volume", len(rows))
    for done, (row, volume) in enumerate(zip(rows, volumes, strict=True)):
        progress.show(done, row.id)
        try:
            image, truth = read_truth(volume)
            scored.append([_scored(row, truth, each(row, volume, image)) for each in segment])
        except Exception as error:  # one bad volume must not stop the others
            stop_if_requested()
            failed[row.key] = str(error) or type(error).__name__
            report(f"FAILED {'/'.join(row.key)}: {failed[row.key]}", sys.stderr)
    progress.end()
    if not scored:
        raise DataError("no volume could be scored.")
    return EvaluationOfVolumes(
        {method.name: [of_methods[number] for of_methods in scored] for number, method in enumerate(methods)},
        {method.name: method.source for method in methods},
        failed,
    )


def volumes_of_rows(rows: Sequence[IndexRow], z_step_px: float | None) -> list[LabeledVolume]:
    """Return the volume of each row of an index; DataError if the distance of its planes is not known."""
    folders = dict.fromkeys(row.folder for row in rows)
    known = {folder: {each.id: each for each in find_labeled_volumes(folder, z_step_px)} for folder in folders}
    return [known[row.folder][row.id] for row in rows]


Segment = Callable[[IndexRow, LabeledVolume, NDArray[np.generic]], NDArray[np.integer]]


def _segmenter(method: Method) -> Segment:
    """Return what gives the labels of a volume: the model, which writes them as well, or the files that are there."""
    if isinstance(method, LabelFolder):
        return lambda row, volume, image: read_label_volume(method.files[row.key]).pixels

    def segmented(row: IndexRow, volume: LabeledVolume, image: NDArray[np.generic]) -> NDArray[np.integer]:
        labels = segment_stack(image, method.model, replace(method.options, z_step_px=volume.z_step_px)).labels
        method.files[row.key].parent.mkdir(parents=True, exist_ok=True)
        write_labels(method.files[row.key], labels, source_of(row.image_path))
        return labels

    return segmented


def _scored(row: IndexRow, truth: NDArray[np.int32], labels: NDArray[np.integer]) -> ScoredVolume:
    if labels.shape != truth.shape:
        raise LabelFileError(
            f"the labels have the shape {labels.shape} and the volume {truth.shape}. They must be saved at the size of "
            "the volume, neither cropped nor rescaled."
        )
    return ScoredVolume(row.key, *scores_of(truth, labels.astype(np.int32)))
