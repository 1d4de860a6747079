"""How far apart the planes of a stack lie: by the image or as given, for models of volumes."""

from __future__ import annotations

from typing import Any, List

from cellprofiler_core.setting.choice import Choice
from cellprofiler_core.setting.text import Float

from cpunet.errors import ImageError
from cpunet.model.card import LARGEST_Z_STEP_PX, SMALLEST_Z_STEP_PX, InputCard
from cpunet.plugin.progress import warn_once

FROM_IMAGE, AS_GIVEN = "From the image", "As given"
# CellProfiler's own default, with which it cannot be told whether anyone entered it.
NOT_ENTERED = 1.0
# Where the model's own step is further from that than this, most likely nobody did.
FAR_FROM_MODEL = 1.5


class SpacingSettings:
    """The settings and their meaning; they are shown for models of volumes alone."""

    def __init__(self) -> None:
        self.source = Choice(
            "Spacing of the planes",
            [FROM_IMAGE, AS_GIVEN],
            doc=f"""\
*(Used only with a model of volumes)*

The planes of most stacks lie further apart than the pixels in them. The stack is resampled for the model, so that its
planes lie as far apart as in the volumes that the model was trained on.

-  *{FROM_IMAGE}:* the distance follows from *Relative pixel spacing* in **NamesAndTypes**: that in Z, divided by
   that in X. Other modules measure the objects with the same spacing.
-  *{AS_GIVEN}:* you enter the distance below, for this module alone.""",
        )
        self.z_step_px = Float(
            "Distance of two planes, in widths of a pixel",
            2.0,
            minval=SMALLEST_Z_STEP_PX,
            maxval=LARGEST_Z_STEP_PX,
            doc=f"""\
*(Used only with "{AS_GIVEN}")*

The step of the microscope along Z, divided by the width of a pixel, both in the same unit. For example, enter 2.5 for
planes that lie 0.5 micrometers apart and pixels of 0.2 micrometers.""",
        )

    def all(self) -> List[Any]:
        """Return the settings in the order of their creation, which is that of the pipeline file: append only."""
        return list(vars(self).values())

    def visible(self, sees_volumes: bool) -> List[Any]:
        """Return the settings that are shown for a model of volumes, or of images."""
        if not sees_volumes:
            return []
        return self.all() if self.source.value == AS_GIVEN else [self.source]

    def of_image(self, image: Any, sees_volumes: bool) -> float:
        """Return how far apart the planes of an image lie, in widths of its pixels.

        A model of images does not see it, and the size filter goes by the image's own. ImageError if a model of volumes
        cannot go by the image's own.
        """
        if sees_volumes and self.source.value == AS_GIVEN:
            return float(self.z_step_px.value)
        if not image.volumetric:
            return 1.0
        z_step_px = float(image.spacing[0])
        if sees_volumes and not SMALLEST_Z_STEP_PX <= z_step_px <= LARGEST_Z_STEP_PX:  # so that NaN is refused too
            raise ImageError(
                f"The planes lie {z_step_px:g} pixels apart by Relative pixel spacing in NamesAndTypes: that in Z, "
                f"divided by that in X. A model of volumes sees {SMALLEST_Z_STEP_PX:g} to {LARGEST_Z_STEP_PX:g}. "
                "Correct it there, or set Spacing of the planes to As given."
            )
        return z_step_px


def warn_of_spacing(z_step_px: float, known: InputCard, name: str) -> None:
    """Log once that the spacing of the planes was most likely not entered, so that a model of volumes sees others."""
    factor = (known.z_step_px or NOT_ENTERED) / z_step_px
    if z_step_px == NOT_ENTERED and not 1 / FAR_FROM_MODEL < factor < FAR_FROM_MODEL:
        warn_once(
            f"The planes of {name} lie as far apart as its pixels, which is what CellProfiler assumes if nothing else "
            f"is entered; in the volumes that the model was trained on, the factor is {known.z_step_px:g}. If it is "
            "not 1, enter it as Relative pixel spacing in Z in NamesAndTypes."
        )
