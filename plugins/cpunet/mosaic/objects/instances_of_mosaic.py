"""Find the objects of a mosaic with a network that gives them itself; what a killed run has seen is not seen again."""

from __future__ import annotations

from pathlib import Path
from typing import Callable, List, NamedTuple, Sequence, Tuple

import numpy as np
import numpy.typing as npt

from cpunet.files.written_beside import written_beside
from cpunet.model.card import ModelCard, Postprocessing
from cpunet.model.instances import Instances, joined_instances
from cpunet.model.protocol import InstanceModel
from cpunet.mosaic.disk_array import DiskArray, Window, bands_of
from cpunet.mosaic.objects.holes import fill_holes_of_mosaic
from cpunet.mosaic.objects.renumber import keep_and_renumber, pixels_of_labels_on_disk
from cpunet.mosaic.prepared import PreparedMosaic
from cpunet.options import Options
from cpunet.segmentation import Segmentation
from cpunet.steps.decode import postprocessing_at_scale
from cpunet.steps.filters import relabel
from cpunet.steps.instances.find import mask_threshold, note_of_full
from cpunet.steps.instances.paste import Drawn, paste_instances
from cpunet.steps.instances.seams import objects_across_seams
from cpunet.steps.instances.tiles import SeenByTile, plan_for, see_tile
from cpunet.steps.resize import resized_part
from cpunet.steps.tile_shape import automatic_tile_shape

# Called with the tiles that are done and their number.
Report = Callable[[int, int], None]
# Where an object may have pixels: a mask is framed by a pixel of its own, at most its whole height, and is rounded.
BEYOND_BOX, ROUNDED_PX = 1.0, 2


class InstancesOnDisk(NamedTuple):
    """The objects of a mosaic; their masks are read when they are drawn.

    Attributes
    ----------
    files : sequence of Path
        What the tiles saw, a file for each.
    of_file : ndarray of shape (n,), int
        In which of them each object is.
    place : ndarray of shape (n,), int
        Its place in that file.
    boxes : ndarray of shape (n, 4), float32
        In pixels of the mosaic.
    numbers : ndarray of shape (n,), int32
        The object, from 1 on, to which each belongs; 0 for what is no object of its own.
    notes : tuple of str
    """

    files: Sequence[Path]
    of_file: npt.NDArray[np.intp]
    place: npt.NDArray[np.intp]
    boxes: npt.NDArray[np.float32]
    numbers: npt.NDArray[np.int32]
    notes: Tuple[str, ...]


def find_instances_of_mosaic(
    mosaic: PreparedMosaic, model: InstanceModel, options: Options, scale: float, folder: Path, report: Report
) -> InstancesOnDisk:
    """Find the objects of a mosaic; see `cpunet.steps.instances.find.find_instances`, whose tiles these are.

    Notes
    -----
    The objects of a tile are written to a file of `folder`, as a whole or not at all. Tiles whose files an earlier run
    has left are not seen again.
    """
    shape = tuple(max(1, round(size * scale)) for size in mosaic.shape)
    plan = plan_for(shape, model, options.tile_shape or automatic_tile_shape(shape, model))
    own = folder / f"instances_{scale!r}_{'x'.join(map(str, plan.tile_shape))}"
    own.mkdir(exist_ok=True)

    def read(rows: slice, columns: slice) -> npt.NDArray[np.float32]:
        return resized_part(mosaic.read, mosaic.shape, (shape[0], shape[1]), rows, columns)

    files: List[Path] = []
    of_files: List[int] = []
    tiles: List[SeenByTile] = []
    for place in range(len(plan.tiles)):
        path = own / f"tile_{place}.npz"
        if not path.exists():
            report(place, len(plan.tiles))
            _write(path, see_tile(read, shape, plan, place, model))
        found = _read(path, masks=False)
        tiles += found
        files.append(path)
        of_files.append(sum(len(tile.instances.scores) for tile in found))
    report(len(plan.tiles), len(plan.tiles))
    counts = [len(tile.instances.scores) for tile in tiles]
    in_tile = np.repeat(np.arange(len(tiles)), counts)
    everything = joined_instances([tile.instances for tile in tiles])
    numbers = objects_across_seams(
        everything.boxes,
        everything.scores,
        in_tile,
        [tile.window for tile in tiles],
        shape,
        model.card.postprocessing.overlap_threshold,
    )
    back = np.array([size / seen for size, seen in zip(mosaic.shape, shape)] * 2, np.float32)
    place_in_file = np.concatenate([np.zeros(0, np.intp), *(np.arange(count) for count in of_files)])
    of_file = np.repeat(np.arange(len(files)), of_files)
    boxes = everything.boxes * back
    return InstancesOnDisk(files, of_file, place_in_file, boxes, numbers, note_of_full(tiles, model.card))


def draw_instances_of_mosaic(
    found: InstancesOnDisk, mosaic: PreparedMosaic, card: ModelCard, options: Options, scale: float, folder: Path
) -> DiskArray:
    """Draw objects band by band of rows as labels (Y, X), int32, 1..n without gaps, in a file of `folder`."""
    settings: Postprocessing = postprocessing_at_scale(card.postprocessing, scale)
    threshold = mask_threshold(card, options)
    labels = DiskArray.create(folder / "labels", mosaic.shape, np.int32)
    for rows in bands_of(mosaic.shape):
        drawn = _drawn(found, mosaic.shape, threshold, rows).labels
        usable = mosaic.usable(rows, slice(0, mosaic.shape[1]))
        labels.write(drawn if usable is None else np.where(usable, drawn, np.int32(0)), rows)
    if settings.fill_holes:
        fill_holes_of_mosaic(labels, folder)
    keep_and_renumber(labels, pixels_of_labels_on_disk(labels) >= max(settings.min_size_px, 1))
    return labels


def window_of_instances(
    found: InstancesOnDisk, labels: DiskArray, card: ModelCard, options: Options, window: Window
) -> Segmentation:
    """Return a window of the objects of a mosaic that was not rescaled, as `segment_image` would give it."""
    rows, columns = window
    foreground = _drawn(found, labels.shape, mask_threshold(card, options), rows).foreground[:, columns]
    return Segmentation(relabel(labels.read(rows, columns)), foreground[np.newaxis], 1.0)


def _drawn(found: InstancesOnDisk, shape: Tuple[int, ...], threshold: float, rows: slice) -> Drawn:
    """Draw the objects that may have pixels in some rows."""
    beyond = BEYOND_BOX * (found.boxes[:, 2] - found.boxes[:, 0]) + ROUNDED_PX
    near = (found.boxes[:, 2] + beyond > rows.start) & (found.boxes[:, 0] - beyond < rows.stop)
    here = np.flatnonzero(near & (found.numbers > 0))
    return paste_instances(_chosen(found, here), found.numbers[here], shape, threshold, rows)


def _chosen(found: InstancesOnDisk, which: npt.NDArray[np.intp]) -> Instances:
    """Read the objects at some places, in their order."""
    parts: List[Instances] = []
    order: List[npt.NDArray[np.intp]] = []
    for number in np.unique(found.of_file[which]):
        own = which[found.of_file[which] == number]
        whole = joined_instances([tile.instances for tile in _read(found.files[number], masks=True)])
        parts.append(whole.chosen(found.place[own])._replace(boxes=found.boxes[own]))
        order.append(own)
    back = np.argsort(np.concatenate(order)) if order else np.zeros(0, np.intp)
    return joined_instances(parts).chosen(back)


def _write(path: Path, tiles: Sequence[SeenByTile]) -> None:
    """Write what a tile, or the smaller tiles that it was cut into, saw."""
    found = joined_instances([tile.instances for tile in tiles])
    with written_beside(path) as beside, beside.open("wb") as stream:
        np.savez(
            stream,
            boxes=found.boxes,
            scores=found.scores,
            masks=found.masks,
            counts=[len(tile.instances.scores) for tile in tiles],
            windows=[tile.window for tile in tiles],
            full=[tile.is_full for tile in tiles],
        )


def _read(path: Path, masks: bool) -> List[SeenByTile]:
    """Read what `_write` wrote; without the masks, those are of no rows and columns."""
    with np.load(path, allow_pickle=False) as stored:
        boxes, scores = stored["boxes"], stored["scores"]
        empty = np.zeros((len(scores), 0, 0), np.float32)
        drawn = stored["masks"] if masks else empty
        ends = np.cumsum(stored["counts"])
        tiles = []
        for begin, end, window, full in zip(ends - stored["counts"], ends, stored["windows"], stored["full"]):
            part = Instances(boxes[begin:end], scores[begin:end], drawn[begin:end])
            tiles.append(SeenByTile(part, tuple(int(edge) for edge in window), bool(full)))  # type: ignore[arg-type]
    return tiles
