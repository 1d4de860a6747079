"""The settings of IdentifyPrimaryObjects: where each revision saves them, and those of CellProfiler 4.2.

CellProfiler tells settings apart by their place. The places are those of the module's ``settings()`` and
``upgrade_settings()`` in CellProfiler 2.0 to 4.2.8.
"""

from __future__ import annotations

from typing import Dict, Mapping, Tuple

from cpunet.conversion import kinds
from cpunet.conversion.saved import PRIMARY, SavedModule, Setting
from cpunet.errors import PipelineError

NEWEST = 15
DECLUMP_NONE, DECLUMP_DEFAULT = "None", "Intensity"
FILL_NEVER, FILL_BOTH = "Never", "After both thresholding and declumping"
FILL_DEFAULT = FILL_BOTH
LIMIT_CONTINUE = "Continue"

# What both modules have, by the names that this folder uses; "lines" follows from "declump" in IdentifyObjectsUNet.
OF_2_0 = {
    **{"image": 0, "objects": 1, "diameter_range": 2, "discard_size": 3, "discard_border": 5},
    **{"declump": 10, "lines": 11, "smoothing": 12, "distance": 13, "fill_holes": 16},
    **{"smoothing_automatic": 17, "distance_automatic": 18, "limit": 29, "object_limit": 30},
}
OF_2_1 = {
    **{"image": 0, "objects": 1, "diameter_range": 2, "discard_size": 3, "discard_border": 5},
    **{"declump": 6, "lines": 7, "smoothing": 8, "distance": 9, "fill_holes": 12},
    **{"smoothing_automatic": 13, "distance_automatic": 14, "limit": 20, "object_limit": 21},
}
OF_3_0 = {
    **{"image": 0, "objects": 1, "diameter_range": 2, "discard_size": 3, "discard_border": 4},
    **{"declump": 5, "lines": 6, "smoothing": 7, "distance": 8, "fill_holes": 10},
    **{"smoothing_automatic": 11, "distance_automatic": 12, "limit": 13, "object_limit": 14},
}
PLACES: Dict[int, Mapping[str, int]] = {
    # Until revision 4, there was no limit of the number.
    **{revision: {name: at for name, at in OF_2_0.items() if "limit" not in name} for revision in range(1, 5)},
    **dict.fromkeys(range(5, 10), OF_2_0),
    **dict.fromkeys((10, 11), OF_2_1),
    12: OF_3_0,
    13: {**OF_3_0, "advanced": 15},
    14: {**OF_3_0, "advanced": 17},
    NEWEST: {**OF_3_0, "advanced": 15},
}
# The outlines that revisions 1 to 11 could keep as an image: the answer, and the image's name.
PLACES_OF_OUTLINES = {
    **dict.fromkeys(range(1, 10), (21, 15)),
    **dict.fromkeys((10, 11), (15, 11)),
}
# Of settings that a revision does not have: what it did.
BEFORE_THEY_CAME = {"limit": LIMIT_CONTINUE, "object_limit": "500", "advanced": "Yes"}
# Values that later revisions call otherwise, as CellProfiler's own upgrades of its pipelines rename them.
RENAMED = {
    "declump": {"Laplacian of Gaussian": "Intensity", "Distance": "Shape", "Do not use": DECLUMP_NONE},
    "lines": {"Distance": "Shape", "Do not use": DECLUMP_NONE},
    "fill_holes": {"Yes": FILL_BOTH, "No": FILL_NEVER},
    # CellProfiler 3 and 4 read Truncate as a choice that they do not have.
    "limit": {"No action": LIMIT_CONTINUE, "Truncate": LIMIT_CONTINUE, "None": LIMIT_CONTINUE},
}

# All settings of the newest revision in order: the name that this folder uses or "", the text, the default, the kind.
NEWEST_SETTINGS: Tuple[Tuple[str, str, str, str], ...] = (
    ("image", "Select the input image", "None", kinds.IMAGE),
    ("objects", "Name the primary objects to be identified", PRIMARY, kinds.OBJECTS),
    ("diameter_range", "Typical diameter of objects, in pixel units (Min,Max)", "10,40", kinds.INTEGERS),
    ("discard_size", "Discard objects outside the diameter range?", "Yes", kinds.YES_NO),
    ("discard_border", "Discard objects touching the border of the image?", "Yes", kinds.YES_NO),
    ("declump", "Method to distinguish clumped objects", DECLUMP_DEFAULT, kinds.CHOICE),
    ("lines", "Method to draw dividing lines between clumped objects", DECLUMP_DEFAULT, kinds.CHOICE),
    ("smoothing", "Size of smoothing filter", "10", kinds.INTEGER),
    (
        "distance",
        "Suppress local maxima that are closer than this minimum allowed distance",
        "7.0",
        kinds.FLOAT,
    ),
    ("", "Speed up by using lower-resolution image to find local maxima?", "Yes", kinds.YES_NO),
    ("fill_holes", "Fill holes in identified objects?", FILL_DEFAULT, kinds.CHOICE),
    (
        "smoothing_automatic",
        "Automatically calculate size of smoothing filter for declumping?",
        "Yes",
        kinds.YES_NO,
    ),
    (
        "distance_automatic",
        "Automatically calculate minimum allowed distance between local maxima?",
        "Yes",
        kinds.YES_NO,
    ),
    ("limit", "Handling of objects if excessive number of objects identified", LIMIT_CONTINUE, kinds.CHOICE),
    ("object_limit", "Maximum number of objects", "500", kinds.INTEGER),
    ("advanced", "Use advanced settings?", "No", kinds.YES_NO),
    ("", "Threshold setting version", "12", kinds.INTEGER),
    ("", "Threshold strategy", "Global", kinds.CHOICE),
    ("", "Thresholding method", "Minimum Cross-Entropy", kinds.CHOICE),
    ("", "Threshold smoothing scale", "1.3488", kinds.FLOAT),
    ("", "Threshold correction factor", "1.0", kinds.FLOAT),
    ("", "Lower and upper bounds on threshold", "0.0,1.0", kinds.FLOATS),
    ("", "Manual threshold", "0.0", kinds.FLOAT),
    ("", "Select the measurement to threshold with", "None", kinds.MEASUREMENT),
    ("", "Two-class or three-class thresholding?", "Two classes", kinds.CHOICE),
    ("", "Log transform before thresholding?", "No", kinds.YES_NO),
    (
        "",
        "Assign pixels in the middle intensity class to the foreground or the background?",
        "Foreground",
        kinds.CHOICE,
    ),
    ("", "Size of adaptive window", "50", kinds.INTEGER),
    ("", "Lower outlier fraction", "0.05", kinds.FLOAT),
    ("", "Upper outlier fraction", "0.05", kinds.FLOAT),
    ("", "Averaging method", "Mean", kinds.CHOICE),
    ("", "Variance method", "Standard deviation", kinds.CHOICE),
    ("", "# of deviations", "2.0", kinds.FLOAT),
    ("", "Thresholding method", "Minimum Cross-Entropy", kinds.CHOICE),
)
TEXTS = {name: text for name, text, _, _ in NEWEST_SETTINGS if name}


def shared_settings(module: SavedModule) -> Dict[str, Setting]:
    """Return what a saved IdentifyPrimaryObjects shares with IdentifyObjectsUNet, by the names that this folder uses.

    Values are those of the newest revision.

    Raises
    ------
    PipelineError
        If the revision is not known, or the module has fewer settings than that.
    """
    places = places_of(module)
    found = {}
    for name in TEXTS:
        if name not in places:
            found[name] = Setting(TEXTS[name], BEFORE_THEY_CAME[name])
            continue
        setting = module.settings[places[name]]
        value = RENAMED.get(name, {}).get(setting.value, setting.value)
        found[name] = setting if value == setting.value else Setting(setting.text, value)
    return found


def places_of(module: SavedModule) -> Mapping[str, int]:
    """Return the places of the shared settings among those of a saved module; raise PipelineError if it has others."""
    if module.revision not in PLACES:
        raise PipelineError(
            f"module {module.number}, {module.name}, has settings of revision {module.revision}, and this command "
            f"knows the revisions 1 to {NEWEST} (CellProfiler 2.0 to 4.2). Save the pipeline with one of these "
            "versions, or use a newer cpunet."
        )
    places = PLACES[module.revision]
    module.check_settings(1 + max(places.values()))
    return places


def outlines_image(module: SavedModule) -> str:
    """Return the name of the image of outlines that an old revision keeps; "" if it keeps none."""
    answer, name = PLACES_OF_OUTLINES.get(module.revision, (None, None))
    if answer is None or name is None or len(module.settings) <= max(answer, name):
        return ""
    return module.settings[name].value if module.settings[answer].value == "Yes" else ""
