"""Which images of a set are new to a model that was trained on the other sets, and which sets a model has seen."""

import re
from pathlib import Path
from typing import List, Optional, Sequence, Set, TypeVar

from benchmarks.labeled_images import index_rows
from cpunet.model.card import ModelCard
from cpunet.model.find import list_models
from cpunet.onnx_reader.metadata import read_card

SETS = ("dsb2018", "bbbc039", "mnfinder", "aitslab")
MODALITY = "fluorescence"
Chosen = TypeVar("Chosen")
# BBBC039 calls the image IXMtest_K12_s7 by IXMtest_K12_s7_w1 and a random suffix where another set names it.
PUBLISHED_SUFFIX = re.compile(r"_w1[0-9A-Fa-f-]*$")


def new_images(root: Path, name: str) -> List[str]:
    """Name the fluorescence images of a set that no model knows which was trained on the other sets, in order.

    Left out are the split ``excluded``, and images that another set holds too, unless its copy is ``excluded`` there.

    Parameters
    ----------
    root : Path
        Holds the data sets; those of `SETS` that are missing are not searched for copies.
    name : str
        One of `SETS`.
    """
    copied: Set[str] = set()
    for other in set(SETS) - {name}:
        if (root / other / "index.csv").exists():
            rows = [row for row in index_rows(root / other, MODALITY) if row["split"] != "excluded"]
            copied |= {_id_of_copy(row["duplicate_of"]) for row in rows if row.get("duplicate_of")}
    return [
        row["id"]
        for row in index_rows(root / name, MODALITY)
        if row["split"] != "excluded" and not row.get("duplicate_of") and row["id"] not in copied
    ]


def some_of(images: Sequence[Chosen], count: Optional[int]) -> Sequence[Chosen]:
    """Choose about `count` images, evenly; all if it is None.

    >>> some_of(["a", "b", "c", "d", "e"], 2)
    ['a', 'c']
    """
    return images if count is None else images[:: max(1, len(images) // count)][:count]


def sets_seen(card: ModelCard) -> Set[str]:
    """Return the folders of the sets that a model was trained on, and of those of the model that it started from."""
    seen = {str(each.get("name", "")).split(" ")[0] for each in card.provenance.get("data", [])}
    start = list_models().get(card.provenance.get("start_from", {}).get("name", ""))
    return seen if start is None else seen | sets_seen(read_card(start))


def _id_of_copy(duplicate_of: str) -> str:
    return PUBLISHED_SUFFIX.sub("", duplicate_of.rpartition("/")[2])
