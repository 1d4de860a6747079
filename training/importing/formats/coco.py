"""Read COCO's JSON: one file with the objects of many images.

The format: https://cocodataset.org/#format-data
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from cpunet.errors import LabelFileError
from cpunet.training.importing.formats.coco_rle import mask_of_rle
from cpunet.training.importing.formats.drawn import ReadLabels, labels_of_shapes
from cpunet.training.importing.formats.json_file import kind_of_json
from cpunet.training.importing.formats.quoted import quoted
from cpunet.training.importing.formats.shapes import Polygons, Shape, ring_of


@dataclass(frozen=True)
class CocoImage:
    """What a COCO file says of one image.

    Attributes
    ----------
    source : Path
        The JSON file.
    file_name : str
        Of the image, as it stands there.
    annotations : tuple of dict
        Its objects.
    categories : dict of str to str
        The name of each category, by its id.
    """

    source: Path
    file_name: str
    annotations: tuple[dict[str, object], ...]
    categories: dict[str, str]


def is_coco(content: object) -> bool:
    """Return whether the content of a JSON file is COCO's."""
    return isinstance(content, dict) and all(isinstance(content.get(key), list) for key in ("images", "annotations"))


def coco_images(content: object, path: Path) -> list[CocoImage]:
    """Part the content of a COCO file by its images.

    Raises
    ------
    LabelFileError
        If it is no such file, or lacks the name of an image or the image of an object.
    """
    if not (isinstance(content, dict) and is_coco(content)):
        raise LabelFileError(f"{path}: this is {kind_of_json(content)}.")
    images, annotations = content["images"], content["annotations"]
    known = content.get("categories")
    categories = known if isinstance(known, list) else []
    names = {str(each.get("id")): str(each.get("name")) for each in categories if isinstance(each, dict)}
    if not all(isinstance(each, dict) and isinstance(each.get("file_name"), str) and "id" in each for each in images):
        raise LabelFileError(f"{path}: each of its images needs an id and a file_name.")
    by_image: dict[object, list[dict[str, object]]] = defaultdict(list)
    ids = {str(image["id"]) for image in images}
    for annotation in annotations:
        image = str(annotation.get("image_id")) if isinstance(annotation, dict) else ""
        if image not in ids:
            raise LabelFileError(f"{path}: an annotation has the image_id {image!r}, which is no image's id.")
        by_image[image].append(annotation)
    return [CocoImage(path, image["file_name"], tuple(by_image[str(image["id"])]), names) for image in images]


def read_coco_image(image: CocoImage, shape: tuple[int, int]) -> ReadLabels:
    """Read the objects of one image: polygons, or run-length encoded masks (RLE), compressed or not.

    Parameters
    ----------
    image : CocoImage
    shape : tuple of int
        (Y, X) of the image.

    Returns
    -------
    ReadLabels
        Objects of all categories, which the note counts if there are several.

    Raises
    ------
    LabelFileError
        If objects have no outline but a box, or are crowds (``iscrowd``), which are many objects in one; or do not lie
        in the image.
    """
    where = f"{image.source}: {quoted(image.file_name)}"
    crowds = sum(bool(each.get("iscrowd")) for each in image.annotations)
    if crowds:
        raise LabelFileError(
            f"{where}: {crowds} of its {len(image.annotations)} objects are crowds (iscrowd 1): areas with objects "
            "that are not outlined one by one. Outline them or leave the image out; if each is one object, set iscrowd "
            "to 0."
        )
    boxes = sum(not each.get("segmentation") for each in image.annotations)
    if boxes:
        raise LabelFileError(
            f"{where}: {boxes} of its {len(image.annotations)} objects have a box and no outline (segmentation). "
            "Outline them, or leave the image out."
        )
    shapes: list[Shape] = []
    for number, each in enumerate(image.annotations, start=1):
        try:
            shapes.append(_shape(each["segmentation"], shape))
        except LabelFileError as error:
            raise LabelFileError(f"{where}: its object {number} (id {each.get('id')}): {error}") from error
    try:
        read = labels_of_shapes(shapes, shape)
    except LabelFileError as error:
        raise LabelFileError(f"{where}: {error}") from error
    note = _categories(image)
    return replace(read, note="; ".join([note, *([read.note] if read.note else [])])) if note else read


def _shape(segmentation: object, shape: tuple[int, int]) -> Shape:
    if isinstance(segmentation, dict):
        return mask_of_rle(segmentation, shape)
    if not isinstance(segmentation, list):
        raise LabelFileError(f"a segmentation is a list of polygons or RLE; this is {type(segmentation).__name__}.")
    return Polygons(tuple((ring_of(_points(flat)),) for flat in segmentation))


def _points(flat: object) -> Sequence[object]:
    if not isinstance(flat, list) or len(flat) % 2 or len(flat) < 2:
        raise LabelFileError("a polygon of COCO is a list x1, y1, x2, y2, and so on.")
    return list(zip(flat[::2], flat[1::2], strict=True))


def _categories(image: CocoImage) -> str:
    counts = Counter(image.categories.get(str(each.get("category_id")), "without a name") for each in image.annotations)
    if len(counts) < 2:
        return ""
    return "objects of all categories: " + quoted(", ".join(f"{count} {name}" for name, count in counts.most_common()))
