"""Public data sets, from their publisher into the project's layout."""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from cpunet.errors import DataError
from cpunet.files.images import gray_of_equal_colors, read_image
from cpunet.files.written_beside import written_beside
from cpunet.training.importing.by_name import pair_by_name
from cpunet.training.importing.data_set import ImportOptions, import_pairs
from cpunet.training.importing.fetch import fetch
from cpunet.training.importing.label_files import read_labels
from cpunet.training.importing.pairs import Pair, Pairing, pair_mask_folders
from cpunet.training.importing.unpack import unpack

SUMS = "SHA256SUMS"
PUBLISHED_SPLITS = {"training": "train", "validation": "val", "test": "test"}


@dataclass(frozen=True)
class PublicSet:
    """A public data set.

    Attributes
    ----------
    name : str
    address : str
        Folder of its archives on the publisher's server; ends in a slash.
    archives : dict of str to str
        SHA-256 of each archive.
    licence, citation : str
    """

    name: str
    address: str
    archives: Mapping[str, str]
    licence: str
    citation: str


# The publisher gives no sums. These are of the files as many projects have them; four or more independent public
# repositories wrote each of them down (for BBBC039's images and masks torch-em, in bbbc039.py).
PUBLIC_SETS = {
    "bbbc038": PublicSet(
        "bbbc038",
        "https://data.broadinstitute.org/bbbc/BBBC038/",
        {"stage1_train.zip": "dcb6edc2690f137406638b2309581a71522c4dff19157d118453b448dcddcb68"},
        "CC0",
        "Caicedo et al., Nature Methods 16, 1247 (2019), doi:10.1038/s41592-019-0612-7",
    ),
    "bbbc039": PublicSet(
        "bbbc039",
        "https://data.broadinstitute.org/bbbc/BBBC039/",
        {
            "images.zip": "6f30a5d4fe38c928ded972704f085975f8dc0d65d9aa366df00e5a9d449fddd7",
            "masks.zip": "f9e6043d8ca56344a4886f96a700d804d6ee982f31e2b2cd3194af2a053c2710",
            "metadata.zip": "a2c1f900bed9ba92a99553efd4c2ae98598433691c7401d818653ab61110deb2",
        },
        "CC0",
        "Caicedo et al., Cytometry A 95, 952 (2019), doi:10.1002/cyto.a.23863",
    ),
}


def with_sums(public: PublicSet, sums: Mapping[str, str]) -> PublicSet:
    """Return a public set whose archives must have other SHA-256; DataError if it has no such archive."""
    unknown = sorted(sums.keys() - public.archives.keys())
    if unknown:
        raise DataError(f"--sha256 {unknown[0]}: {public.name} has the archives {', '.join(public.archives)}.")
    return replace(public, archives={**public.archives, **sums})


def download(
    public: PublicSet, target: Path, archives: Path, address: str | None = None, options: ImportOptions | None = None
) -> list[str]:
    """Download a public data set and import it with its published split.

    Parameters
    ----------
    public : PublicSet
    target : Path
        A folder that does not exist yet.
    archives : Path
        Folder for the archives and their sums; existing ones are not downloaded again.
    address : str, optional
        A mirror's folder instead of the publisher's.
    options : ImportOptions, optional

    Returns
    -------
    list of str
        What was done, in sentences.
    """
    if target.exists():
        raise DataError(f"{target}: this exists already. Name a folder that does not, or remove it first.")
    sums = "".join(f"{expected}  {name}\n" for name, expected in sorted(public.archives.items()))
    if (archives / SUMS).exists() and (archives / SUMS).read_text(encoding="utf-8", errors="replace") != sums:
        raise DataError(f"{archives / SUMS} holds other sums than those of {public.name}. Choose another --archives.")
    options = options or ImportOptions()
    base = (address or public.address).rstrip("/") + "/"
    for name, expected in public.archives.items():
        fetch(base + name, archives / name, expected)
    with written_beside(archives / SUMS) as beside:
        beside.write_text(sums, encoding="utf-8")
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{target.name}.", dir=target.parent) as folder:
        for name in public.archives:
            unpacked = Path(folder) / Path(name).stem
            unpacked.mkdir()
            unpack(archives / name, unpacked)
        pairing = PAIRED[public.name](Path(folder))
        notes = import_pairs([pairing], target, options)
    return [
        *notes,
        f"archives and {SUMS}: {archives} (may be removed). The publisher gives no sums; those that these files had to "
        "match were written down by others who downloaded them.",
        f"license: {public.licence}. Cite {public.citation}.",
    ]


def _pair_bbbc038(folder: Path) -> Pairing:
    """Pair stage1_train; the modality is derived from the pixels, since the publisher does not give it."""
    pairing = pair_mask_folders(folder / "stage1_train")
    if not pairing.pairs:
        pairing = pair_mask_folders(folder / "stage1_train" / "stage1_train")
    pairs = tuple(replace(pair, cells={"modality": modality_of(pair)}) for pair in pairing.pairs)
    notes = (*pairing.notes, "modality: determined from the pixels, because the publisher does not give it. Check it.")
    return replace(pairing, pairs=pairs, notes=notes)


def modality_of(pair: Pair) -> str:
    """Return the modality of an image of the Data Science Bowl 2018, which has one mask an object.

    ``brightfield_colour`` if it has colors; else ``fluorescence`` if objects are brighter than the background, and
    ``brightfield_grey`` if not.
    """
    image = read_image(pair.image)
    image = gray_of_equal_colors(image[..., :3] if image.ndim == 3 else image)
    if image.ndim == 3:
        return "brightfield_colour"
    inside = read_labels(pair.labels, "masks").labels > 0
    if inside.all() or not inside.any():
        return "fluorescence"
    return "fluorescence" if np.mean(image[inside]) > np.mean(image[~inside]) else "brightfield_grey"


def _pair_bbbc039(folder: Path) -> Pairing:
    """Pair BBBC039 as its publisher does: labels from the first channel of the masks, and three lists of names."""
    pairing = pair_by_name(folder / "images" / "images", folder / "masks" / "masks", "first-channel")
    split_of = {}
    for name, split in PUBLISHED_SPLITS.items():
        path = folder / "metadata" / "metadata" / f"{name}.txt"
        if not path.is_file():
            raise DataError(f"metadata.zip: it does not hold metadata/{name}.txt, the published split.")
        lines = path.read_text(encoding="utf-8").split()
        split_of.update({Path(line).stem: split for line in lines})
    strange = [pair.id for pair in pairing.pairs if pair.id not in split_of]
    if strange:
        raise DataError(f"metadata.zip: {strange[0]} has no published split, nor have {len(strange) - 1} others.")
    # The publisher's names go on with _w1 and a random text, which alone tells two fields of two plates apart.
    count = Counter(_short(pair.id) for pair in pairing.pairs)
    pairs = tuple(
        replace(
            pair,
            id=_short(pair.id) if count[_short(pair.id)] == 1 else pair.id,
            cells={"modality": "fluorescence", "split": split_of[pair.id]},
        )
        for pair in pairing.pairs
    )
    return replace(pairing, pairs=pairs, notes=("labels: colors, in the first channel, as the publisher reads them.",))


def _short(name: str) -> str:
    return name.partition("_w1")[0]


PAIRED = {"bbbc038": _pair_bbbc038, "bbbc039": _pair_bbbc039}
