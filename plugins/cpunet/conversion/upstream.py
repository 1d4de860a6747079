"""Where the image comes from in which IdentifyPrimaryObjects finds objects."""

from __future__ import annotations

from typing import List, Sequence

from cpunet.conversion import primary_settings
from cpunet.conversion.exchange import Exchange
from cpunet.conversion.saved import NAMES_OF_PRIMARY, SavedModule

# What these make says already what is an object: black and white, probabilities, or labels.
SEGMENTING = ("Threshold", "ApplyThreshold", "ClassifyPixels", "Predict", "Runilastik", "ConvertObjectsToImage")
GRAYSCALE = ("Select the output image type", "Grayscale")  # of ApplyThreshold in CellProfiler 2


def said_of_input(modules: Sequence[SavedModule], exchange: Exchange) -> List[str]:
    """Say if the input image is the result of a segmentation, in which a network has nothing to see."""
    before = exchange.before
    if before.name not in NAMES_OF_PRIMARY:
        return []
    image = primary_settings.shared_settings(before)["image"].value
    for module in reversed(modules[: before.number - 1]):
        if not module.enabled or not _makes(module, image):
            continue
        if module.name not in SEGMENTING or GRAYSCALE in [(each.text, each.value) for each in module.settings]:
            return []
        return [
            f"module {before.number}, {before.name}: its input image, {image}, is what module {module.number}, "
            f"{module.name}, made of another. The network needs the brightness of the cells: choose the image that "
            f"module {module.number} takes, or leave this {before.name} in place with --modules"
        ]
    return []


def _makes(module: SavedModule, image: str) -> bool:
    return any(
        each.value == image and each.text.startswith(("Name the out", "Name of the out", "Output"))
        for each in module.settings
    )
