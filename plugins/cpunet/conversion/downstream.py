"""Settings of later modules that read what a pipeline makes no more after a module was exchanged."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Iterator, List, Pattern, Sequence

from cpunet.conversion import primary_settings, unet_settings
from cpunet.conversion.exchange import Exchange
from cpunet.conversion.saved import NAMES_OF_PRIMARY, SavedModule

OF_THRESHOLDS = ("FinalThreshold", "OrigThreshold", "GuideThreshold", "WeightedVariance", "SumOfEntropies")
OF_SEGMENTATION = ("ForegroundArea", "CountFromArea", "Seconds", "Model", "ModelSHA256")
OF_CONFIDENCE = ("Foreground", "Boundary")
# Exports keep a list of measurements also where all are exported: whether it counts is the answer to a question.
LISTS_OF_EXPORTS = {"Press button to select measurements": "Select the measurements to export"}


@dataclass(frozen=True)
class Reader:
    """A setting that names what is made no more.

    Attributes
    ----------
    number, name : int, str
        Of the module that reads it.
    setting : str
        The name of its setting.
    what : str
        The measurement or image.
    """

    number: int
    name: str
    setting: str
    what: str

    def __str__(self) -> str:
        return f"module {self.number}, {self.name}, setting {self.setting!r}: {self.what}"


def readers_of(modules: Sequence[SavedModule], exchange: Exchange) -> List[Reader]:
    """Return the settings of later modules that read a measurement, or an image, of the old module alone.

    Disabled modules read nothing, and of a disabled module nothing is read.
    """
    if not exchange.before.enabled:
        return []
    wanted = made_no_more(exchange)
    found = []
    for module in modules:
        if module.enabled and module.number > exchange.before.number:
            found += list(_readers_in(module, wanted))
    return found


def readers_of_outlines(modules: Sequence[SavedModule], exchange: Exchange) -> List[Reader]:
    """Return the settings that name the image of outlines which CellProfiler made until version 2.2."""
    image = primary_settings.outlines_image(exchange.before) if exchange.before.name in NAMES_OF_PRIMARY else ""
    if not image or not exchange.before.enabled:
        return []
    return [
        Reader(module.number, module.name, setting.text, image)
        for module in modules
        if module.enabled and module.number > exchange.before.number
        for setting in module.settings
        if setting.value == image
    ]


def made_no_more(exchange: Exchange) -> Pattern[str]:
    """Return a pattern of the names of what only the old module makes, as settings name it.

    Column names of databases have a prefix, such as ``Image_Threshold_FinalThreshold_Nuclei``.
    """
    before = exchange.before
    if before.name in NAMES_OF_PRIMARY:
        objects = re.escape(primary_settings.shared_settings(before)["objects"].value)
        return re.compile(rf"(?<![A-Za-z0-9])Threshold_(?:{'|'.join(OF_THRESHOLDS)})_{objects}(?!\w)")
    objects = re.escape(unet_settings.named_settings(before)["objects"].value)
    names = [rf"Segmentation_(?:{'|'.join(OF_SEGMENTATION)})_{objects}", rf"Confidence_(?:{'|'.join(OF_CONFIDENCE)})"]
    images = [re.escape(image) for image in unet_settings.probability_images(before)]
    return re.compile(
        "|".join([rf"(?<![A-Za-z0-9])(?:{'|'.join(names)})(?!\w)", *[rf"\A{image}\Z" for image in images]])
    )


def _readers_in(module: SavedModule, wanted: Pattern[str]) -> Iterator[Reader]:
    answers = {setting.text: setting.value for setting in module.settings}
    for setting in module.settings:
        question = LISTS_OF_EXPORTS.get(setting.text)
        if question is not None and answers.get(question) == "No":
            continue
        for what in sorted({found[0] for found in wanted.finditer(setting.value)}):
            yield Reader(module.number, module.name, setting.text, what)
