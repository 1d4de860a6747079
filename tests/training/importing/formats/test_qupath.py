import json

import numpy as np
import pytest

from cpunet.errors import LabelFileError
from cpunet.training.importing.formats.qupath import read_geojson
from tests.import_sources import field
from tests.outlines import outlines_of
from tests.written_sets import same_objects

LABELS = field(1, touching=True)[1]
SHAPE = LABELS.shape


def closed(ring):
    return [[float(x), float(y)] for x, y in [*ring, ring[0]]]


def square(left, top, side):
    return closed([(left, top), (left + side, top), (left + side, top + side), (left, top + side)])


def polygon(*rings, **more):
    return {"type": "Polygon", "coordinates": list(rings), **more}


def feature(geometry, kind="annotation", **more):
    """An object as QuPath 0.3 to 0.6 writes it (PathObjectTypeAdapter)."""
    properties = {"objectType": kind, "classification": {"name": "Tumor", "color": [200, 0, 0]}, "isLocked": True}
    return {"type": "Feature", "id": "1f5e-4b", "geometry": geometry, "properties": properties, **more}


def collection(*features):
    return {"type": "FeatureCollection", "features": list(features)}


def written(path, content):
    path.write_text(json.dumps(content), encoding="utf-8")
    return path


@pytest.mark.parametrize("wrap", [lambda features: collection(*features), list], ids=["collection", "list"])
@pytest.mark.parametrize("kind", ["detection", "annotation"])
def test_objects_come_back_as_the_labels_they_were_traced_from(tmp_path, wrap, kind):
    features = [feature(polygon(*map(closed, rings)), kind) for rings in outlines_of(LABELS)]
    read = read_geojson(written(tmp_path / "a.geojson", wrap(features)), SHAPE)
    assert same_objects(read.labels, LABELS)
    assert read.note == ""


def test_holes_and_several_parts_of_one_object(tmp_path):
    parts = {"type": "MultiPolygon", "coordinates": [[square(2, 2, 10), square(5, 5, 3)], [square(30, 30, 4)]]}
    labels = read_geojson(written(tmp_path / "a.geojson", feature(parts)), SHAPE).labels
    assert labels.max() == 1
    assert labels.sum() == 100 - 9 + 16
    assert not labels[5:8, 5:8].any()


def test_of_cells_the_nucleus_is_taken_and_the_note_says_so(tmp_path):
    cells = [
        feature(polygon(square(2, 2, 20)), "cell", nucleusGeometry=polygon(square(8, 8, 6))),
        feature(polygon(square(30, 2, 20)), "cell", nucleusGeometry=polygon(square(34, 8, 5))),
    ]
    read = read_geojson(written(tmp_path / "a.geojson", collection(*cells)), SHAPE)
    assert np.bincount(read.labels.ravel())[1:].tolist() == [36, 25]
    assert read.note == "of 2 cells the nucleus is taken"


def test_lines_points_and_the_labeled_region_are_left_out_by_name(tmp_path):
    nuclei = [feature(polygon(square(x, 5, 6)), "detection") for x in (3, 15, 30)]
    nuclei.append(feature(polygon(square(40, 5, 6)), "annotation"))  # drawn by hand
    region = feature(polygon(square(1, 1, 50)), "annotation")
    others = [
        feature({"type": "Point", "coordinates": [3, 4]}),
        feature(None),
        feature(polygon(square(0, 0, 9)), "tile"),
    ]
    read = read_geojson(written(tmp_path / "a.geojson", collection(region, *nuclei, *others)), SHAPE)
    assert np.bincount(read.labels.ravel())[1:].tolist() == [36] * 4
    assert read.note.split("; ") == [
        "left out, as no object: 1 Point",
        "left out, as no object: 1 no geometry",
        "left out, as no object: 1 tile",
        "left out, as a region with other objects in it: 1 annotation",
    ]


def test_an_object_with_one_other_in_it_is_no_region(tmp_path):
    content = collection(feature(polygon(square(2, 2, 20))), feature(polygon(square(5, 5, 4))))
    assert read_geojson(written(tmp_path / "a.geojson", content), SHAPE).labels.max() == 2


def test_objects_within_objects_are_found(tmp_path):
    outer = feature(polygon(square(1, 1, 50)))
    outer["properties"]["childObjects"] = [feature(polygon(square(x, 5, 6)), "detection") for x in (3, 15, 30)]
    read = read_geojson(written(tmp_path / "a.geojson", [outer]), SHAPE)
    assert np.bincount(read.labels.ravel())[1:].tolist() == [36] * 3


def test_outlines_in_micrometers_or_of_a_whole_slide_are_refused(tmp_path):
    slide = collection(*(feature(polygon(square(9000 + x, 5000, 6)), "detection") for x in range(5)))
    with pytest.raises(
        LabelFileError, match=r"a\.geojson: 5 of its 5 objects lie outside of the image, at x from 9000"
    ):
        read_geojson(written(tmp_path / "a.geojson", slide), SHAPE)


def test_objects_in_several_planes_are_refused(tmp_path):
    planes = [feature(polygon(square(2, 2, 6), plane={"c": -1, "z": z, "t": 0})) for z in (0, 3)]
    with pytest.raises(LabelFileError, match="its objects lie in 2 planes of a stack"):
        read_geojson(written(tmp_path / "a.geojson", planes), SHAPE)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "no JSON, or is cut short"),
        ('{"type": "FeatureCollection", "features": [{"ty', "no JSON, or is cut short"),
        ("\x93NUMPY", "no JSON, or is cut short"),
        ("[" * 100_000, "its lists lie too deep"),
        ('{"name": "x", "version": 3}', r"JSON of another kind \(it holds name, version\)"),
        ('{"type": "FeatureCollection"}', r"JSON of another kind \(it holds type\)"),
        ("[1, 2]", r"JSON of another kind \(a list of 2\)"),
        ("3", r"JSON of another kind \(int\)"),
        ('{"shapes": [], "imagePath": "a.png"}', "LabelMe's JSON.*labelme2coco"),
        ('{"images": [], "annotations": []}', r"a COCO file.*--labels FILE\.json"),
        (json.dumps(feature({"type": "LineString", "coordinates": [[1, 2], [3, 4]]})), "holds no area.*1 LineString"),
        (json.dumps(feature({"type": "Circle", "coordinates": []})), "its object 1: this is a Circle"),
        (json.dumps(feature(polygon())), "its object 1: a Polygon without coordinates"),
        (json.dumps(feature(polygon([[1, 2], "x"]))), "its object 1: an outline is not a list of points"),
        (json.dumps(feature({"type": "Polygon", "coordinates": 3})), "its object 1: a Polygon without coordinates"),
        (json.dumps(feature(polygon([[1, 2], [1e12, 3], [3, 3]]))), "its object 1: an outline has coordinates"),
        (json.dumps(feature(polygon([[1, 2], [float("nan"), 3], [3, 3]]))), "its object 1: an outline has coordinates"),
    ],
)
def test_what_is_not_understood_is_named(tmp_path, text, message):
    (tmp_path / "a.geojson").write_bytes(text.encode("latin-1"))
    with pytest.raises(LabelFileError, match=rf"a\.geojson: .*{message}"):
        read_geojson(tmp_path / "a.geojson", SHAPE)


def test_a_file_larger_than_the_memory_is_refused_unread(tmp_path, monkeypatch):
    path = written(tmp_path / "a.geojson", collection())
    monkeypatch.setattr("cpunet.training.importing.formats.json_file.bytes_at_hand", lambda: 100)
    with pytest.raises(LabelFileError, match=r"needs about 0\.0 GB of memory, and 0\.0 GB are free"):
        read_geojson(path, SHAPE)
