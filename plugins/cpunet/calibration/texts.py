"""What a calibration found, in lines for the terminal."""

from __future__ import annotations

from typing import Any, List, Sequence

from cpunet.calibration.calibrate import Calibration
from cpunet.calibration.settings import Candidates, value_of

# With fewer objects, chance decides.
FEW_OBJECTS = 50
# Below this F1 at an IoU of 0.5, most objects are missed, and no setting helps.
HARDLY_FOUND = 0.5
NAMES = {
    "outline_shift_px": "outlines moved outward, pixels",
    "diameter_range_px": "diameters not rescaled, pixels",
    "foreground_threshold": "foreground threshold",
    "outline_level": "level of the outlines",
    "marker_threshold": "marker threshold",
    "marker_min_size_px": "smallest marker, pixels",
    "min_size_px": "smallest object, pixels",
    "boundary_threshold": "boundary threshold",
    "mask_threshold": "mask threshold",
    "score_threshold": "score threshold",
    "dilation_px": "dilation, pixels",
}
# Where a value at the end of those that were tried says that a better one may lie beyond.
HAVE_ENDS = (
    "outline_shift_px",
    "outline_level",
    "foreground_threshold",
    "marker_threshold",
    "boundary_threshold",
    "mask_threshold",
)


def scores_table(found: Calibration) -> List[str]:
    """Lay out the scores of what was held out, before and after."""
    before, after = found.before, found.after
    rows = [(f"F1 at an IoU of {iou:g}", before.f1[iou], after.f1[iou]) for iou in (0.5, 0.7, 0.9)]
    lines = [f"{'On what was held out':34}{'before':>10}{'calibrated':>12}"]
    for name, old, new in (("mean F1", before.mean_f1, after.mean_f1), *rows):
        lines.append(f"{name:34}{old:>10.3f}{new:>12.3f}")
    objects = f"objects found, {before.truth_count} labeled"
    lines.append(f"{objects:34}{before.prediction_count:>10}{after.prediction_count:>12}")
    return [
        *lines,
        f"Gain of the mean F1: {found.gain:+.3f}; in 90 of 100 draws of {what_was_held_out(found)}, with replacement, "
        f"{found.gain_low:+.3f} to {found.gain_high:+.3f}.",
    ]


def what_was_held_out(found: Calibration) -> str:
    """Return the word for the parts that were held out in turn."""
    return "the images" if found.parts == found.images else "quarters of the images"


def settings_table(found: Calibration, tried: Candidates) -> List[str]:
    """Lay out the settings that were changed, with those that each fold chose."""
    names = [
        name
        for name in tried
        if any(value_of(each, name) != value_of(found.own, name) for each in (found.chosen, *found.of_folds))
    ]
    if not names:
        return []
    lines = [f"{'Setting':34}{'before':>10}{'calibrated':>12}   each time that some were held out"]
    for name in names:
        old, new, *folds = [_value(value_of(each, name)) for each in (found.own, found.chosen, *found.of_folds)]
        lines.append(f"{NAMES[name]:34}{old:>10}{new:>12}   {' '.join(folds)}")
    return lines


def _value(value: Any) -> str:
    if isinstance(value, tuple):
        return "-".join(f"{each:g}" for each in value)
    return "none" if value is None else f"{value:g}"


def advice(found: Calibration, tried: Candidates) -> List[str]:
    """Say whether the settings are better, and when not to trust them."""
    lines = []
    if found.chosen == found.own:
        lines.append("Keep the model's own settings: no others were found that are better.")
    elif not found.is_better:
        lines.append(
            f"Keep the model's own settings: on what was held out, others gain {found.gain:+.3f}, which is no more "
            "than chance."
        )
    else:
        lines += [_at_end(found, name, tried[name]) for name in HAVE_ENDS if _is_at_end(found, name, tried)]
    if found.before.truth_count < FEW_OBJECTS:
        lines.append(f"Only {found.before.truth_count} objects are labeled: label {FEW_OBJECTS} or more to be sure.")
    if found.after.f1[0.5] < HARDLY_FOUND:
        lines.append(
            f"The model misses most of these objects (F1 at an IoU of 0.5: {found.after.f1[0.5]:.3f}). Choose another "
            "model, or fine-tune this one; the settings are not what is wrong."
        )
    return lines


def _is_at_end(found: Calibration, name: str, tried: Candidates) -> bool:
    if name not in tried or value_of(found.chosen, name) == value_of(found.own, name):
        return False
    values = [value for value in tried[name] if value is not None]
    return value_of(found.chosen, name) in (min(values), max(values))


def _at_end(found: Calibration, name: str, values: Sequence[Any]) -> str:
    return (
        f"NOTE {NAMES[name]}: {_value(value_of(found.chosen, name))} is the last of the values that are tried, so a "
        "better one may lie beyond. Look at the outlines; perhaps another model fits these images better."
    )


def how_to_use(output: str, sha256: str) -> List[str]:
    """Say how the file that was written is chosen."""
    return [
        f"Written: {output}",
        f"SHA-256  {sha256}",
        "In the module, set 'Select the model' to 'A model file of your own' and choose this file. Leave 'Use the "
        "model's own foreground threshold?' at 'Yes', and 'Outlines' at 'As the model learned'.",
        f"On the command line: cpunet segment IMAGE ... -o FOLDER --model {output}",
    ]
