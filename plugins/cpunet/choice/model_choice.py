"""Several models, of whose objects the best are chosen: one model to all that segments images."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, List, Optional, Sequence, Tuple, Union

import numpy as np
import numpy.typing as npt

from cpunet.choice.chooser import Chooser, in_order_of_card
from cpunet.choice.features import FoundByModel
from cpunet.errors import ModelError
from cpunet.model.card import VOLUMES, InputCard, ModelCard, Normalization, OutputCard, Postprocessing
from cpunet.model.ensemble import mean_model
from cpunet.model.protocol import Model
from cpunet.segmentation import Segmentation
from cpunet.steps.declump import foreground_probability, probabilities_by_role
from cpunet.steps.filters import relabel
from cpunet.steps.linking.link import link_planes
from cpunet.steps.pixels.channels import COLORS
from cpunet.steps.planes import confidence_of_linked

ROLE = "foreground"
# Ends the name of models that are chosen among, also in the measurements.
CHOSEN = ", chosen per object"


@dataclass(frozen=True)
class ModelChoice:
    """Models that each segment an image by their own card, and what chooses among their objects.

    Attributes
    ----------
    models : tuple of Model
        In the order of the chooser's card.
    chooser : Chooser
    card : ModelCard
        What the image must be for all models, and what the result is: one role, the foreground.
    """

    models: Tuple[Model, ...]
    chooser: Chooser
    card: ModelCard

    @property
    def provider(self) -> str:
        """The onnxruntime providers that the models really run on, each once."""
        names = [str(getattr(model, "provider", "")) for model in self.models]
        return ", ".join(dict.fromkeys(name for name in names if name))


def combined_model(models: Sequence[Model], chooser: Optional[Chooser]) -> Union[Model, ModelChoice]:
    """Return the only model, the mean of several, or with a chooser the choice among them.

    Raises ModelError if they cannot be averaged, or are not those of the chooser.
    """
    return mean_model(models) if chooser is None else choice_of(models, chooser)


def choice_of(models: Sequence[Model], chooser: Chooser) -> ModelChoice:
    """Put models, given in any order, and what chooses among them together; ModelError if they do not fit."""
    names, sums = [model.card.name for model in models], [str(getattr(model, "sha256", "")) for model in models]
    order = in_order_of_card(chooser.path, chooser.card, sums, names)
    chosen = tuple(models[place] for place in order)
    return ModelChoice(chosen, chooser, choice_card([model.card for model in chosen]))


def choice_card(cards: Sequence[ModelCard]) -> ModelCard:
    """Make the card of several models that are chosen among.

    Parameters
    ----------
    cards : sequence of ModelCard
        They may differ in scale, normalization and roles. All must take the same channels, or gray images; a model of
        colors takes these too.

    Raises
    ------
    ModelError
        If one sees volumes, or they take different channels, or read images that are not normalized in different units.
    """
    of_volumes = [card.name for card in cards if card.input.dimensions == VOLUMES]
    if of_volumes:
        raise ModelError(
            f"The model {of_volumes[0]} sees volumes (3-D), and objects are chosen among models of images alone. "
            "Choose it alone, or average it with other models of volumes."
        )
    several = [card for card in cards if card.input.channels != COLORS]
    first = several[0] if several else cards[0]
    for card in cards:
        one_gray = len(first.input.channels) == 1 and (card.input.channels == COLORS or len(card.input.channels) == 1)
        if card.input.channels != first.input.channels and not one_gray:
            raise ModelError(
                f"The models {first.name} and {card.name} cannot be combined: {first.name} takes the channels "
                f"{', '.join(first.input.channels)}, and {card.name} {', '.join(card.input.channels)}. Choose models "
                "that take the same images."
            )
    inputs = [card.input for card in cards]
    return ModelCard(
        name=" + ".join(card.name for card in cards) + CHOSEN,
        version=" + ".join(card.version for card in cards),
        description="Of the objects that " + ", ".join(card.name for card in cards) + " find, the best are chosen.",
        licence=", ".join(dict.fromkeys(card.licence for card in cards)),
        input=InputCard(
            channels=first.input.channels,
            divisible_by=int(np.lcm.reduce([each.divisible_by for each in inputs])),
            min_size=max(each.min_size for each in inputs),
            normalization=_units_of_all(cards),
            diameter_px=float(np.median([each.diameter_px for each in inputs])),
            diameter_low_px=min(each.diameter_low_px for each in inputs),
            diameter_high_px=max(each.diameter_high_px for each in inputs),
            modality=", ".join(dict.fromkeys(each.modality for each in inputs)),
        ),
        output=OutputCard((ROLE,), max(card.output.halo for card in cards)),
        postprocessing=Postprocessing(),
        authors=tuple(dict.fromkeys(author for card in cards for author in card.authors)),
        citation="\n".join(dict.fromkeys(card.citation for card in cards if card.citation)),
    )


def _units_of_all(cards: Sequence[ModelCard]) -> Normalization:
    """Return a normalization whose units suit all models; percentiles, and mean and deviation, need none."""
    by_units = [card for card in cards if card.input.normalization.kind == "none"]
    for card in by_units[1:]:
        if card.input.normalization.reads_zero_to_one != by_units[0].input.normalization.reads_zero_to_one:
            raise ModelError(
                f"The models {by_units[0].name} and {card.name} cannot be combined: one reads the numbers of the "
                "files, and the other numbers from 0 to 1. Choose models that normalize images, or read the same units."
            )
    return (by_units or list(cards))[0].input.normalization


def choose_in_image(found: Sequence[Segmentation], choice: ModelChoice) -> Segmentation:
    """Choose among what the models found in an image, each by its own card.

    Returns
    -------
    Segmentation
        The probability is the mean of the models' foregrounds; the confidence is the predicted IoU. The scale is that
        of the first model.
    """
    parts = _found_by_models(found, choice)
    chosen = choice.chooser.choose(parts)
    return _segmentation(found, parts, chosen.labels, chosen.predicted_iou)


def choose_in_stack(found: Sequence[Segmentation], choice: ModelChoice, stack: npt.NDArray[Any]) -> Segmentation:
    """Choose among what the models found in a stack (Z, Y, X) or (Z, Y, X, C), plane by plane, and link them anew.

    The confidence of an object is the mean predicted IoU of its regions in the planes, weighted by their pixels.
    """
    parts = _found_by_models(found, choice)
    labels, of_planes = np.zeros(parts[0].labels.shape, np.int32), []
    for z in range(len(labels)):
        chosen = choice.chooser.choose([_plane(each, z) for each in parts])
        labels[z] = chosen.labels
        of_planes.append(chosen.predicted_iou)
    linked = link_planes(labels, stack)
    return _segmentation(found, parts, linked, confidence_of_linked(labels, linked, of_planes))


def _plane(found: FoundByModel, z: int) -> FoundByModel:
    numbers = np.unique(found.labels[z][found.labels[z] > 0])
    confidence = None if found.confidence is None else found.confidence[numbers - 1]
    return FoundByModel(relabel(found.labels[z]), found.foreground[z], confidence)


def _found_by_models(found: Sequence[Segmentation], choice: ModelChoice) -> List[FoundByModel]:
    return [
        FoundByModel(each.labels, foreground_of(each, model.card), each.confidence)
        for each, model in zip(found, choice.models)
    ]


def foreground_of(found: Segmentation, card: ModelCard) -> npt.NDArray[np.float32]:
    """Return the probability that a pixel lies in an object; of a model of boundaries alone, 1 in its objects."""
    if not {"foreground", "interior"} & set(card.output.roles):
        return (found.labels > 0).astype(np.float32)
    return foreground_probability(probabilities_by_role(found.probabilities, card.output.roles))


def _segmentation(
    found: Sequence[Segmentation],
    parts: Sequence[FoundByModel],
    labels: npt.NDArray[np.int32],
    predicted_iou: Optional[npt.NDArray[np.float32]],
) -> Segmentation:
    total = np.zeros((1, *labels.shape), np.float32)
    for each in parts:
        total += each.foreground
    total /= np.float32(len(parts))
    masks = [each.usable for each in found if each.usable is not None]
    usable = np.logical_and.reduce(masks) if masks else None
    notes = tuple(dict.fromkeys(note for each in found for note in each.notes))
    return Segmentation(labels, total, found[0].scale, usable, notes, predicted_iou)
