"""The card of a file that chooses among the objects of several models: which models, by which features."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Dict, Sequence, Tuple

from cpunet.errors import ModelError
from cpunet.model.card import check_card_version
from cpunet.model.card_limits import read_content
from cpunet.onnx_reader.metadata import CHOOSER_KEY, metadata_of, read_metadata
from cpunet.onnx_reader.model_file import ModelFile
from cpunet.plain_content import dataclass_from

CHOOSER_VERSION = "1.0"
MOST_MODELS = 16
# Below it, a candidate is taken for no object.
LEAST_PREDICTED_IOU = 0.3
# Of two candidates that share more than this part of the smaller one, the better one is kept.
MOST_SHARED = 0.5


@dataclass(frozen=True)
class ListedModel:
    """One of the models that are chosen among.

    Attributes
    ----------
    name, version : str
        As in its model card.
    sha256 : str
        Of its file, hexadecimal.
    """

    name: str
    version: str
    sha256: str


@dataclass(frozen=True)
class ChooserCard:
    """What a file that chooses says of itself.

    Attributes
    ----------
    features : tuple of str
        What is measured of each candidate, in the order of the input.
    models : tuple of ListedModel
        In the order of which the features tell them apart; two or more.
    least_predicted_iou : float
        0..1; candidates with a lower predicted IoU are dropped.
    most_shared : float
        0..1; of two candidates that share a larger part of the smaller one, that with the lower predicted IoU is
        dropped.
    provenance : dict
        What it was learned on, and by which command.
    scores : dict
        What choosing gained, cross-validated over images.
    """

    features: Tuple[str, ...]
    models: Tuple[ListedModel, ...]
    least_predicted_iou: float = LEAST_PREDICTED_IOU
    most_shared: float = MOST_SHARED
    provenance: Dict[str, Any] = field(default_factory=dict)
    scores: Dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not 2 <= len(self.models) <= MOST_MODELS:
            raise ModelError(
                f"A file that chooses names 2 to {MOST_MODELS} models; this one names {len(self.models)}. Learn it "
                "again with `cpunet combine`."
            )
        if len({each.sha256 for each in self.models}) < len(self.models):
            raise ModelError(
                f"A file that chooses names each model once; this one names {listed(self.models)}. Learn it again with "
                "`cpunet combine`."
            )
        for name in ("least_predicted_iou", "most_shared"):
            if not 0 <= getattr(self, name) <= 1:
                raise ModelError(
                    f"The {name} of a file that chooses must lie between 0 and 1; it is {getattr(self, name)}. Learn "
                    "it again with `cpunet combine`."
                )


def listed(models: Sequence[ListedModel]) -> str:
    """Return the names of models with the beginning of their sums, for a message."""
    return ", ".join(f"{each.name} {each.version} (SHA-256 {each.sha256[:12]}...)" for each in models)


def chooser_card_to_json(card: ChooserCard) -> str:
    """Write the card as JSON for the metadata of an ONNX file, always in the same bytes."""
    return json.dumps({**asdict(card), "card_version": CHOOSER_VERSION}, sort_keys=True)


def chooser_card_from_json(text: str) -> ChooserCard:
    """Read the card from an untrusted file; ModelError if it cannot be used."""
    content = read_content(text)
    if not isinstance(content, dict):
        raise ModelError("The card of a file that chooses is not a JSON object. Learn it again with `cpunet combine`.")
    content = dict(content)
    check_card_version(content.pop("card_version", None))
    return dataclass_from(ChooserCard, content, ModelError, "The card of the file that chooses: ")


def chooser_card_of(file: ModelFile) -> ChooserCard:
    """Return the card of a file that was read; ModelError if it is none that chooses."""
    return _card_in(file.path, metadata_of(file))


def read_chooser_card(path: Path) -> ChooserCard:
    """Read the card of a file without its trees; ModelError if it is none that chooses."""
    return _card_in(path, read_metadata(path))


def _card_in(path: Path, metadata: Dict[str, str]) -> ChooserCard:
    if CHOOSER_KEY not in metadata:
        raise ModelError(
            f"{path}: this is no file that chooses among models. `cpunet combine` writes one from your models and some "
            "labeled images."
        )
    try:
        return chooser_card_from_json(metadata[CHOOSER_KEY])
    except ModelError as error:
        raise ModelError(f"{path}: {error}") from None
