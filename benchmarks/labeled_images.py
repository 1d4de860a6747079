"""Read labeled data sets where the training package is not installed, and change the size of their images."""

import csv
from pathlib import Path
from typing import Dict, Iterator, List, NamedTuple, TypeVar

import numpy as np
from skimage.transform import resize

from cpunet.files.images import read_image, read_label_numbers

Labeled = TypeVar("Labeled")


class BenchmarkImage(NamedTuple):
    """An image and its truth, both of shape (Y, X)."""

    id: str
    image: np.ndarray
    labels: np.ndarray


def index_rows(folder: Path, modality: str = "") -> List[Dict[str, str]]:
    """Return the rows of a folder's index.csv, of one modality unless it is empty."""
    with (folder / "index.csv").open(newline="", encoding="utf-8") as stream:
        return [row for row in csv.DictReader(stream) if modality in ("", row["modality"])]


def labeled_image(folder: Path, image_id: str) -> BenchmarkImage:
    """Read an image of a folder, and its labels as int32."""
    name = f"{image_id}.png"
    labels = read_label_numbers(folder / "labels" / name).astype(np.int32)
    return BenchmarkImage(image_id, read_image(folder / "images" / name), labels)


def labeled_images(folder: Path, split: str, modality: str = "") -> Iterator[BenchmarkImage]:
    """Yield the images of one split, and of one modality unless it is empty, of a folder with an index.csv."""
    rows = [row for row in index_rows(folder, modality) if row["split"] == split]
    return (labeled_image(folder, row["id"]) for row in rows)


def zero_to_one(image: np.ndarray) -> np.ndarray:
    """Divide an integer image by the largest value of its type, as CellProfiler does when it loads one.

    >>> zero_to_one(np.array([0, 255], np.uint8)).tolist()
    [0.0, 1.0]
    """
    return image.astype(np.float32) / np.iinfo(image.dtype).max


def resized(truth: Labeled, factor: float) -> Labeled:
    """Enlarge a labeled image by a factor, or shrink it by one below 1, as another magnification would show it.

    The integer image, (Y, X) or (Y, X, C), is interpolated linearly in its own type, and smoothed first where it
    shrinks. Each pixel of the labels, (Y, X), is the nearest one. The result has the type of ``truth``.
    """
    shape = tuple(round(size * factor) for size in truth.labels.shape)
    kept = {"mode": "edge", "preserve_range": True}
    image = resize(truth.image, (*shape, *truth.image.shape[2:]), order=1, anti_aliasing=factor < 1, **kept)
    labels = resize(truth.labels, shape, order=0, anti_aliasing=False, **kept)
    return type(truth)(truth.id, np.rint(image).astype(truth.image.dtype), labels.astype(np.int32))
