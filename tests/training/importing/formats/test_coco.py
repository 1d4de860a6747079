import json

import numpy as np
import pycocotools.mask
import pytest
from pycocotools.coco import COCO
from scipy.ndimage import binary_dilation, binary_erosion

from cpunet.errors import LabelFileError
from cpunet.training.importing.formats.coco import coco_images, read_coco_image
from tests.import_sources import field
from tests.outlines import outlines_of
from tests.written_sets import same_objects

# pycocotools 2.0.11 with numpy 2.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation")

LABELS = field(1, touching=True)[1]
SHAPE = LABELS.shape


def packed(mask):
    """RLE as pycocotools writes it."""
    rle = pycocotools.mask.encode(np.asfortranarray(mask.astype(np.uint8)))
    return {"size": list(rle["size"]), "counts": rle["counts"].decode("ascii")}


def unpacked(mask):
    """RLE as a list: runs down the columns, the first of background."""
    flat = mask.ravel(order="F").astype(np.int8)
    edges = np.flatnonzero(np.diff(flat)) + 1
    counts = np.diff([0, *edges, flat.size]).tolist()
    return {"size": list(mask.shape), "counts": [0, *counts] if flat[0] else counts}


def traced(rings):
    return [[float(number) for point in ring for number in point] for ring in rings]


def coco(segmentations, name="a.png", **more):
    annotations = [
        {"id": number, "image_id": 7, "category_id": 1, "segmentation": each, "iscrowd": 0, "area": 1.0, **more}
        for number, each in enumerate(segmentations, start=1)
    ]
    image = {"id": 7, "file_name": name, "height": SHAPE[0], "width": SHAPE[1]}
    return {"images": [image], "annotations": annotations, "categories": [{"id": 1, "name": "nucleus"}]}


def read(content, tmp_path, shape=SHAPE):
    (image,) = coco_images(json.loads(json.dumps(content)), tmp_path / "coco.json")
    return read_coco_image(image, shape)


MASKS = [number == LABELS for number in range(1, LABELS.max() + 1)]


@pytest.mark.parametrize(
    "segmentations",
    [
        [packed(mask) for mask in MASKS],
        [unpacked(mask) for mask in MASKS],
        [traced(each) for each in outlines_of(LABELS)],
    ],
    ids=["RLE packed", "RLE as a list", "polygons"],
)
def test_objects_come_back_as_pycocotools_draws_them(tmp_path, segmentations, capsys):
    content = coco(segmentations)
    labels = read(content, tmp_path)
    assert same_objects(labels.labels, LABELS)
    assert labels.note == ""
    (tmp_path / "coco.json").write_text(json.dumps(content), encoding="utf-8")
    theirs = COCO(tmp_path / "coco.json")
    capsys.readouterr()
    for annotation, mask in zip(theirs.loadAnns(theirs.getAnnIds()), MASKS, strict=True):
        np.testing.assert_array_equal(theirs.annToMask(annotation), mask)


@pytest.mark.parametrize("seed", range(4))
def test_smooth_polygons_differ_from_pycocotools_on_the_edge_alone(tmp_path, seed):
    rng = np.random.default_rng(seed)
    angles = np.sort(rng.uniform(0, 2 * np.pi, 40))
    radii = 18 + 6 * np.sin(3 * angles + seed)
    flat = np.stack([32 + radii * np.cos(angles), 31 + radii * np.sin(angles)], axis=1).ravel().tolist()
    ours = read(coco([[flat]]), tmp_path).labels > 0
    theirs = pycocotools.mask.decode(pycocotools.mask.merge(pycocotools.mask.frPyObjects([flat], *SHAPE))) > 0
    edge = binary_dilation(theirs) & ~binary_erosion(theirs)
    assert ours.sum() > 500
    assert not ((ours != theirs) & ~edge).any()
    assert (ours & theirs).sum() / (ours | theirs).sum() > 0.97
    assert abs(int(ours.sum()) - int(theirs.sum())) < 0.03 * theirs.sum()


@pytest.mark.parametrize("shape", [(1, 1), (3, 500), (700, 2), (33, 65)])
@pytest.mark.parametrize("share", [0, 0.01, 0.5, 1])
def test_every_packed_mask_is_unpacked_as_pycocotools_does(tmp_path, shape, share):
    mask = np.random.default_rng(3).random(shape) < share
    labels = read(coco([packed(mask)]), tmp_path, shape).labels
    np.testing.assert_array_equal(labels > 0, mask)


def test_the_parts_of_one_object_are_joined(tmp_path):
    parts = [[2, 2, 8, 2, 8, 8, 2, 8], [5, 5, 20, 5, 20, 10, 5, 10]]
    labels = read(coco([parts]), tmp_path).labels
    assert labels.max() == 1
    assert labels.sum() == 36 + 75 - 9


def test_several_categories_are_counted(tmp_path):
    content = coco([traced(each) for each in outlines_of(LABELS)])
    content["categories"].append({"id": 2, "name": "mitosis"})
    content["annotations"][0]["category_id"] = 2
    assert read(content, tmp_path).note == f"objects of all categories: {LABELS.max() - 1} nucleus, 1 mitosis"


@pytest.mark.parametrize(
    ("segmentation", "more", "message"),
    [
        (unpacked(MASKS[0]), {"iscrowd": 1}, r"1 of its 1 objects are crowds \(iscrowd 1\)"),
        ([], {}, r"1 of its 1 objects have a box and no outline"),
        ([[1, 2, 3]], {}, r"its object 1 \(id 1\): a polygon of COCO is a list x1, y1"),
        ([["a", "b"]], {}, "an outline is not a list of points"),
        ("x", {}, "a list of polygons or RLE; this is str"),
        ({"size": [3, 4], "counts": [12]}, {}, r"its RLE has the size \[3, 4\], and the image \[64, 64\]"),
        ({"size": [64, 64], "counts": [12, 5]}, {}, "its runs fill 17 of 4096 pixels"),
        ({"size": [64, 64], "counts": [2**39] * 3}, {}, "its runs fill 1649267441664 of 4096 pixels"),
        ({"size": [64, 64], "counts": [-3, 4099]}, {}, "no list of whole numbers"),
        ({"size": [64, 64], "counts": [1.5, 4094.5]}, {}, "no list of whole numbers"),
        ({"size": [64, 64], "counts": "\x7f\x10"}, {}, "no text of pycocotools"),
        ({"size": [64, 64], "counts": "o" * 50}, {}, "no text of pycocotools"),
        ({"size": [64, 64], "counts": "oo"}, {}, "are cut short"),
        ({"size": [64, 64], "counts": "O"}, {}, "a run is of less than no pixel"),
    ],
)
def test_what_is_not_understood_is_named_with_its_image(tmp_path, segmentation, more, message):
    with pytest.raises(LabelFileError, match=rf"coco\.json: a\.png: .*{message}"):
        read(coco([segmentation], **more), tmp_path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ([], "JSON of another kind"),
        ({"images": [{"id": 1}], "annotations": []}, "each of its images needs an id and a file_name"),
        ({"images": [], "annotations": [{"image_id": 3}]}, "has the image_id '3', which is no image's id"),
    ],
)
def test_files_of_another_kind_are_named(tmp_path, content, message):
    with pytest.raises(LabelFileError, match=rf"coco\.json: .*{message}"):
        coco_images(content, tmp_path / "coco.json")
