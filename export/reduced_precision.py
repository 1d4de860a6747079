"""Write a model of reduced precision beside its float32 model, if it pays and costs next to nothing."""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cpunet.errors import ExportError, ModelError, WeightsError
from cpunet.export.export_model import export_model
from cpunet.export.precision import CALIBRATION_IMAGES, to_float16, to_int8
from cpunet.export.put_in_place import put_verified
from cpunet.export.readme import write_readme
from cpunet.export.set_scores import image_sets, score_sets, scores_for_card
from cpunet.model.card import INSTANCES, METADATA_KEY, ModelCard, card_to_json
from cpunet.model.find import MODEL_FILE
from cpunet.model.session import load_model, open_model
from cpunet.onnx_reader.metadata import card_in, metadata_of, sha256
from cpunet.onnx_reader.model_file import read_model_file
from cpunet.onnx_reader.write_metadata import with_metadata
from cpunet.scores import SetScores
from cpunet.steps.prepare import prepare
from cpunet.steps.resize import rescale
from cpunet.steps.scale import scale_factor
from cpunet.training.data.labeled_images import IndexRow, read_labeled_image
from cpunet.training.weights import WEIGHTS_FILE, TrainedNetwork, load_trained

MOST_F1_LOST = 0.005
# Of a set of fewer objects, one or two of them decide on so much.
MANY_OBJECTS = 1000
FIELD, ROUNDS = (520, 696), 11


@dataclass(frozen=True)
class Comparison:
    """Gain and cost of reduced precision.

    `times_as_fast` is the ratio of the networks' median times on one thread of this CPU; `before` and `after` are the
    scores by data set, on its validation images.
    """

    bytes_before: int
    bytes_after: int
    times_as_fast: float
    before: dict[str, SetScores]
    after: dict[str, SetScores]

    def lines(self) -> list[str]:
        """Return a report, a line for each figure."""
        sizes = f"{self.bytes_before / 1e6:.2f} MB -> {self.bytes_after / 1e6:.2f} MB"
        scores = [
            f"mean F1 on {name} val: {self.before[name].mean_f1:.4f} -> {found.mean_f1:.4f} "
            f"({found.mean_f1 - self.before[name].mean_f1:+.4f})"
            for name, found in self.after.items()
        ]
        return [sizes, f"{self.times_as_fast:.2f} times as fast as float32 on this CPU, one thread", *scores]

    @property
    def f1_lost(self) -> float:
        """How much mean F1 falls by: over the objects of all sets, or by more on a set that has many."""
        lost = {name: scores.mean_f1 - self.after[name].mean_f1 for name, scores in self.before.items()}
        objects = {name: scores.truth_count for name, scores in self.before.items()}
        over_all = sum(lost[name] * objects[name] for name in lost) / max(1, sum(objects.values()))
        return max([over_all, *(lost[name] for name in lost if objects[name] >= MANY_OBJECTS)])


def export_reduced(
    source: Path, output: Path, precision: str, data: Path, rebuild: str = "", card_of: Path | None = None
) -> None:
    """Reduce the precision of a model file, or of weights that are exported and tuned first.

    The arguments are those of `write_reduced`; for weights, `card_of` is an ONNX file whose card is kept.
    """
    if source.suffix == ".onnx":
        write_reduced(source, output, precision, data, rebuild)
    else:
        with tempfile.TemporaryDirectory() as folder:
            draft = Path(folder) / MODEL_FILE
            print("first the float32 model, to compare with")
            export_model(source, draft, None if card_of else data, "", card_of)
            again = f"cpunet export {source} -o {output} --precision {precision} --data DATA"
            write_reduced(draft, output, precision, data, rebuild or again)
    print(f"{output}  {output.stat().st_size / 1e6:.2f} MB  sha256 {sha256(output)}")


def write_reduced(source: Path, output: Path, precision: str, data: Path, rebuild: str = "") -> Comparison:
    """Reduce a model's precision, compare the two, and write the variant if it is as good.

    Parameters
    ----------
    source : Path
        The float32 ONNX file, with weights.safetensors beside it: they say which images it was trained on.
    output : Path
        Ends in ``.onnx``. The thresholds are those of `source`.
    precision : str
        ``float16`` or ``int8``.
    data : Path
        The folder that holds the data sets: training images calibrate int8, validation images score it.
    rebuild : str
        The command that rebuilds the variant; that of `source` by default.

    Raises
    ------
    ExportError
        If the mean F1 falls by more than 0.005, over the objects of all sets or on a set of 1000 or more, or the file
        fails a check; nothing is written then.
    """
    weights = source.with_name(WEIGHTS_FILE)
    if not weights.is_file():
        raise WeightsError(
            f"{weights} is not there: it says which images calibrate and score the model. Put it beside {source.name}."
        )
    if output.resolve() == source.resolve():
        raise ModelError(f"{output} is the float32 model itself. Give the variant a folder of its own with -o.")
    trained = load_trained(weights)
    file = read_model_file(source)
    content, card = file.content, card_in(source, metadata_of(file))
    if card.output.kind == INSTANCES:
        raise ModelError(
            f"{source}: it gives objects and no probabilities, and only networks that give probabilities are reduced. "
            "Use the float32 model."
        )
    reduced = (
        to_float16(content) if precision == "float16" else to_int8(content, calibration_images(trained, data, card))
    )
    sets = image_sets(trained, data, "val")
    with tempfile.TemporaryDirectory() as folder:
        draft = Path(folder) / MODEL_FILE
        draft.write_bytes(reduced)
        models = [open_model(each, device="cpu") for each in (file, read_model_file(draft))]
        before, after = (score_sets(model, sets) for model in models)
        found = Comparison(len(content), len(reduced), times_as_fast(source, draft), before, after)
        reduced_card = models[1].card
    if found.f1_lost > MOST_F1_LOST:
        raise ExportError(
            f"{precision} loses {found.f1_lost:.4f} of mean F1, and {MOST_F1_LOST} at most may be lost; nothing "
            f"was written. {'; '.join(found.lines())}. Use the float32 model."
        )
    again = f"cpunet export {source} -o {output} --precision {precision} --data DATA"
    steps = [step for step in (card.provenance.get("command"), again) if step]
    reduced_card = replace(
        reduced_card,
        scores={name: scores_for_card(scores) for name, scores in after.items()},
        provenance={**reduced_card.provenance, "command": rebuild or " && ".join(steps)},
    )
    put_verified(output, with_metadata(reduced, METADATA_KEY, card_to_json(reduced_card)))
    write_readme(output.parent, reduced_card, {output.name: sha256(output)})
    print("\n".join(found.lines()))
    return found


def calibration_images(trained: TrainedNetwork, data: Path, card: ModelCard) -> list[NDArray[np.float32]]:
    """Choose training images, evenly over each set, normalized and rescaled for the network.

    Returns
    -------
    list of ndarray of shape (C, Y, X), float32
        About 64 in all.
    """
    sets = image_sets(trained, data, "train")
    count = -(-CALIBRATION_IMAGES // len(sets))
    images = []
    for each in sets:
        scale = 1.0 if each.diameter_px is None else scale_factor(card.input, each.diameter_px)
        for row in _evenly(each.rows, count):
            channels = prepare(read_labeled_image(row).image, card.input).channels
            images.append(rescale(channels, scale))
    return images


def _evenly(rows: Sequence[IndexRow], count: int) -> list[IndexRow]:
    places = np.linspace(0, len(rows) - 1, min(count, len(rows))).round().astype(int)
    return [rows[place] for place in places]


def times_as_fast(before: Path, after: Path, rounds: int = ROUNDS) -> float:
    """Divide the median times of two networks, run in turns on a field of about 520 x 696 pixels, on one thread."""
    runs = [_prediction(path) for path in (before, after)]
    taken: list[list[float]] = [[], []]
    for _ in range(rounds):
        for run, seconds in zip(runs, taken, strict=True):
            began = time.perf_counter()
            run()
            seconds.append(time.perf_counter() - began)
    return statistics.median(taken[0]) / statistics.median(taken[1])


def _prediction(path: Path) -> Callable[[], object]:
    model = load_model(path, device="cpu", threads=1)
    given = model.card.input
    unit = given.divisible_by
    height, width = (-(-max(side, given.min_size) // unit) * unit for side in FIELD)
    image = np.random.default_rng(0).random((1, len(given.channels), height, width), np.float32)
    model.predict(image)  # the first run is slower
    return lambda: model.predict(image)
