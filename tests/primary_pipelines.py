"""Pipelines with IdentifyPrimaryObjects, as each version of CellProfiler from 2.0 on saved them.

The order of the settings is that of each revision; see `cpunet.conversion.primary_settings`.
"""

IMAGE, OBJECTS = "DNA", "Nuclei"
THRESHOLD = "Threshold_FinalThreshold_Nuclei"

# What the user chose, by the names of `cpunet.conversion.primary_settings`.
CHOSEN = {
    **{"image": IMAGE, "objects": OBJECTS, "diameter_range": "12,55", "discard_size": "No", "discard_border": "Yes"},
    **{"declump": "Shape", "lines": "Shape", "smoothing": "9", "distance": "6.5", "fill_holes": "Never"},
    **{"smoothing_automatic": "No", "distance_automatic": "No", "limit": "Erase", "object_limit": "321"},
    "advanced": "Yes",
}

FIRST = [
    ("Select the input image", "image"),
    ("Name the primary objects to be identified", "objects"),
    ("Typical diameter of objects, in pixel units (Min,Max)", "diameter_range"),
    ("Discard objects outside the diameter range?", "discard_size"),
]
MERGE = ("Try to merge too small objects with nearby larger objects?", "=No")
BORDER = ("Discard objects touching the border of the image?", "discard_border")
DECLUMP = [
    ("Method to distinguish clumped objects", "declump"),
    ("Method to draw dividing lines between clumped objects", "lines"),
    ("Size of smoothing filter", "smoothing"),
    ("Suppress local maxima that are closer than this minimum allowed distance", "distance"),
    ("Speed up by using lower-resolution image to find local maxima?", "=Yes"),
]
FILL = ("Fill holes in identified objects?", "fill_holes")
AUTOMATIC = [
    ("Automatically calculate size of smoothing filter for declumping?", "smoothing_automatic"),
    ("Automatically calculate minimum allowed distance between local maxima?", "distance_automatic"),
]
LOG = [
    ("Automatically calculate the threshold using the Otsu method?", "=Yes"),
    ("Enter Laplacian of Gaussian threshold", "=0.5"),
]
LOG_DIAMETER = [
    ("Automatically calculate the size of objects for the Laplacian of Gaussian filter?", "=Yes"),
    ("Enter LoG filter diameter", "=5.0"),
]
LIMIT = [
    ("Handling of objects if excessive number of objects identified", "limit"),
    ("Maximum number of objects", "object_limit"),
]
OUTLINES_NAME, OUTLINES = (
    ("Name the outline image", "=PrimaryOutlines"),
    ("Retain outlines of the identified objects?", "=No"),
)
ADVANCED = ("Use advanced settings?", "advanced")
CLASSES = ("Two-class or three-class thresholding?", "=Three classes")
MIDDLE = ("Assign pixels in the middle intensity class to the foreground or the background?", "=Background")
MEASUREMENT = ("Select the measurement to threshold with", "=None")
BOUNDS, CORRECTION = ("Lower and upper bounds on threshold", "=0.0,1.0"), ("Threshold correction factor", "=1.1")

OF_8 = [
    *[*FIRST, MERGE, BORDER],
    *[("Select the thresholding method", "=Otsu Global"), CORRECTION, BOUNDS],
    ("Approximate fraction of image covered by objects?", "=0.01"),
    *[*DECLUMP, OUTLINES_NAME, FILL, *AUTOMATIC],
    *[("Manual threshold", "=0.0"), ("Select binary image", "=None"), OUTLINES, *LOG],
    *[CLASSES, ("Minimize the weighted variance or the entropy?", "=Weighted variance"), MIDDLE],
    *[*LOG_DIAMETER, *LIMIT, MEASUREMENT],
]
OF_9 = [*OF_8, ("Method to calculate adaptive window size", "=Image size"), ("Size of adaptive window", "=10")]
THRESHOLD_1 = [
    *[("Threshold setting version", "=1"), ("Threshold strategy", "=Global"), ("Thresholding method", "=Otsu")],
    *[("Select the smoothing method for thresholding", "=Automatic"), ("Threshold smoothing scale", "=1.0")],
    *[CORRECTION, BOUNDS, ("Approximate fraction of image covered by objects?", "=0.01")],
    *[("Manual threshold", "=0.0"), MEASUREMENT, ("Select binary image", "=None"), ("Masking objects", "=None")],
    *[CLASSES, ("Minimize the weighted variance or the entropy?", "=Weighted variance"), MIDDLE],
    *[("Method to calculate adaptive window size", "=Image size"), ("Size of adaptive window", "=10")],
]
ROBUST = [
    *[("Lower outlier fraction", "=0.05"), ("Upper outlier fraction", "=0.05"), ("Averaging method", "=Mean")],
    *[("Variance method", "=Standard deviation"), ("# of deviations", "=2.0")],
]
THRESHOLD_2 = [("Threshold setting version", "=2"), *THRESHOLD_1[1:], ("Use default parameters?", "=Default"), *ROBUST]


def threshold_of_3(version, *, has_local_method, has_logarithm):
    """Return the settings of thresholds that CellProfiler 3.0 and later save."""
    return [
        *[("Threshold setting version", f"={version}"), ("Threshold strategy", "=Global")],
        *[("Thresholding method", "=Otsu"), ("Threshold smoothing scale", "=1.0"), CORRECTION, BOUNDS],
        *[("Manual threshold", "=0.0"), MEASUREMENT, CLASSES],
        *([("Log transform before thresholding?", "=No")] if has_logarithm else []),
        *[MIDDLE, ("Size of adaptive window", "=10"), *ROBUST],
        *([("Thresholding method", "=Otsu")] if has_local_method else []),
    ]


OF_10 = [*FIRST, MERGE, BORDER, *DECLUMP, OUTLINES_NAME, FILL, *AUTOMATIC, OUTLINES, *LOG, *LOG_DIAMETER, *LIMIT]
OF_12 = [*FIRST, BORDER, *DECLUMP, FILL, *AUTOMATIC, *LIMIT]
MAXIMA = [("Display accepted local maxima?", "=No"), ("Select maxima color", "=Blue")]
SETTINGS = {
    8: OF_8,
    9: OF_9,
    10: [*OF_10, *THRESHOLD_1],
    11: [*OF_10, *THRESHOLD_2],
    12: [*OF_12, *threshold_of_3(3, has_local_method=False, has_logarithm=False)],
    13: [*OF_12, ADVANCED, *threshold_of_3(10, has_local_method=True, has_logarithm=False)],
    14: [*OF_12, *MAXIMA, ADVANCED, *threshold_of_3(11, has_local_method=True, has_logarithm=False)],
    15: [*OF_12, ADVANCED, *threshold_of_3(12, has_local_method=True, has_logarithm=True)],
}
# How the version that saved a revision writes the header of the file, and whether it escapes brackets and bars.
HEADERS = {
    8: ("Version:1\nSVNRevision:11710\n", True),
    9: ("Version:2\nDateRevision:20120209212234\n", True),
    10: ("Version:3\nDateRevision:20140723153453\nGitHash:6c2d896\n", True),
    11: ("Version:3\nDateRevision:20160418192053\nGitHash:ac0529e\n", True),
    12: ("Version:3\nDateRevision:300\nGitHash:\n", True),
    13: ("Version:4\nDateRevision:310\nGitHash:\n", True),
    14: ("Version:5\nDateRevision:400\nGitHash:\n", False),
    15: ("Version:5\nDateRevision:428\nGitHash:\n", False),
}
NOTES = '[\'He said "no"; it\\\'s |odd|\', "[see] C:\\\\data: variable_revision_number:3"]'


def escaped(text):
    """Write a text as CellProfiler 2 and 3 do."""
    text = text.replace("\\", "\\\\").replace("'", "\\'")
    for sign in "[]|:":
        text = text.replace(sign, f"\\x{ord(sign):02X}")
    return text


def chosen_for(revision, **other):
    """Return the values of the shared settings as a revision calls them."""
    values = {**CHOSEN, **other}
    if revision < 11:
        values["fill_holes"] = {"Never": "No", "After both thresholding and declumping": "Yes"}.get(
            values["fill_holes"], values["fill_holes"]
        )
    return values


def primary_text(revision, number=5, notes="[]", enabled=True, settings=None, **other):
    """Return an IdentifyPrimaryObjects as a revision saves it: its header, and a line for each setting."""
    escapes = HEADERS[revision][1]
    quote = "\\'" if escapes else "'"
    attributes = [f"module_num:{number}", f"svn_version:{quote}Unknown{quote}"]
    attributes += [f"variable_revision_number:{revision}", "show_window:False"]
    attributes += [f"notes:{escaped(notes) if escapes else notes}"]
    if revision > 8:
        attributes += [f"batch_state:{escaped('array([], dtype=uint8)') if escapes else 'array([], dtype=uint8)'}"]
        attributes += [f"enabled:{enabled}"]
    if revision > 9:
        attributes += ["wants_pause:False"]
    lines = [f"IdentifyPrimaryObjects:[{'|'.join(attributes)}]"]
    values = chosen_for(revision, **other)
    for text, name in SETTINGS[revision] if settings is None else settings:
        lines.append(f"    {text}:{name[1:] if name.startswith('=') else values[name]}")
    return "\n".join(lines) + "\n"


def pipeline_text(revision, blocks):
    """Return a pipeline of these modules, with the header of the version that saved a revision."""
    header = f"CellProfiler Pipeline: http://www.cellprofiler.org\n{HEADERS[revision][0]}"
    if revision > 8:
        header += f"ModuleCount:{len(blocks)}\nHasImagePlaneDetails:False\n"
    return "\n".join([header, *blocks])


def reader_text(number, name="CalculateMath", setting="Select the first measurement", value=THRESHOLD, enabled=True):
    """Return a module that names a measurement in one of its settings; it has too few to be loaded."""
    return (
        f"{name}:[module_num:{number}|svn_version:'Unknown'|variable_revision_number:3|show_window:False|notes:[]|"
        f"batch_state:array([], dtype=uint8)|enabled:{enabled}|wants_pause:False]\n"
        f"    Name the output measurement:Measurement\n    {setting}:{value}\n"
    )
