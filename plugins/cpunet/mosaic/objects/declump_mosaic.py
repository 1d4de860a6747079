"""Turn the probabilities of a mosaic into objects; see `cpunet.steps.declump.declump`, whose steps these are."""

from __future__ import annotations

from pathlib import Path
from typing import Callable, Iterator, List, NamedTuple, Optional, Tuple

import numpy as np
import numpy.typing as npt
from skimage.segmentation import expand_labels

from cpunet.model.card import Postprocessing
from cpunet.mosaic.disk_array import DiskArray, Window, bands_of, rows_of_band, with_margin
from cpunet.mosaic.network_pass import ProbabilitiesOnDisk
from cpunet.mosaic.objects.components import Regions, RegionsByBand
from cpunet.mosaic.objects.holes import fill_holes_of_mosaic
from cpunet.mosaic.objects.renumber import keep_and_renumber, pixels_of_labels_on_disk
from cpunet.mosaic.prepared import PreparedMosaic
from cpunet.steps.background import background_regions
from cpunet.steps.clumps import flood
from cpunet.steps.declump import foreground_probability, has_only_boundaries, probabilities_by_role
from cpunet.steps.rims import MARGIN_PX, Rims, joined_rims, rims_of
from cpunet.steps.seeds import ByRole, marker_score

Labels = npt.NDArray[np.int32]
Mask = npt.NDArray[np.bool_]
Report = Callable[[str, int, int], None]
REGIONS, TOUCHING = "objects", "touching objects"
# Clumps that lie in a window of so many pixels are flooded at once, since a watershed needs fifty bytes a pixel.
LARGEST_WINDOW_PX = 2**25
# A larger clump is flooded in such squares, each with so many pixels around it.
SQUARE_PX, AROUND_PX = 4096, 512


class Settings(NamedTuple):
    """How the probabilities of a mosaic become objects.

    Attributes
    ----------
    card : Postprocessing
        Its lengths are pixels of the mosaic.
    roles : sequence of str
    splits : bool
        Whether touching objects are separated.
    """

    card: Postprocessing
    roles: List[str]
    splits: bool


def declump_mosaic(probabilities: ProbabilitiesOnDisk, settings: Settings, folder: Path, report: Report) -> DiskArray:
    """Turn the probabilities of a mosaic into labels (Y, X), int32, 1..n without gaps, in a file of `folder`.

    Notes
    -----
    1. The regions of the mask are labeled band by band, and joined where two bands meet; likewise the markers.
    2. Each region with several markers is split by one watershed of all its pixels.
    3. Objects are grown, their holes filled, and those that are too small dropped, as the card says.

    Only a region whose window has more than `LARGEST_WINDOW_PX` is split square by square, with the pixels around each.
    """
    mosaic, card = probabilities.mosaic, settings.card
    labels = DiskArray.create(folder / "labels", mosaic.shape, np.int32)
    if has_only_boundaries(settings.roles):
        _between_boundaries(probabilities, settings, labels, folder, report)
    else:
        labels = _split(probabilities, settings, labels, folder, report)
    if card.dilation_px:
        labels = _grown(labels, card.dilation_px, folder)
    if card.fill_holes:
        fill_holes_of_mosaic(labels, folder)
    if not mosaic.is_measured_everywhere and (card.dilation_px or card.fill_holes):
        erase_unmeasured(labels, mosaic.usable)
    if has_only_boundaries(settings.roles) and not settings.splits:
        _join_touching(labels, folder)
    keep_and_renumber(labels, pixels_of_labels_on_disk(labels) >= max(card.min_size_px, 1))
    return labels


def erase_unmeasured(labels: DiskArray, usable: Callable[[slice, slice], Optional[Mask]]) -> None:
    """Take what was not measured from all objects."""
    for rows in bands_of(labels.shape):
        mask = usable(rows, slice(0, labels.shape[1]))
        if mask is not None:
            labels.write(np.where(mask, labels.read(rows), np.int32(0)), rows)


def _split(
    probabilities: ProbabilitiesOnDisk, settings: Settings, labels: DiskArray, folder: Path, report: Report
) -> DiskArray:
    shape, card = labels.shape, settings.card
    regions_by_band = RegionsByBand(DiskArray.create(folder / "regions", shape, np.int32))
    markers_by_band = RegionsByBand(DiskArray.create(folder / "markers", shape, np.int32))
    part_of_marker: List[npt.NDArray[np.int32]] = [np.zeros(1, np.int32)]
    bands = bands_of(shape)
    for number, rows in enumerate(bands):
        report(REGIONS, number, len(bands))
        by_role, usable = _by_role(probabilities, settings, (rows, slice(0, shape[1])))
        mask = foreground_probability(by_role) > card.foreground_threshold
        if usable is not None:
            mask &= usable
        parts = regions_by_band.add(rows, mask)
        if settings.splits:
            own = markers_by_band.add(rows, mask & (marker_score(by_role) > card.marker_threshold))
            numbers, first = np.unique(own, return_index=True)
            part_of_marker.append(parts.ravel()[first[numbers > 0]])
    regions = regions_by_band.finish()
    for rows in bands:
        labels.write(regions.read(rows), rows)
    if settings.splits:
        markers = markers_by_band.finish()
        kept = markers.pixels >= max(card.marker_min_size_px, 1)
        kept[0] = False
        seed_of_marker = np.where(kept, np.cumsum(kept), 0).astype(np.int32)
        region_of_marker = np.zeros(markers.highest + 1, np.int32)
        region_of_marker[markers.number_of_part] = regions.number_of_part[np.concatenate(part_of_marker)]
        clumps = np.flatnonzero(np.bincount(region_of_marker[kept], minlength=regions.highest + 1) > 1)
        seeds = markers._replace(number_of_part=seed_of_marker[markers.number_of_part])
        flooding = _Flooding(probabilities, settings, regions, seeds, labels)
        groups = list(_groups(regions.windows, clumps, shape))
        for number, (window, chosen) in enumerate(groups):
            report(TOUCHING, number, len(groups))
            flooding.flood(window, chosen)
    return labels


class _Flooding(NamedTuple):
    """What is needed to split the clumps of a window."""

    probabilities: ProbabilitiesOnDisk
    settings: Settings
    regions: Regions
    seeds: Regions
    labels: DiskArray

    def flood(self, window: Window, clumps: npt.NDArray[np.intp]) -> None:
        """Split clumps that lie within a window."""
        height, width = (axis.stop - axis.start for axis in window)
        if height * width <= LARGEST_WINDOW_PX:
            self._flood(window, window, clumps)
            return
        for top in range(window[0].start, window[0].stop, SQUARE_PX):
            for left in range(window[1].start, window[1].stop, SQUARE_PX):
                square = (
                    slice(top, min(top + SQUARE_PX, window[0].stop)),
                    slice(left, min(left + SQUARE_PX, window[1].stop)),
                )
                around = [with_margin(axis, AROUND_PX, size)[0] for axis, size in zip(square, self.labels.shape)]
                self._flood((around[0], around[1]), square, clumps)

    def _flood(self, window: Window, kept: Window, clumps: npt.NDArray[np.intp]) -> None:
        """Flood the clumps in a window, and keep the labels of a part of it."""
        chosen = np.zeros(self.regions.highest + 1, bool)
        chosen[clumps] = True
        clumped = chosen[self.regions.read(*window)]
        if not clumped.any():
            return
        by_role, _ = _by_role(self.probabilities, self.settings, window)
        flooded = flood(clumped, self.seeds.read(*window), marker_score(by_role))
        inner = tuple(slice(k.start - w.start, k.stop - w.start) for k, w in zip(kept, window))
        own, found = self.labels.read(*kept), flooded[inner]
        reached = clumped[inner] & (found > 0)
        own[reached] = found[reached] + self.regions.highest
        self.labels.write(own, *kept)


def _groups(
    windows: npt.NDArray[np.int64], clumps: npt.NDArray[np.intp], shape: Tuple[int, ...]
) -> Iterator[Tuple[Window, npt.NDArray[np.intp]]]:
    """Put clumps that begin in one band of rows together; a clump higher than a band goes by itself.

    Yields the window that holds the clumps of a group and one pixel around them, and the clumps.
    """
    height = rows_of_band(shape[1])
    first, last = windows[clumps, 0], windows[clumps, 1]
    high = last - first > height
    for clump in clumps[high]:
        top, bottom, left, right = (int(side) for side in windows[clump])
        rows, _ = with_margin(slice(top, bottom), 1, shape[0])
        columns, _ = with_margin(slice(left, right), 1, shape[1])
        yield (rows, columns), np.array([clump])
    band = np.where(high, -1, first // height)
    for number in np.unique(band[~high]):
        group = clumps[band == number]
        rows, _ = with_margin(slice(int(windows[group, 0].min()), int(windows[group, 1].max())), 1, shape[0])
        yield (rows, slice(0, shape[1])), group


def _by_role(probabilities: ProbabilitiesOnDisk, settings: Settings, window: Window) -> Tuple[ByRole, Optional[Mask]]:
    return (
        probabilities_by_role(probabilities.read(*window), settings.roles),
        probabilities.mosaic.usable(*window),
    )


def _between_boundaries(
    probabilities: ProbabilitiesOnDisk, settings: Settings, labels: DiskArray, folder: Path, report: Report
) -> None:
    """See `cpunet.steps.declump.objects_between_boundaries`."""
    by_band = RegionsByBand(DiskArray.create(folder / "regions", labels.shape, np.int32))
    bands = bands_of(labels.shape)
    for number, rows in enumerate(bands):
        report(REGIONS, number, len(bands))
        by_role, usable = _by_role(probabilities, settings, (rows, slice(0, labels.shape[1])))
        between = by_role["boundary"] <= settings.card.boundary_threshold
        by_band.add(rows, between if usable is None else between & usable)
    regions = by_band.finish()
    background = background_regions(regions.pixels, _rims(regions, probabilities.mosaic))
    for rows in bands:
        numbers = regions.read(rows)
        numbers[background[numbers]] = 0
        labels.write(numbers, rows)


def _rims(regions: Regions, mosaic: PreparedMosaic) -> Rims:
    """Measure the boundaries between regions band by band; see `cpunet.steps.rims.rims_of`."""
    columns, found = slice(0, mosaic.shape[1]), []
    for rows in bands_of(mosaic.shape):
        around, own = with_margin(rows, MARGIN_PX, mosaic.shape[0])
        found.append(rims_of(regions.read(around), mosaic.read(around, columns), mosaic.usable(around, columns), own))
    return joined_rims(found)


def _join_touching(labels: DiskArray, folder: Path) -> None:
    """Make one object of those that touch."""
    by_band = RegionsByBand(DiskArray.create(folder / "regions", labels.shape, np.int32))
    for rows in bands_of(labels.shape):
        by_band.add(rows, labels.read(rows) > 0)
    regions = by_band.finish()
    for rows in bands_of(labels.shape):
        labels.write(regions.read(rows), rows)


def _grown(labels: DiskArray, distance_px: float, folder: Path) -> DiskArray:
    """Grow objects by a distance into the background."""
    grown = DiskArray.create(folder / "labels_grown", labels.shape, np.int32)
    for rows in bands_of(labels.shape):
        around, own = with_margin(rows, int(np.ceil(distance_px)), labels.shape[0])
        grown.write(expand_labels(labels.read(around), distance_px)[own], rows)
    return grown
