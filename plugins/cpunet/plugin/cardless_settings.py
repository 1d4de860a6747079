"""The settings for a model file without a model card; they are shown only for such a file."""

from __future__ import annotations

from pathlib import Path
from typing import Any, List

from cellprofiler_core.setting.choice import Choice
from cellprofiler_core.setting.text import Float, Text

from cpunet.model.card import ROLES, ModelCard
from cpunet.model.without_card import NORMALIZATIONS_BY_NAME, card_of_answers

CHANNELS_BY_NAME = {"Grayscale": ("gray",), "Color (red, green, blue)": ("red", "green", "blue")}
CARDLESS = "*(Used only for a model file without a model card)*\n\n"


class CardlessSettings:
    """The settings and their meaning: the user's answers take the place of a card."""

    def __init__(self) -> None:
        self.channels = Choice(
            "Which images does this model take?",
            list(CHANNELS_BY_NAME),
            doc=CARDLESS
            + """\
The kind of images that the network was trained on. Ask its author. A network for grayscale images has 1 input channel;
a network for color images has 3.""",
        )
        self.roles = Text(
            "What does each channel of its output mean?",
            "foreground",
            doc=CARDLESS
            + f"""\
Enter one word for each output channel, in order, separated by commas: {", ".join(ROLES)}. For
example, enter "background, interior, boundary" for a network that computes the background first, then the interior and
the boundary of cells. All values must be between 0 and 1.""",
        )
        self.normalization = Choice(
            "How must the image's brightness be prepared?",
            list(NORMALIZATIONS_BY_NAME),
            doc=CARDLESS
            + """\
Choose how brightness was normalized when the network was trained. Most often it is stretched between two percentiles
of the image. Choose "none" for a network that takes values from 0 to 1, where 1 is the largest number of the file's
type (255 in 8 bits, 65535 in 16), or that normalizes images itself. For a network that takes the numbers of the file,
write a model card (`cpunet card add --normalization none --units as_stored`).""",
        )
        self.diameter_px = Float(
            "Typical diameter of the objects it was trained on, in pixel units",
            30.0,
            minval=1,
            doc=CARDLESS + "Images with much smaller or larger objects are rescaled to this diameter.",
        )

    def all(self) -> List[Any]:
        """Return the settings in the order of their creation, which is that of the pipeline file: append only."""
        return list(vars(self).values())

    def card(self, path: Path) -> ModelCard:
        """Make a card for a model file, after which the model is named; raise ModelError if an answer is wrong."""
        roles = [role.strip().lower() for role in self.roles.value.split(",") if role.strip()]
        return card_of_answers(
            path.stem,
            CHANNELS_BY_NAME[self.channels.value],
            roles,
            self.normalization.value,
            float(self.diameter_px.value),
        )
