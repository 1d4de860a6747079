"""Settings of later modules that read what a pipeline makes no more after a module was exchanged."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Iterator, List, Pattern, Sequence

from cpunet.conversion import primary_settings, unet_settings
from cpunet.conversion.exchange import Exchange
from cpunet.conversion.saved import NAMES_OF_PRIMARY, SavedModule, Setting

OF_THRESHOLDS = ("FinalThreshold", "OrigThreshold", "GuideThreshold", "WeightedVariance", "SumOfEntropies")
OF_SEGMENTATION = ("ForegroundArea", "CountFromArea", "Seconds", "Model", "ModelSHA256")
OF_CONFIDENCE = ("Foreground", "Boundary")


@dataclass(frozen=True)
class Condition:
    """An earlier answer of the same module that puts a setting out of use, which keeps its value all the same.

    Attributes
    ----------
    setting, question : pattern
        Of the texts of both, as CellProfiler 2.0 to 4.2 have them.
    answers : pattern
        Of the answers with which the setting is in use.
    questions : int
        How many of the last questions count; one of them suffices.
    """

    setting: Pattern[str]
    question: Pattern[str]
    answers: Pattern[str]
    questions: int = 1


CONDITIONS = (
    # ExportToSpreadsheet; CellProfiler 3 has no text for the list.
    Condition(
        re.compile(r"\A(?:Press button to select measurements.*)?\Z"),
        re.compile(r"Select the (?:columns of )?measurements to export"),
        re.compile(r"(?!No\Z)"),
    ),
    # All modules with thresholds.
    Condition(
        re.compile(r"Select the measurement to threshold with"),
        re.compile(r"Threshold strategy|(?:Select the t|T)hresholding method"),
        re.compile(r"Measurement\Z"),
        questions=2,
    ),
    # ImageMath.
    Condition(re.compile(r"Measurement\Z"), re.compile(r"Image or measurement"), re.compile(r"Measurement\Z")),
    # FlagImage.
    Condition(re.compile(r"Which measurement"), re.compile(r"Flag is based on"), re.compile(r"(?!Rules|Classifier)")),
)
# Objects may have the name of the image of their outlines, and a later module may make an image of the same name.
NAMES_SOMETHING_ELSE = re.compile(r"Name |(?!.*outline).*object", re.IGNORECASE)


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
        if setting.value == image and not NAMES_SOMETHING_ELSE.match(setting.text)
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
    for place, setting in enumerate(module.settings):
        found = sorted({found[0] for found in wanted.finditer(setting.value)})
        if found and _counts(setting.text, module.settings[:place]):
            for what in found:
                yield Reader(module.number, module.name, setting.text, what)


def _counts(text: str, earlier: Sequence[Setting]) -> bool:
    """Return whether the answers that stand before a setting leave it in use."""
    for condition in CONDITIONS:
        if condition.setting.match(text):
            said = [each.value for each in earlier if condition.question.match(each.text)][-condition.questions :]
            if said and not any(condition.answers.match(value) for value in said):
                return False
    return True
