"""CellProfiler's module IdentifyObjectsUNet: settings, help, checks, outputs and the figure."""

import functools
import html
import logging
import math
import os
import re
import time
from dataclasses import replace
from pathlib import Path

import cellprofiler_core.module.image_segmentation
from cellprofiler_core.constants.measurement import EXPERIMENT, IMAGE
from cellprofiler_core.image import Image
from cellprofiler_core.object import Objects
from cellprofiler_core.setting import Binary, HiddenCount, HTMLText, SettingsGroup, ValidationError
from cellprofiler_core.setting.choice import Choice
from cellprofiler_core.setting.do_something import DoSomething, RemoveSettingButton
from cellprofiler_core.setting.range import IntegerRange
from cellprofiler_core.setting.text import Directory, Filename, Float, ImageName

from cpunet.checks.device import device_report
from cpunet.errors import ModelError
from cpunet.model.card import ROLES
from cpunet.model.describe import describe
from cpunet.model.ensemble import average_cards, average_models
from cpunet.model.find import DEFAULT_MODEL, find_model, list_models
from cpunet.model.memory import gpu_memory_for_worker, segment_within_memory, total_gpu_memory_bytes
from cpunet.model.packages import onnxruntime_is_there
from cpunet.model.session import INSTALL_HELP, load_model
from cpunet.model.without_card import has_card
from cpunet.onnx_reader.metadata import read_card, sha256
from cpunet.options import Options
from cpunet.plugin.advanced_settings import (
    DECLUMP_CHOICES,
    DECLUMP_NONE,
    DECLUMP_PROBABILITY,
    FILL_NEVER,
    AdvancedSettings,
)
from cpunet.plugin.cardless_settings import CardlessSettings
from cpunet.plugin.dialogs import ask_for_folder, show_lines
from cpunet.plugin.figure import (
    count_objects,
    enlarge_when_new,
    plane_to_show,
    show_figure,
    statistics_of_objects,
)
from cpunet.plugin.host import free_earlier_image_sets
from cpunet.plugin.measurements import (
    CONFIDENCE,
    NUMBERS_OF_IMAGE,
    SEGMENTATION,
    ModelUsed,
    add_experiment_measurements,
    add_measurements,
    measurement_columns,
)
from cpunet.plugin.models_folder import prefer_models_folder, preferred_models_folder, use_preferred_folder
from cpunet.plugin.progress import log_progress, show_progress, warn_once
from cpunet.plugin.revisions import PROBABILITIES_INDEX, upgrade
from cpunet.plugin.workers import is_worker, number_of_workers, threads_for_this_process
from cpunet.segment import segment_image, segment_stack
from cpunet.steps.declump import foreground_probability, probabilities_by_role
from cpunet.steps.filters import filter_objects
from cpunet.steps.planes import in_one_plane
from cpunet.steps.prepare import usable_pixels
from cpunet.steps.tiling import check_tile

MODEL_FROM_FILE = "A model file of your own"
RESCALE_FROM_IMAGE = "By the objects in the image"
RESCALE_FROM_RANGE = "By the diameter range"
RESCALE_BY_FACTOR = "By a factor"
RESCALE_OFF = "Off"
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
YES          YES          YES
============ ============ ===============

See also
^^^^^^^^

**IdentifyPrimaryObjects**, **IdentifySecondaryObjects**,
**FilterObjects** and **MeasureObjectSizeShape**.

When should I use this module?
^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^

Use it where **IdentifyPrimaryObjects** needs its threshold adjusted from plate
to plate, merges nuclei that touch, or cuts large ones into pieces. The network
has learned from labeled images what a nucleus looks like, so there is no
threshold to adjust to the brightness of an image.

What do I need as input?
^^^^^^^^^^^^^^^^^^^^^^^^

-  For the model *nuclei_fluorescence*, a grayscale image with bright objects on a dark
   background (DAPI, Hoechst or a similar stain). Its brightness and bit depth
   do not matter. Convert color images with **ColorToGray** first.
-  For the model *nuclei_generalist*, a grayscale or a color image: fluorescence, unstained
   bright field, or stained tissue. Objects may be bright or dark.
-  A 2D image, or a 3D stack (*Process as 3D?* in **NamesAndTypes**). The network sees a stack plane
   by plane; objects that lie over one another in neighboring planes are joined. If the image has
   a mask, or was cropped, only the part inside is used.
-  The package *onnxruntime*. If it is missing, the module says so, together with the
   command that installs it.

What do I get as output?
^^^^^^^^^^^^^^^^^^^^^^^^

Objects that every other module can use. As with **IdentifyPrimaryObjects**,
the objects that the filters discard are kept aside, so that
**IdentifySecondaryObjects** and **MeasureObjectNeighbors** can take them into
account. On request, an image of the probability of each pixel to belong to an object, or to its border.

The figure shows the input, the objects, the probabilities, and the objects' outlines: accepted objects,
objects discarded for their size, and objects discarded at the border, each
in a color of its own. A table gives their number and sizes. Of a stack it shows the plane with most objects.

Measurements made by this module
^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^

**Image measurements:**

-  *Count:* The number of objects found.
-  *Segmentation_ForegroundArea:* The number of pixels (voxels) in objects.
-  *Segmentation_CountFromArea:* That area over the area of a typical object: an estimate of the
   count where clumps cannot be separated.
-  *Segmentation_Seconds:* How long the module took.
-  *Segmentation_Model, Segmentation_ModelSHA256:* Which model found the objects, by its name and the sum of
   its file. They are also written once for the whole experiment.

**Object measurements:**

-  *Location\\_Center\\_X, Location\\_Center\\_Y, Location\\_Center\\_Z:* The pixel
   coordinates of the center of each object. Z is 0 in a 2D image.
-  *Confidence_Foreground:* The mean probability of the object's pixels to lie in an object, 0 to 1.
-  *Confidence_Boundary:* How sharply the probability falls at the object's outline, 0 to 1. A low value tells of
   an outline that cannot be trusted.
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

    variable_revision_number = 3

    def volumetric(self):
        """Say that 3-D images are supported."""
        return True

    def create_settings(self):
        """Create all settings with their defaults, which discard nothing."""
        super().create_settings()
        use_preferred_folder()
        self.advanced_settings = AdvancedSettings()
        self.cardless_settings = CardlessSettings()

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
-  *nuclei_fluorescence_int8:* the same in whole numbers: as accurate, and faster on CPUs that have VNNI
   instructions.
-  *nuclei_generalist:* nuclei in fluorescence, in unstained bright field, and in stained
   tissue; takes grayscale and color images. For fluorescence the model above is better.
-  *phase_cells:* whole adherent cells in phase contrast, without a stain.
-  *{MODEL_FROM_FILE}:* an .onnx file that you trained and exported, or were
   given.

Other names in the list are .onnx files of your own that lie in your models folder; ``docs/choose-a-model.md``
says where that is. What a shipped model was trained for, and how well it does, stands in its README.""",
        )

        self.model_description = HTMLText("", size=(1, 3))

        self.describe_button = DoSomething(
            "Describe the model",
            "Describe model",
            self.on_describe_model,
            doc="Shows the model's card: what it was trained on, how well it does, its licence and its file.",
        )

        self.folder_button = DoSomething(
            "Choose the folder of your models",
            "Choose models folder",
            self.on_choose_folder,
            doc="""\
The .onnx files in this folder appear in the list of models, here and in later sessions. In an analysis that
uses a model of a new folder, start CellProfiler again before.""",
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
minimum or maximum diameter. Discarded objects are outlined in a color of their own in the figure.

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
            [RESCALE_FROM_IMAGE, RESCALE_FROM_RANGE, RESCALE_BY_FACTOR, RESCALE_OFF],
            doc=f"""\
A model does best on objects of about the size that it was trained on. If those in the image
are much smaller or larger (*nuclei_fluorescence*: below 15 or above 54 pixels), the image is
enlarged or shrunk for the network, and the objects are brought back to the original image.

-  *{RESCALE_FROM_IMAGE}:* the model looks at the image as it is, measures the
   objects that it finds, and looks again if they are too small or too large. You
   need not know their size.
-  *{RESCALE_FROM_RANGE}:* the middle of your diameter range counts. All images
   of an experiment are then treated alike, whatever is in them.
-  *{RESCALE_BY_FACTOR}:* you say by how much the image is enlarged (above 1) or shrunk (below 1).
-  *{RESCALE_OFF}:* the network always sees the image as it is.

The figure's table says by how much the image was rescaled, if it was.""",
        )

        self.rescale_factor = Float(
            "Factor to rescale by",
            1.0,
            minval=0.0625,
            maxval=4,
            doc=f"""\
*(Used only with "{RESCALE_BY_FACTOR}")*

The trained diameter over the diameter of your objects: 0.5 for nuclei twice as large as the model knows.""",
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

        self.declump_method = Choice(
            "Method to separate touching objects",
            list(DECLUMP_CHOICES),
            doc=f"""\
*(Used only with advanced settings)*

-  *{DECLUMP_PROBABILITY}:* by what the network has learned of the middles and borders of objects. The best choice
   for most images.
-  *Shape:* by roundness: a clump is cut at its waists.
-  *Intensity:* by brightness: each object has its own peak (or its own trough, if objects are dark).
-  *{DECLUMP_NONE}:* objects that touch stay one, for example to measure clumps or colonies.""",
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

The button below says which device is really used.""",
        )

        self.device_button = DoSomething(
            "Check the device",
            "Check device",
            self.on_check_device,
            doc="Opens the model, runs it on a drawn image, and says on which device it ran and how fast.",
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

        self.further_probabilities = []
        self.further_probability_count = HiddenCount(self.further_probabilities, "Further probability images")
        self.further_probability_count.doc = (
            "How many images of single kinds of probability are saved; counted by itself."
        )
        self.add_probability_button = DoSomething(
            "Save a single kind of probability",
            "Add another image",
            self.add_probability,
            doc="Adds an image of what the network says of one role, such as the border between objects.",
        )

    def add_probability(self):
        """Add the settings of one more probability image."""
        group = SettingsGroup()
        group.append(
            "role",
            Choice(
                "Select the kind of probability",
                list(ROLES),
                value="border",
                doc="What the network computes, as the button *Describe model* shows under *gives*.",
            ),
        )
        group.append(
            "image_name",
            ImageName("Name the image", "ProbabilityBorder", doc="The name of the image, of values from 0 to 1."),
        )
        group.append("remove", RemoveSettingButton("", "Remove this image", self.further_probabilities, group))
        self.further_probabilities.append(group)

    def prepare_settings(self, setting_values):
        """Make as many groups of settings as the pipeline has."""
        wanted = int(setting_values[PROBABILITIES_INDEX])
        del self.further_probabilities[wanted:]
        while len(self.further_probabilities) < wanted:
            self.add_probability()

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
            self.declump_method,
            self.device,
            self.save_probability,
            self.probability_name,
            self.rescale_factor,
            *self.advanced_settings.all(),
            *self.cardless_settings.all(),
            self.further_probability_count,
            *[setting for group in self.further_probabilities for setting in (group.role, group.image_name)],
        ]

    def visible_settings(self):
        """Return the settings that have a meaning at the moment."""
        visible = [self.x_name, self.y_name, self.model_name]
        if self.model_name.value == MODEL_FROM_FILE:
            visible += [self.model_directory, self.model_file]
        if self.lacks_card():
            visible += self.cardless_settings.all()
        else:
            self.model_description.content = html.escape(self.description())
            visible += [self.model_description]
        visible += [self.describe_button, self.folder_button]
        visible += [self.size_range, self.exclude_size, self.exclude_border_objects, self.rescale]
        if self.rescale.value == RESCALE_BY_FACTOR:
            visible += [self.rescale_factor]
        visible += [self.advanced]
        return [*visible, *self.visible_advanced_settings()] if self.advanced.value else visible

    def visible_advanced_settings(self):
        """Return the advanced settings that have a meaning at the moment."""
        visible = [self.use_model_threshold]
        if not self.use_model_threshold.value:
            visible += [self.foreground_threshold]
        visible += [self.declump_method]
        if self.declump_method.value != DECLUMP_NONE:
            visible += self.advanced_settings.visible_for_declumping()
        visible += self.advanced_settings.visible_for_objects()
        visible += self.advanced_settings.visible_for_network()
        visible += [self.device, self.device_button, self.save_probability]
        if self.save_probability.value:
            visible += [self.probability_name]
            for group in self.further_probabilities:
                visible += group.visible_settings()
            visible += [self.add_probability_button]
        return visible

    def lacks_card(self):
        """Say whether the chosen file is a model without a card, of which the settings must tell the rest."""
        try:
            return not has_card(self.model_path())
        except (ModelError, OSError):
            return False

    def description(self):
        """Return the model's one-line description, or why there is none."""
        try:
            return read_card(self.model_path()).description
        except (ModelError, OSError) as error:
            return str(error)

    def on_describe_model(self):
        """Show the model's card."""
        show_lines("Model", self.model_report())

    def model_report(self):
        """Return what the button Describe model shows."""
        try:
            path = self.model_path()
            card = self.cardless_settings.card(path) if self.lacks_card() else read_card(path)
        except (ModelError, OSError) as error:
            return [str(error)]
        chosen = card.name if self.model_name.value == MODEL_FROM_FILE else self.model_name.value
        return describe(chosen, path, card)

    def on_check_device(self):
        """Show on which device the model runs, and how fast."""
        show_lines("Device", self.device_lines())

    def device_lines(self):
        """Return what the button Check device shows."""
        try:
            path = self.model_path()
            card = self.cardless_settings.card(path) if self.lacks_card() else None
        except (ModelError, OSError) as error:
            return [str(error)]
        return device_report(
            path, DEVICES[self.device.value], card, self.gpu_memory_bytes(), threads_for_this_process()
        )

    def on_choose_folder(self):
        """Let the user choose the folder of their models."""
        folder = ask_for_folder(
            "Choose the folder of your models", preferred_models_folder() or os.path.expanduser("~")
        )
        if folder:
            prefer_models_folder(folder)

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
        at_fault = self.model_file if self.model_name.value == MODEL_FROM_FILE else self.model_name
        if self.lacks_card():
            at_fault = self.cardless_settings.roles
        try:
            card = self.check_card()
        except (ModelError, OSError) as error:
            raise ValidationError(str(error), at_fault) from error
        if not self.advanced.value:
            self.check_onnxruntime()
            return
        more = self.advanced_settings
        try:
            further = [read_card(path) for path in self.further_model_paths()]
            card = average_cards([card, *further]) if further else card
        except (ModelError, OSError, ValueError) as error:
            raise ValidationError(str(error), more.further_models) from error
        try:
            if not more.tiles_automatic.value:
                check_tile(int(more.tile_px.value), card.output.halo, card.input.divisible_by, card.input.min_size)
        except ValueError as error:
            raise ValidationError(str(error), more.tile_px) from error
        roles = card.output.roles
        if self.save_probability.value:
            for group in self.further_probabilities:
                if group.role.value not in roles:
                    raise ValidationError(
                        f"The model computes no probability of the kind {group.role.value!r}, only {', '.join(roles)}. "
                        "Choose one of these.",
                        group.role,
                    )
        self.check_onnxruntime()

    def check_card(self):
        """Return the chosen model's card, or raise ModelError if there is none that can be used."""
        path = self.model_path()
        return self.cardless_settings.card(path) if self.lacks_card() else read_card(path)

    def check_onnxruntime(self):
        """Raise ValidationError if the package that runs the network is missing."""
        if not onnxruntime_is_there():
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
        return upgrade(setting_values, variable_revision_number)

    def prepare_to_create_batch(self, workspace, fn_alter_path):
        """Let the model's folder be found from the cluster's side."""
        self.model_directory.alter_for_create_batch_files(fn_alter_path)
        return True

    def prepare_run(self, workspace):
        """Write once a run which model it begins with, so that results can be traced.

        Returns
        -------
        bool
            True: an unusable model is reported where it is used.
        """
        try:
            used = self.model_used()
        except (ModelError, OSError):
            return True
        add_experiment_measurements(workspace.measurements, self.y_name.value, used)
        return True

    def model_used(self):
        """Return the name and sum of the model, or models, as they are on disk."""
        paths = [self.model_path(), *self.further_model_paths()]
        names = [self.check_card().name, *[read_card(path).name for path in paths[1:]]]
        return ModelUsed(" + ".join(names), "+".join(sha256(path) for path in paths))

    def further_model_paths(self):
        """Return the files of the models to average with; none without advanced settings."""
        if not self.advanced.value:
            return []
        return [find_model(name) for name in self.advanced_settings.further_model_names()]

    def options(self, mask):
        """Translate the settings into the runtime's options.

        Parameters
        ----------
        mask : ndarray of shape (Y, X) or (Z, Y, X), bool, or None

        Returns
        -------
        cpunet.options.Options
        """
        scales = {RESCALE_OFF: 1.0, RESCALE_BY_FACTOR: float(self.rescale_factor.value)}
        basis = Options(
            diameter_px=self.typical_diameter() if self.rescale.value == RESCALE_FROM_RANGE else None,
            scale=scales.get(self.rescale.value),
            mask=mask,
        )
        if not self.advanced.value:
            return basis
        basis = replace(
            basis,
            foreground_threshold=None if self.use_model_threshold.value else float(self.foreground_threshold.value),
            declump_method=self.declump_method.value.lower(),
        )
        return self.advanced_settings.options(basis, self.typical_diameter())

    def typical_diameter(self):
        """Return the geometric mean of the diameter range, in pixels."""
        return math.sqrt(self.size_range.min * self.size_range.max)

    def gpu_memory_bytes(self):
        """Return how much of a GPU's memory the network may use; None is all that is free."""
        given = self.advanced_settings.gpu_memory_bytes() if self.advanced.value else None
        if given is not None or not is_worker():
            return given
        total = total_gpu_memory_bytes()
        return None if total is None else gpu_memory_for_worker(total, number_of_workers())

    def open_model(self, device=None):
        """Open the model, or the mean of several.

        Parameters
        ----------
        device : str, optional
            The setting's by default.

        Returns
        -------
        model : cpunet.model.protocol.Model
        used : ModelUsed
        """
        device = device or (DEVICES[self.device.value] if self.advanced.value else "automatic")
        path = self.model_path()
        card = self.cardless_settings.card(path) if self.lacks_card() else None
        further, threads, memory = self.further_model_paths(), threads_for_this_process(), self.gpu_memory_bytes()
        if memory is not None:
            memory //= 1 + len(further)
        models = [load_model(path, device, threads, card, memory)]
        models += [load_model(each, device, threads, None, memory) for each in further]
        used = ModelUsed(" + ".join(model.card.name for model in models), "+".join(model.sha256 for model in models))
        return (models[0] if len(models) == 1 else average_models(models)), used

    def run(self, workspace):
        """Find the objects of one image set."""
        begun = time.monotonic()
        free_earlier_image_sets()
        image = workspace.image_set.get_image(self.x_name.value)
        data = image.pixel_data
        shape = data.shape[:3] if image.volumetric else data.shape[:2]
        if min(shape[-2:]) < 2:
            raise ValueError(
                f"{self.x_name.value} has the shape {shape}: CellProfiler cannot hold objects of "
                "an image that is only one pixel high or wide. Check how the image was loaded or cropped."
            )
        mask = usable_part(image)
        model, used = self.open_model()
        number = workspace.measurements.image_set_number
        logging.info(
            "IdentifyObjectsUNet, image set %s: model %s, SHA-256 %s, on %s",
            number,
            used.name,
            used.sha256,
            model.provider,
        )
        what = f"IdentifyObjectsUNet, image set {number}"
        in_window = getattr(workspace, "frame", None) is not None
        found = segment_within_memory(
            functools.partial(segment_stack if image.volumetric else segment_image, data),
            model,
            replace(
                self.options(mask),
                on_progress=show_progress(what, workspace.frame) if in_window else log_progress(what),
            ),
            lambda: self.open_model("cpu")[0],
            warn_once,
        )
        kept = filter_objects(
            found.labels,
            (self.size_range.min, self.size_range.max) if self.exclude_size.value else None,
            self.exclude_border_objects.value,
            mask,
            fill=not (self.advanced.value and self.advanced_settings.fill_holes.value == FILL_NEVER),
            object_limit=self.advanced_settings.most_objects() if self.advanced.value else None,
            z_step_px=image.spacing[0] if image.volumetric else 1.0,
        )

        objects = Objects()
        objects.segmented = kept.labels
        objects.unedited_segmented = found.labels
        objects.small_removed_segmented = kept.small_removed
        objects.parent_image = image
        workspace.object_set.add_objects(objects, self.y_name.value)

        planes = probabilities_by_role(found.probabilities, model.card.output.roles)
        foreground = foreground_probability(planes)
        if self.advanced.value and self.save_probability.value:
            self.save_probabilities(workspace, image, planes, foreground)
        add_measurements(
            workspace.measurements, self.y_name.value, kept.labels, foreground, time.monotonic() - begun, used
        )

        if self.show_window:
            self.keep_for_display(workspace.display_data, image, kept, found, planes, foreground)
            display_data = workspace.display_data
            display_data.cycle = number
            display_data.statistics += [
                ["Model", used.name],
                ["Runs on", model.provider.replace("ExecutionProvider", "")],
                ["Seconds", f"{time.monotonic() - begun:.1f}"],
            ]
            if found.scale != 1:
                display_data.statistics.append(["Rescaled by", f"{found.scale:.2f}"])

    def save_probabilities(self, workspace, image, planes, foreground):
        """Hand the probability images on to the modules downstream."""
        wanted = [(self.probability_name.value, foreground)]
        wanted += [(group.image_name.value, planes[group.role.value]) for group in self.further_probabilities]
        for name, plane in wanted:
            workspace.image_set.add(
                name, Image(plane, parent_image=image, convert=False, dimensions=3 if image.volumetric else 2)
            )

    def keep_for_display(self, display_data, image, kept, found, planes, foreground):
        """Keep what the figure shows: the image itself, or one plane of a stack."""
        place, chosen = "", slice(None)
        if image.volumetric:
            chosen = plane_to_show(found.labels)
            place = f", plane {chosen + 1} of {len(found.labels)}"
        display_data.place = place
        display_data.image = image.pixel_data[chosen]
        display_data.labels = kept.labels[chosen]
        display_data.discarded_by_size = kept.discarded_by_size[chosen]
        display_data.discarded_by_border = kept.discarded_by_border[chosen]
        display_data.planes = [("Probability of an object", foreground[chosen])]
        rims = [role for role in ("border", "boundary") if role in planes]
        display_data.planes += [(f"Probability of a {role}", planes[role][chosen]) for role in rims[:1]]
        display_data.statistics = [
            *statistics_of_objects(kept.labels),
            ["Discarded by size", str(count_objects(kept.discarded_by_size))],
            ["Discarded at the border", str(count_objects(kept.discarded_by_border))],
        ]

    def get_measurement_columns(self, pipeline, object_name=None):
        """Return all columns, as the exports need them."""
        name = object_name or self.y_name.value
        return [*super().get_measurement_columns(pipeline, name), *measurement_columns(name)]

    def get_categories(self, pipeline, object_name):
        """Return the categories of measurements of an object, or of the image."""
        more = {IMAGE: [SEGMENTATION], EXPERIMENT: [SEGMENTATION], self.y_name.value: [CONFIDENCE]}
        return [*super().get_categories(pipeline, object_name), *more.get(object_name, [])]

    def get_measurements(self, pipeline, object_name, category):
        """Return the measurements of a category."""
        if (object_name, category) == (IMAGE, SEGMENTATION):
            return list(NUMBERS_OF_IMAGE)
        if (object_name, category) == (self.y_name.value, CONFIDENCE):
            return ["Foreground", "Boundary"]
        return super().get_measurements(pipeline, object_name, category)

    def get_measurement_objects(self, pipeline, object_name, category, measurement):
        """Return of which objects a measurement of the image tells."""
        if (object_name, category) == (IMAGE, SEGMENTATION) and measurement in NUMBERS_OF_IMAGE:
            return [self.y_name.value]
        return []

    def display(self, workspace, figure):
        """Draw the figure from the display data alone."""
        enlarge_when_new(figure)
        show_figure(figure, workspace.display_data, self.y_name.value)

    def is_object_identification_module(self):
        """Say that this module makes objects."""
        return True


def usable_part(image):
    """Return which pixels of an image may hold objects.

    Parameters
    ----------
    image : cellprofiler_core.image.Image

    Returns
    -------
    ndarray of shape (Y, X) or (Z, Y, X), bool, or None
        None if all.
    """
    mask = image.mask if image.has_mask else None
    if not image.volumetric:
        return usable_pixels(image.pixel_data, mask)
    shape = image.pixel_data.shape[:3]
    usable = usable_pixels(in_one_plane(image.pixel_data), None if mask is None else in_one_plane(mask))
    return None if usable is None else usable.reshape(shape)
