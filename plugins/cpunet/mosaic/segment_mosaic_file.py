"""Segment one large image file into a file of labels; what a killed run has done is not done again."""

from __future__ import annotations

import functools
import os
import shutil
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Dict, Iterator

from cpunet import __version__
from cpunet.choice.model_choice import ModelChoice
from cpunet.errors import CpunetError, ImageError, OptionError, OutputError
from cpunet.files.find import is_slide, is_zarr
from cpunet.files.formats.content import TIFF, content_of
from cpunet.files.mark import Source, source_of
from cpunet.files.outputs import check_marked, check_output
from cpunet.files.segment_file import Batch
from cpunet.model.memory import segment_within_memory
from cpunet.model.protocol import Model
from cpunet.mosaic.readers.open_mosaic import MosaicImage, open_mosaic
from cpunet.mosaic.segment_mosaic import SegmentedMosaic, bytes_on_disk, check_options_of_mosaic, segment_mosaic
from cpunet.mosaic.stages import Stages
from cpunet.mosaic.unfinished import begin_or_resume, folder_of
from cpunet.mosaic.writers.ome_zarr import mark_of_zarr, write_ome_zarr, zarr_is_as_written
from cpunet.mosaic.writers.tiled_tiff import write_tiled_tiff
from cpunet.options import AUGMENTATIONS, Options
from cpunet.terminal import printable, report

# Larger images are segmented by tile without being asked: 8192 x 8192 pixels.
BY_TILE_ABOVE_PX = 2**26
TIFF_LABELS, ZARR_LABELS = "tiff", "ome-zarr"
LABEL_FORMATS = (TIFF_LABELS, ZARR_LABELS)


def goes_by_tile(path: Path) -> bool:
    """Return True for what is not read as a whole: slides, OME-Zarr, and TIFF files of more than 67 million pixels."""
    if is_zarr(path) or is_slide(path):
        return True
    try:
        if content_of(path) != TIFF:
            return False
        with open_mosaic(path) as image:
            return image.shape[0] * image.shape[1] > BY_TILE_ABOVE_PX
    except Exception:  # the reader of whole images says what is wrong with it, or can read it
        return False


def labels_of_mosaic(path: Path, output: Path, label_format: str) -> Path:
    """Name the labels of a mosaic: <name>_labels.tif, or <name>_labels.ome.zarr."""
    return output / f"{path.stem}_labels.{'tif' if label_format == TIFF_LABELS else 'ome.zarr'}"


def segment_mosaic_file(path: Path, batch: Batch, label_format: str = TIFF_LABELS) -> int:
    """Segment one image file by tile into `labels_of_mosaic`, and return the number of objects kept.

    Raises
    ------
    OutputError
        If the labels would replace something that this program did not write, or the disk is too small.
    ImageError
        If the image cannot be read in parts.
    OptionError
        If objects are to be chosen among several models, which takes the whole image.

    Notes
    -----
    The work lies in a folder beside the labels until they are complete. A run that was killed, and began again with the
    same image and model, takes the tiles that are done from there.
    """
    check_options_of_mosaic(batch.options)
    model = batch.model
    if isinstance(model, ModelChoice):
        raise OptionError(
            f"{path}: this image is segmented by tile, and objects are chosen among several models in whole images "
            "alone. Crop it, leave out --by-tile and --labels, or use one model, or --combine average."
        )
    source = source_of(path)
    result = labels_of_mosaic(path, batch.output, label_format)
    if label_format == TIFF_LABELS:
        check_output(result, batch.inputs, batch.overwrite, source)
    else:
        check_zarr_output(result, batch.overwrite, source)
    result = Path(os.path.realpath(result))
    folder = folder_of(result)
    with named_in_errors(path), open_mosaic(path) as image:
        height, width = image.shape[:2]
        report(f"{printable(path)}: {height} x {width} pixels, by tile", sys.stderr)
        views, roles = len(AUGMENTATIONS[batch.options.augmentation]), len(model.card.output.roles)
        begin_or_resume(folder, about_run(path, source, batch), bytes_on_disk(image.shape, roles, views))
        stages = Stages(printable(path.name))
        try:
            found = segment_within_memory(
                functools.partial(_segment_in, image, folder=folder, stages=stages, batch=batch),
                model,
                batch.options,
                batch.open_on_cpu,  # type: ignore[arg-type]  # opens the same kind of model
                batch.warn,
            )
            for note in found.notes:
                report(f"{printable(path)}: note: {note}", sys.stderr)
            write = write_tiled_tiff if label_format == TIFF_LABELS else write_ome_zarr
            beside = folder / f"complete{result.suffix}"
            _remove(beside)
            write(beside, found.labels, found.objects, source)
            if result.is_dir():
                os.replace(result, folder / "before")
            os.replace(beside, result)
        except CpunetError:  # what would fail once more; an interruption or a full disk is another matter
            shutil.rmtree(folder)
            raise
        finally:
            stages.end()
    shutil.rmtree(folder)
    return found.objects


def check_zarr_output(path: Path, overwrite: bool, source: Source) -> None:
    """Raise OutputError if labels in OME-Zarr must not be written to a place; see `check_output`."""
    if not os.path.lexists(path):
        return
    mark = mark_of_zarr(path)
    if mark is None:
        raise OutputError(f"{path} exists, and was not written by cpunet. Move it away, or write elsewhere with -o.")
    if not overwrite:
        check_marked(path, mark, zarr_is_as_written, source)


def _segment_in(
    image: MosaicImage, model: Model, options: Options, folder: Path, stages: Stages, batch: Batch
) -> SegmentedMosaic:
    return segment_mosaic(image, model, options, folder, stages.report, batch.diameter_range_px, batch.discard_border)


def about_run(path: Path, source: Source, batch: Batch) -> Dict[str, Any]:
    """Return all that the probabilities of an image depend on, beside the scale, the views and the tiles."""
    models = getattr(batch.model, "models", (batch.model,))
    chooser = getattr(batch.model, "chooser", None)
    return {
        "version": __version__,
        "image": list(source),
        "changed": path.stat().st_mtime_ns,
        "models": [str(getattr(model, "sha256", model.card.name)) for model in models]
        + ([] if chooser is None else [chooser.sha256]),
    }


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    elif path.exists():
        path.unlink()


@contextmanager
def named_in_errors(path: Path) -> Iterator[None]:
    """Put the file's name before the message of an ImageError that does not hold it."""
    try:
        yield
    except ImageError as error:
        raise error if str(path) in str(error) else ImageError(f"{path}: {error}") from error
