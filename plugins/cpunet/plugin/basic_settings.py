"""The module's basic settings: image, objects, size, border and scale."""

from __future__ import annotations

from typing import Any

from cellprofiler_core.setting import Binary
from cellprofiler_core.setting.choice import Choice
from cellprofiler_core.setting.range import IntegerRange
from cellprofiler_core.setting.text import Float

RESCALE_FROM_IMAGE, RESCALE_FROM_RANGE = "By the objects in the image", "By the diameter range"
RESCALE_BY_FACTOR, RESCALE_OFF = "By a factor", "Off"


def create_basic_settings(module: Any) -> None:
    """Give the module its basic settings, with defaults that discard nothing.

    Parameters
    ----------
    module : identifyobjectsunet.IdentifyObjectsUNet
        Has the image and the objects already, from CellProfiler's own class.
    """
    module.x_name.text = "Select the input image"
    module.x_name.doc = (
        "Select the image in which objects are to be found, such as the DNA stain. A model of several gray channels, "
        "such as a focus stack, asks for the image of each further channel below."
    )

    module.y_name.text = "Name the objects to be identified"
    module.y_name.value = "Nuclei"
    module.y_name.doc = (
        "Enter the name of the objects. If this module replaces **IdentifyPrimaryObjects**, enter the name that "
        "was used there. The modules downstream then need no change."
    )

    module.size_range = IntegerRange(
        "Typical diameter of objects, in pixel units (Min,Max)",
        (10, 40),
        minval=1,
        doc="""\
The smallest and largest diameter that you expect. If an object is not
round, its diameter is that of a circle of the same area. In a stack, it is that of a ball of the same volume, in widths
of a pixel.

Objects outside the range can be discarded (next setting). The middle of the range is its geometric mean (20 for
10 to 40). It can set the scale at which the model sees the image (*Rescale the image for the model?*). It also sets
the automatic smoothing and seed distance of the methods "*Shape*" and "*Intensity*". To measure a nucleus, use
*Measure Length* in the toolbar of an image window.""",
    )

    module.exclude_size = Binary(
        "Discard objects outside the diameter range?",
        False,
        doc="""\
Select "*Yes*" to discard objects whose area is smaller or larger than that of a circle of the
minimum or maximum diameter. In a stack, balls and volumes take the place of circles and areas. The figure outlines
discarded objects in magenta.

The default is "*No*", so that you see all objects first.""",
    )

    module.exclude_border_objects = Binary(
        "Discard objects touching the border of the image?",
        False,
        doc="""\
Select "*Yes*" to discard objects that touch the border of the image. Their size
and shape cannot be measured. If the image has a mask and no object touches
the border, objects that touch the edge of the mask are discarded instead. The figure outlines discarded objects
in orange.

The default is "*No*", so that you see all objects first.""",
    )

    module.rescale = Choice(
        "Rescale the image for the model?",
        [RESCALE_FROM_IMAGE, RESCALE_FROM_RANGE, RESCALE_BY_FACTOR, RESCALE_OFF],
        doc=f"""\
A model works best on objects of about the size that it was trained on. If the objects in the image
are much smaller or larger (*nuclei_fluorescence*: below 15 or above 54 pixels), the image is
enlarged or shrunk for the network. The objects are then scaled back to the original image.

-  *{RESCALE_FROM_IMAGE}:* the model finds objects in the original image and measures them. If they
   are too small or too large, the image is rescaled and processed again. You need not know their size.
-  *{RESCALE_FROM_RANGE}:* the middle of your diameter range is the size of the objects. All images
   of an experiment are rescaled alike.
-  *{RESCALE_BY_FACTOR}:* you enter the factor by which the image is enlarged (above 1) or shrunk (below 1).
-  *{RESCALE_OFF}:* the network always sees the original image.

If the image was rescaled, the table in the figure shows the factor.""",
    )

    module.rescale_factor = Float(
        "Factor to rescale by",
        1.0,
        minval=0.0625,
        maxval=4,
        doc=f"""\
*(Used only with "{RESCALE_BY_FACTOR}")*

The diameter of the objects that the model was trained on, divided by the diameter of your objects. For
example, enter 0.5 if your nuclei are twice as large as those of the training images.""",
    )

    module.advanced = Binary(
        "Use advanced settings?",
        False,
        doc='Select "*Yes*" to see the settings below. If "*No*" is selected, their defaults are used.',
    )
