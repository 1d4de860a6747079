"""``cpunet calibrate``: find the level of outlines, and the threshold, that suit a few labeled images."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Dict, List, Optional, Sequence

from cpunet.calibration import Trial, best_trial, calibrate, least_gain
from cpunet.commands.model_arguments import add_model_arguments
from cpunet.errors import OptionError
from cpunet.files.find import find_files
from cpunet.files.labeled_images import LabeledFiles, pairs_in_folder, pairs_of_files, read_labeled_image
from cpunet.model.card import ModelCard
from cpunet.model.find import find_model
from cpunet.model.session import load_model
from cpunet.options import Options, check_options
from cpunet.steps.scale import scale_of_options
from cpunet.terminal import report, show_progress

# With fewer objects, chance decides.
FEW_OBJECTS = 50
# Below this F1 at an IoU of 0.5, most objects are missed, and no outline helps.
HARDLY_FOUND = 0.5
AS_LEARNED = "as the model learned"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument(
        "images",
        nargs="+",
        type=Path,
        metavar="FOLDER|IMAGE",
        help="a folder with images/ and labels/, in which files of one name belong together; or image files, a folder "
        "of them, or a pattern such as 'images/*.tif'",
    )
    parser.add_argument(
        "--labels",
        nargs="+",
        type=Path,
        metavar="FILE",
        help="the label images of the image files, in the same order; or their folder or pattern",
    )
    parser.add_argument("--first", type=int, metavar="N", help="use only the first N images")
    add_model_arguments(parser)


def run(arguments: argparse.Namespace) -> int:
    """Print the scores of all settings that were tried, and the best settings."""
    options = Options(diameter_px=arguments.diameter)
    check_options(options)
    path = find_model(arguments.model)
    images = [read_labeled_image(files) for files in _files(arguments.images, arguments.labels, arguments.first)]
    model = load_model(path, arguments.device)
    scale_of_options(model.card.input, options)  # raises where the model cannot see objects of that diameter
    trials = calibrate(model, images, options, lambda done, total: show_progress(done, total, "images"))
    show_progress(len(images), len(images), "images")
    objects = sum(int(image.labels.max(initial=0)) for image in images)
    report(f"{model.card.name} {model.card.version} on {_counted(len(images), 'image')}, {_counted(objects, 'object')}")
    best = best_trial(trials)
    lines = [*table(trials, model.card), "", *advice(trials, best, objects), "", *settings_of(best, arguments, path)]
    print("\n".join(["", *lines]))
    return 0


def _files(images: Sequence[Path], labels: Optional[Sequence[Path]], first: Optional[int]) -> List[LabeledFiles]:
    if first is not None and first < 1:
        raise OptionError(f"--first must be 1 or more; it is {first}.")
    if labels is not None:
        return pairs_of_files(find_files(images), find_files(labels))[:first]
    if len(images) == 1 and not images[0].is_file():
        return pairs_in_folder(images[0])[:first]
    raise OptionError(
        "Image files need their label images, in the same order: --labels FILE ... Or give one folder with images/ and "
        "labels/."
    )


def table(trials: Sequence[Trial], card: ModelCard) -> List[str]:
    """Lay out the mean F1 and the F1 at an IoU of 0.9 of all trials: a line a level, a column a threshold."""
    by_level: Dict[Optional[float], List[Trial]] = {}
    for trial in trials:
        by_level.setdefault(trial.outline_level, []).append(trial)
    own = card.postprocessing.foreground_threshold
    thresholds = [trial.foreground_threshold for trial in by_level[None]]
    heads = [f"{own:g} (own)" if value is None else f"{value:g}" for value in thresholds]
    lines = [
        "Mean F1, and F1 at an IoU of 0.9, by foreground threshold:",
        f"{'outlines':22}" + "".join(f"{head:>14}" for head in heads),
    ]
    for level, row in by_level.items():
        cells = [f"{trial.scores.mean_f1:.3f} {trial.scores.f1[0.9]:.3f}" for trial in row]
        lines.append(f"{_outlines(level):22}" + "".join(f"{cell:>14}" for cell in cells))
    return lines


def advice(trials: Sequence[Trial], best: Trial, objects: int) -> List[str]:
    """Say what the best settings gain, and when not to trust them."""
    own, threshold = trials[0], best.foreground_threshold
    if best is own:
        lines = [
            "Keep the model's own settings: no others are better by more than chance (a mean F1 higher by "
            f"{least_gain(objects):.3f}, with {_counted(objects, 'object')})."
        ]
    else:
        chosen = f"outlines {_outlines(best.outline_level)}"
        chosen += "" if threshold is None else f", foreground threshold {threshold:g}"
        lines = [
            f"Best: {chosen}. Mean F1 {best.scores.mean_f1:.3f} instead of {own.scores.mean_f1:.3f}, F1 at an IoU of "
            f"0.9 {best.scores.f1[0.9]:.3f} instead of {own.scores.f1[0.9]:.3f}."
        ]
    if objects < FEW_OBJECTS:
        lines.append(f"Only {_counted(objects, 'object')} labeled: label {FEW_OBJECTS} or more to be sure.")
    if best.scores.f1[0.5] < HARDLY_FOUND:
        lines.append(
            f"The model misses most of these objects (F1 at an IoU of 0.5: {best.scores.f1[0.5]:.3f}). Choose another "
            "model, or fine-tune this one; outlines are not what is wrong."
        )
    return lines


def settings_of(best: Trial, arguments: argparse.Namespace, path: Path) -> List[str]:
    """Say how to use the settings: in the module, on the command line, and in a copy of the model file."""
    threshold, level = best.foreground_threshold, best.outline_level
    rows = [("Use the model's own foreground threshold?", "Yes" if threshold is None else "No")]
    rows += [] if threshold is None else [("Foreground threshold", f"{threshold:g}")]
    rows += [("Outlines", "As the model learned" if level is None else "At a level of the edge")]
    rows += [] if level is None else [("Level of the edge, from background (0) to inside (1)", f"{level:g}")]
    lines = ["In the module, among the advanced settings:", *[f"    {text:54}{value}" for text, value in rows]]
    options = [] if threshold is None else ["--foreground-threshold", f"{threshold:g}"]
    options += [] if level is None else ["--outline-level", f"{level:g}"]
    words = ["cpunet segment IMAGE ... -o FOLDER --model", arguments.model, *options]
    lines += ["On the command line:", f"    {' '.join(words)}"]
    if best.foreground_threshold is not None or level is not None:
        changes = [] if threshold is None else [f"--set postprocessing.foreground_threshold={threshold:g}"]
        changes += [] if level is None else [f"--set postprocessing.outline_level={level:g}"]
        lines += [
            f"To make them a model's own, copy {path} and run (needs cpunet[training]):",
            f"    cpunet card edit COPY.onnx {' '.join(changes)}",
        ]
    return lines


def _outlines(level: Optional[float]) -> str:
    return AS_LEARNED if level is None else f"at {level:.2f}"


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
