"""The images of the channels after the first, for a model of several gray channels, and joining them into one."""

from __future__ import annotations

from typing import Any, List, NamedTuple, Sequence, Tuple

import numpy
from cellprofiler_core.setting import HiddenCount, ValidationError
from cellprofiler_core.setting.subscriber import ImageSubscriber

from cpunet.errors import ImageError
from cpunet.model.card import Normalization
from cpunet.plugin.intensities import intensities
from cpunet.steps.pixels.channels import COLORS, is_gray

BLANK = "None"
# CellProfiler ends the text of a setting in a pipeline file at the first colon.
NOT_IN_TEXT = str.maketrans(":\n\r", "   ")


class JoinedImage(NamedTuple):
    """An image as it is given to a model.

    Attributes
    ----------
    pixels : ndarray of shape (Y, X), (Y, X, C), (Z, Y, X) or (Z, Y, X, C)
        In the units that the model reads.
    mask : ndarray of shape (Y, X) or (Z, Y, X), bool, or None
        The pixels that are in the masks of all channels; None if no channel has a mask.
    """

    pixels: Any
    mask: Any


class ChannelSettings:
    """One image for each channel of the model after the first, which is the input image."""

    def __init__(self) -> None:
        self.images: List[Any] = []
        self.count = HiddenCount(self.images, "Images of further channels")
        self.count.doc = "The number of further images, each of one channel of the model."

    def set_count(self, count: int) -> None:
        """Make as many settings as a pipeline has."""
        del self.images[count:]
        while len(self.images) < count:
            self.images.append(
                ImageSubscriber(
                    "Select the image of a further channel",
                    BLANK,
                    can_be_blank=True,
                    blank_text=BLANK,
                    doc=f"""\
*(Used only with a model of several gray channels)*

Select the image of this channel, such as the next plane of a focus stack. The order counts: each image must show what
the channel of this name showed in training. The input image is the first channel. All images must be grayscale, of the
same size, and not moved against each other.

Leave all of them at "*{BLANK}*" if the input image holds all channels already, as **GrayToColor** makes it with
"*Stack*".""",
                )
            )

    def of_further_channels(self) -> List[Any]:
        """Return the settings of the further images in the order of the pipeline file: append only."""
        return list(self.images)

    def visible(self, channels: Sequence[str]) -> List[Any]:
        """Return the settings that are shown for a model of these channels, named after them."""
        further = further_channels(channels)
        self.set_count(max(len(further), len(self.images)))  # a choice is kept while another model is tried
        for setting, name in zip(self.images, further):
            setting.text = f"Select the image of the channel {name.translate(NOT_IN_TEXT)}"
        return self.images[: len(further)]

    def check(self, channels: Sequence[str], first: str) -> None:
        """Raise ValidationError if some channels have an image and others have none, or two have the same.

        `first` is the name of the input image.
        """
        shown = self.visible(channels)
        if all(setting.is_blank for setting in shown):
            return
        taken = {first: channels[0]}
        for setting, channel in zip(shown, channels[1:]):
            if setting.is_blank:
                raise ValidationError(
                    f"The channel {channel} has no image. Select one, or leave all further channels at {BLANK!r} if "
                    "the input image holds all of them.",
                    setting,
                )
            if setting.value in taken:
                raise ValidationError(
                    f"The image {setting.value} is the channel {taken[setting.value]} already. Select another one.",
                    setting,
                )
            taken[setting.value] = channel

    def names(self, channels: Sequence[str]) -> Tuple[str, ...]:
        """Return the names of the images of the channels after the first; none if the input image holds them all."""
        return tuple(setting.value for setting in self.visible(channels) if not setting.is_blank)


def further_channels(channels: Sequence[str]) -> Tuple[str, ...]:
    """Name the channels of a model that may be images of their own; those of a color image are one image."""
    return () if tuple(channels) == COLORS else tuple(channels[1:])


def join(images: Sequence[Tuple[str, Any]], normalization: Normalization) -> JoinedImage:
    """Join images into the channels of one, in their order.

    Parameters
    ----------
    images : sequence of (name, cellprofiler_core.image.Image)
        One, which may hold several channels, or several gray ones.
    normalization : Normalization
        From the model card: in which units the model reads each image.

    Raises
    ------
    ImageError
        If one of several images is not gray, or has another size than the first.
    """
    masks = [image.mask for _, image in images if image.has_mask]
    planes = [intensities(image.pixel_data, image.scale, normalization) for _, image in images]
    if len(planes) > 1:
        planes = [_gray(name, plane, image) for (name, image), plane in zip(images, planes)]
        for (name, _), plane in zip(images, planes):
            if plane.shape != planes[0].shape:
                raise ImageError(
                    f"{name} has the shape {plane.shape}, and {images[0][0]}, the first channel of the model, has "
                    f"{planes[0].shape}. The images of all channels must have one size: crop and align them alike."
                )
    pixels = planes[0] if len(planes) == 1 else numpy.stack(planes, axis=-1)
    return JoinedImage(pixels, numpy.logical_and.reduce(masks) if masks else None)


def _gray(name: str, plane: Any, image: Any) -> Any:
    if plane.ndim == 2 or (image.volumetric and plane.ndim == 3):
        return plane
    if is_gray(plane):
        return plane[..., 0]
    raise ImageError(
        f"{name} has the shape {plane.shape}; the image of one channel must be grayscale. Make it so with ColorToGray, "
        "or select an image that holds all channels as the input image alone."
    )
