"""Predict each image by the network that was trained without it; find the settings, labels and scores of all."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from cpunet.errors import WeightsError
from cpunet.files.images import write_labels, write_text
from cpunet.files.mark import source_of
from cpunet.files.tables import csv_text, write_table
from cpunet.interruption import stop_if_requested
from cpunet.model.card import ModelCard, Postprocessing
from cpunet.onnx_reader.metadata import sha256
from cpunet.options import Options
from cpunet.progress import Progress
from cpunet.scores import ImageScores, pool_scores, score_image
from cpunet.segment import segment_image
from cpunet.training.config import TrainingConfig, source_names
from cpunet.training.data.fold import fold_of
from cpunet.training.data.labeled_images import IndexRow, read_labeled_image, rows_of_split
from cpunet.training.evaluation.card_scores import scores_for_card
from cpunet.training.evaluation.methods import open_weights
from cpunet.training.evaluation.torch_model import TorchModel
from cpunet.training.facts import data_sum, set_diameters
from cpunet.training.folds.predicted_files import PredictedFile, read_about, read_probabilities, write_probabilities
from cpunet.training.tuning.search import OTHER_SIZE, image_to_decode, predict_image, resized, tune_on_predicted
from cpunet.training.tuning.settings_scores import Predicted, labels_with
from cpunet.training.weights import load_trained

FOLDER = "out_of_fold"
SCORES_FILE, SUMMARY_FILE = "scores.csv", "summary.json"
COLUMNS = ("data_set", "id", "fold", "true_objects", "found_objects", "mean_f1", "f1_at_0.5", "f1_at_0.7", "map")
# More images of a set hardly change the settings, and each takes its share of some fifty trials.
MOST_TUNED_ON = 40


@dataclass(frozen=True)
class LeftOutImage:
    """An image that a network was not trained on.

    Attributes
    ----------
    source : str
        The name of its set in the configuration.
    row : IndexRow
    fold : int
    diameter_px : float or None
        The typical diameter in the set's images, as a user would give it; None leaves it to be measured.
    probabilities, labels : Path
        Where the probabilities and the labels are kept.
    """

    source: str
    row: IndexRow
    fold: int
    diameter_px: float | None
    probabilities: Path
    labels: Path


@dataclass(frozen=True)
class OutOfFold:
    """What the networks of all folds make of the images that each was not trained on.

    Attributes
    ----------
    name : str
        Of the configuration.
    weights : tuple of str
        SHA-256 of the weights of each fold.
    settings : Postprocessing
        Tuned on these images.
    scores : dict
        Of each set, of one network with these settings: the fields of a card's scores.
    by_fold : tuple of float
        Mean F1 of the images of each fold.
    data_sums : dict of str to str
        By set, one SHA-256 over all its images and labels.
    """

    name: str
    weights: tuple[str, ...]
    settings: Postprocessing
    scores: dict[str, dict[str, Any]]
    by_fold: tuple[float, ...]
    data_sums: dict[str, str]


def predict_out_of_fold(config: TrainingConfig, root: Path, run_folder: Path, weights: Sequence[Path]) -> OutOfFold:
    """Predict, tune, and write labels and scores below out_of_fold/ of a run's folder.

    Parameters
    ----------
    config : TrainingConfig
    root : Path
        The folder that holds the data sets.
    run_folder : Path
        Gets out_of_fold/probabilities/SET/ID.tif, labels/SET/ID.tif, scores.csv and summary.json. Probabilities that
        are there, of the same weights, are not predicted again.
    weights : sequence of Path
        One a fold.
    """
    folder = run_folder / FOLDER
    sums = tuple(sha256(path) for path in weights)
    known = read_summary(run_folder)
    if known is not None and known.weights == sums and (folder / SCORES_FILE).exists():
        return known
    images = left_out_images(config, root, folder, weights)
    models = [open_weights(path, needs_diameter=True) for path in weights]
    _predict(images, models, sums)
    settings = config.decoding or _tuned(config, images, models)
    by_image = _score(images, models[0].card, settings)
    by_source = {
        name: [by_image[image] for image in images if image.source == name] for name in source_names(config.data)
    }
    by_fold = [
        pool_scores([by_image[image] for image in images if image.fold == fold]).mean_f1
        for fold in range(1, len(weights) + 1)
    ]
    rows = [_row(image, by_image[image]) for image in images]
    write_table(folder / SCORES_FILE, csv_text(COLUMNS, rows))
    scores = {name: scores_for_card(pool_scores(found)) for name, found in by_source.items()}
    data_sums = {name: data_sum([image.row for image in images if image.source == name]) for name in by_source}
    found = OutOfFold(config.name, sums, settings, scores, tuple(round(score, 4) for score in by_fold), data_sums)
    write_text(folder / SUMMARY_FILE, json.dumps(asdict(found), indent=1) + "\n")
    return found


def read_summary(run_folder: Path) -> OutOfFold | None:
    """Read what `predict_out_of_fold` found; None if it has not finished. WeightsError if the file cannot be read."""
    path = run_folder / FOLDER / SUMMARY_FILE
    if not path.exists():
        return None
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        return OutOfFold(
            content["name"],
            tuple(content["weights"]),
            Postprocessing(**content["settings"]),
            dict(content["scores"]),
            tuple(content["by_fold"]),
            dict(content["data_sums"]),
        )
    except (ValueError, KeyError, TypeError) as error:
        raise WeightsError(
            f"{path}: this summary cannot be read ({type(error).__name__}: {error}). Remove it, and give the same "
            "`cpunet train --folds` again."
        ) from None


def left_out_images(config: TrainingConfig, root: Path, folder: Path, weights: Sequence[Path]) -> list[LeftOutImage]:
    """List the images that the networks of the folds were not trained on, fold by fold, each once."""
    images: dict[tuple[str, str], LeftOutImage] = {}
    for path in weights:
        trained = load_trained(path)
        fold = fold_of(trained.facts)
        if fold is None:
            raise WeightsError(f"{path}: these weights know of no fold. Give those of `cpunet train --folds`.")
        sets = zip(
            source_names(config.data),
            rows_of_split(config.data, root, "val", fold),
            set_diameters(config, trained.facts),
            strict=True,
        )
        for source, rows, diameter_px in sets:
            for row in rows:
                name = Path(row.folder.name) / f"{row.id}.tif"
                places = folder / "probabilities" / name, folder / "labels" / name
                images.setdefault(row.key, LeftOutImage(source, row, fold.number, diameter_px, *places))
    return list(images.values())


def _predict(images: Sequence[LeftOutImage], models: Sequence[TorchModel], sums: Sequence[str]) -> None:
    progress = Progress("predicting images left out: image", len(images))
    for done, image in enumerate(images):
        stop_if_requested()
        about = read_about(image.probabilities)
        if about is None or about.weights != sums[image.fold - 1]:
            model = models[image.fold - 1]
            found = segment_image(read_labeled_image(image.row).image, model, Options(diameter_px=image.diameter_px))
            about = PredictedFile(model.card.output.roles, found.scale, sums[image.fold - 1])
            write_probabilities(image.probabilities, found.probabilities, about)
        progress.show(done + 1, image.row.id)
    progress.end()


def _tuned(config: TrainingConfig, images: Sequence[LeftOutImage], models: Sequence[TorchModel]) -> Postprocessing:
    """Tune one choice of settings on images of all folds, at their own size and at half of it."""
    predicted = []
    for name in source_names(config.data):
        of_set = [image for image in images if image.source == name]
        chosen = of_set[:: -(-len(of_set) // MOST_TUNED_ON)]
        predicted.append([_read(image, models[0].card) for image in chosen])
        if all(image.diameter_px is None for image in chosen):
            smaller = []
            for image in chosen:
                stop_if_requested()
                truth = resized(read_labeled_image(image.row), OTHER_SIZE)
                smaller.append(predict_image(models[image.fold - 1], truth, None))
            predicted.append(smaller)
    print(f"tuning thresholds on {sum(map(len, predicted))} predictions of images left out", flush=True)
    return tune_on_predicted(predicted, models[0].card)


def _read(image: LeftOutImage, card: ModelCard) -> Predicted:
    about, truth = read_about(image.probabilities), read_labeled_image(image.row)
    scale = 1.0 if about is None else about.scale
    return Predicted(read_probabilities(image.probabilities), truth.labels, scale, image_to_decode(truth.image, card))


def _score(
    images: Sequence[LeftOutImage], card: ModelCard, settings: Postprocessing
) -> Mapping[LeftOutImage, ImageScores]:
    """Write the labels of each image with the settings, and score them."""
    found = {}
    progress = Progress("scoring images left out: image", len(images))
    for done, image in enumerate(images):
        stop_if_requested()
        predicted = _read(image, card)
        labels = labels_with(predicted, card.output.roles, settings)
        image.labels.parent.mkdir(parents=True, exist_ok=True)
        write_labels(image.labels, labels, source_of(image.row.image_path))
        found[image] = score_image(predicted.truth, labels)
        progress.show(done + 1, image.row.id)
    progress.end()
    return found


def _row(image: LeftOutImage, scores: ImageScores) -> list[Any]:
    pooled = pool_scores([scores])
    values = (pooled.mean_f1, pooled.f1[0.5], pooled.f1[0.7], pooled.mean_average_precision)
    counts = (scores.truth_count, scores.prediction_count)
    return [*image.row.key, image.fold, *counts, *(f"{value:.4f}" for value in values)]
