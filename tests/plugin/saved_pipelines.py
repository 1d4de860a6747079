"""Label a field of the fly with a saved pipeline, by whichever revision of the module is on the path.

Run as a program, it writes the labels that the tests compare with. It was run on the code before each new revision,
with the models of today, so that only the module differs; all wrote the same labels where they know the choice::

    git archive d13d7a4^ plugins | tar -x -C /tmp/revision_1   # 58db038 for revision 2, 9bf95f2 for revision 3
    cp -r models /tmp/revision_1/
    PYTHONPATH=/tmp/revision_1/plugins python tests/plugin/saved_pipelines.py 1
"""

import io
import sys
from pathlib import Path

import cellprofiler
import cellprofiler_core.preferences
import numpy as np
from cellprofiler_core.image import Image, ImageSetList
from cellprofiler_core.measurement import Measurements
from cellprofiler_core.object import ObjectSet
from cellprofiler_core.pipeline import Pipeline
from cellprofiler_core.workspace import Workspace
from skimage.io import imread, imsave

PIPELINES = Path(__file__).parent / "pipelines"
RESCALE, BY_RANGE, BY_OBJECTS = (
    "Rescale the image for the model?",
    {1: "Automatic", 2: "By the diameter range", 3: "By the diameter range"},
    "By the objects in the image",
)
MODEL, FORMER = "Select the model", "nuclei_fluorescence_1"
ADVANCED, RANGE = "Use advanced settings?", "Typical diameter of objects, in pixel units (Min,Max)"
BY_SIZE, AT_BORDER = "Discard objects outside the diameter range?", "Discard objects touching the border of the image?"


def choices(revision):
    """Return what users of a revision may have saved: by name, the settings other than those of the file.

    Parameters
    ----------
    revision : int
        1, 2 or 3.

    Returns
    -------
    dict of str to dict of str to str
    """
    made = {
        # The file asks for the probability of the kind distance, which the default model has no more.
        **({"as saved": {RESCALE: "Off"}} if revision < 3 else {"with all settings": {MODEL: FORMER}}),
        "not advanced": {RESCALE: BY_RANGE[revision], ADVANCED: "No", RANGE: "10,40", BY_SIZE: "No"},
        "by range": {RESCALE: BY_RANGE[revision], ADVANCED: "No", RANGE: "6,12", BY_SIZE: "No", AT_BORDER: "Yes"},
    }
    if revision > 1:
        made["by objects"] = {RESCALE: BY_OBJECTS, ADVANCED: "No", BY_SIZE: "No"}
    return made


def pipeline_text(revision, choice):
    """Return a saved pipeline of a revision, 1 to 3, with one of its choices."""
    lines = (PIPELINES / f"revision_{revision}.cppipe").read_text(encoding="utf-8").splitlines()
    for setting, value in choices(revision)[choice].items():
        (place,) = [number for number, line in enumerate(lines) if line.strip().startswith(f"{setting}:")]
        lines[place] = f"    {setting}:{value}"
    return "\n".join(lines) + "\n"


def reference_path(choice):
    """Return the file of labels that a choice gave in the older revisions."""
    return PIPELINES / f"labels_{choice.replace(' ', '_')}.png"


def load(text):
    pipeline = Pipeline()
    pipeline.load(io.StringIO(text))
    return pipeline


def values(module):
    return [setting.value_text for setting in module.settings()]


def label_fly(text, small=False):
    """Run a pipeline's only module on ExampleFly's first field.

    Parameters
    ----------
    text : str
        A .cppipe.
    small : bool
        Use every third pixel of the field, whose nuclei are then much smaller than the model knows, instead of its
        middle.

    Returns
    -------
    ndarray of shape (400, 400) or (336, 334), int32
    """
    images = Path(cellprofiler.__file__).parent / "data" / "examples" / "ExampleFly" / "images"
    pixels = imread(str(images / "01_POS002_D.TIF")) / 255
    pipeline = Pipeline()
    pipeline.load(io.StringIO(text))
    (module,) = pipeline.modules()
    image_set = ImageSetList().get_image_set(0)
    image_set.add(module.x_name.value, Image(pixels[::3, ::3] if small else pixels[300:700, 300:700]))
    workspace = Workspace(pipeline, module, image_set, ObjectSet(), Measurements(), image_set)
    module.run(workspace)
    return workspace.object_set.get_objects(module.y_name.value).segmented


def main(revision):
    """Write the labels of each choice."""
    cellprofiler_core.preferences.set_headless()
    cellprofiler_core.preferences.set_plugin_directory(sys.path[1], globally=False)
    import identifyobjectsunet

    if identifyobjectsunet.IdentifyObjectsUNet.variable_revision_number != revision:
        raise SystemExit(f"The module on the path is not of revision {revision}.")
    for choice in choices(revision):
        labels = label_fly(pipeline_text(revision, choice), small=choice == "by objects")
        imsave(str(reference_path(choice)), labels.astype(np.uint16), check_contrast=False)
        print(f"{choice}: {labels.max()} objects")


if __name__ == "__main__":
    main(int(sys.argv[1]))
