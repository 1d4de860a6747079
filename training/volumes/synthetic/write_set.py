"""Write a data set of synthetic volumes, one after another, so that a stopped run goes on where it was."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from cpunet import __version__
from cpunet.errors import DataError
from cpunet.files.formats.volume import write_volume
from cpunet.files.images import LARGEST_UINT16
from cpunet.files.mark import PROGRAM
from cpunet.files.written_beside import written_beside
from cpunet.training.data.index import DEPTH, INDEX, WRITTEN_FIELDS, write_table
from cpunet.training.volumes.data.labeled_volumes import PIXEL_SIZE, Z_STEP
from cpunet.training.volumes.synthetic.recipe import VolumeRecipe
from cpunet.training.volumes.synthetic.scene import SyntheticVolume, make_volume
from cpunet.training.volumes.synthetic.textures import read_textures

RECORD = "synthetic.json"
SPLITS = ("train", "val")
ARRANGEMENT = "arrangement"
VOLUME_FIELDS = ("id", DEPTH, *WRITTEN_FIELDS[1:], PIXEL_SIZE, Z_STEP, ARRANGEMENT)


@dataclass(frozen=True)
class SyntheticSet:
    """What makes a data set of synthetic volumes.

    Attributes
    ----------
    recipe : VolumeRecipe
    textures : tuple of Path
        Data sets of images of one plane, whose nuclei give the textures.
    train, val : int
        How many volumes each split has.
    seed : int
        From 0 on. The same one gives the same volumes.
    licence : str
        Of the images that give the textures, and so of what is made.
    """

    recipe: VolumeRecipe
    textures: tuple[Path, ...]
    train: int
    val: int
    seed: int
    licence: str


def write_synthetic_set(wanted: SyntheticSet, target: Path) -> list[str]:
    """Write volumes, labels and index.csv.

    Parameters
    ----------
    wanted : SyntheticSet
    target : Path
        A folder that does not exist, or one in which an earlier run for the same set was stopped: its volumes stay.

    Returns
    -------
    list of str
        What was done, in sentences.

    Raises
    ------
    DataError
        If the folder holds something else, or there are no textures.
    """
    _refuse_other(target)
    textures = read_textures(wanted.textures, wanted.seed)
    made = _made_before(target, _record_of(wanted, textures))
    rows = {row["id"]: row for row in made}
    names = [(split, number) for split in SPLITS for number in range(1, getattr(wanted, split) + 1)]
    for sub in ("images", "labels"):
        (target / sub).mkdir(parents=True, exist_ok=True)
    _write_record(target, wanted, textures, list(rows.values()))
    for split, number in tqdm(names, desc="make volumes", unit="volume", disable=None):
        name = f"{split}_{number:04d}"
        if name in rows:
            continue
        rng = np.random.default_rng([wanted.seed, SPLITS.index(split), number])
        rows[name] = _write_volume(make_volume(wanted.recipe, textures, rng), target, name, split)
        _write_record(target, wanted, textures, list(rows.values()))
    write_table(target, VOLUME_FIELDS, rows.values())
    count = sum(int(row["objects"]) for row in rows.values())
    before = f" {len(made)} were there from an earlier run." if made else ""
    return [
        f"{len(rows)} volumes ({wanted.train} train, {wanted.val} val), {count} objects: {target}.{before}",
        f"license: {wanted.licence} (that of the textures, from {', '.join(each.name for each in wanted.textures)}).",
    ]


def _write_volume(made: SyntheticVolume, target: Path, name: str, split: str) -> dict[str, str]:
    """Write a volume and its labels, and return its row of index.csv."""
    objects = int(made.labels.max(initial=0))
    stored = made.labels.astype(np.uint16 if objects <= LARGEST_UINT16 else np.uint32)
    software = f"{PROGRAM} {__version__}"
    write_volume(target / "labels" / f"{name}.tif", stored, made.size, software)
    write_volume(target / "images" / f"{name}.tif", made.image, made.size, software)
    depth, height, width = map(str, made.image.shape)
    return {
        "id": name,
        DEPTH: depth,
        "height": height,
        "width": width,
        "dtype": str(made.image.dtype),
        "channels": "1",
        "objects": str(objects),
        "modality": "fluorescence",
        "split": split,
        PIXEL_SIZE: str(made.size.pixel_size_um),
        Z_STEP: str(made.size.z_step_um),
        ARRANGEMENT: made.arrangement,
    }


def _record_of(wanted: SyntheticSet, textures: NDArray[np.float32]) -> dict[str, Any]:
    """Return what the volumes depend on, as plain content."""
    return {
        "made_by": f"{PROGRAM} {__version__}",
        "seed": wanted.seed,
        "train": wanted.train,
        "val": wanted.val,
        "licence": wanted.licence,
        "textures": {
            "sets": [folder.resolve().name for folder in wanted.textures],
            "count": len(textures),
            "sha256": hashlib.sha256(np.ascontiguousarray(textures).tobytes()).hexdigest(),
        },
        "recipe": json.loads(json.dumps(asdict(wanted.recipe))),
    }


def _write_record(
    target: Path, wanted: SyntheticSet, textures: NDArray[np.float32], rows: Sequence[dict[str, str]]
) -> None:
    with written_beside(target / RECORD) as beside:
        text = json.dumps({"set": _record_of(wanted, textures), "volumes": rows}, indent=1)
        beside.write_text(text + "\n", encoding="utf-8")


def _refuse_other(target: Path) -> None:
    """Raise DataError if a folder is no place for a set of synthetic volumes, or holds a finished one."""
    if (target / INDEX).exists():
        raise DataError(f"{target}: this data set is finished. Name a folder that does not exist, or remove it first.")
    if target.exists() and not (target / RECORD).is_file() and (not target.is_dir() or any(target.iterdir())):
        raise DataError(f"{target}: this holds something else. Name a folder that does not exist.")


def _made_before(target: Path, record: Mapping[str, Any]) -> list[dict[str, str]]:
    """Return the rows of the volumes that an earlier run wrote; DataError if it was for another set."""
    if not (target / RECORD).is_file():
        return []
    try:
        content = json.loads((target / RECORD).read_text(encoding="utf-8"))
        found, rows = (
            content["set"],
            [{str(name): str(cell) for name, cell in row.items()} for row in content["volumes"]],
        )
        differing = [name for name in record if found.get(name) != record[name]]
        names = [row["id"] for row in rows]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise DataError(f"{target / RECORD}: this cannot be read ({error}). Name another folder.") from error
    if differing:
        raise DataError(
            f"{target}: an earlier run for another set was stopped here; they differ in {', '.join(differing)}. Say "
            "the same options, or name another folder."
        )
    missing = [
        name for name in names if not all((target / sub / f"{name}.tif").is_file() for sub in ("images", "labels"))
    ]
    return [row for row in rows if row["id"] not in missing]
