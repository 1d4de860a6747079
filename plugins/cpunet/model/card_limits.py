"""Read a model card from an untrusted file: its size is limited before it is parsed, and its values afterward."""

from __future__ import annotations

import json
import re
from typing import Any, Dict, List, Tuple

from cpunet.errors import ModelError
from cpunet.model.card import LARGEST_Z_STEP_PX, ModelCard, card_from_content

LARGEST_CARD_CHARACTERS = 2**20
DEEPEST_NESTING = 32
# Older Pythons take minutes for a number of a million digits.
LONGEST_NUMBER, LONGEST_VERSION = 20, 20
LONGEST_MESSAGE = 600
MOST_CHANNELS = 64
LARGEST_TILE_PX = 4096
# Larger values would fill the memory or make no sense. No U-Net comes near them.
LARGEST: Dict[str, Dict[str, float]] = {
    "input": {
        "divisible_by": 1024,
        "min_size": 1024,
        "diameter_px": 1e5,
        "diameter_low_px": 1e5,
        "diameter_high_px": 1e5,
        "pixel_size_um": 1e5,
        "z_step_px": LARGEST_Z_STEP_PX,
        "divisible_by_planes": 1024,
        "min_planes": 1024,
    },
    "output": {"halo": 1024, "halo_planes": 1024},
    "postprocessing": {"marker_min_size_px": 1e9, "min_size_px": 1e9, "dilation_px": 1000, "max_objects": 10_000},
}
# Control characters, which can change a terminal, and lone surrogates, which cannot be printed or written.
_UNPRINTABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff]")


def card_from_json(text: str) -> ModelCard:
    """Read a model card from an untrusted file.

    Parameters
    ----------
    text : str
        JSON.

    Raises
    ------
    ModelError
        If the text is too long, too deeply nested or not a card, holds characters that cannot be printed, or asks
        for sizes that would fill the memory.
    """
    try:
        content = read_content(text)
        card = card_from_content(content)
        _check_sizes(card)
    except ModelError as error:
        message = str(error)
        raise ModelError(message if len(message) <= LONGEST_MESSAGE else f"{message[:LONGEST_MESSAGE]}...") from None
    return card


def read_content(text: str) -> object:
    """Return the content of a card, JSON of an untrusted file; ModelError where `card_from_json` raises it for this."""
    if len(text) > LARGEST_CARD_CHARACTERS:
        raise ModelError(
            f"The model card has {len(text)} characters; {LARGEST_CARD_CHARACTERS} at most are read. Export the model "
            "again with a shorter provenance."
        )
    try:
        content: object = json.loads(text, parse_int=_short_number)
    except ModelError:
        raise
    except (ValueError, RecursionError) as error:
        raise ModelError(f"The model card is not readable JSON: {error}.") from None
    left: List[Tuple[Any, int]] = [(content, 1)]
    while left:
        value, depth = left.pop()
        if depth > DEEPEST_NESTING:
            raise ModelError(f"The model card is nested more than {DEEPEST_NESTING} deep. Export the model again.")
        if isinstance(value, dict):
            left.extend((part, depth + 1) for part in value.values())
            left.extend((key, depth) for key in value)
        elif isinstance(value, list):
            left.extend((part, depth + 1) for part in value)
        elif isinstance(value, str) and _UNPRINTABLE.search(value):
            raise ModelError(
                f"The model card holds characters that cannot be printed: {value[:80]!a}. Export the model again."
            )
    version = content.get("card_version") if isinstance(content, dict) else None
    if isinstance(version, str) and len(version) > LONGEST_VERSION:
        raise ModelError(f"The model card's version is {version!r}; it should be a text such as '1.0'.")
    return content


def _short_number(digits: str) -> int:
    if len(digits) > LONGEST_NUMBER:
        raise ModelError(f"The model card holds a number of {len(digits)} digits. Export the model again.")
    return int(digits)


def _check_sizes(card: ModelCard) -> None:
    if len(card.input.channels) > MOST_CHANNELS:
        raise ModelError(
            f"The model card names {len(card.input.channels)} input channels; {MOST_CHANNELS} at most can be."
        )
    if any(side > LARGEST_TILE_PX for side in card.input.tile_shape or ()):
        raise ModelError(
            f"The model card's input.tile_shape is {list(card.input.tile_shape or ())}; {LARGEST_TILE_PX} pixels a "
            "side at most can be. Export the network again with dynamic axes."
        )
    for section, bounds in LARGEST.items():
        for name, largest in bounds.items():
            value = getattr(getattr(card, section), name)
            if value is not None and not value <= largest:  # so that NaN is refused too
                raise ModelError(
                    f"The model card's {section}.{name} is {value}; {largest:g} at most can be. Export the model again."
                )
