"""Upgrade pipelines that older revisions of the module saved."""

from __future__ import annotations

from typing import Any, List, Optional, Sequence, Tuple

from cpunet.model.find import DEFAULT_MODEL, FLOAT32_NAMES
from cpunet.plugin.advanced_settings import (
    COMBINE_AVERAGE,
    DECLUMP_NONE,
    DECLUMP_PROBABILITY,
    OUTLINES_BY_MODEL,
)
from cpunet.plugin.progress import warn_once
from cpunet.plugin.spacing_settings import FROM_IMAGE

# How many settings each revision saves, without those of further probability images, which are two for each image, and
# without those of further channels, which are one for each.
NEWEST = 8
COUNTS = {1: 16, 2: 16, 3: 36, 4: 38, 5: 38, 6: 39, 7: 41, NEWEST: 43}
# Places among the settings of a saved pipeline.
NAMES_END = 2
MODEL_INDEX = 2
RESCALE_INDEX, DECLUMP_INDEX, OUTLINES_INDEX, COMBINE_INDEX, SPACING_INDEX = 8, 12, 31, 33, 39
# The counts of further images end the settings of which there are as many in every pipeline.
CHANNELS_INDEX, PROBABILITIES_INDEX = 41, 42
# Of revision 6, before COMBINE_INDEX had settings of its own.
FORMER_CHANNELS_INDEX = 37
# The revision that added the images of further channels.
WITH_CHANNELS = 6
# The settings that revision 3 added, with the values that give what revision 2 did.
ADDED_BY_REVISION_3 = (
    "1.0",  # factor to rescale by
    *("Yes", "5.0", "Yes", "7.0"),  # smoothing and distance of seeds: automatic
    *("By the model", "Continue", "500"),  # holes, too many objects
    "None",  # augmentation
    *("Yes", "1024", "1"),  # tiles: automatic
    *("Yes", "4.0"),  # memory of the GPU: automatic
    "",  # further models
    *("Grayscale", "foreground", "percentile 1 to 99.8", "30.0"),  # a file without a card
    "0",  # further probability images
)
# The settings that revision 4 inserted, with the values that give what revision 3 did.
ADDED_BY_REVISION_4 = (OUTLINES_BY_MODEL, "0.5")
# The settings that revision 7 inserted, with the values that give what revision 6 did.
ADDED_BY_REVISION_7 = (COMBINE_AVERAGE, "")
# The settings that revision 8 inserted, with the values that give what revision 7 did.
ADDED_BY_REVISION_8 = (FROM_IMAGE, "2.0")
# The models that were trained anew when revision 4 came, and how to repeat what the former ones measured.
TRAINED_ANEW = {
    "nuclei_fluorescence": "select the model nuclei_fluorescence_1.",
    "nuclei_generalist": "use its file of an earlier version of this plugin, as a model file of your own.",
}


def fault_of_saved(setting_values: Sequence[Any], revision: int) -> Optional[str]:
    """Say why saved settings cannot be those of a revision, or return None if they can.

    Values belong to settings by their place, so one that is missing would shift those behind it. CellProfiler drops a
    module that fails to load, together with all later modules, and runs the rest.
    """
    if revision not in COUNTS:
        return (
            f"The pipeline was saved with revision {revision} of this module, and this plugin knows the revisions 1 to "
            f"{NEWEST}. Install the plugin that saved it, or a newer one."
        )
    way_out = "Take the file as CellProfiler saved it, or remove this module and add it again."
    for place, value in enumerate(setting_values, start=1):
        if not isinstance(value, (str, bool, int, float)):
            return f"Setting {place} of this module in the pipeline file is {value!r}. {way_out}"
    found, expected = len(setting_values), COUNTS[revision]
    if revision > 2 and found >= expected:
        counts = {"further probability images": (expected - 1, 2)}
        if revision >= WITH_CHANNELS:
            counts["images of further channels"] = (expected - 2, 1)
        for what, (place, each) in counts.items():
            count = str(setting_values[place])
            if not (count.isascii() and count.isdigit()):
                return f"The number of {what} in the pipeline file is {count!r}. {way_out}"
            expected += each * int(count)
    if found != expected:
        what = f"The pipeline file has {found} settings for this module, and revision {revision} saves {expected}."
        return f"{what} {way_out}"
    return None


def upgrade(setting_values: Sequence[str], revision: int) -> Tuple[List[str], int]:
    """Bring saved settings to the newest revision, with the meaning that they had; return them and the revision."""
    # A .json may hold numbers and true or false in place of their text.
    setting_values = [{True: "Yes", False: "No"}[v] if isinstance(v, bool) else str(v) for v in setting_values]
    if revision == 1:
        # Revision 1 could rescale by the diameter range only, and called this automatic.
        if setting_values[RESCALE_INDEX] == "Automatic":
            setting_values[RESCALE_INDEX] = "By the diameter range"
        revision = 2
    if revision == 2:
        # Revision 2 had one method to separate touching objects, and a question with Yes or No.
        setting_values += ADDED_BY_REVISION_3
        declump = setting_values[DECLUMP_INDEX]  # anything but Yes and No is kept, and refused later
        setting_values[DECLUMP_INDEX] = {"Yes": DECLUMP_PROBABILITY, "No": DECLUMP_NONE}.get(declump, declump)
        revision = 3
    if revision == 3:
        setting_values[OUTLINES_INDEX:OUTLINES_INDEX] = ADDED_BY_REVISION_4
        revision = 4
        name = setting_values[MODEL_INDEX]
        if name in TRAINED_ANEW:
            warn_once(
                f"This pipeline was saved with version 1 of the model {name} and now runs version 2, which finds other "
                f"objects. To repeat measurements of version 1, {TRAINED_ANEW[name]}"
            )
    if revision == 4:
        # Since revision 5, the name of the default model stands for the form of it that the processor runs fastest.
        if setting_values[MODEL_INDEX] == DEFAULT_MODEL:
            (setting_values[MODEL_INDEX],) = (name for name, model in FLOAT32_NAMES.items() if model == DEFAULT_MODEL)
        revision = 5
    if revision == 5:
        # Until revision 5, all channels of a model were in the input image.
        setting_values.insert(FORMER_CHANNELS_INDEX, "0")
        revision = 6
    if revision == 6:
        # Until revision 6, several models could only be averaged.
        setting_values[COMBINE_INDEX:COMBINE_INDEX] = ADDED_BY_REVISION_7
        revision = 7
    if revision == 7:
        # Until revision 7, there were no models of volumes.
        setting_values[SPACING_INDEX:SPACING_INDEX] = ADDED_BY_REVISION_8
        revision = 8
    return setting_values, revision
