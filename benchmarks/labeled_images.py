"""Read the images of a labeled data set; the benchmarks run where the training package is not installed."""

import csv
from pathlib import Path
from typing import Iterator, NamedTuple

import numpy as np
from skimage.io import imread


class BenchmarkImage(NamedTuple):
    """An image and its truth, both of shape (Y, X)."""

    id: str
    image: np.ndarray
    labels: np.ndarray


def labeled_images(folder: Path, split: str, modality: str = "") -> Iterator[BenchmarkImage]:
    """Read the images of one split, one after the other.

    Parameters
    ----------
    folder : Path
        Holds images/, labels/ and index.csv.
    split : str
        Such as ``val``.
    modality : str
        Only this one; all if empty.

    Yields
    ------
    BenchmarkImage
    """
    with (folder / "index.csv").open(newline="", encoding="utf-8") as stream:
        rows = [row for row in csv.DictReader(stream) if row["split"] == split and modality in ("", row["modality"])]
    for row in rows:
        name = f"{row['id']}.png"
        labels = imread(str(folder / "labels" / name)).astype(np.int32)
        yield BenchmarkImage(row["id"], imread(str(folder / "images" / name)), labels)
