"""Read the objects that QuPath exports as GeoJSON (File > Export objects as GeoJSON)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from cpunet.errors import LabelFileError
from cpunet.training.importing.formats.drawn import ReadLabels, labels_of_shapes
from cpunet.training.importing.formats.json_file import kind_of_json, read_json
from cpunet.training.importing.formats.quoted import quoted
from cpunet.training.importing.formats.shapes import Polygons, ring_of

NO_AREA = ("Point", "MultiPoint", "LineString", "MultiLineString")
NO_OBJECTS = ("tmacore", "tma_core", "tile", "root", "pathtileobject", "tmacoreobject", "pathrootobject")
ANNOTATIONS = ("annotation", "pathannotationobject")
# A region that was drawn to say where objects are labeled holds several of them; a nucleus holds at most one.
OBJECTS_IN_A_REGION = 2


def read_geojson(path: Path, shape: tuple[int, int]) -> ReadLabels:
    """Read the objects of one image.

    Parameters
    ----------
    path : Path
        A FeatureCollection, one Feature, or a list of Features (RFC 7946). Coordinates are pixels of the image at its
        full resolution, as QuPath writes them, and not micrometers.
    shape : tuple of int
        (Y, X) of the image.

    Returns
    -------
    ReadLabels
        Of cells with a nucleus (``nucleusGeometry``), the nucleus. Classifications are left out. So are lines, points,
        cores of a TMA, and annotations that are no object but hold several others, with a note.

    Raises
    ------
    LabelFileError
        If it is no such file, or its objects lie in several planes, or do not lie in the image.
    """
    features = _features(read_json(path), path)
    try:
        _refuse_planes(features)
        shapes, notes = _shapes(features)
        if features and not shapes:
            raise LabelFileError(f"this holds no area: {'; '.join(notes)}. Draw the outline of each object.")
        read = labels_of_shapes(shapes, shape)
    except LabelFileError as error:
        raise LabelFileError(f"{path}: {error}") from error
    return replace(read, note="; ".join([*notes, *([read.note] if read.note else [])]))


def _features(content: object, path: Path) -> list[dict[str, object]]:
    features = content
    if isinstance(content, dict):
        features = content.get("features") if content.get("type") == "FeatureCollection" else [content]
    if not _are_features(features):
        raise LabelFileError(f"{path}: this is {kind_of_json(content)}.")
    found, left = [], list(reversed(features))
    while left:
        feature = left.pop()
        found.append(feature)
        properties = feature.get("properties")
        children = properties.get("childObjects") if isinstance(properties, dict) else None
        left += reversed(children) if _are_features(children) else []
    return found


def _are_features(each: object) -> bool:
    return isinstance(each, list) and all(isinstance(one, dict) and one.get("type") == "Feature" for one in each)


def _kind(feature: dict[str, object]) -> str:
    """Return the type of an object; QuPath 0.2 has it as its id."""
    properties = feature.get("properties")
    known = properties if isinstance(properties, dict) else {}
    return str(known.get("objectType") or known.get("object_type") or feature.get("id") or "").casefold()


def _shapes(features: Sequence[dict[str, object]]) -> tuple[list[Polygons], list[str]]:
    """Return the outlines of the objects, and sentences on what is left out and chosen."""
    shapes: list[Polygons] = []
    annotations: list[bool] = []
    left_out: Counter[str] = Counter()
    nuclei = 0
    for number, feature in enumerate(features, start=1):
        kind = _kind(feature)
        nucleus = feature.get("nucleusGeometry")
        geometry = nucleus or feature.get("geometry")
        what = quoted(geometry.get("type")) if isinstance(geometry, dict) else "no geometry"
        if kind in NO_OBJECTS or what in (*NO_AREA, "no geometry"):
            left_out[kind if kind in NO_OBJECTS else what] += 1
            continue
        try:
            shapes.append(_polygons(what, geometry.get("coordinates") if isinstance(geometry, dict) else None))
        except LabelFileError as error:
            raise LabelFileError(f"its object {number}: {error}") from error
        annotations.append(kind in ANNOTATIONS)
        nuclei += nucleus is not None
    regions = _regions(shapes, annotations)
    notes = [f"left out, as no object: {count} {what}" for what, count in left_out.items()]
    if regions:
        what = "1 annotation" if len(regions) == 1 else f"{len(regions)} annotations"
        notes.append(f"left out, as a region with other objects in it: {what}")
    if nuclei:
        notes.append(f"of {nuclei} cells the nucleus is taken")
    return [each for number, each in enumerate(shapes) if number not in regions], notes


def _polygons(what: str, coordinates: object) -> Polygons:
    if what not in ("Polygon", "MultiPolygon"):
        raise LabelFileError(f"this is a {what}; Polygon and MultiPolygon are read.")
    areas = [coordinates] if what == "Polygon" else coordinates
    if not isinstance(areas, list) or not areas or not all(isinstance(rings, list) and rings for rings in areas):
        raise LabelFileError(f"a {what} without coordinates.")
    return Polygons(tuple(tuple(ring_of(ring) for ring in rings) for rings in areas))


def _regions(shapes: Sequence[Polygons], annotations: Sequence[bool]) -> set[int]:
    """Return the numbers of annotations that hold several other objects, by the middles of their bounds."""
    if not any(annotations):
        return set()
    boxes = np.array([each.box for each in shapes])
    middle = (boxes[:, :2] + boxes[:, 2:]) / 2
    area = np.prod(boxes[:, 2:] - boxes[:, :2], axis=1)
    found = set()
    for number in np.flatnonzero(annotations & (area > np.median(area))):
        left, top, right, bottom = boxes[number]
        whole = (boxes[:, 0] >= left) & (boxes[:, 1] >= top) & (boxes[:, 2] <= right) & (boxes[:, 3] <= bottom)
        whole[number] = False
        inside = sum(_holds(shapes[number], x, y) for x, y in middle[whole])
        if inside >= OBJECTS_IN_A_REGION:
            found.add(int(number))
    return found


def _holds(shape: Polygons, x: float, y: float) -> bool:
    """Return whether a point lies inside: a ray to the right crosses the rings an odd number of times."""
    for rings in shape.areas:
        crossings = 0
        for ring in rings:
            begin, end = ring, np.roll(ring, -1, axis=0)
            over = (begin[:, 1] <= y) != (end[:, 1] <= y)
            at = begin[over, 0] + (y - begin[over, 1]) * (end[over, 0] - begin[over, 0]) / (
                end[over, 1] - begin[over, 1]
            )
            crossings += int((at > x).sum())
        if crossings % 2:
            return True
    return False


def _refuse_planes(features: Sequence[dict[str, object]]) -> None:
    planes = set()
    for feature in features:
        geometry = feature.get("geometry")
        plane = geometry.get("plane") if isinstance(geometry, dict) else None
        planes.add(str([plane.get("z", 0), plane.get("t", 0)]) if isinstance(plane, dict) else "[0, 0]")
    if len(planes) > 1:
        raise LabelFileError(
            f"its objects lie in {len(planes)} planes of a stack, and an image has one. Export the objects of each "
            "plane into a file of its own, and save the plane as an image."
        )
