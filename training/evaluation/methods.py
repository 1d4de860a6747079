"""The methods that an evaluation compares: a model, and folders with label images of other methods."""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Union

import numpy as np
from numpy.typing import NDArray

from cpunet.choice.chooser import Chooser
from cpunet.choice.model_choice import ModelChoice, combined_model
from cpunet.errors import OptionError, WeightsError
from cpunet.files.images import read_label_numbers, write_labels
from cpunet.files.label_folder import find_label_files
from cpunet.files.mark import source_of
from cpunet.model.card import ModelCard
from cpunet.model.find import find_model, list_models
from cpunet.model.protocol import Model
from cpunet.model.session import load_model
from cpunet.onnx_reader.metadata import sha256
from cpunet.options import Options, check_options
from cpunet.segment import segment_image
from cpunet.terminal import report
from cpunet.training.data.labeled_images import IndexRow, Key, LabeledImage
from cpunet.training.evaluation.torch_model import TorchModel, torch_model
from cpunet.training.facts import START_SCORE, known_diameters
from cpunet.training.importing.formats.drawn import ReadLabels
from cpunet.training.importing.label_files import guess_format, read_labels
from cpunet.training.volumes.evaluation.torch_model import TorchVolumeModel, torch_volume_model
from cpunet.training.volumes.weights import TrainedVolumeNetwork, load_trained_volumes
from cpunet.training.weights import WEIGHTS_FILE, TrainedNetwork, holds_volumes, load_trained

WEIGHTS_SUFFIXES = (".safetensors", ".ckpt")
LABELS_FOLDER = "labels"
SCALED_TO = (255, 65535)


@dataclass(frozen=True)
class LabelFolder:
    """A method whose label images exist already.

    Attributes
    ----------
    name, source : str
    files : mapping of tuple to Path
        By `IndexRow.key`.
    """

    name: str
    source: str
    files: Mapping[Key, Path]

    def segment(self, row: IndexRow, truth: LabeledImage) -> NDArray[np.integer]:
        """Read the labels of an image, and warn if its objects may have been lost when it was saved."""
        path = self.files[row.key]
        read = read_predicted(path)
        if read.note and not read.labels.any():
            report(f"{self.name}: {path}: {read.note}. It is scored as empty.", sys.stderr)
        return read.labels

    def labels(self, row: IndexRow) -> NDArray[np.integer]:
        """Read the labels of an image again."""
        return read_predicted(self.files[row.key]).labels


@dataclass(frozen=True)
class ModelMethod:
    """A model that segments each image and keeps its labels, for a later comparison with another model.

    Attributes
    ----------
    name, source : str
    model : Model or ModelChoice
    options : Options
    folder : Path
        The labels are written below it.
    files : mapping of tuple to Path
        Where the labels are written, by `IndexRow.key`.
    """

    name: str
    source: str
    model: Union[Model, ModelChoice]
    options: Options
    folder: Path
    files: Mapping[Key, Path]

    def segment(self, row: IndexRow, truth: LabeledImage) -> NDArray[np.integer]:
        """Segment an image and write its labels."""
        labels = segment_image(truth.image, self.model, self.options).labels
        self.files[row.key].parent.mkdir(parents=True, exist_ok=True)
        write_labels(self.files[row.key], labels, source_of(row.image_path))
        return labels

    def labels(self, row: IndexRow) -> NDArray[np.integer]:
        """Read the labels that were written."""
        return read_label_numbers(self.files[row.key])


Method = Union[LabelFolder, ModelMethod]


def read_predicted(path: Path) -> ReadLabels:
    """Read the label image that another program predicted; ValueError if it is none.

    Notes
    -----
    Whole numbers of 16 bits or more are taken as they are: refusing specks and torn objects, as the import does, would
    leave out an image because a method failed on it. In other files numbers may be scaled, or objects be colored.
    """
    if guess_format(path) == "colors":
        return read_labels([path], "colors")
    array = read_label_numbers(path)
    whole = array.ndim == 2 and np.issubdtype(array.dtype, np.integer) and array.dtype.itemsize > 1
    plain = whole and array.max(initial=0) not in SCALED_TO
    return read_labels([path], "own" if plain else "instances")


def chosen_methods(
    models: Sequence[str],
    beside: Sequence[str],
    rows: Sequence[IndexRow],
    options: Options,
    output: Path,
    chooser: Chooser | None = None,
) -> list[Method]:
    """Open the model, and find the label images of the other methods.

    Parameters
    ----------
    models : sequence of str
        The value of ``--model``, and of ``--average-with`` if there is one; empty for no model.
    beside : sequence of str
        ``NAME=FOLDER`` each; every folder must hold labels of all `rows`.
    rows : sequence of IndexRow
    options : Options
        For the model.
    output : Path
        The model's labels are written below it.
    chooser : Chooser, optional
        What chooses among the models; by default they are averaged.

    Returns
    -------
    list of Method
        One or more, the model first.

    Raises
    ------
    ValueError
        If there is no method, two have one name, or one cannot be used.
    """
    methods: list[Method] = []
    if models:
        methods.append(model_method(models, rows, options, output / LABELS_FOLDER, chooser))
    for text in beside:
        name, _, folder = text.partition("=")
        if not name.strip() or not folder:
            raise OptionError(f"--beside {text}: this must be NAME=FOLDER, such as StarDist=results/stardist.")
        if name in [method.name for method in methods]:
            raise OptionError(f"--beside {text}: there is a method called {name!r} already. Choose another name.")
        methods.append(
            LabelFolder(name, folder, find_label_files(name, Path(folder).expanduser(), [row.key for row in rows]))
        )
    if not methods:
        raise OptionError("There is nothing to evaluate: give --model, --beside or both.")
    return methods


def model_method(
    names_or_paths: Sequence[str],
    rows: Sequence[IndexRow],
    options: Options,
    folder: Path,
    chooser: Chooser | None = None,
) -> ModelMethod:
    """Open a model, or several that are averaged, or chosen among: see `open_any`.

    The labels are written below `folder`, into a folder with the model's name. ValueError if a model or an option
    cannot be used.
    """
    check_options(options)
    opened = [open_any(each, options.diameter_px is not None) for each in names_or_paths]
    model = combined_model([each for each, _ in opened], chooser)
    name = model.card.name
    folder = folder / (re.sub(r"[^\w.-]+", "_", name).strip(".") or "model")
    several = len({row.folder for row in rows}) > 1
    files = {row.key: (folder / row.folder.name if several else folder) / f"{row.id}.tif" for row in rows}
    of_chooser = [] if chooser is None else [f"chosen by {chooser.path}, SHA-256 {chooser.sha256}"]
    said = "; ".join([*(source for _, source in opened), *of_chooser])
    return ModelMethod(name, f"{said}{_fine_tuned_from(model.card)}", model, options, folder, files)


def open_any(name_or_path: str, needs_diameter: bool) -> tuple[Model, str]:
    """Open a model: its name, its folder or .onnx file; or the folder of a training run, a .safetensors or a .ckpt.

    Returns
    -------
    model : Model
    source : str
        Its file and the sum of it.
    """
    path = Path(name_or_path).expanduser()
    if name_or_path not in list_models() and not any(path.glob("*.onnx")) and (path / WEIGHTS_FILE).is_file():
        path = path / WEIGHTS_FILE
    if path.suffix in WEIGHTS_SUFFIXES:
        return open_weights(path, needs_diameter), f"{path}, SHA-256 {sha256(path)}"
    opened = load_model(find_model(name_or_path))
    return opened, f"{opened.path}, SHA-256 {opened.sha256}"


def _fine_tuned_from(card: ModelCard) -> str:
    start = card.provenance.get("start_from")
    if not isinstance(start, dict) or "name" not in start:
        return ""
    score = start.get(START_SCORE)
    before = f"; the model you start from: {score:.3f} (mean F1 of the run's validation images)" if score else ""
    return f"; fine-tuned from {start['name']}{before}"


def open_weights(path: Path, needs_diameter: bool) -> Model:
    """Open the weights of a training run as a model, with the thresholds of its validations.

    WeightsError if they cannot be read, or if images will be rescaled (`needs_diameter`) and the trained diameter is
    not known yet.
    """
    trained: TrainedNetwork | TrainedVolumeNetwork
    model: TorchModel | TorchVolumeModel
    if holds_volumes(path):
        trained = load_trained_volumes(path)
        model = torch_volume_model(trained)
    else:
        trained = load_trained(path)
        model = torch_model(trained)
    if "diameter_px" in trained.facts:
        known = {name: trained.facts[name] for name in ("start_from",) if name in trained.facts}
        model.card = replace(
            model.card, input=replace(model.card.input, **known_diameters(trained.facts)), provenance=known
        )
    elif needs_diameter and not trained.config.diameter_px:
        raise WeightsError(
            f"{path}: these weights hold no trained diameter, because their training has not finished. "
            "Finish it, or leave out --diameter."
        )
    return model
