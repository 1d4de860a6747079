"""What ``cpunet demo-swap`` works on: drawn fields, nuclei as if corrected, and a pipeline."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import tifffile
from numpy.typing import NDArray
from scipy import ndimage

from cpunet.checks.synthetic import SyntheticField, synthetic_field
from cpunet.errors import OptionError
from cpunet.files.images import write_labels

# Nuclei of the new images are drawn with other seeds than the corrected ones.
FIRST_NEW_SEED = 1000
FIELD_PX, COLUMNS, DIAMETER_PX = 192, 4, 30.0
RIM_WIDTH_PX, INSIDE, BACKGROUND, NOISE = 2.0, 0.08, 0.05, 0.012
CHOICE = re.compile(r"^(    Select the model:).*$", re.M)

ELSE = "show_window:False|notes:[]|batch_state:array([], dtype=uint8)|enabled:True|wants_pause:False"
PIPELINE = r"""CellProfiler Pipeline: http://www.cellprofiler.org
Version:5
DateRevision:428
GitHash:
ModuleCount:7
HasImagePlaneDetails:False

Images:[module_num:1|svn_version:'Unknown'|variable_revision_number:2|ELSE]
    :
    Filter images?:Images only
    Select the rule criteria:and (extension does isimage)

Metadata:[module_num:2|svn_version:'Unknown'|variable_revision_number:6|ELSE]
    Extract metadata?:No
    Metadata data type:Text
    Metadata types:{}
    Extraction method count:1
    Metadata extraction method:Extract from file/folder names
    Metadata source:File name
    Regular expression to extract from file name:^(?P<Field>.*)
    Regular expression to extract from folder name:(?P<Folder>.*)$
    Extract metadata from:All images
    Select the filtering criteria:and (file does contain "")
    Metadata file location:Elsewhere...|
    Match file and image metadata:[]
    Use case insensitive matching?:No
    Metadata file name:None
    Does cached metadata exist?:No

NamesAndTypes:[module_num:3|svn_version:'Unknown'|variable_revision_number:8|ELSE]
    Assign a name to:All images
    Select the image type:Grayscale image
    Name to assign these images:DNA
    Match metadata:[]
    Image set matching method:Order
    Set intensity range from:Image metadata
    Assignments count:1
    Single images count:0
    Maximum intensity:255.0
    Process as 3D?:No
    Relative pixel spacing in X:1.0
    Relative pixel spacing in Y:1.0
    Relative pixel spacing in Z:1.0
    Select the rule criteria:and (file does contain "")
    Name to assign these images:DNA
    Name to assign these objects:Cell
    Select the image type:Grayscale image
    Set intensity range from:Image metadata
    Maximum intensity:255.0

Groups:[module_num:4|svn_version:'Unknown'|variable_revision_number:2|ELSE]
    Do you want to group your images?:No
    grouping metadata count:1
    Metadata category:None

IdentifyObjectsUNet:[module_num:5|svn_version:'Unknown'|variable_revision_number:2|ELSE]
    Select the input image:DNA
    Name the objects to be identified:Nuclei
    Select the model:nuclei_fluorescence
    Folder of the model file:Elsewhere...|
    Name of the model file:model.onnx
    Typical diameter of objects, in pixel units (Min,Max):10,40
    Discard objects outside the diameter range?:No
    Discard objects touching the border of the image?:No
    Rescale the image for the model?:By the objects in the image
    Use advanced settings?:No
    Use the model's own foreground threshold?:Yes
    Foreground threshold:0.5
    Separate touching objects?:Yes
    Select the device:Automatic
    Save the probability image?:No
    Name the probability image:ProbabilityNuclei

ConvertObjectsToImage:[module_num:6|svn_version:'Unknown'|variable_revision_number:1|ELSE]
    Select the input objects:Nuclei
    Name the output image:NucleiLabels
    Select the color format:uint16
    Select the colormap:Default

SaveImages:[module_num:7|svn_version:'Unknown'|variable_revision_number:15|ELSE]
    Select the type of image to save:Image
    Select the image to save:NucleiLabels
    Select method for constructing file names:From image filename
    Select image name for file prefix:DNA
    Enter single file name:unused
    Number of digits:4
    Append a suffix to the image file name?:Yes
    Text to append to the image name:_labels
    Saved file format:tiff
    Output file location:Default Output Folder|
    Image bit depth:16-bit integer
    Overwrite existing files without warning?:Yes
    When to save:Every cycle
    Record the file and path information to the saved image?:No
    Create subfolders in the output folder?:No
    Base image folder:Default Input Folder
    How to save the series:T (Time)
""".replace("ELSE", ELSE)


def draw_rims(seed: int) -> SyntheticField:
    """Draw nuclei of which only the rim is bright, as a stain of the lamina shows them.

    Parameters
    ----------
    seed : int

    Returns
    -------
    SyntheticField
        192 x 192 pixels, 16 nuclei 30 pixels wide. The shipped models cut such nuclei into pieces.
    """
    labels = synthetic_field((FIELD_PX, FIELD_PX), COLUMNS, DIAMETER_PX, seed=seed).labels
    rng = np.random.default_rng(seed)
    brightness = np.zeros(labels.shape)
    for label in range(1, int(labels.max()) + 1):
        # The frame of the image is no rim.
        depth = ndimage.distance_transform_edt(np.pad(labels == label, 1, mode="edge"))[1:-1, 1:-1]
        rim = np.exp(-(((depth - RIM_WIDTH_PX) / RIM_WIDTH_PX) ** 2))
        brightness += (depth > 0) * rng.uniform(0.5, 0.9) * (INSIDE + rim)
    blurred = ndimage.gaussian_filter(brightness, 1.0)
    image = BACKGROUND + blurred + rng.normal(0, NOISE, labels.shape)
    return SyntheticField(np.clip(image, 0, 1).astype(np.float32), labels)


def write_corrected(folder: Path, fields: int) -> None:
    """Write fields and their nuclei, as SaveImages leaves them after EditObjectsManually.

    Parameters
    ----------
    folder : Path
        Made. NAME_DNA.tiff and NAME_Nuclei.tiff come into it.
    fields : int
        How many.
    """
    folder.mkdir()
    for seed in range(fields):
        drawn = draw_rims(seed)
        tifffile.imwrite(folder / f"field{seed:02}_DNA.tiff", _sixteen_bits(drawn.image))
        write_labels(folder / f"field{seed:02}_Nuclei.tiff", drawn.labels)


def write_new_images(images: Path, truth: Path, fields: int) -> None:
    """Write fields that no training sees, and what is drawn on them.

    Parameters
    ----------
    images, truth : Path
        Made. An image and its labels have the same name, NAME.tiff.
    fields : int
        How many.
    """
    images.mkdir()
    truth.mkdir()
    for number in range(fields):
        drawn = draw_rims(FIRST_NEW_SEED + number)
        tifffile.imwrite(images / f"new{number:02}.tiff", _sixteen_bits(drawn.image))
        write_labels(truth / f"new{number:02}.tiff", drawn.labels)


def with_model(pipeline: str, model: str) -> str:
    """Choose another model in the text of a pipeline.

    Parameters
    ----------
    pipeline : str
        As CellProfiler saves it.
    model : str
        The name of a model in a models folder.

    Returns
    -------
    str
        No other line is changed.

    Raises
    ------
    ValueError
        If the pipeline has no IdentifyObjectsUNet.
    """
    changed, choices = CHOICE.subn(lambda found: found.group(1) + model, pipeline)
    if not choices:
        raise OptionError("The pipeline has no module IdentifyObjectsUNet: there is no line 'Select the model'.")
    return changed


def _sixteen_bits(image: NDArray[np.float32]) -> NDArray[np.uint16]:
    return np.round(image * 65535).astype(np.uint16)
