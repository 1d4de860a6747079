"""Import of images whose channels, such as depths of focus, are gray files of their own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from cpunet.errors import DataError
from cpunet.training.importing.files import SourceImage, read_source_image
from cpunet.training.importing.pairs import Pair, Pairing

SHOWN_MISSING = 5


def with_joined_channels(pairing: Pairing, suffixes: Sequence[str]) -> Pairing:
    """Find the files of the other channels of each image.

    Parameters
    ----------
    pairing : Pairing
        Whose images are the files of the first channel.
    suffixes : sequence of str
        What the names of the channels' files end in, in the order of the channels: ``_z1``, ``_z2``.

    Raises
    ------
    DataError
        If there are not two suffixes or more, one is given twice, or a file is missing.
    """
    if len(suffixes) < 2 or len(set(suffixes)) < len(suffixes):
        raise DataError(f"--channel-suffixes {' '.join(suffixes)}: give two or more, each once.")
    first, *others = suffixes
    pairs, missing = [], []
    for pair in pairing.pairs:
        base = pair.image.stem[: len(pair.image.stem) - len(first)]
        files = tuple(pair.image.with_name(f"{base}{suffix}{pair.image.suffix}") for suffix in others)
        missing += [path for path in files if not path.is_file()]
        pairs.append(replace(pair, further_channels=files))
    if missing:
        more = f" and {len(missing) - SHOWN_MISSING} more" if len(missing) > SHOWN_MISSING else ""
        raise DataError(
            f"These files of channels are not there: {', '.join(map(str, missing[:SHOWN_MISSING]))}{more}. All "
            "channels of an image must lie in one folder and have one file format; --channel-suffixes is what their "
            "names end in."
        )
    note = f"channels: {len(suffixes)} files an image, in the order {', '.join(suffixes)}."
    return replace(pairing, pairs=tuple(pairs), notes=(*pairing.notes, note))


def read_channels(pair: Pair, series: int | None = None, depths_as_channels: bool = False) -> SourceImage:
    """Read an image that becomes part of a data set, and join its channels if they are files of their own.

    See `cpunet.training.importing.files.read_source_image` for the other parameters.

    Raises
    ------
    DataError
        Also if a channel is no gray image, or has another size or type than the first.
    ImageError
        If a file is missing or not an image, or reading it would lose bits.
    """
    first = read_source_image(pair.image, series, depths_as_channels)
    if not pair.further_channels:
        return first
    planes = [first, *(read_source_image(path, series) for path in pair.further_channels)]
    for plane in planes:
        if plane.pixels.ndim != 2:
            raise DataError(
                f"{plane.path}: this has {plane.pixels.shape[2]} channels, and each file of --channel-suffixes must be "
                "gray."
            )
        if (plane.pixels.shape, plane.pixels.dtype) != (first.pixels.shape, first.pixels.dtype):
            raise DataError(
                f"{plane.path}: this is {plane.pixels.dtype} of the shape {plane.pixels.shape}, and {first.path.name} "
                f"is {first.pixels.dtype} of {first.pixels.shape}. All channels of an image must agree."
            )
    return replace(first, pixels=np.stack([plane.pixels for plane in planes], axis=-1), as_stored=False)
