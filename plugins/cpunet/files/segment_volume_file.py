"""Segment one stack of depths into a file of labels and a picture of some of its planes."""

from __future__ import annotations

import functools
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any, Optional

import numpy as np
import numpy.typing as npt

from cpunet.choice.model_choice import ModelChoice
from cpunet.errors import ImageError, OptionError
from cpunet.files.find import is_zarr
from cpunet.files.formats.content import TIFF, content_of
from cpunet.files.formats.opened_tiff import opened_tiff
from cpunet.files.formats.tiff import chosen_image
from cpunet.files.formats.volume import holds_volume, read_volume, write_volume
from cpunet.files.images import LARGEST_UINT16, write_picture
from cpunet.files.mark import mark_text, source_of
from cpunet.files.outputs import check_output
from cpunet.files.overlay import draw_outlines, picture
from cpunet.files.segment_file import Batch, results_of
from cpunet.model.card import VOLUMES
from cpunet.model.memory import segment_within_memory
from cpunet.options import Options, check_options
from cpunet.segment import segment_stack
from cpunet.steps.filters import filter_objects
from cpunet.steps.planes import in_one_plane
from cpunet.terminal import printable, report

# Planes that the picture shows, in rows of so many.
MOST_PLANES_SHOWN, PLANES_IN_A_ROW = 12, 4


def is_volume_for(path: Path, batch: Batch) -> bool:
    """Return True for a file that is segmented as a stack of depths.

    A file that says that its planes are depths (Z) is one. A file with planes of which it does not say what they are is
    one for a model of volumes, or if the options have a z step. For a model of images they may be channels.
    """
    if not holds_volume(path):
        return False
    return sees_volumes(batch) or batch.options.z_step_px is not None or _says_depths(path)


def sees_volumes(batch: Batch) -> bool:
    """Return True if the model of a run sees volumes."""
    return not isinstance(batch.model, ModelChoice) and batch.model.card.input.dimensions == VOLUMES


def _says_depths(path: Path) -> bool:
    if is_zarr(path):
        return True
    if content_of(path) != TIFF:
        return False

    def depths(path: Path, file: Any) -> int:
        chosen = chosen_image(file, path, None)
        return dict(zip(chosen.axes, chosen.shape)).get("Z", 1)

    with opened_tiff(path, depths) as found:
        return found > 1


def segment_volume_file(path: Path, batch: Batch, channel: Optional[str] = None) -> int:
    """Segment a stack of depths into `results_of` it, and return the number of objects kept.

    Parameters
    ----------
    path : Path
        See `cpunet.files.formats.volume.read_volume`.
    batch : Batch
        Without a z step in its options, that of the file counts; without one there, that of a model of volumes. A
        model of images needs none, except to choose objects by their diameter.
    channel : str, optional
        The number, from 1 on, of the channel that shows the objects.

    Raises
    ------
    OutputError
        If a result would replace an input or something that this program did not write; nothing is computed then.
    ImageError
        If the file cannot be read.
    OptionError
        If there is no such channel, or objects are to be chosen by their diameter and no z step is known.

    Notes
    -----
    The labels are an OME-TIFF with the axes ZYX and the voxel size of the image. The picture shows up to
    `MOST_PLANES_SHOWN` planes, evenly from the first to the last.
    """
    results, source = results_of(path, batch.output), source_of(path)
    for result in results:
        check_output(result, batch.inputs, batch.overwrite, source)
    read = read_volume(path)
    volume = _chosen_channel(path, read.pixels, channel)
    options = batch.options
    if options.z_step_px is None and (sees_volumes(batch) or batch.diameter_range_px is not None):
        options = replace(options, z_step_px=read.size.z_step_px)
        _check_step_of_file(path, options)
    z_step_px = options.z_step_px or (batch.model.card.input.z_step_px if sees_volumes(batch) else None)
    if batch.diameter_range_px is not None and z_step_px is None:
        raise OptionError(
            f"{path}: it does not say how far its planes lie apart, which the diameter of an object depends on. Give "
            "the distance of two planes over the width of a pixel with --z-step, or leave out --diameter-range."
        )
    found = segment_within_memory(
        functools.partial(segment_stack, volume), batch.model, options, batch.open_on_cpu, batch.warn
    )
    for note in found.notes:
        report(f"{printable(path)}: note: {note}", sys.stderr)
    labels, usable = found.labels, found.usable
    del found  # the probabilities are larger than all that follows
    labels = filter_objects(
        labels, batch.diameter_range_px, batch.discard_border, usable, z_step_px=z_step_px or 1.0
    ).labels
    most = int(labels.max(initial=0))
    stored = labels.astype(np.uint16 if most <= LARGEST_UINT16 else np.uint32)
    write_volume(results.labels, stored, read.size, mark_text(stored, source))
    write_picture(results.overlay, picture_of_planes(volume, labels), source)
    return most


def _chosen_channel(path: Path, volume: npt.NDArray[Any], channel: Optional[str]) -> npt.NDArray[Any]:
    if channel is None:
        return volume
    count = 1 if volume.ndim == 3 else volume.shape[3]
    if not (channel.isdecimal() and 1 <= int(channel) <= count):
        raise OptionError(
            f"{path}: --channel {channel}: this stack has {count} channel{'s' if count > 1 else ''}; give the number "
            "of one, from 1 on."
        )
    return volume if volume.ndim == 3 else volume[..., int(channel) - 1]


def _check_step_of_file(path: Path, options: Options) -> None:
    """Raise ImageError if a file says of its planes what cannot be."""
    try:
        check_options(options)
    except OptionError as error:
        raise ImageError(
            f"{path}: the size of its voxels cannot be right. {error} Give the right one with --z-step."
        ) from error


def picture_of_planes(volume: npt.NDArray[Any], labels: npt.NDArray[np.int32]) -> npt.NDArray[np.uint8]:
    """Draw the outlines of a volume's objects on planes side by side, all with one contrast.

    Parameters
    ----------
    volume : ndarray of shape (Z, Y, X) or (Z, Y, X, C)
    labels : ndarray of shape (Z, Y, X), int32

    Returns
    -------
    ndarray of shape (height, width, 3), uint8
        The first plane is at the top left. Black lines of one pixel lie between planes.
    """
    shown = np.unique(np.linspace(0, len(volume) - 1, min(len(volume), MOST_PLANES_SHOWN)).round().astype(int))
    drawn = picture(in_one_plane(volume[shown])).reshape(len(shown), *labels.shape[1:], 3)
    columns = min(PLANES_IN_A_ROW, len(shown))
    height, width = labels.shape[1] + 1, labels.shape[2] + 1
    sheet = np.zeros((-(-len(shown) // columns) * height - 1, columns * width - 1, 3), np.uint8)
    for place, z in enumerate(shown):
        row, column = divmod(place, columns)
        top, left = row * height, column * width
        sheet[top : top + height - 1, left : left + width - 1] = draw_outlines(drawn[place], labels[z])
    return sheet
