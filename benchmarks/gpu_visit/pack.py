"""Pack the training images of some data sets into one small file, and unpack it on a machine without a network.

PYTHONPATH=. .venv/training/bin/python -m benchmarks.gpu_visit.pack data runs/visit/data.tar
PYTHONPATH=. .venv/training/bin/python -m benchmarks.gpu_visit.pack --unpack runs/visit/data.tar runs/visit/data
"""

from __future__ import annotations

import argparse
import io
import sys
import tarfile
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from skimage.io import imsave

from cpunet.cores import cores_allowed
from cpunet.errors import OptionError
from cpunet.files.images import read_image
from cpunet.training.data.index import read_table, write_table

SETS = ("dsb2018", "bbbc039", "mnfinder", "aitslab")
# Validation images are there to watch the training, not to be published.
VALIDATION_IMAGES = 12
# Larger images are cut: more of the same field teaches little.
LARGEST = (736, 960)
QUALITY = 94
LEVELS = 255
BRIGHTEST_PERCENTILE = 99.8


def companded(image: NDArray[np.generic]) -> NDArray[np.uint8]:
    """Squeeze gray levels (Y, X) into 8 bits by their square root, in which the noise of light is the same everywhere.

    What lies above all but two thousandths of the pixels is cut off: one bright piece of dust would leave few levels
    to the nuclei, and less than compression changes.

    >>> companded(np.array([[10, 35, 110]])).tolist()
    [[0, 128, 255]]
    """
    values = image.astype(np.float64)
    low = values.min()
    high = max(np.percentile(values, BRIGHTEST_PERCENTILE, method="higher"), low + 1)
    return np.rint(LEVELS * np.sqrt(np.clip((values - low) / (high - low), 0, 1))).astype(np.uint8)


def expanded(levels: NDArray[np.uint8]) -> NDArray[np.uint16]:
    """Undo `companded` but for the units: 0 to 65025.

    >>> expanded(np.array([[0, 128, 255]], np.uint8)).tolist()
    [[0, 16384, 65025]]
    """
    return levels.astype(np.uint16) ** 2


def packed_rows(folder: Path) -> list[dict[str, str]]:
    """Return the rows of a set that are packed: all training images, and some validation images of each modality."""
    rows = read_table(folder).rows
    packed = [row for row in rows if row["split"] == "train"]
    for modality in sorted({row["modality"] for row in rows}):
        validation = [row for row in rows if (row["split"], row["modality"]) == ("val", modality)]
        # Evenly over the list, which may be sorted by plate.
        step = max(1, len(validation) // VALIDATION_IMAGES)
        packed += validation[::step][:VALIDATION_IMAGES]
    return packed


def packed_image(folder: Path, name: str) -> tuple[bytes, bytes]:
    """Return an image and its labels as WebP files; a gray image companded, a color one as it is."""
    image, labels = read_image(folder / "images" / f"{name}.png"), read_image(folder / "labels" / f"{name}.png")
    image, labels = (plane[: LARGEST[0], : LARGEST[1]] for plane in (image, labels))
    picture = Image.fromarray(image if image.ndim == 3 else np.repeat(companded(image)[..., np.newaxis], 3, axis=2))
    halves = np.stack([labels % 256, labels // 256, np.zeros_like(labels)], axis=-1).astype(np.uint8)
    contents = []
    for content, how in ((picture, {"quality": QUALITY}), (Image.fromarray(halves), {"lossless": True})):
        stream = io.BytesIO()
        content.save(stream, "webp", **how)
        contents.append(stream.getvalue())
    return contents[0], contents[1]


def pack(root: Path, output: Path, names: Sequence[str]) -> None:
    """Write the tar file of some data sets below `root`."""
    if output.exists():
        raise OptionError(f"{output} exists already. Choose another name, or move it away.")
    output.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(output, "w") as tar:
        for name in names:
            rows = packed_rows(root / name)
            table = "\n".join(
                [",".join(("id", "modality", "split", "color"))]
                + [",".join((row["id"], row["modality"], row["split"], row.get("channels", "1"))) for row in rows]
            )
            add(tar, f"{name}/rows.csv", table.encode())
            for row in rows:
                for kind, content in zip(("images", "labels"), packed_image(root / name, row["id"]), strict=True):
                    add(tar, f"{name}/{kind}/{row['id']}.webp", content)
            print(f"{name}: {len(rows)} images")
    print(f"{output}  {output.stat().st_size / 1e6:.1f} MB")


def add(tar: tarfile.TarFile, name: str, content: bytes) -> None:
    """Add a file to a tar file."""
    entry = tarfile.TarInfo(name)
    entry.size = len(content)
    tar.addfile(entry, io.BytesIO(content))


def unpack(packed: Path, root: Path) -> None:
    """Write the data sets of a packed file below `root`, as `cpunet train` reads them."""
    with tarfile.open(packed) as tar:
        contents = {entry.name: tar.extractfile(entry).read() for entry in tar if entry.isfile()}  # type: ignore[union-attr]
    jobs = []
    for name, content in contents.items():
        if not name.endswith("/rows.csv"):
            continue
        folder = root / name.split("/")[0]
        fields, *rows = (line.split(",") for line in content.decode().splitlines())
        table = [dict(zip(fields, row, strict=True)) for row in rows]
        for kind in ("images", "labels"):
            (folder / kind).mkdir(parents=True, exist_ok=True)
        write_table(
            folder,
            ("id", "modality", "split", "duplicate_of"),
            [{key: value for key, value in row.items() if key != "color"} for row in table],
        )
        jobs += [
            (
                folder,
                row["id"],
                row["color"] == "3",
                contents[f"{folder.name}/images/{row['id']}.webp"],
                contents[f"{folder.name}/labels/{row['id']}.webp"],
            )
            for row in table
        ]
    with ProcessPoolExecutor(cores_allowed()) as pool:
        list(pool.map(unpacked, *zip(*jobs, strict=True), chunksize=16))
    print(f"{root}: {len(jobs)} images")


def unpacked(folder: Path, name: str, color: bool, image: bytes, labels: bytes) -> None:
    """Write one image and its labels as PNG files."""
    picture = np.asarray(Image.open(io.BytesIO(image)).convert("RGB"))
    halves = np.asarray(Image.open(io.BytesIO(labels)).convert("RGB")).astype(np.uint16)
    image = picture if color else expanded(picture[..., 1])
    imsave(folder / "images" / f"{name}.png", image, check_contrast=False)
    imsave(folder / "labels" / f"{name}.png", halves[..., 0] + 256 * halves[..., 1], check_contrast=False)


def main(arguments: Sequence[str]) -> int:
    """Pack or unpack."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("source", type=Path, help="the folder that holds the data sets; with --unpack, the packed file")
    parser.add_argument("target", type=Path, help="the file to write; with --unpack, the folder")
    parser.add_argument("--unpack", action="store_true")
    parser.add_argument("--sets", nargs="+", default=list(SETS), metavar="NAME")
    options = parser.parse_args(arguments)
    if options.unpack:
        unpack(options.source, options.target)
    else:
        pack(options.source, options.target, options.sets)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
