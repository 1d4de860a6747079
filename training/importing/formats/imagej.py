"""Read regions of interest (ROIs) that ImageJ and Fiji save: .roi files, and the ROI manager's .zip."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from roifile import ROI_SUBTYPE, ROI_TYPE, ImagejRoi

from cpunet.errors import LabelFileError
from cpunet.files.formats.without_log import without_log
from cpunet.training.importing.formats.drawn import ReadLabels, labels_of_shapes
from cpunet.training.importing.formats.quoted import quoted, reason_of
from cpunet.training.importing.formats.shapes import Box, Ellipse, Polygons, Shape, curve, ring_of

AREAS = (ROI_TYPE.POLYGON, ROI_TYPE.FREEHAND, ROI_TYPE.TRACED, ROI_TYPE.RECT, ROI_TYPE.OVAL)
NO_AREA = (ROI_SUBTYPE.TEXT, ROI_SUBTYPE.ARROW, ROI_SUBTYPE.IMAGE)
# The largest that ImageJ writes for one outline is far below.
LARGEST_ROI_BYTES = 2**26
SHOWN = 3
# Commands of a combined selection's path (java.awt.geom.PathIterator), and how many points follow each.
MOVE, LINE, QUADRATIC, CUBIC, CLOSE = range(5)
POINTS_OF_COMMAND = {MOVE: 1, LINE: 1, QUADRATIC: 2, CUBIC: 3, CLOSE: 0}


def read_rois(paths: Sequence[Path], shape: tuple[int, int]) -> ReadLabels:
    """Read the ROIs of one image, each of which is an object.

    Parameters
    ----------
    paths : sequence of Path
        .zip files of the ROI manager, .roi files, or both.
    shape : tuple of int
        (Y, X) of the image.

    Returns
    -------
    ReadLabels
        Polygons, freehand and traced outlines, rectangles, ovals and ellipses, and combined selections with holes. ROIs
        without an area (points, lines, texts) are left out, with a note.

    Raises
    ------
    LabelFileError
        If a file is damaged or holds no ROI with an area, or if the ROIs lie in several planes or outside of the image.

    Notes
    -----
    Coordinates of ImageJ's areas are corners of pixels: https://imagej.net/ij/developer/api/ij/ij/gui/Roi.html
    """
    shapes: list[Shape] = []
    without_area, planes = [], set()
    for name, data in _files(paths):
        try:
            with without_log("roifile"):
                roi = ImagejRoi.frombytes(data)
                planes.add(_plane(roi))
                if roi.roitype in AREAS and roi.subtype not in NO_AREA:
                    shapes.append(_shape(roi))
                else:
                    without_area.append(name.rpartition("/")[2])
        except Exception as error:  # roifile raises what numpy and struct raise
            raise LabelFileError(
                f"{name}: this ROI cannot be read ({reason_of(error)}). Save it again in Fiji."
            ) from error
    where = paths[0] if len(paths) == 1 else paths[0].parent
    if not shapes:
        raise LabelFileError(
            f"{where}: its {len(without_area)} ROIs are points, lines or texts ({_shown(without_area)}), which enclose "
            "no object. Draw the outline of each object, with the freehand or polygon tool."
        )
    if len(planes) > 1:
        raise LabelFileError(
            f"{where}: its ROIs lie in {len(planes)} planes of a stack, and an image has one. Save the ROIs of each "
            "plane into a file of its own, and the plane as an image."
        )
    try:
        read = labels_of_shapes(shapes, shape)
    except LabelFileError as error:
        raise LabelFileError(f"{where}: {error}") from error
    if not without_area:
        return read
    note = f"left out, as points, lines or texts: {len(without_area)} ROIs ({_shown(without_area)})"
    return replace(read, note="; ".join([note, *([read.note] if read.note else [])]))


def _files(paths: Sequence[Path]) -> Iterator[tuple[str, bytes]]:
    """Yield the name and the bytes of each ROI."""
    for path in paths:
        if path.suffix.lower() == ".roi":
            if path.stat().st_size > LARGEST_ROI_BYTES:
                raise LabelFileError(f"{path}: this is too large for a ROI ({path.stat().st_size} bytes).")
            yield str(path), path.read_bytes()
            continue
        try:
            with zipfile.ZipFile(path) as archive:
                entries = [entry for entry in archive.infolist() if _is_roi(entry.filename)]
                if not entries:
                    names = [entry.filename for entry in archive.infolist()]
                    raise LabelFileError(
                        f"{path}: this archive holds no ROI of ImageJ, but {_shown(names) or 'nothing'}. Unpack other "
                        "files first."
                    )
                for entry in entries:
                    if entry.file_size > LARGEST_ROI_BYTES:
                        raise LabelFileError(
                            f"{path}: {quoted(entry.filename)} is too large for a ROI ({entry.file_size} bytes)."
                        )
                    yield f"{path}/{quoted(entry.filename)}", archive.read(entry)
        except (zipfile.BadZipFile, zlib.error, EOFError, OSError, NotImplementedError, RuntimeError) as error:
            raise LabelFileError(
                f"{path}: this archive of ROIs is damaged or cut short ({reason_of(error)}). Copy it, or "
                "save it in Fiji, again."
            ) from error


def _is_roi(name: str) -> bool:
    base = name.rpartition("/")[2]
    return name.lower().endswith(".roi") and not name.startswith("__MACOSX") and not base.startswith(".")


def _plane(roi: ImagejRoi) -> tuple[int, int]:
    """Return a ROI's depth and time, or its place in a stack of planes; channels do not count."""
    if max(roi.c_position, roi.z_position, roi.t_position) > 0:
        return roi.z_position, roi.t_position
    return roi.position, 0


def _shape(roi: ImagejRoi) -> Shape:
    if roi.composite:
        return Polygons((_rings(roi.multi_coordinates),))
    if roi.roitype in (ROI_TYPE.RECT, ROI_TYPE.OVAL):
        box = Box(roi.left, roi.top, roi.right, roi.bottom)
        if roi.subpixelrect:
            box = Box(roi.xd, roi.yd, roi.xd + roi.widthd, roi.yd + roi.heightd)
        ring_of([box[:2], box[2:]])
        if roi.roitype == ROI_TYPE.OVAL:
            return Ellipse(box)
        if roi.rounded_rect_arc_size:
            raise LabelFileError("a rectangle with round corners is not read")
        left, top, right, bottom = box
        return Polygons(((ring_of([(left, top), (right, top), (right, bottom), (left, bottom)]),),))
    return Polygons(((ring_of(roi.coordinates()),),))


def _rings(path: NDArray[np.float32] | None) -> tuple[NDArray[np.float64], ...]:
    """Part the path of a combined selection into rings; what an odd number of them enclose is selected."""
    numbers = [] if path is None else [float(number) for number in path]
    rings: list[list[tuple[float, float]]] = []
    place = 0
    while place < len(numbers):
        command = int(numbers[place])
        count = POINTS_OF_COMMAND.get(command)
        if count is None or place + 2 * count >= len(numbers) or (command != MOVE and not rings):
            raise LabelFileError("its path is damaged")
        flat = numbers[place + 1 : place + 1 + 2 * count]
        points = list(zip(flat[::2], flat[1::2], strict=True))
        if command == MOVE:
            rings.append(points)
        elif command != CLOSE:  # a ring is closed in any case
            rings[-1] += points if command == LINE else curve([rings[-1][-1], *points])
        place += 1 + 2 * count
    if not rings:
        raise LabelFileError("its path is empty")
    return tuple(ring_of(ring) for ring in rings)


def _shown(names: Sequence[str]) -> str:
    return quoted(", ".join(names[:SHOWN])) + (f" and {len(names) - SHOWN} more" if len(names) > SHOWN else "")
