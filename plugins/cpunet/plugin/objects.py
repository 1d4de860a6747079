"""CellProfiler's objects: those kept, those found, and those found that are not too small."""

from __future__ import annotations

from typing import Any, Tuple

import numpy
from cellprofiler_core.object import Objects, Segmentation

# CellProfiler keeps labels as the smallest of these. It has a function for that, which CellProfiler 5 has elsewhere.
SIZES = (numpy.int8, numpy.int16, numpy.int32)


class NumberedSegmentation(Segmentation):  # type: ignore[misc]  # mypy does not see CellProfiler
    """CellProfiler's segmentation of labels 1..n without gaps; its own sorts all pixels to find out the numbers.

    Parameters
    ----------
    labels : ndarray of shape (Y, X) or (Z, Y, X), int32
        1..n without gaps. Copied to the smallest type that holds them, as CellProfiler does.
    """

    def __init__(self, labels: Any) -> None:
        super().__init__()
        small = labels.astype(next(size for size in SIZES if labels.max(initial=0) <= numpy.iinfo(size).max))
        self._dense = small.reshape(*[1] * (6 - small.ndim), *small.shape)
        self._numbers = [numpy.arange(1, labels.max(initial=0) + 1, dtype=small.dtype)]

    def has_dense(self) -> bool:
        """Return True: there is a label image."""
        return True

    def get_dense(self) -> Tuple[Any, Any]:
        """Return the labels, (1, 1, 1, Z, Y, X), and a list with the numbers of the objects."""
        return self._dense, self._numbers


class FilteredObjects(Objects):  # type: ignore[misc]  # mypy does not see CellProfiler
    """Objects that know those found before the filters.

    CellProfiler sorts all pixels of each label image that it is given. So it is given the two of the objects before the
    filters only when a module asks for them.

    Parameters
    ----------
    kept, found, small_removed : ndarray of shape (Y, X) or (Z, Y, X), int32
        Labels of the objects that are kept, of all, and of those that are not too small. Not to be changed later.
    """

    def __init__(self, kept: Any, found: Any, small_removed: Any) -> None:
        super().__init__()
        # The setter of `segmented` would sort; all methods of Objects look here.
        self._Objects__segmented = NumberedSegmentation(kept)
        self._found, self._small_removed = found, small_removed

    def has_unedited_segmented(self) -> bool:
        """Return True: all objects that were found are known."""
        return True

    @property
    def unedited_segmented(self) -> Any:
        """The labels of all objects that were found."""
        if not super().has_unedited_segmented():
            self.unedited_segmented, self._found = self._found, None
        return Objects.unedited_segmented.fget(self)

    @unedited_segmented.setter
    def unedited_segmented(self, labels: Any) -> None:
        Objects.unedited_segmented.fset(self, labels)

    def has_small_removed_segmented(self) -> bool:
        """Return True: the objects that are not too small are known."""
        return True

    @property
    def small_removed_segmented(self) -> Any:
        """The labels of the objects that are neither too small nor at the border."""
        if not super().has_small_removed_segmented():
            self.small_removed_segmented, self._small_removed = self._small_removed, None
        return Objects.small_removed_segmented.fget(self)

    @small_removed_segmented.setter
    def small_removed_segmented(self, labels: Any) -> None:
        Objects.small_removed_segmented.fset(self, labels)
