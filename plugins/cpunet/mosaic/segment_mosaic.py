"""From a mosaic to labels on the disk: the same steps as `cpunet.segment.segment_image`, and the same labels."""

from __future__ import annotations

import functools
from dataclasses import replace
from pathlib import Path
from typing import Callable, NamedTuple, Optional, Tuple, cast

import numpy as np

from cpunet.errors import ModelError, OptionError
from cpunet.model.card import INSTANCES, VOLUMES
from cpunet.model.protocol import InstanceModel, Model
from cpunet.mosaic.disk_array import DiskArray, Window
from cpunet.mosaic.first_pass import ChannelsOfMosaic, look_at_all
from cpunet.mosaic.network_pass import ProbabilitiesOnDisk, predict_mosaic
from cpunet.mosaic.objects.declump_mosaic import Settings, declump_mosaic
from cpunet.mosaic.objects.filter_mosaic import filter_objects_of_mosaic
from cpunet.mosaic.objects.instances_of_mosaic import (
    draw_instances_of_mosaic,
    find_instances_of_mosaic,
    window_of_instances,
)
from cpunet.mosaic.objects.outlines_of_mosaic import outlines_of_mosaic_as_asked
from cpunet.mosaic.prepared import PreparedMosaic
from cpunet.mosaic.readers.open_mosaic import MosaicImage
from cpunet.mosaic.scale_of_mosaic import choose_scale_of_mosaic
from cpunet.options import Options, check_options
from cpunet.segmentation import Segmentation
from cpunet.steps.decode import decodes_by_card, postprocessing_at_scale
from cpunet.steps.filters import relabel
from cpunet.steps.look import check_options_of_kind
from cpunet.steps.prepare import LEAST_SIDE_PX
from cpunet.steps.scale import for_measuring

# Called with a stage of the work, the steps of it that are done, and their number.
Report = Callable[[str, int, int], None]
LOOK, TILES = "looking at the whole image", "tiles"
# Labels, regions and markers, drawn and shifted labels, and what was not measured: bytes a pixel, beside probabilities.
BYTES_PER_PIXEL = 4 * 5 + 1


class SegmentedMosaic(NamedTuple):
    """The objects of a mosaic.

    Attributes
    ----------
    labels : DiskArray of shape (Y, X), int32
        1..n without gaps, after the filters.
    objects : int
        How many there are.
    notes : tuple of str
        Sentences that a user should read.
    """

    labels: DiskArray
    objects: int
    notes: Tuple[str, ...]


class _Objects(NamedTuple):
    """The labels of all objects at a scale, a window of what they were made from, and notes."""

    labels: DiskArray
    segmentation_in: Callable[[Window], Segmentation]
    notes: Tuple[str, ...]


def check_options_of_mosaic(options: Options) -> None:
    """Raise OptionError if an option is out of range, or is none that is known for mosaics."""
    check_options(options)
    if not (decodes_by_card(options) or decodes_by_card(replace(options, declump_method="probability"))) or (
        options.declump_method not in ("probability", "none")
    ):
        raise OptionError(
            "By tile, objects are separated by the model's probabilities or not at all, as the model's card says. "
            "Leave out the other ways to separate or to fill them."
        )
    if options.mask is not None:
        raise OptionError("By tile, there is no mask. Set what is not to be segmented to NaN, or crop the image.")
    if tuple(options.view_scales) != (1.0,) or options.crop_px is not None:
        raise OptionError(
            "By tile, an image is seen at one scale and in no crops. Leave out --view-scales and --crops."
        )


def segment_mosaic(
    image: MosaicImage,
    model: Model,
    options: Options,
    folder: Path,
    report: Report,
    diameter_range_px: Optional[Tuple[float, float]] = None,
    discard_border: bool = False,
) -> SegmentedMosaic:
    """Find the objects of a mosaic.

    Parameters
    ----------
    image : MosaicImage
    model : Model
    options : Options
        Objects are separated as the card says, or not at all.
    folder : Path
        Takes the work; what an earlier run of the same image, model and options has left there is used.
    report : callable
    diameter_range_px, discard_border
        See `cpunet.steps.filters.filter_objects`.

    Notes
    -----
    What one piece measures of the whole image is measured first. The tiles are those of one piece. Objects are
    connected, split, filled and numbered over the whole mosaic, so that no seam is left.
    """
    check_options_of_mosaic(options)
    if model.card.input.dimensions == VOLUMES:
        raise ModelError(
            f"The model {model.card.name} sees volumes (3-D), and an image that is segmented by tile is one plane. "
            "Choose a model of images."
        )
    check_options_of_kind(options, model.card)
    card = model.card
    report(LOOK, 0, 1)
    channels = ChannelsOfMosaic(image, card.input)
    first_pass = look_at_all(channels, card.input, folder)
    mosaic = PreparedMosaic(channels, card.input.normalization, first_pass)
    report(LOOK, 1, 1)
    if min(mosaic.shape) < LEAST_SIDE_PX or not first_pass.has_contrast:
        return SegmentedMosaic(DiskArray.create(folder / "nothing", mosaic.shape, np.int32), 0, first_pass.notes)

    def labels_of(probabilities: ProbabilitiesOnDisk, how: Options, scale: float) -> DiskArray:
        at_scale = postprocessing_at_scale(card.postprocessing, scale)
        if how.foreground_threshold:
            at_scale = replace(at_scale, foreground_threshold=how.foreground_threshold)
        settings = Settings(at_scale, list(card.output.roles), how.declump_method == "probability")
        return declump_mosaic(probabilities, settings, folder, report)

    def objects_at(how: Options, scale: float) -> _Objects:
        """Find the objects at a scale, with what gives a window of them: the one place that knows both kinds."""
        if card.output.kind == INSTANCES:
            found = find_instances_of_mosaic(
                mosaic, cast(InstanceModel, model), how, scale, folder, functools.partial(report, TILES)
            )
            labels = draw_instances_of_mosaic(found, mosaic, card, how, scale, folder)
            return _Objects(labels, functools.partial(window_of_instances, found, labels, card, how), found.notes)
        probabilities = predict_mosaic(mosaic, model, how, scale, folder, functools.partial(report, TILES))
        labels = labels_of(probabilities, how, scale)
        return _Objects(
            labels,
            lambda window: Segmentation(relabel(labels.read(*window)), probabilities.read(*window), 1.0),
            (),
        )

    def see_whole() -> Tuple[DiskArray, Callable[[Window], Segmentation]]:
        return objects_at(for_measuring(options), 1.0)[:2]

    scale, of_scale = choose_scale_of_mosaic(mosaic, model, options, see_whole)
    labels, _, of_objects = objects_at(options, scale)
    labels = outlines_of_mosaic_as_asked(labels, image.read, mosaic.usable, card.postprocessing, options, scale, folder)
    count = filter_objects_of_mosaic(
        labels, mosaic.usable, mosaic.is_measured_everywhere, folder, diameter_range_px, discard_border
    )
    return SegmentedMosaic(labels, count, first_pass.notes + of_scale + of_objects)


def bytes_on_disk(shape: Tuple[int, ...], roles: int, views: int, scale: float = 1.0) -> int:
    """Return how much of the disk a mosaic takes while it is segmented."""
    pixels = shape[0] * shape[1]
    return int(pixels * (4 * roles * views * max(1.0, scale) ** 2 + BYTES_PER_PIXEL))
