"""Data sets that tests write: whole ones, and indices without images."""

import csv

import numpy as np

from cpunet.training.data.index import WRITTEN_FIELDS, write_table
from cpunet.training.data.labeled_images import read_index, read_labeled_image
from tests.import_sources import field, put


def write_set(folder, *images, **cells):
    """Write a data set of (id, split, image, labels); `cells` are added to every row."""
    rows = []
    for name, split, image, labels in images:
        put(folder / "images" / f"{name}.tif", image)
        put(folder / "labels" / f"{name}.tif", labels.astype(np.uint16) if labels.dtype == np.int32 else labels)
        rows.append({"id": name, "split": split, "modality": "fluorescence", "duplicate_of": ""} | cells)
    write_table(folder, [*WRITTEN_FIELDS, *(cells.keys() - set(WRITTEN_FIELDS))], rows)
    return folder


def good_images(count=6):
    return [(f"f{seed}", "val" if seed % 3 == 0 else "train", *field(seed)) for seed in range(count)]


FIELDS = ["id", "modality", "split", "duplicate_of"]


def write_index(folder, *rows):
    folder.mkdir(parents=True)
    with (folder / "index.csv").open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(FIELDS)
        writer.writerows(rows)


RNG = np.random.default_rng(7)


def fields(folder, count=4, suffix="", image_type=np.uint16):
    """Write images/ and labels/ of some fields; return them by name."""
    drawn = {}
    for seed in range(count):
        image, labels = field(seed)
        image = image.astype(image_type)
        drawn[f"f{seed}"] = image, labels
        put(folder / "images" / f"f{seed}.tif", image)
        put(folder / "labels" / f"f{seed}{suffix}.tif", labels.astype(np.uint16))
    return drawn


def contents(folder):
    return {row.id: read_labeled_image(row) for row in read_index(folder)}


def tree(folder):
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*"))


def write_bowl(folder, count=3):
    """Lay fields out as the Data Science Bowl 2018 does; return their labels."""
    drawn = {}
    for seed in range(count):
        image, labels = field(seed, touching=seed == 1)
        gray = (image // 256).astype(np.uint8)
        color = np.dstack([gray, gray, gray, np.full_like(gray, 255)])
        put(folder / f"id{seed}/images/id{seed}.png", color)
        for number in range(1, labels.max() + 1):
            put(folder / f"id{seed}/masks/{number:03d}.png", (labels == number).astype(np.uint8) * 255)
        drawn[f"id{seed}"] = gray, labels
    return drawn


def same_objects(first, second):
    pairs = np.unique(np.stack([first.ravel(), second.ravel()]), axis=1)
    return len(pairs[0]) == len(np.unique(first)) == len(np.unique(second))


def write_small_set(folder, *rows):
    """Write a data set of drawn fields: (id, split, duplicate_of, seed) and other cells."""
    fields = ["id", "modality", "split", "duplicate_of", *sorted({name for *_, cells in rows for name in cells})]
    table = []
    for name, split, duplicate, seed, cells in rows:
        image, labels = field(seed)
        put(folder / f"images/{name}.tif", image)
        put(folder / f"labels/{name}.tif", labels.astype(np.uint16))
        table.append({"id": name, "modality": "f", "split": split, "duplicate_of": duplicate, **cells})
    write_table(folder, fields, table)
