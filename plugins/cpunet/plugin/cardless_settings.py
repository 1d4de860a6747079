"""What the module asks of a model file that has no card: shown only for such a file."""

from __future__ import annotations

from pathlib import Path
from typing import Any, List

from cellprofiler_core.setting.choice import Choice
from cellprofiler_core.setting.text import Float, Text

from cpunet.model.card import ROLES, ModelCard
from cpunet.model.without_card import NORMALIZATIONS_BY_NAME, card_of_answers

CHANNELS_BY_NAME = {"Grayscale": ("gray",), "Color (red, green, blue)": ("red", "green", "blue")}


class CardlessSettings:
    """Setting objects with what they mean, in the order of the pipeline file."""

    def __init__(self) -> None:
        self.channels = Choice(
            "Which images does this model take?",
            list(CHANNELS_BY_NAME),
            doc="""\
*(Used only for a model file without a model card)*

What the network was trained on. Its author knows; the number of its input channels is 1 for grayscale, 3 for color.""",
        )
        self.roles = Text(
            "What does each channel of its output mean?",
            "foreground",
            doc=f"""\
*(Used only for a model file without a model card)*

One word for each channel, in their order, with commas between them: {", ".join(ROLES)}. A network
for interior and boundary of cells, with the background first, is "background, interior, boundary". All values must
lie between 0 and 1.""",
        )
        self.normalization = Choice(
            "How must the image's brightness be prepared?",
            list(NORMALIZATIONS_BY_NAME),
            doc="""\
*(Used only for a model file without a model card)*

As it was done when the network was trained: most often stretched between two percentiles of the image.""",
        )
        self.diameter_px = Float(
            "Typical diameter of the objects it was trained on, in pixel units",
            30.0,
            minval=1,
            doc="""\
*(Used only for a model file without a model card)*

Images with much smaller or larger objects are rescaled to it.""",
        )

    def all(self) -> List[Any]:
        """Return the settings in the order of the pipeline file: append only."""
        return [self.channels, self.roles, self.normalization, self.diameter_px]

    def card(self, path: Path) -> ModelCard:
        """Make a model card of the answers.

        Parameters
        ----------
        path : Path
            The model file, after which the model is named.

        Returns
        -------
        cpunet.model.card.ModelCard

        Raises
        ------
        cpunet.errors.ModelError
            If an answer cannot be, such as a role that there is not.
        """
        roles = [role.strip().lower() for role in self.roles.value.split(",") if role.strip()]
        return card_of_answers(
            path.stem,
            CHANNELS_BY_NAME[self.channels.value],
            roles,
            self.normalization.value,
            float(self.diameter_px.value),
        )
