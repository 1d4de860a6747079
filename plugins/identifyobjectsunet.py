"""CellProfiler's module IdentifyObjectsUNet: settings, help, checks, outputs and the figure."""

import importlib.util
import math
import os
import re
import sys
from dataclasses import replace
from pathlib import Path

import cellprofiler_core.module.image_segmentation
import numpy
from cellprofiler_core.constants.measurement import (
    FF_COUNT,
    IMAGE,
    M_LOCATION_CENTER_X,
    M_LOCATION_CENTER_Y,
    M_LOCATION_CENTER_Z,
    M_NUMBER_OBJECT_NUMBER,
)
from cellprofiler_core.image import Image
from cellprofiler_core.object import Objects
from cellprofiler_core.preferences import MAX_WORKERS, config_read, get_max_workers
from cellprofiler_core.setting import Binary, ValidationError
from cellprofiler_core.setting.choice import Choice
from cellprofiler_core.setting.range import IntegerRange
from cellprofiler_core.setting.text import Directory, Filename, Float, ImageName

from cpunet.declump import foreground_probability, planes_by_role
from cpunet.filters import filter_objects
from cpunet.model_card import ModelError
from cpunet.model_files import DEFAULT_MODEL, find_model, list_models
from cpunet.onnx_file import read_card
from cpunet.segment import Options, segment_image, usable_pixels
from cpunet.session import INSTALL_HELP, load_model

MODEL_FROM_FILE = "A model file of your own"
RESCALE_FROM_IMAGE = "By the objects in the image"
RESCALE_FROM_RANGE = "By the diameter range"
RESCALE_OFF = "Off"
# Its place among the settings of a saved pipeline.
RESCALE_INDEX = 8
DEVICE_AUTOMATIC, DEVICE_CPU, DEVICE_CUDA = "Automatic", "CPU", "CUDA (NVIDIA GPU)"
DEVICES = {DEVICE_AUTOMATIC: "automatic", DEVICE_CPU: "cpu", DEVICE_CUDA: "cuda"}

__doc__ = """\
IdentifyObjectsUNet
===================

**IdentifyObjectsUNet** finds nuclei, or other objects that a model was trained
for, with a neural network (a U-Net), and separates those that touch. It takes
the place of **IdentifyPrimaryObjects**: give its objects the same name and
every module downstream works on as before.

|

============ ============ ===============
Supports 2D? Supports 3D? Respects masks?
============ ============ ===============
YES          NO           YES
============ ============ ===============

See also
^^^^^^^^

**IdentifyPrimaryObjects**, **IdentifySecondaryObjects**,
**FilterObjects** and **MeasureObjectSizeShape**.

When should I use this module?
^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^

Use it where **IdentifyPrimaryObjects** needs its threshold adjusted from plate
to plate, merges nuclei that touch, or cuts large ones into pieces. The network
has learnt from labelled images what a nucleus looks like, so there is no
threshold to adjust to the brightness of an image.

What do I need as input?
^^^^^^^^^^^^^^^^^^^^^^^^

-  For the model *nuclei_fluorescence*, a grayscale image with bright objects on a dark
   background (DAPI, Hoechst or a similar stain). Its brightness and bit depth
   do not matter. Convert colour images with **ColorToGray** first.
-  For the model *nuclei_generalist*, a grayscale or a colour image: fluorescence, unstained
   bright field, or stained tissue. Objects may be bright or dark.
-  A 2D image. If the image has a mask, or was cropped, only the part inside
   is used.
-  The package *onnxruntime*. If it is missing, the module says so, together with the
   command that installs it.

What do I get as output?
^^^^^^^^^^^^^^^^^^^^^^^^

Objects that every other module can use. As with **IdentifyPrimaryObjects**,
the objects that the filters discard are kept aside, so that
**IdentifySecondaryObjects** and **MeasureObjectNeighbors** can take them into
account. On request, an image of the probability of each pixel to belong to an object.

The figure shows the input, the objects, and their outlines: accepted objects,
objects discarded for their size, and objects discarded at the border, each
in a colour of its own. A table gives their number and sizes.

Measurements made by this module
^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^

**Image measurements:**

-  *Count:* The number of objects found.

**Object measurements:**

-  *Location\\_Center\\_X, Location\\_Center\\_Y, Location\\_Center\\_Z:* The pixel
   coordinates of the centre of each object. Z is always 0.
-  *Number\\_Object\\_Number:* The number of each object, 1 to the count.

**IdentifyPrimaryObjects** also writes measurements named *Threshold*. This module
has no threshold of that kind and writes none; it warns you if a later module asks for one.

Technical notes
^^^^^^^^^^^^^^^

The image's contrast is stretched between two of its percentiles, the network
computes for each pixel the probability to lie in an object, on the border
between two objects, and how deep it lies inside; a seed is placed in the
middle of each object, and touching objects are divided by a watershed from
the seeds.

References
^^^^^^^^^^

-  Ronneberger O, Fischer P, Brox T (2015) "U-Net: Convolutional Networks for
   Biomedical Image Segmentation." *MICCAI*, doi:10.1007/978-3-319-24574-4_28.
-  Caicedo JC et al. (2019) "Evaluation of Deep Learning Strategies for Nucleus
   Segmentation in Fluorescence Images." *Cytometry A* 95:952, doi:10.1002/cyto.a.23863.
"""


# No docstring: CellProfiler shows the file's as the module's help only if the class has none.
class IdentifyObjectsUNet(cellprofiler_core.module.image_segmentation.ImageSegmentation):  # noqa: D101
    category = "Object Processing"

    module_name = "IdentifyObjectsUNet"

    variable_revision_number = 2

    def volumetric(self):
        """Say that 3-D images are not supported."""
        return False

    def create_settings(self):
        """Create all settings with their defaults, which discard nothing."""
        super().create_settings()

        self.x_name.text = "Select the input image"
        self.x_name.doc = "Select the image in which objects are to be found, such as the DNA stain."

        self.y_name.text = "Name the objects to be identified"
        self.y_name.value = "Nuclei"
        self.y_name.doc = (
            "Enter the name of the objects. If this module replaces **IdentifyPrimaryObjects**, enter the name that "
            "was used there, and the modules downstream need no change."
        )

        self.model_name = Choice(
            "Select the model",
            self._model_choices(),
            choices_fn=lambda pipeline: self._model_choices(),
            doc=f"""\
The network that finds the objects.

-  *{DEFAULT_MODEL}:* nuclei stained with a fluorescent dye (DAPI, Hoechst and
   similar), bright on a dark background.
-  *nuclei_generalist:* nuclei in fluorescence, in unstained bright field, and in stained
   tissue; takes grayscale and colour images. For fluorescence the model above is better.
-  *phase_cells:* whole adherent cells in phase contrast, without a stain.
-  *{MODEL_FROM_FILE}:* an .onnx file that you trained and exported, or were
   given.

Other names in the list are .onnx files of your own that lie in your models folder; ``docs/choose-a-model.md``
says where that is. What a shipped model was trained for, and how well it does, stands in its README.""",
        )

        self.model_directory = Directory(
            "Folder of the model file",
            doc=f"""\
*(Used only with "{MODEL_FROM_FILE}")*

The folder that holds the .onnx file.""",
            allow_metadata=False,
        )

        self.model_file = Filename(
            "Name of the model file",
            "model.onnx",
            get_directory_fn=self.model_directory.get_absolute_path,
            set_directory_fn=self._set_model_directory,
            browse_msg="Choose a model",
            exts=[("ONNX model (*.onnx)", "*.onnx"), ("All files (*.*)", "*.*")],
            doc=f"""\
*(Used only with "{MODEL_FROM_FILE}")*

The .onnx file, as written by ``cpunet export``. It carries a card that says how
its input must be prepared and what its output means.""",
        )

        self.size_range = IntegerRange(
            "Typical diameter of objects, in pixel units (Min,Max)",
            (10, 40),
            minval=1,
            doc="""\
The smallest and largest diameter that you expect. For an object that is not
round, the diameter is that of a circle of the same area.

The range has two uses: objects outside it can be discarded (next setting),
and its middle (the geometric mean: 20 for the range 10 to 40) can tell whether the image must be
rescaled for the model (*Rescale the image for the model?*). To measure a nucleus, use
*Measure Length* in the toolbar of an image window.""",
        )

        self.exclude_size = Binary(
            "Discard objects outside the diameter range?",
            False,
            doc="""\
Select "*Yes*" to discard objects whose area is smaller or larger than that of a circle of the
minimum or maximum diameter. Discarded objects are outlined in a colour of their own in the figure.

The default is "*No*": nothing is lost before you have seen it.""",
        )

        self.exclude_border_objects = Binary(
            "Discard objects touching the border of the image?",
            False,
            doc="""\
Select "*Yes*" to discard objects that touch the frame of the image, whose size
and shape cannot be measured. If the image has a mask and no object touches
the frame, objects that touch the edge of the mask are discarded instead.

The default is "*No*": nothing is lost before you have seen it.""",
        )

        self.rescale = Choice(
            "Rescale the image for the model?",
            [RESCALE_FROM_IMAGE, RESCALE_FROM_RANGE, RESCALE_OFF],
            doc=f"""\
A model does best on objects of about the size that it was trained on. If those in the image
are much smaller or larger (*nuclei_fluorescence*: below 15 or above 54 pixels), the image is
enlarged or shrunk for the network, and the objects are brought back to the original image.

-  *{RESCALE_FROM_IMAGE}:* the model looks at the image as it is, measures the
   objects that it finds, and looks again if they are too small or too large. You
   need not know their size.
-  *{RESCALE_FROM_RANGE}:* the middle of your diameter range counts. All images
   of an experiment are then treated alike, whatever is in them.
-  *{RESCALE_OFF}:* the network always sees the image as it is.

The figure's table says by how much the image was rescaled, if it was.""",
        )

        self.advanced = Binary(
            "Use advanced settings?",
            False,
            doc='Select "*Yes*" to see the settings below. If "*No*" is selected, their defaults are used.',
        )

        self.use_model_threshold = Binary(
            "Use the model's own foreground threshold?",
            True,
            doc="""\
*(Used only with advanced settings)*

Each model carries the threshold that gave the best outlines on its validation
images. Select "*No*" to choose another.""",
        )

        self.foreground_threshold = Float(
            "Foreground threshold",
            0.5,
            minval=0.01,
            maxval=0.99,
            doc="""\
*(Used only with advanced settings, if the model's own threshold is not used)*

A pixel belongs to an object if its probability is higher than this. Lower
values make objects larger and find fainter ones; higher values make them smaller.""",
        )

        self.want_declump = Binary(
            "Separate touching objects?",
            True,
            doc="""\
*(Used only with advanced settings)*

Select "*No*" to keep objects that touch as one, for example to measure clumps
or colonies.""",
        )

        self.device = Choice(
            "Select the device",
            [DEVICE_AUTOMATIC, DEVICE_CPU, DEVICE_CUDA],
            doc=f"""\
*(Used only with advanced settings)*

-  *{DEVICE_AUTOMATIC}:* an NVIDIA GPU if there is one that really works, otherwise
   the CPU.
-  *{DEVICE_CPU}:* always the CPU.
-  *{DEVICE_CUDA}:* the GPU, or an error that says what is missing. Needs the
   package onnxruntime-gpu.

``cpunet doctor``, on the command line, says which device is really used.""",
        )

        self.save_probability = Binary(
            "Save the probability image?",
            False,
            doc="""\
*(Used only with advanced settings)*

Select "*Yes*" to keep, as a grayscale image of values from 0 to 1, the probability of each pixel to belong
to an object. Other modules can use it, such as **SaveImages** or **MeasureObjectIntensity**.""",
        )

        self.probability_name = ImageName(
            "Name the probability image",
            "ProbabilityNuclei",
            doc="*(Used only if the probability image is saved)*\n\nEnter the name of the image.",
        )

    @staticmethod
    def _model_choices():
        shipped = list(list_models())
        shipped.sort(key=lambda name: (name != DEFAULT_MODEL, name))
        return [*shipped, MODEL_FROM_FILE]

    def _set_model_directory(self, path):
        choice, parts = self.model_directory.get_parts_from_path(path)
        self.model_directory.join_parts(choice, parts)

    def settings(self):
        """Return all settings in the order of the pipeline file: append only."""
        return [
            self.x_name,
            self.y_name,
            self.model_name,
            self.model_directory,
            self.model_file,
            self.size_range,
            self.exclude_size,
            self.exclude_border_objects,
            self.rescale,
            self.advanced,
            self.use_model_threshold,
            self.foreground_threshold,
            self.want_declump,
            self.device,
            self.save_probability,
            self.probability_name,
        ]

    def visible_settings(self):
        """Return the settings that have a meaning at the moment."""
        visible = [self.x_name, self.y_name, self.model_name]
        if self.model_name.value == MODEL_FROM_FILE:
            visible += [self.model_directory, self.model_file]
        visible += [self.size_range, self.exclude_size, self.exclude_border_objects, self.rescale, self.advanced]
        if self.advanced.value:
            visible += [self.use_model_threshold]
            if not self.use_model_threshold.value:
                visible += [self.foreground_threshold]
            visible += [self.want_declump, self.device, self.save_probability]
            if self.save_probability.value:
                visible += [self.probability_name]
        return visible

    def model_path(self):
        """Return the path of the chosen model file.

        Returns
        -------
        pathlib.Path

        Raises
        ------
        ModelError
            If no model has the chosen name, or no file is chosen.
        """
        if self.model_name.value != MODEL_FROM_FILE:
            return find_model(self.model_name.value)
        if not self.model_file.value.strip():
            raise ModelError("No model file is chosen. Enter its name, or browse for the .onnx file.")
        return Path(self.model_directory.get_absolute_path()) / self.model_file.value

    def validate_module(self, pipeline):
        """Check what can be checked at once: the model's card, and that onnxruntime is there.

        Raises
        ------
        ValidationError
            Names the setting at fault. Opens no session: this runs whenever a setting is edited.
        """
        from_file = self.model_name.value == MODEL_FROM_FILE
        try:
            read_card(self.model_path())
        except (ModelError, OSError) as error:
            raise ValidationError(str(error), self.model_file if from_file else self.model_name) from error
        if importlib.util.find_spec("onnxruntime") is None:
            raise ValidationError(INSTALL_HELP, self.model_name)

    def validate_module_warnings(self, pipeline):
        """Warn of modules that ask for the Threshold measurements of IdentifyPrimaryObjects.

        Raises
        ------
        ValidationError
            Shown as a warning.
        """
        threshold = re.compile(rf"\bThreshold_\w+_{re.escape(self.y_name.value)}\b")
        for module in pipeline.modules():
            for setting in module.settings():
                found = threshold.search(setting.value_text)
                if found and module.module_num > self.module_num:
                    raise ValidationError(
                        f"{module.module_name} (module {module.module_num}) asks for the measurement {found[0]}, which "
                        "IdentifyPrimaryObjects writes and this module does not. Choose another measurement there.",
                        self.y_name,
                    )

    def upgrade_settings(self, setting_values, variable_revision_number, module_name):
        """Bring the settings of an older pipeline to this revision.

        Parameters
        ----------
        setting_values : list of str
        variable_revision_number : int
            Of the pipeline.
        module_name : str

        Returns
        -------
        setting_values : list of str
        variable_revision_number : int
        """
        if variable_revision_number == 1:
            # Revision 1 knew no size but the user's, and called that automatic.
            setting_values = list(setting_values)
            if setting_values[RESCALE_INDEX] == "Automatic":
                setting_values[RESCALE_INDEX] = RESCALE_FROM_RANGE
            variable_revision_number = 2
        return setting_values, variable_revision_number

    def prepare_to_create_batch(self, workspace, fn_alter_path):
        """Let the model's folder be found from the cluster's side."""
        self.model_directory.alter_for_create_batch_files(fn_alter_path)
        return True

    def options(self, mask):
        """Translate the settings into the runtime's options.

        Parameters
        ----------
        mask : ndarray of shape (Y, X), bool, or None

        Returns
        -------
        cpunet.segment.Options
        """
        size = Options(
            diameter_px=self.typical_diameter() if self.rescale.value == RESCALE_FROM_RANGE else None,
            scale=1.0 if self.rescale.value == RESCALE_OFF else None,
            mask=mask,
        )
        if not self.advanced.value:
            return size
        return replace(
            size,
            foreground_threshold=None if self.use_model_threshold.value else float(self.foreground_threshold.value),
            declump_method="probability" if self.want_declump.value else "none",
        )

    def typical_diameter(self):
        """Return the geometric mean of the diameter range, in pixels."""
        return math.sqrt(self.size_range.min * self.size_range.max)

    def run(self, workspace):
        """Find the objects of one image set."""
        image = workspace.image_set.get_image(self.x_name.value)
        if image.volumetric:
            raise ValueError(
                f"{self.x_name.value} is a 3-D stack, and IdentifyObjectsUNet works on 2-D images. Set 'Process as "
                "3D?' to No in NamesAndTypes."
            )
        if min(image.pixel_data.shape[:2]) < 2:
            raise ValueError(
                f"{self.x_name.value} has the shape {image.pixel_data.shape[:2]}: CellProfiler cannot hold objects of "
                "an image that is only one pixel high or wide. Check how the image was loaded or cropped."
            )
        mask = usable_pixels(image.pixel_data, image.mask if image.has_mask else None)
        device = DEVICES[self.device.value] if self.advanced.value else "automatic"
        model = load_model(self.model_path(), device, threads_for_this_process())
        found = segment_image(image.pixel_data, model, self.options(mask))
        kept = filter_objects(
            found.labels,
            (self.size_range.min, self.size_range.max) if self.exclude_size.value else None,
            self.exclude_border_objects.value,
            mask,
        )

        objects = Objects()
        objects.segmented = kept.labels
        objects.unedited_segmented = found.labels
        objects.small_removed_segmented = kept.small_removed
        objects.parent_image = image
        workspace.object_set.add_objects(objects, self.y_name.value)
        self.add_measurements(workspace)

        if self.advanced.value and self.save_probability.value:
            probability = foreground_probability(planes_by_role(found.probabilities, model.card.output.roles))
            workspace.image_set.add(self.probability_name.value, Image(probability, parent_image=image))

        if self.show_window:
            display_data = workspace.display_data
            display_data.cycle = workspace.measurements.image_set_number
            display_data.image = image.pixel_data
            display_data.labels = kept.labels
            display_data.discarded_by_size = kept.discarded_by_size
            display_data.discarded_by_border = kept.discarded_by_border
            # Nine rows fit into the figure's first size.
            display_data.statistics = [
                *statistics_of_objects(kept.labels),
                ["Discarded by size", str(count_objects(kept.discarded_by_size))],
                ["Discarded at the border", str(count_objects(kept.discarded_by_border))],
                ["Model", model.card.name],
                ["Runs on", model.provider.replace("ExecutionProvider", "")],
            ]
            if found.scale != 1:
                display_data.statistics.append(["Rescaled by", f"{found.scale:.2f}"])

    def add_measurements(self, workspace, object_name=None):
        """Write the standard measurements: the same numbers as CellProfiler's own method, in less time."""
        name = object_name or self.y_name.value
        center_y, center_x = centers_of_objects(workspace.object_set.get_objects(name).segmented)
        count = len(center_x)
        for feature, values in (
            (M_LOCATION_CENTER_X, center_x),
            (M_LOCATION_CENTER_Y, center_y),
            (M_LOCATION_CENTER_Z, numpy.zeros(count)),
            (M_NUMBER_OBJECT_NUMBER, numpy.arange(1, count + 1)),
        ):
            workspace.measurements.add_measurement(name, feature, values)
        workspace.measurements.add_measurement(IMAGE, FF_COUNT % name, numpy.array([count], dtype=float))

    def display(self, workspace, figure):
        """Draw the 2x2 figure from the display data alone."""
        display_data = workspace.display_data
        figure.set_subplots((2, 2))
        title = f"Input image, cycle #{display_data.cycle}"
        image, show = display_data.image, figure.subplot_imshow_grayscale
        if image.shape[2:] == (3,):
            show = figure.subplot_imshow_color
        elif image.ndim == 3:
            image = image.mean(axis=2)
        axes = show(0, 0, image, title)
        figure.subplot_imshow_labels(1, 0, display_data.labels, self.y_name.value, sharexy=axes)
        show(
            0,
            1,
            image,
            f"{self.y_name.value} outlines",
            cplabels=[
                {"name": self.y_name.value, "labels": [display_data.labels]},
                {"name": "Objects filtered out by size", "labels": [display_data.discarded_by_size]},
                {"name": "Objects touching border", "labels": [display_data.discarded_by_border]},
            ],
            sharexy=axes,
        )
        figure.subplot_table(
            1,
            1,
            [[value] for _, value in display_data.statistics],
            row_labels=[name for name, _ in display_data.statistics],
        )

    def is_object_identification_module(self):
        """Say that this module makes objects."""
        return True


def centers_of_objects(labels):
    """Return the mean row and the mean column of each object.

    Parameters
    ----------
    labels : ndarray of shape (Y, X), int32
        1..n without gaps.

    Returns
    -------
    center_y, center_x : ndarray of shape (n,), float64
        Pixels, 0 at the middle of the first.
    """
    inside = numpy.flatnonzero(labels)
    number = labels.ravel()[inside] - 1
    areas = numpy.bincount(number)
    y, x = numpy.divmod(inside, labels.shape[1])
    return numpy.bincount(number, weights=y) / areas, numpy.bincount(number, weights=x) / areas


def count_objects(labels):
    """Return how many objects a label image holds; its numbers may have gaps."""
    return len(numpy.unique(labels[labels > 0]))


def statistics_of_objects(labels):
    """Summarise objects for the figure's table.

    Parameters
    ----------
    labels : ndarray of shape (Y, X), int32
        1..n without gaps.

    Returns
    -------
    list of [name, value]
        Texts: the number, three percentiles of the diameter, and the area covered.
    """
    areas = numpy.bincount(labels.ravel())[1:]
    rows = [["# of accepted objects", str(len(areas))]]
    if len(areas):
        diameters = 2 * numpy.sqrt(areas / numpy.pi)
        for name, percentile in (("10th pctile", 10), ("Median", 50), ("90th pctile", 90)):
            rows.append([f"{name} diameter", f"{numpy.percentile(diameters, percentile):.1f} pixels"])
        rows.append(["Area covered by objects", f"{100 * areas.sum() / labels.size:.1f} %"])
    return rows


def threads_for_this_process():
    """Return how many threads the network may use; 0 is all cores.

    Returns
    -------
    int
        In an analysis of the window, where several workers run side by side, each one's share of the
        cores; otherwise 0.
    """
    if not any(argument.startswith("--work-announce") for argument in sys.argv):
        return 0
    # get_max_workers() forgets, in a worker, what the user chose; what the window sent it does not.
    workers = int(config_read(MAX_WORKERS) or 0) or get_max_workers()
    return max(1, (os.cpu_count() or 1) // max(1, workers))
