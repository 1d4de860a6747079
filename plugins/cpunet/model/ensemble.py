"""Average the probabilities of several models, so that the others outvote the mistake of one."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, Dict, Sequence, Tuple

import numpy as np
import numpy.typing as npt

from cpunet.errors import ModelError
from cpunet.model.card import IMAGES, INSTANCES, OF_INSTANCES, InputCard, ModelCard, OutputCard, Postprocessing
from cpunet.model.protocol import Model


@dataclass(frozen=True)
class ModelEnsemble:
    """Models that act as one, with one card for all; made by `average_models`."""

    models: Tuple[Model, ...]
    card: ModelCard

    @property
    def provider(self) -> str:
        """The onnxruntime providers that the models really run on, each once."""
        names = [str(getattr(model, "provider", "")) for model in self.models]
        return ", ".join(dict.fromkeys(name for name in names if name))

    def needed_bytes(self, shape: Tuple[int, ...]) -> int:
        """Add up what the models take for an input of this shape, bytes: each keeps its memory while the others run."""
        return sum(model.needed_bytes(shape) for model in self.models)  # type: ignore[attr-defined]

    def predict(self, batch: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Turn (N, C, Y, X) or (N, C, Z, Y, X) into the mean of the models' probabilities, role by role."""
        roles = self.card.output.roles
        total = np.zeros((len(batch), len(roles), *batch.shape[2:]), np.float32)
        for model in self.models:
            own = model.card.output.roles
            total += model.predict(batch)[:, [own.index(role) for role in roles]]
        total /= np.float32(len(self.models))
        return total


def average_models(models: Sequence[Model]) -> ModelEnsemble:
    """Make one model of several, with the card that `average_cards` gives; ValueError where that raises it."""
    return ModelEnsemble(tuple(models), average_cards([model.card for model in models]))


def mean_model(models: Sequence[Model]) -> Model:
    """Return the only model, or the mean of several; ValueError where `average_models` raises it."""
    return models[0] if len(models) == 1 else average_models(models)


def average_cards(cards: Sequence[ModelCard]) -> ModelCard:
    """Make the card of several models that are averaged.

    Parameters
    ----------
    cards : sequence of ModelCard
        All must take the same channels, normalized alike, and give the same roles, in any order. Networks that take
        tiles of one size only must agree in it. Networks of volumes must agree in their z step.

    Returns
    -------
    ModelCard
        Halo and smallest size: the largest of all. Divisibility: the least common multiple. Thresholds and smallest
        areas: the means, since they were tuned for each model alone; that of the outlines' level, if all have one. All
        models see an image at one scale, so the range of diameters is the one that all know; the trained diameter is
        the geometric mean, brought into it.

    Raises
    ------
    ValueError
        If there is no model, one gives objects, or two differ in dimensions, z step, channels, normalization, roles or
        their only tile size, or share no diameter.
    """
    if not cards:
        raise ModelError("There is no model to average; choose one at least.")
    first = cards[0]
    of_objects = [card.name for card in cards if card.output.kind == INSTANCES]
    if of_objects:
        raise ModelError(
            f"The model {of_objects[0]} gives objects and no probabilities, so it cannot be averaged with others. "
            "Choose it alone, or average models that give probabilities, or combine them object by object with a file "
            "of `cpunet combine`."
        )
    for card in cards[1:]:
        _check_dimensions(first, card)
        _check_alike(first, card, "channels", first.input.channels, card.input.channels)
        _check_alike(first, card, "normalization", first.input.normalization, card.input.normalization)
        _check_alike(first, card, "tile sizes", first.input.tile_shape, card.input.tile_shape)
        _check_alike(first, card, "output roles", sorted(first.output.roles), sorted(card.output.roles))
    return ModelCard(
        name=" + ".join(card.name for card in cards),
        version=" + ".join(card.version for card in cards),
        description="The mean of " + ", ".join(f"{card.name} {card.version}" for card in cards) + ".",
        licence=", ".join(dict.fromkeys(card.licence for card in cards)),
        input=_common_input([card.input for card in cards], [card.name for card in cards]),
        output=OutputCard(
            first.output.roles,
            max(card.output.halo for card in cards),
            halo_planes=max(card.output.halo_planes for card in cards),
        ),
        postprocessing=_mean_settings([card.postprocessing for card in cards]),
        authors=tuple(dict.fromkeys(author for card in cards for author in card.authors)),
        citation="\n".join(dict.fromkeys(card.citation for card in cards if card.citation)),
    )


def _common_input(inputs: Sequence[InputCard], names: Sequence[str]) -> InputCard:
    low, high = max(card.diameter_low_px for card in inputs), min(card.diameter_high_px for card in inputs)
    if low > high:
        ranges = "; ".join(
            f"{name}: {card.diameter_low_px:g} to {card.diameter_high_px:g}" for name, card in zip(names, inputs)
        )
        raise ModelError(
            "These models cannot be averaged: no object diameter is known to all of them, and all see the image "
            f"at the same scale ({ranges} pixels). Choose models that were trained on objects of similar size."
        )
    mean = float(np.prod([card.diameter_px for card in inputs]) ** (1 / len(inputs)))
    pixel_sizes = {card.pixel_size_um for card in inputs}
    return InputCard(
        channels=inputs[0].channels,
        divisible_by=int(np.lcm.reduce([card.divisible_by for card in inputs])),
        min_size=max(card.min_size for card in inputs),
        normalization=inputs[0].normalization,
        diameter_px=min(max(mean, low), high),
        diameter_low_px=low,
        diameter_high_px=high,
        modality=", ".join(dict.fromkeys(card.modality for card in inputs)),
        pixel_size_um=pixel_sizes.pop() if len(pixel_sizes) == 1 else None,
        tile_shape=inputs[0].tile_shape,
        dimensions=inputs[0].dimensions,
        z_step_px=inputs[0].z_step_px,
        divisible_by_planes=int(np.lcm.reduce([card.divisible_by_planes for card in inputs])),
        min_planes=max(card.min_planes for card in inputs),
    )


def _mean_settings(settings: Sequence[Postprocessing]) -> Postprocessing:
    others = ("fill_holes", "outline_level", *OF_INSTANCES["postprocessing"])
    numbers = [each.name for each in fields(Postprocessing) if each.name not in others]
    means: Dict[str, Any] = {name: float(np.mean([getattr(each, name) for each in settings])) for name in numbers}
    levels = [each.outline_level for each in settings if each.outline_level is not None]
    level = float(np.mean(levels)) if len(levels) == len(settings) else None
    return Postprocessing(**means, fill_holes=any(each.fill_holes for each in settings), outline_level=level)


def _check_dimensions(first: ModelCard, other: ModelCard) -> None:
    """Refuse to average models of images with models of volumes, or models of volumes of other proportions."""
    if first.input.dimensions != other.input.dimensions:
        planar, volumetric = (first, other) if first.input.dimensions == IMAGES else (other, first)
        raise ModelError(
            f"The models {planar.name} and {volumetric.name} cannot be averaged: {planar.name} sees images (2-D), and "
            f"{volumetric.name} sees volumes (3-D). Choose models of one kind."
        )
    _check_alike(first, other, "z steps", first.input.z_step_px, other.input.z_step_px)


def _check_alike(first: ModelCard, other: ModelCard, what: str, wanted: Any, found: Any) -> None:
    if wanted != found:
        raise ModelError(
            f"The models {first.name} and {other.name} cannot be averaged: their {what} differ. {first.name} has "
            f"{_words(wanted)}; {other.name} has {_words(found)}. Choose models that agree."
        )


def _words(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, (list, tuple)) else str(value)
