"""Stacks and volumes among CellProfiler's images: what an image is, whether a model can see it, and how it is seen."""

from __future__ import annotations

from typing import Any, Callable

import numpy

from cpunet.errors import ImageError
from cpunet.model.card import VOLUMES, ModelCard
from cpunet.segment import segment_image, segment_stack
from cpunet.segmentation import Segmentation
from cpunet.steps.prepare import LEAST_SIDE_PX
from cpunet.volumes.segment_volume import segment_volume

COLOR_CHANNELS = (3, 4)  # without and with an alpha channel
# Begins the note that says how a stack was seen; all other notes are warnings.
HOW = "Segmented "
AS_VOLUME, PLANE_BY_PLANE = "as a volume", "plane by plane, linked"


def is_stack(image: Any) -> bool:
    """Return True for several planes. A pipeline for stacks also loads a file of a single plane as a stack."""
    return bool(image.volumetric and image.pixel_data.ndim > 2)


def is_line(image: Any) -> bool:
    """Return True for an image that is one pixel high or wide."""
    return not is_stack(image) and min(image.pixel_data.shape[:2]) < LEAST_SIDE_PX


def check_shape(image: Any, name: str) -> None:
    """Raise ImageError if CellProfiler cannot hold objects of an image, or loaded it as what it is not."""
    shape = image.pixel_data.shape
    if image.volumetric and len(shape) == 3 and shape[2] in COLOR_CHANNELS:
        raise ImageError(
            f"{name} has the shape {shape}: a color image of one plane was loaded as a stack. Answer No to "
            "Process as 3D? in NamesAndTypes, or leave this file out."
        )
    if is_stack(image) and min(shape[1:3]) < LEAST_SIDE_PX:
        raise ImageError(
            f"{name} has the shape {shape}: CellProfiler cannot hold objects of a stack that is only one pixel high or "
            "wide. Check how the image was loaded or cropped."
        )
    if min(shape[:2]) < 1:
        raise ImageError(f"{name} has no pixels: its shape is {shape}. Check how the image was loaded or cropped.")


def check_dimensions(image: Any, name: str, card: ModelCard) -> None:
    """Raise ImageError for a 2-D image and a model of volumes."""
    if card.input.dimensions == VOLUMES and not image.volumetric:
        raise ImageError(
            f"The model {card.name} sees volumes (3D), and {name} is a 2D image of the shape {image.pixel_data.shape}. "
            "Answer Yes to Process as 3D? in NamesAndTypes and load stacks, or select a model of 2D images."
        )


def loads_2d_images_alone(pipeline: Any) -> bool:
    """Return True if a pipeline's own input modules say that none of its images is a stack."""
    if pipeline.has_legacy_loaders():  # LoadData and its like load no stacks
        return True
    answers = [module.process_as_3d.value for module in pipeline.modules() if hasattr(module, "process_as_3d")]
    return bool(answers) and not any(answers)


def segmenter_of(image: Any, card: ModelCard) -> Callable[..., Segmentation]:
    """Return what segments an image: `segment_stack`, `segment_image`, or `segment_plane` by a model of volumes."""
    if is_stack(image):
        return segment_stack
    return segment_plane if card.input.dimensions == VOLUMES else segment_image


def segment_plane(plane: Any, model: Any, options: Any) -> Segmentation:
    """Segment a file of a single plane, (Y, X) or (Y, X, C), as a volume of one plane; return the plane's result."""
    found = segment_volume(plane[numpy.newaxis], model, options)
    usable = None if found.usable is None else found.usable[0]
    return found._replace(labels=found.labels[0], probabilities=found.probabilities[:, 0], usable=usable)


def how_it_was_seen(card: ModelCard) -> str:
    """Return how a model sees a stack, for the figure's table."""
    return AS_VOLUME if card.input.dimensions == VOLUMES else PLANE_BY_PLANE
