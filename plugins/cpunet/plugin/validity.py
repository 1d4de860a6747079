"""Refuse wrong settings before the first image: without a window, CellProfiler itself checks none of them."""

from __future__ import annotations

import logging
import math
import re
from typing import Any, Iterator, List, Sequence, Tuple

from cellprofiler_core.setting import Binary, ValidationError
from cellprofiler_core.setting.text import Number
from cellprofiler_core.setting.text.alphanumeric.name import Name

from cpunet.errors import OptionError
from cpunet.model.card import InputCard
from cpunet.options import LARGEST_SCALE, SMALLEST_SCALE
from cpunet.steps.scale import diameters_to_rescale_by


def refuse_wrong_settings(module: Any, pipeline: Any) -> None:
    """Raise OptionError for the first setting in use that CellProfiler's window would refuse.

    Parameters
    ----------
    module : identifyobjectsunet.IdentifyObjectsUNet
    pipeline : cellprofiler_core.pipeline.Pipeline
        With the module in it.

    Raises
    ------
    OptionError
        Names the module, the setting, its value and what is wrong.

    Notes
    -----
    Without this, CellProfiler takes the default in place of a number out of bounds, and No in place of a word that is
    neither Yes nor No. The list of images is not checked after **LoadData**: its file may be named on the command line,
    which that module's own list does not know.
    """
    place = f"{module.module_name} (module {module.module_num})"
    if module.fault_of_file is not None:
        raise OptionError(f"{place} cannot run, because of the pipeline file. {module.fault_of_file}")
    try:
        for setting in module.visible_settings():
            if setting is not module.x_name or not pipeline.has_legacy_loaders():
                setting.test_valid(pipeline)
        module.validate_module(pipeline)
    except ValidationError as error:
        name, value, why = error.setting.text, error.setting.value_text, str(error).rstrip(".")
        raise OptionError(
            f"{place} cannot run: its setting {name!r} is {value!r}. {why}. Correct it in CellProfiler's window, or in "
            "the pipeline file."
        ) from None


def log_warning(module: Any, pipeline: Any) -> None:
    """Log the warning that CellProfiler's window would show of the module, if there is one."""
    try:
        module.validate_module_warnings(pipeline)
    except ValidationError as warning:
        logging.warning("%s (module %d): %s", module.module_name, module.module_num, warning)


def check_values(settings: Sequence[Any]) -> None:
    """Raise ValidationError for a number that is not finite, or a word that is neither Yes nor No.

    CellProfiler's own check of a setting lets these pass.
    """
    for setting in settings:
        if isinstance(setting, Binary) and setting.value_text not in ("Yes", "No"):
            raise ValidationError(f"Must be Yes or No, was {setting.value_text!r}.", setting)
        if isinstance(setting, Number) and not math.isfinite(setting.value):
            raise ValidationError(f"Must be a finite number, was {setting.value_text}.", setting)


def check_names(module: Any, pipeline: Any) -> None:
    """Raise ValidationError if the module gives a name that another module, or another of its settings, gives too.

    Otherwise an image would take the place of an earlier one in silence. Objects would stop the run at the first image.
    """
    for group in ("objectgroup", "imagegroup"):
        taken = dict(_names_of_others(module, pipeline, group))
        for setting in _names_given(module, group):
            if setting.value in taken:
                raise ValidationError(f"{taken[setting.value]} gives this name, too. Choose another name.", setting)
            taken[setting.value] = "Another setting of this module"


def _names_of_others(module: Any, pipeline: Any, group: str) -> Iterator[Tuple[str, str]]:
    """Yield each name that another module gives, and which module that is; of images, those of earlier modules."""
    for other in pipeline.modules():
        if other is module:
            if group == "imagegroup":
                return  # a later module may replace an image
            continue
        try:
            names = [*other.other_providers(group), *[setting.value for setting in _names_given(other, group)]]
        except Exception:  # a module that cannot show its settings says itself what is wrong with them
            continue
        for name in names:
            yield name, f"{other.module_name} (module {other.module_num})"


def _names_given(module: Any, group: str) -> List[Any]:
    return [each for each in module.visible_settings() if isinstance(each, Name) and each.group == group]


def check_thresholds_asked_for(module: Any, pipeline: Any) -> None:
    """Raise ValidationError if a later module asks for a Threshold measurement of the module's objects."""
    threshold = re.compile(rf"\bThreshold_\w+_{re.escape(module.y_name.value)}\b")
    for other in pipeline.modules():
        for setting in other.settings():
            found = threshold.search(setting.value_text)
            if found and other.module_num > module.module_num:
                raise ValidationError(
                    f"{other.module_name} (module {other.module_num}) asks for the measurement {found[0]}, which "
                    "IdentifyPrimaryObjects writes and this module does not. Choose another measurement there.",
                    module.y_name,
                )


def check_range_to_rescale_by(size_range: Any, diameter_px: float, known: InputCard) -> None:
    """Raise ValidationError if images cannot be rescaled as much as the diameter range asks for.

    This is so for a range whose maximum only means "no limit", such as 10 to 99999.
    """
    least, most = diameters_to_rescale_by(known)
    if least <= diameter_px <= most:
        return
    raise ValidationError(
        f"Images are rescaled by the middle of this range, {diameter_px:.0f} pixels, that is by a factor of "
        f"{known.diameter_px / diameter_px:.2g}; possible are {SMALLEST_SCALE:g} to {LARGEST_SCALE:g}. Enter the "
        "smallest and largest diameter that you expect, or rescale by the objects in the image.",
        size_range,
    )
