"""The settings of IdentifyObjectsUNet that its pipelines save, and what older revisions saved."""

from __future__ import annotations

from typing import Dict, Tuple

from cpunet.conversion import kinds
from cpunet.conversion.saved import SavedModule, Setting
from cpunet.errors import PipelineError
from cpunet.model.find import DEFAULT_MODEL

NEWEST = 8
COUNTS = {1: 16, 2: 16, 3: 36, 4: 38, 5: 38, 6: 39, 7: 41, NEWEST: 43}
MODEL_FROM_FILE = "A model file of your own"
DECLUMP_PROBABILITY, DECLUMP_NONE = "Probability", "None"
FILL_BY_MODEL = "By the model"

# All settings of the newest revision in order: the name that this folder uses or "", the text, the default, the kind.
NEWEST_SETTINGS: Tuple[Tuple[str, str, str, str], ...] = (
    ("image", "Select the input image", "None", kinds.IMAGE),
    ("objects", "Name the objects to be identified", "Nuclei", kinds.OBJECTS),
    ("model", "Select the model", DEFAULT_MODEL, kinds.CHOICE),
    ("model_folder", "Folder of the model file", "Elsewhere...|", kinds.FOLDER),
    ("model_file", "Name of the model file", "model.onnx", kinds.FILE),
    ("diameter_range", "Typical diameter of objects, in pixel units (Min,Max)", "10,40", kinds.INTEGERS),
    ("discard_size", "Discard objects outside the diameter range?", "No", kinds.YES_NO),
    ("discard_border", "Discard objects touching the border of the image?", "No", kinds.YES_NO),
    ("", "Rescale the image for the model?", "By the objects in the image", kinds.CHOICE),
    ("advanced", "Use advanced settings?", "No", kinds.YES_NO),
    ("", "Use the model's own foreground threshold?", "Yes", kinds.YES_NO),
    ("", "Foreground threshold", "0.5", kinds.FLOAT),
    ("declump", "Method to separate touching objects", DECLUMP_PROBABILITY, kinds.CHOICE),
    ("", "Select the device", "Automatic", kinds.CHOICE),
    ("save_probability", "Save the probability image?", "No", kinds.YES_NO),
    ("probability_image", "Name the probability image", "ProbabilityNuclei", kinds.NEW_IMAGE),
    ("", "Factor to rescale by", "1.0", kinds.FLOAT),
    ("smoothing_automatic", "Automatically calculate the smoothing for declumping?", "Yes", kinds.YES_NO),
    ("smoothing", "Size of the smoothing filter, in pixel units", "5.0", kinds.FLOAT),
    ("distance_automatic", "Automatically calculate the minimum distance between seeds?", "Yes", kinds.YES_NO),
    ("distance", "Minimum distance between seeds, in pixel units", "7.0", kinds.FLOAT),
    ("fill_holes", "Fill holes in identified objects?", FILL_BY_MODEL, kinds.CHOICE),
    ("limit", "Handling of objects if excessive number of objects identified", "Continue", kinds.CHOICE),
    ("object_limit", "Maximum number of objects", "500", kinds.INTEGER),
    ("", "Look at the image several times?", "None", kinds.CHOICE),
    ("", "Automatically choose the tile size?", "Yes", kinds.YES_NO),
    ("", "Tile size, in pixel units", "1024", kinds.INTEGER),
    ("", "Tiles at a time", "1", kinds.INTEGER),
    ("", "Automatically limit the GPU's memory?", "Yes", kinds.YES_NO),
    ("", "GPU memory for each copy of CellProfiler, in GB", "4.0", kinds.FLOAT),
    ("", "Further models", "", kinds.TEXT),
    ("", "Outlines", "As the model learned", kinds.CHOICE),
    ("", "Level of the edge, from background (0) to inside (1)", "0.5", kinds.FLOAT),
    ("", "Combine models", "Average", kinds.CHOICE),
    ("", "File that chooses", "", kinds.TEXT),
    ("", "Which images does this model take?", "Grayscale", kinds.CHOICE),
    ("", "What does each channel of its output mean?", "foreground", kinds.TEXT),
    ("", "How must the image's brightness be prepared?", "percentile 1 to 99.8", kinds.CHOICE),
    ("", "Typical diameter of the objects it was trained on, in pixel units", "30.0", kinds.FLOAT),
    ("", "Spacing of the planes", "From the image", kinds.CHOICE),
    ("", "Distance of two planes, in widths of a pixel", "2.0", kinds.FLOAT),
    ("", "Images of further channels", "0", kinds.COUNT),
    ("", "Further probability images", "0", kinds.COUNT),
)
TEXTS = {name: text for name, text, _, _ in NEWEST_SETTINGS if name}
PLACES = {name: place for place, (name, _, _, _) in enumerate(NEWEST_SETTINGS) if name}
# Revisions 1 and 2 asked only whether touching objects are to be separated.
DECLUMP_ANSWERS = {"Yes": DECLUMP_PROBABILITY, "No": DECLUMP_NONE}


def named_settings(module: SavedModule) -> Dict[str, Setting]:
    """Return the settings of a saved IdentifyObjectsUNet that have a name in this folder.

    Those that came after the module's revision have their defaults. What older revisions lack stands behind what they
    have, as far as these settings are concerned.

    Raises
    ------
    PipelineError
        If the revision is not known, or the module has another number of settings.
    """
    if module.revision not in COUNTS:
        raise PipelineError(
            f"module {module.number}, {module.name}, has settings of revision {module.revision}, and this command "
            f"knows the revisions 1 to {NEWEST}. Use the cpunet that saved it, or a newer one."
        )
    module.check_settings(COUNTS[module.revision])
    found = {}
    for name, place in PLACES.items():
        if place < len(module.settings):
            found[name] = module.settings[place]
        else:
            _, text, default, _ = NEWEST_SETTINGS[place]
            found[name] = Setting(text, default)
    answer = found["declump"]
    if module.revision <= 2:
        found["declump"] = Setting(answer.text, DECLUMP_ANSWERS.get(answer.value, answer.value))
    return found


def probability_images(module: SavedModule) -> Tuple[str, ...]:
    """Return the names of the images of probabilities that a saved module makes."""
    settings = named_settings(module)
    if settings["advanced"].value != "Yes" or settings["save_probability"].value != "Yes":
        return ()
    place = COUNTS[module.revision]
    count = module.settings[place - 1].value if module.revision > 2 else "0"
    end = place + 2 * int(count) if count.isdigit() else place
    further = module.settings[place:end]  # a kind and a name, again and again; images of channels may follow
    return (settings["probability_image"].value, *(setting.value for setting in further[1::2]))
