"""CellProfiler's module IdentifyObjectsUNet: its settings in order, its checks, its run and its outputs."""

import functools
import logging
import math
import time
from dataclasses import replace

import cellprofiler_core.module.image_segmentation
import numpy
from cellprofiler_core.constants.measurement import EXPERIMENT, IMAGE
from cellprofiler_core.object import Objects
from cellprofiler_core.setting import ValidationError
from cellprofiler_core.setting.do_something import DoSomething

from cpunet.checks.device import device_report
from cpunet.errors import ModelError, RuntimeMissingError
from cpunet.model.card import VOLUMES
from cpunet.model.forms import fastest_form
from cpunet.model.memory import open_within_memory, segment_within_memory
from cpunet.model.packages import onnxruntime_is_there
from cpunet.model.session import install_help
from cpunet.options import Options
from cpunet.plugin.advanced_settings import DEVICE_CHOICES, FILL_NEVER, AdvancedSettings
from cpunet.plugin.basic_settings import (
    RESCALE_BY_FACTOR,
    RESCALE_FROM_RANGE,
    RESCALE_OFF,
    create_basic_settings,
)
from cpunet.plugin.channel_settings import ChannelSettings, join
from cpunet.plugin.dialogs import show_lines
from cpunet.plugin.figure import enlarge_when_new, keep_for_display, show_figure
from cpunet.plugin.help import HELP
from cpunet.plugin.host import (
    free_earlier_image_sets,
    gpu_memory_for_this_process,
    threads_for_this_process,
    use_preferred_folder,
)
from cpunet.plugin.measurements import (
    CONFIDENCE,
    NUMBERS_OF_IMAGE,
    SEGMENTATION,
    add_experiment_measurements,
    add_measurements,
    features_of_objects,
    measurement_columns,
    sums_at_the_beginning,
)
from cpunet.plugin.model_settings import ModelSettings
from cpunet.plugin.objects import FilteredObjects
from cpunet.plugin.probability_settings import ProbabilitySettings
from cpunet.plugin.progress import progress_reporter, warn_once
from cpunet.plugin.revisions import (
    CHANNELS_INDEX,
    NAMES_END,
    NEWEST,
    PROBABILITIES_INDEX,
    fault_of_saved,
    upgrade,
)
from cpunet.plugin.spacing_settings import SpacingSettings, warn_of_spacing
from cpunet.plugin.stacks import (
    HOW,
    check_dimensions,
    check_shape,
    how_it_was_seen,
    is_line,
    is_stack,
    loads_2d_images_alone,
    segmenter_of,
)
from cpunet.plugin.take_over import TakeOver
from cpunet.plugin.validity import (
    check_names,
    check_range_to_rescale_by,
    check_thresholds_asked_for,
    check_values,
    log_warning,
    refuse_wrong_settings,
)
from cpunet.steps.confidence import confidence_of_kept
from cpunet.steps.declump import foreground_probability, probabilities_by_role
from cpunet.steps.filters import filter_objects
from cpunet.steps.look import options_for_kind

__doc__ = HELP  # CellProfiler shows it as the module's help


# No docstring: CellProfiler shows the file's as the module's help only if the class has none.
class IdentifyObjectsUNet(cellprofiler_core.module.image_segmentation.ImageSegmentation):  # noqa: D101
    category = "Object Processing"

    module_name = "IdentifyObjectsUNet"

    variable_revision_number = NEWEST

    def volumetric(self):
        """Return True: 3D images are supported."""
        return True

    def create_settings(self):
        """Create all settings with their defaults, which discard nothing."""
        super().create_settings()
        use_preferred_folder()
        create_basic_settings(self)
        self.model_settings = chosen = ModelSettings()
        # Scripts and benchmarks set these on the module.
        self.model_name, self.model_directory, self.model_file = chosen.name, chosen.directory, chosen.file
        self.channel_settings, self.spacing_settings = ChannelSettings(), SpacingSettings()
        self.advanced_settings, self.default_settings = AdvancedSettings(), AdvancedSettings()
        self.device_button = DoSomething(
            "Check the device",
            "Check device",
            lambda: show_lines("Device", self.device_lines()),
            doc="Runs the model on a synthetic image, and reports which device it ran on and how fast.",
        )
        self.probability_settings = ProbabilitySettings()
        self.take_over = TakeOver(self)
        self.fault_of_file = None  # why the settings in the pipeline file could not be read

    def prepare_settings(self, setting_values):
        """Make as many groups of settings as the pipeline has."""
        if self.fault_of_file is None:
            self.channel_settings.set_count(int(setting_values[CHANNELS_INDEX]))
            self.probability_settings.set_further_count(int(setting_values[PROBABILITIES_INDEX]))

    def settings(self):
        """Return all settings in the order of the pipeline file: append only."""
        return [
            self.x_name,
            self.y_name,
            self.model_settings.name,
            self.model_settings.directory,
            self.model_settings.file,
            self.size_range,
            self.exclude_size,
            self.exclude_border_objects,
            self.rescale,
            self.advanced,
            *self.advanced_settings.all()[:4],  # of revision 1
            self.probability_settings.save,
            self.probability_settings.name,
            self.rescale_factor,
            *self.advanced_settings.all()[4:],
            *self.model_settings.cardless.all(),
            *self.spacing_settings.all(),
            self.channel_settings.count,
            *self.probability_settings.of_further_images(),
            *self.channel_settings.of_further_channels(),
        ]

    def visible_settings(self):
        """Return the settings that are shown."""
        channels = self.channel_settings.visible(self.model_settings.channels())
        visible = [self.x_name, self.y_name, *self.model_settings.visible(), *channels]
        visible += [self.size_range, self.exclude_size, self.exclude_border_objects, self.rescale]
        if self.rescale.value == RESCALE_BY_FACTOR:
            visible += [self.rescale_factor]
        visible += [*self.spacing_settings.visible(self.model_settings.sees_volumes()), self.advanced]
        if self.advanced.value:
            shown = self.advanced_settings.visible(self.model_settings.gives_objects())
            visible += [*shown, self.device_button, *self.probability_settings.visible()]
        # Last: CellProfiler names settings by their place, and checks a copy of the module that knows no pipeline.
        return [*visible, *self.take_over.visible()]

    def on_activated(self, workspace):
        """Keep the pipeline while the window shows the module."""
        self.take_over.pipeline = workspace.pipeline

    def on_deactivated(self):
        """Forget the pipeline."""
        self.take_over.pipeline = None

    def settings_in_effect(self):
        """Return the advanced settings, or their defaults if they are not shown."""
        return self.advanced_settings if self.advanced.value else self.default_settings

    def chooses(self):
        """Return True if objects are chosen among those of several models."""
        return self.settings_in_effect().chooser_name() is not None

    def upgrade_settings(self, setting_values, variable_revision_number, module_name):
        """Bring the settings of an older pipeline to this revision; return them and the revision.

        If they cannot be read, `validate_module` refuses them. An error here would have CellProfiler run the pipeline
        without this module and all later ones.
        """
        self.fault_of_file = fault_of_saved(setting_values, variable_revision_number)
        if self.fault_of_file is not None:
            return [str(name) for name in setting_values[:NAMES_END]], self.variable_revision_number
        return upgrade(setting_values, variable_revision_number)

    def validate_module(self, pipeline):
        """Raise ValidationError for the setting that is wrong. This runs after every edit, so it loads no network."""
        if self.fault_of_file is not None:
            raise ValidationError(self.fault_of_file, self.y_name)
        check_values(self.visible_settings())
        check_names(self, pipeline)
        try:
            known = self.model_settings.card().input
        except (ModelError, OSError) as error:
            raise ValidationError(str(error), self.model_settings.at_fault()) from error
        self.channel_settings.check(known.channels, self.x_name.value)
        if known.dimensions == VOLUMES and loads_2d_images_alone(pipeline):
            raise ValidationError(
                "This model sees volumes (3D), and the pipeline loads 2D images. Answer Yes to Process as 3D? in "
                "NamesAndTypes, or select a model of 2D images.",
                self.model_settings.name,
            )
        if self.rescale.value == RESCALE_FROM_RANGE:
            check_range_to_rescale_by(self.size_range, self.typical_diameter_px(), known)
        chosen = self.settings_in_effect()
        try:
            card = self.model_settings.combined_card(chosen.further_model_names(), chosen.chooser_name())
        except (ModelError, OSError) as error:
            raise ValidationError(str(error), chosen.at_fault_of_models()) from error
        chosen.check_tile(card)
        if self.advanced.value:
            self.probability_settings.check_roles(card.output.roles)
        if not onnxruntime_is_there():
            raise ValidationError(install_help(), self.model_settings.name)

    def validate_module_warnings(self, pipeline):
        """Raise ValidationError, shown as a warning, for what is possible and most likely a mistake."""
        check_thresholds_asked_for(self, pipeline)

    def typical_diameter_px(self):
        """Return the middle of the diameter range: its geometric mean."""
        return math.sqrt(self.size_range.min * self.size_range.max)

    def device_lines(self):
        """Return what the button Check device shows."""
        chosen = self.settings_in_effect()
        device = DEVICE_CHOICES[chosen.device.value]
        try:
            card, (forms, *_) = self.model_settings.card(), self.model_settings.forms(())
            path = fastest_form(forms, device)
        except (ModelError, RuntimeMissingError, OSError) as error:
            return [str(error)]
        memory = gpu_memory_for_this_process(chosen.gpu_memory_bytes())
        return device_report(path, device, card, memory, threads_for_this_process())

    def prepare_to_create_batch(self, workspace, fn_alter_path):
        """Rewrite the paths of models for the computers of a cluster."""
        self.model_settings.map_paths(fn_alter_path)
        self.advanced_settings.map_paths(fn_alter_path)
        return True

    def prepare_run(self, workspace):
        """Refuse wrong settings, log what the window warns of, and record the model once per run."""
        refuse_wrong_settings(self, workspace.pipeline)
        log_warning(self, workspace.pipeline)
        chosen = self.settings_in_effect()
        used = self.model_settings.begin_run(
            chosen.further_model_names(), DEVICE_CHOICES[chosen.device.value], chosen.chooser_name()
        )
        add_experiment_measurements(workspace.measurements, self.y_name.value, used)
        return True

    def options(self, mask):
        """Translate the settings into segmentation options; `mask` is the usable part of the image."""
        diameter_px = self.typical_diameter_px()
        scales = {RESCALE_OFF: 1.0, RESCALE_BY_FACTOR: float(self.rescale_factor.value)}
        basis = Options(
            diameter_px=diameter_px if self.rescale.value == RESCALE_FROM_RANGE else None,
            scale=scales.get(self.rescale.value),
            mask=mask,
        )
        return self.settings_in_effect().options(basis, diameter_px)

    def open_model(self, workspace, device=None):
        """Open the model, or several together; on the device of the settings by default.

        In test mode, which has a frame, the user may change the model and its file at any time. A run keeps the model
        that it began with.
        """
        chosen = self.settings_in_effect()
        asked = DEVICE_CHOICES[chosen.device.value]
        where = (
            chosen.further_model_names(),
            device or asked,
            threads_for_this_process(),
            gpu_memory_for_this_process(chosen.gpu_memory_bytes()),
            chosen.chooser_name(),
        )
        began_with = sums_at_the_beginning(workspace.measurements, self.y_name.value)
        if began_with and workspace.frame is None:
            return self.model_settings.open_for_run(began_with, *where)
        return self.model_settings.open(asked, *where)

    def open_model_within_memory(self, workspace):
        """Open the model as `open_model` does, on the CPU where the GPU's memory does not even hold the network."""
        if DEVICE_CHOICES[self.settings_in_effect().device.value] == "cpu":
            return self.open_model(workspace)
        return open_within_memory(
            functools.partial(self.open_model, workspace), lambda: self.open_model(workspace, "cpu"), warn_once
        )

    def run(self, workspace):
        """Find the objects of one image set."""
        begun = time.monotonic()
        free_earlier_image_sets()
        image = workspace.image_set.get_image(self.x_name.value)
        check_shape(image, self.x_name.value)
        stack = is_stack(image)
        if image.volumetric and not stack:
            warn_once(
                f"An image of {self.x_name.value} has one plane, in a pipeline for stacks: its objects are found in "
                "that plane. Some of CellProfiler's modules cannot measure them; leave such files out."
            )
        model, used = self.open_model_within_memory(workspace)
        if self.advanced.value:
            self.probability_settings.check_roles(model.card.output.roles)  # a batch has not validated the pipeline
        what = f"IdentifyObjectsUNet (module {self.module_num}), image set {workspace.measurements.image_set_number}"
        logging.info("%s: model %s, SHA-256 %s, on %s", what, used.name, used.sha256, model.provider)
        if is_line(image):
            warn_once(f"An image of {self.x_name.value} is only one pixel high or wide: it is given no objects.")
        check_dimensions(image, self.x_name.value, model.card)
        further = self.channel_settings.names(model.card.input.channels)
        channels = [(self.x_name.value, image), *((name, workspace.image_set.get_image(name)) for name in further)]
        pixels, mask = join(channels, model.card.input.normalization)
        as_volume = model.card.input.dimensions == VOLUMES
        z_step_px = self.spacing_settings.of_image(image, as_volume)
        options = options_for_kind(self.options(mask), model.card)
        if as_volume:
            warn_of_spacing(z_step_px, model.card.input, self.x_name.value)
            options = replace(options, z_step_px=z_step_px)
        found = segment_within_memory(
            functools.partial(segmenter_of(image, model.card), pixels),
            model,
            replace(options, on_progress=progress_reporter(what, workspace.frame)),
            lambda: self.open_model(workspace, "cpu")[0],
            warn_once,
        )
        kept = self.filter(found.labels, z_step_px, found.usable)
        workspace.object_set.add_objects(make_objects(found.labels, kept, image), self.y_name.value)

        planes = probabilities_by_role(found.probabilities, model.card.output.roles)
        foreground = foreground_probability(planes)
        if self.advanced.value:
            self.probability_settings.save_images(workspace.image_set, image, planes, foreground)
        seconds = time.monotonic() - begun
        certainty = confidence_of_kept(kept.labels, found.labels, found.confidence)
        of_measurements = add_measurements(
            workspace.measurements,
            self.y_name.value,
            kept.labels,
            foreground,
            seconds,
            used,
            None if self.chooses() else certainty,
            certainty if self.chooses() else None,
        )
        for note in (*found.notes, *of_measurements):
            logging.log(logging.INFO if note.startswith(HOW) else logging.WARNING, "%s: %s", what, note)
        if self.show_window:
            workspace.display_data.cycle = workspace.measurements.image_set_number
            rows = [["Model", used.name], ["Runs on", model.provider.replace("ExecutionProvider", "")]]
            rows += [["Segmented", how_it_was_seen(model.card)]] if stack else []
            rows += [["Seconds", f"{time.monotonic() - begun:.1f}"]]
            keep_for_display(workspace.display_data, image, found, kept, planes, foreground, rows, z_step_px)

    def filter(self, labels, z_step_px, mask):
        """Discard objects by size and at the border, fill holes, and limit the number, as the settings say."""
        chosen = self.settings_in_effect()
        return filter_objects(
            labels,
            (self.size_range.min, self.size_range.max) if self.exclude_size.value else None,
            self.exclude_border_objects.value,
            mask,
            fill=chosen.fill_holes.value != FILL_NEVER,
            object_limit=chosen.most_objects(),
            z_step_px=z_step_px,
        )

    def get_measurement_columns(self, pipeline, object_name=None):
        """Return all columns, as the exports need them."""
        name = object_name or self.y_name.value
        return [*super().get_measurement_columns(pipeline, name), *measurement_columns(name, self.chooses())]

    def get_categories(self, pipeline, object_name):
        """Return the categories of measurements of an object, or of the image."""
        more = {IMAGE: [SEGMENTATION], EXPERIMENT: [SEGMENTATION], self.y_name.value: [CONFIDENCE]}
        return [*super().get_categories(pipeline, object_name), *more.get(object_name, [])]

    def get_measurements(self, pipeline, object_name, category):
        """Return the measurements of a category."""
        if (object_name, category) == (IMAGE, SEGMENTATION):
            return list(NUMBERS_OF_IMAGE)
        if (object_name, category) == (self.y_name.value, CONFIDENCE):
            return list(features_of_objects(self.chooses()))
        return super().get_measurements(pipeline, object_name, category)

    def get_measurement_objects(self, pipeline, object_name, category, measurement):
        """Return the objects that a measurement of the image describes."""
        if (object_name, category) == (IMAGE, SEGMENTATION) and measurement in NUMBERS_OF_IMAGE:
            return [self.y_name.value]
        return []

    def display(self, workspace, figure):
        """Draw the figure from the display data alone."""
        enlarge_when_new(figure)
        show_figure(figure, workspace.display_data, self.y_name.value)

    def is_object_identification_module(self):
        """Return True: this module makes objects."""
        return True


def make_objects(found, kept, image):
    """Return CellProfiler's objects: those kept, those found, and those found that are not too small.

    Parameters
    ----------
    found : ndarray of shape (Y, X) or (Z, Y, X), int32
        Labels of all objects.
    kept : cpunet.steps.filters.FilteredLabels
    image : cellprofiler_core.image.Image

    Returns
    -------
    cellprofiler_core.object.Objects
    """
    if is_line(image):
        # As a list of pixels, since CellProfiler cannot count objects in labels that are one pixel high or wide.
        objects = Objects()
        objects.set_ijv(numpy.zeros((0, 3), numpy.int32), found.shape)
    else:
        objects = FilteredObjects(kept.labels, found, kept.small_removed)
    objects.parent_image = image
    return objects
