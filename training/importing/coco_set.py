"""Pair images with what COCO files say of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from cpunet.errors import DataError
from cpunet.training.importing.formats.coco import CocoImage, coco_images, is_coco
from cpunet.training.importing.formats.json_file import read_json
from cpunet.training.importing.pairs import Pair, Pairing, image_files, other_pictures


def coco_files(files: Iterable[Path], label_format: str | None) -> list[Path]:
    """Return the COCO files among files that are named after no image; none if a format of label images is said."""
    candidates = [path for path in files if path.suffix.lower() == ".json"] if label_format is None else []
    return [path for path in candidates if is_coco(read_json(path))]


def pair_coco(images: Path, files: Sequence[Path]) -> Pairing:
    """Pair images with COCO files.

    Parameters
    ----------
    images : Path
        The folder of the images. A ``file_name`` is searched there as it stands, and then without its folders.
    files : sequence of Path
        COCO files; each image stands in one of them.

    Raises
    ------
    DataError
        If a file is no COCO file, none of its images is there, or two of them are one file.
    """
    known = [image for path in files for image in coco_images(read_json(path), path)]
    by_name = {path.name: path for path in [*other_pictures(images), *image_files(images)]}
    pairs: dict[Path, Pair] = {}
    unpaired = []
    for image in known:
        path = _path_of(image, images, by_name)
        if path is None:
            unpaired.append(f"{image.source}: there is no image {image.file_name} in {images}.")
            continue
        if path in pairs:
            raise DataError(f"{image.source}: {image.file_name} stands there twice, or in two files.")
        pairs[path] = Pair(path.stem, path, (image.source,), outlines=image)
    if not pairs:
        first = known[0].file_name if known else "no image"
        raise DataError(
            f"{images}: none of the {len(known)} images that {files[0].name} names is there; the first is {first}."
        )
    unpaired += [f"{path}: there are no labels for this image." for path in image_files(images) if path not in pairs]
    note = f"labels: COCO, {', '.join(path.name for path in files)}."
    return Pairing(tuple(pairs.values()), "instances", tuple(unpaired), (note,))


def _path_of(image: CocoImage, folder: Path, by_name: dict[str, Path]) -> Path | None:
    """Return the file of an image; names that lead out of the folder count without their folders."""
    name = Path(image.file_name.replace("\\", "/"))
    path = folder / name
    inside = not name.is_absolute() and ".." not in name.parts
    return path if inside and path.is_file() else by_name.get(name.name)
