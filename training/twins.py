"""Images that are the same: across data sets, and on both sides of a split."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from cpunet.image_files import grey_of_equal_colours

if TYPE_CHECKING:
    from cpunet.training.data import IndexRow

TESTED_SPLITS = {"val", "test"}
Key = tuple[str, str]


def leaking_images(rows: Iterable[IndexRow]) -> set[Key]:
    """Find the images that must not be trained on, because the same pixels are tested on elsewhere.

    Parameters
    ----------
    rows : iterable of IndexRow
        Of all sets together.

    Returns
    -------
    set of (set, id)
        Images of which one copy, under this or another id, has a split of `TESTED_SPLITS`.
    """
    rows = list(rows)
    tested = {row.key for row in rows if row.split in TESTED_SPLITS}
    leaks = tested & {row.key for row in rows if row.split not in TESTED_SPLITS}  # ids that stand there twice
    return leaks.union(*(family for family in twin_families(rows) if family & tested))


def twin_families(rows: Iterable[IndexRow]) -> list[set[Key]]:
    """Put together the images that are the same, as far as `duplicate_of` says so.

    Parameters
    ----------
    rows : iterable of IndexRow
        Of all sets together.

    Returns
    -------
    list of set of (set, id)
        Families of two images or more. Two twins of a third are of one family.

    Notes
    -----
    `duplicate_of` is an id, or <set>/<id>. It may be the name of the publisher's file: BBBC039 calls
    IXMtest_K12_s7 by IXMtest_K12_s7_w1 and a random suffix. A twin in a set that is not given cannot be followed.
    """
    rows = list(rows)
    keys = {row.key for row in rows}
    sets = {row.folder.name for row in rows}
    pairs = []
    for row in rows:
        if not row.duplicate_of:
            continue
        folder, _, name = row.duplicate_of.rpartition("/")
        names = (name, name.partition("_w1")[0])
        twins = {(other, each) for other in ({folder} if folder else sets) for each in names} & keys
        pairs += [(row.key, twin) for twin in twins - {row.key}]
    return joined(pairs)


def joined(pairs: Iterable[tuple[Key, Key]]) -> list[set[Key]]:
    """Join pairs that share a member into families, which share none."""
    families: dict[Key, set[Key]] = {}
    for first, second in pairs:
        family = families.get(first, {first}) | families.get(second, {second})
        families.update(dict.fromkeys(family, family))
    return list({id(family): family for family in families.values()}.values())


def pixel_sum(image: NDArray[np.generic]) -> str:
    """Return a sum that two images share if their pixels are the same, whatever their type or file format.

    Parameters
    ----------
    image : ndarray of shape (Y, X) or (Y, X, C)

    Returns
    -------
    str
        SHA-256 over the shape and the values.
    """
    grey = grey_of_equal_colours(image)
    digest = hashlib.sha256(str(grey.shape).encode())
    digest.update(np.ascontiguousarray(grey, dtype="<f8").tobytes())
    return digest.hexdigest()
