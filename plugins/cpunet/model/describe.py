"""Describe a model in a few lines."""

from __future__ import annotations

from pathlib import Path
from typing import List

from cpunet.model.card import PROBABILITIES, VOLUMES, ModelCard
from cpunet.onnx_reader.metadata import sha256


def describe(name: str, path: Path, card: ModelCard) -> List[str]:
    """Return lines on what a model is for.

    Parameters
    ----------
    name : str
        The name by which it was chosen, which may differ from the card's; empty for a file chosen by its path.
    path : Path
    card : ModelCard
    """
    low, middle, high = card.input.diameter_low_px, card.input.diameter_px, card.input.diameter_high_px
    scores = [
        f"{data}: " + ", ".join(f"{score} {value:.3f}" for score, value in values.items() if isinstance(value, float))
        for data, values in card.scores.items()
        if isinstance(values, dict)
    ]
    level, shift_px = card.postprocessing.outline_level, card.postprocessing.outline_shift_px
    own_name = f"{card.name} {card.version}".rstrip()
    return [
        own_name if name in ("", card.name) else f"{name} (its card: {own_name})",
        *[f"    {line}" for line in card.description.splitlines()],
        f"    takes     {of_volumes(card)}{', '.join(card.input.channels)} ({card.input.modality}); objects of "
        f"{low:.0f} to {high:.0f} pixels, trained at {middle:.0f}{z_step(card)}",
        f"    gives     {what_it_gives(card)}",
        *([] if level is None else [f"    outlines  at level {level:g}, from background (0) to inside (1)"]),
        *([f"    outlines  moved outward by {shift_px:g} pixels"] if shift_px else []),
        *[f"    scores    {line}" for line in scores],
        f"    license   {card.licence}",
        f"    file      {path}",
        f"    sha256    {sha256(path)}",
    ]


def of_volumes(card: ModelCard) -> str:
    """Say before other words that a model is one of volumes; '' for a model of images."""
    return "3-D volumes of " if card.input.dimensions == VOLUMES else ""


def z_step(card: ModelCard) -> str:
    """Say behind other words how far the planes of volumes lay apart in training; '' for a model of images."""
    return "" if card.input.z_step_px is None else f"; planes {card.input.z_step_px:g} pixels apart"


def what_it_gives(card: ModelCard) -> str:
    """Say in words what a model computes."""
    if card.output.kind == PROBABILITIES:
        return ", ".join(card.output.roles)
    settings = card.postprocessing
    return f"objects with their scores, {settings.score_threshold:g} and more; at most {settings.max_objects} in a tile"
