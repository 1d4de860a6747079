"""Upgrade pipelines that older revisions of the module saved."""

from __future__ import annotations

from typing import List, Sequence, Tuple

from cpunet.plugin.advanced_settings import DECLUMP_NONE, DECLUMP_PROBABILITY, OUTLINES_BY_MODEL
from cpunet.plugin.progress import warn_once

# Places among the settings of a saved pipeline.
MODEL_INDEX = 2
RESCALE_INDEX, DECLUMP_INDEX, OUTLINES_INDEX, PROBABILITIES_INDEX = 8, 12, 31, 37
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
# The model that was trained anew when revision 4 came, and the name under which the former one is kept.
TRAINED_ANEW, FORMER = "nuclei_fluorescence", "nuclei_fluorescence_1"


def upgrade(setting_values: Sequence[str], revision: int) -> Tuple[List[str], int]:
    """Bring saved settings to the newest revision, with the meaning that they had; return them and the revision."""
    setting_values = list(setting_values)
    if revision == 1:
        # Revision 1 could rescale by the diameter range only, and called this automatic.
        if setting_values[RESCALE_INDEX] == "Automatic":
            setting_values[RESCALE_INDEX] = "By the diameter range"
        revision = 2
    if revision == 2:
        # Revision 2 had one method to separate touching objects, and a question with Yes or No.
        setting_values += ADDED_BY_REVISION_3
        setting_values[DECLUMP_INDEX] = DECLUMP_PROBABILITY if setting_values[DECLUMP_INDEX] == "Yes" else DECLUMP_NONE
        revision = 3
    if revision == 3:
        setting_values[OUTLINES_INDEX:OUTLINES_INDEX] = ADDED_BY_REVISION_4
        revision = 4
        if setting_values[MODEL_INDEX] == TRAINED_ANEW:
            warn_once(
                f"This pipeline was saved with version 1 of the model {TRAINED_ANEW} and now runs version 2, which "
                f"finds other objects. To repeat measurements of version 1, select the model {FORMER}."
            )
    return setting_values, revision
