"""Look once at all of a mosaic, band by band: what its channels are, what was not measured, and its contrast."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Iterator, List, NamedTuple, Optional, Tuple

import numpy as np
import numpy.typing as npt

from cpunet.errors import ImageError
from cpunet.model.card import InputCard
from cpunet.mosaic.disk_array import DiskArray, bands_of
from cpunet.mosaic.padding_of_mosaic import find_padding_of_mosaic
from cpunet.mosaic.readers.open_mosaic import MosaicImage
from cpunet.steps.pixels.channels import COLORS, channels_of, is_gray, largest_of_type
from cpunet.steps.prepare import UNITS_UNKNOWN, Contrast, stretch, stride_for_percentiles

Channels = npt.NDArray[np.float32]
Mask = npt.NDArray[np.bool_]


class ChannelsOfMosaic:
    """The channels of a mosaic in the model's order and units, not normalized; see `channels_of`.

    Parameters
    ----------
    image : MosaicImage
    card : InputCard

    Raises
    ------
    ImageError
        If the number of channels does not fit the model.

    Notes
    -----
    Whether transparency is opaque, and whether colors are equal, is asked of the whole image, not of each part.
    """

    def __init__(self, image: MosaicImage, card: InputCard) -> None:
        self._image, self._card = image, card
        self.shape: Tuple[int, int] = (image.shape[0], image.shape[1])
        found = 1 if len(image.shape) == 2 else image.shape[2]
        self._drops_alpha = self._takes_gray = False
        if found > 1:
            opaque = found in (2, 4) and found != len(card.channels)
            gray = found in (3, 4) and len(card.channels) == 1
            for rows in bands_of(image.shape):
                if not opaque and not gray:
                    break
                part = image.read(rows, slice(0, self.shape[1]))
                opaque = opaque and bool((part[..., -1] == largest_of_type(part.dtype)).all())
                gray = gray and is_gray(part)
            self._drops_alpha, self._takes_gray = opaque, gray
            found = 1 if gray or (opaque and found == 2) else found - int(opaque)
        as_colors = found == 1 and tuple(card.channels) == COLORS
        if found != len(card.channels) and not as_colors:
            raise ImageError(
                f"The image has {found} channels, and the model takes {len(card.channels)} "
                f"({', '.join(card.channels)}). Choose another model, such as nuclei_generalist for color, or save one "
                "channel as an image."
            )

    def read(self, rows: slice, columns: slice) -> Tuple[Channels, Optional[Mask]]:
        """Return the channels (C, y, x) of a part, and which pixels (y, x) are finite; None if all are."""
        part = self._image.read(rows, columns)
        if self._takes_gray:
            part = part[..., 0]
        elif self._drops_alpha:
            part = part[..., 0] if part.shape[2] == 2 else part[..., :3]
        return channels_of(part, self._card.channels, self._card.normalization)


class FirstPass(NamedTuple):
    """What is known of a mosaic as a whole.

    Attributes
    ----------
    contrasts : tuple of Contrast
        One a channel.
    filling : tuple of float
        The normalized value, one a channel, of what lies far from all that was measured.
    empty : DiskArray or None
        Where nothing was measured, (Y, X), bool; None if all was.
    has_contrast : bool
        Whether there is anything to see.
    notes : tuple of str
    """

    contrasts: Tuple[Contrast, ...]
    filling: Tuple[float, ...]
    empty: Optional[DiskArray]
    has_contrast: bool
    notes: Tuple[str, ...]


def look_at_all(channels: ChannelsOfMosaic, card: InputCard, folder: Path) -> FirstPass:
    """Measure what `cpunet.steps.prepare.prepare` measures of a whole image; `folder` takes what is large.

    Notes
    -----
    1. Padding is found, and pixels that are not finite.
    2. Of the others, the least and the largest value are found, and those values whose percentiles count.

    Percentiles are those of an image in one piece, since the same pixels of an even grid are sampled.
    """
    notes: Tuple[str, ...] = ()
    if card.normalization.kind == "none" and not card.normalization.units:
        notes = (UNITS_UNKNOWN,)
    empty, of_padding = find_padding_of_mosaic(channels, tuple(card.channels) == COLORS, folder)
    notes += of_padding
    counted = _Counted(channels, empty)
    together = 1 if card.normalization.per_channel else counted.count
    stride = max(1, stride_for_percentiles(counted.pixels * together))
    samples: List[List[npt.NDArray[np.float32]]] = [[] for _ in range(counted.count)]
    far: List[List[npt.NDArray[np.float32]]] = [[] for _ in range(counted.count)]
    steps = 1 + channels.shape[0] // 512, 1 + channels.shape[1] // 512
    sums = np.zeros((2, counted.count))
    seen = 0
    for rows, part, usable in _bands_of_usable(channels, empty):
        for number, plane in enumerate(part):
            values = plane.ravel() if usable is None else plane[usable]
            before = seen if card.normalization.per_channel else seen + number * counted.pixels
            samples[number].append(values[-before % stride :: stride].copy())
            if card.normalization.kind == "zero_mean_unit_variance":
                moved = values.astype(np.float64) - counted.least[number]
                sums[:, number] += moved.sum(), np.square(moved).sum()
            if usable is not None:
                chosen = slice(-rows.start % steps[0], None, steps[0]), slice(None, None, steps[1])
                far[number].append(plane[chosen][usable[chosen]])
        seen += part[0].size if usable is None else int(np.count_nonzero(usable))
    contrasts = _contrasts(card, counted, [np.concatenate(each) for each in samples], sums)
    filling = tuple(
        float(np.median(_stretched(np.concatenate(each), contrast, card))) if any(part.size for part in each) else 0.0
        for each, contrast in zip(far, contrasts)
    )
    visible = [step > 0 and least < most for (_, step), least, most in zip(contrasts, counted.least, counted.most)]
    return FirstPass(contrasts, filling, empty, any(visible), notes)


class _Counted:
    """The usable pixels of a mosaic, and the least and the largest value of each channel."""

    def __init__(self, channels: ChannelsOfMosaic, empty: Optional[DiskArray]) -> None:
        self.pixels, self.count = 0, 0
        least, most = [], []
        for _, part, usable in _bands_of_usable(channels, empty):
            self.count = len(part)
            values = part.reshape(len(part), -1) if usable is None else part[:, usable]
            self.pixels += values.shape[1]
            if values.shape[1]:
                least.append(values.min(axis=1))
                most.append(values.max(axis=1))
        self.least = np.min(least, axis=0) if least else np.zeros(self.count, np.float32)
        self.most = np.max(most, axis=0) if most else np.zeros(self.count, np.float32)


def _bands_of_usable(
    channels: ChannelsOfMosaic, empty: Optional[DiskArray]
) -> Iterator[Tuple[slice, Channels, Optional[Mask]]]:
    for rows in bands_of(channels.shape):
        part, _ = channels.read(rows, slice(0, channels.shape[1]))
        yield rows, part, None if empty is None else ~empty.read(rows)


def _contrasts(
    card: InputCard, counted: _Counted, samples: List[npt.NDArray[np.float32]], sums: npt.NDArray[np.float64]
) -> Tuple[Contrast, ...]:
    how = card.normalization
    least, most = counted.least.astype(np.float32), counted.most.astype(np.float32)
    if how.kind == "none":
        return (Contrast(0.0, 1.0),) * counted.count
    if not how.per_channel:
        shift = least - least.min()
        moved = sums[0] + counted.pixels * shift
        squares = sums[1] + 2 * shift * sums[0] + counted.pixels * np.square(shift)
        sums = np.repeat([[moved.mean()], [squares.mean()]], counted.count, axis=1)
        samples = [np.concatenate(samples)] * counted.count
        least, most = np.full(counted.count, least.min()), np.full(counted.count, most.max())
    found = []
    for number in range(counted.count):
        if not counted.pixels or least[number] == most[number]:
            found.append(Contrast(0.0, 0.0))
        elif how.kind == "percentile":
            low, high = np.percentile(samples[number], (how.percentile_low, how.percentile_high))
            if high <= low:
                low, high = least[number], most[number]
            found.append(Contrast(float(low), float(high) - float(low)))
        else:
            mean, mean_square = sums[:, number] / counted.pixels
            found.append(Contrast(float(least[number] + mean), float(np.sqrt(mean_square - mean * mean))))
    return tuple(found)


def _stretched(values: npt.NDArray[np.float32], contrast: Contrast, card: InputCard) -> npt.NDArray[Any]:
    found: npt.NDArray[np.float32] = stretch(values[np.newaxis, np.newaxis], [contrast], card.normalization)[0, 0]
    return found
