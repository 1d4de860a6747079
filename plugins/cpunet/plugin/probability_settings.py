"""The images of probabilities that the module saves: their settings, and the images themselves."""

from __future__ import annotations

from typing import Any, List, Mapping, Sequence

from cellprofiler_core.image import Image
from cellprofiler_core.setting import Binary, HiddenCount, SettingsGroup, ValidationError
from cellprofiler_core.setting.choice import Choice
from cellprofiler_core.setting.do_something import DoSomething, RemoveSettingButton
from cellprofiler_core.setting.text import ImageName

from cpunet.model.card import ROLES


class ProbabilitySettings:
    """One image of the foreground's probability, and as many images of single roles as the user adds."""

    def __init__(self) -> None:
        self.save = Binary(
            "Save the probability image?",
            False,
            doc="""\
*(Used only with advanced settings)*

Select "*Yes*" to save the probability that a pixel belongs to an object. The result is a grayscale image of
values from 0 to 1. Other modules can use it, such as **SaveImages** or **MeasureObjectIntensity**.""",
        )
        self.name = ImageName(
            "Name the probability image",
            "ProbabilityNuclei",
            doc="*(Used only if the probability image is saved)*\n\nEnter the name of the image.",
        )
        self.further: List[Any] = []
        self.further_count = HiddenCount(self.further, "Further probability images")
        self.further_count.doc = "The number of further images, each of a single kind of probability."
        self.add_button = DoSomething(
            "Save a single kind of probability",
            "Add another image",
            self.add,
            doc="Adds an image of one output of the network, such as the border between objects.",
        )

    def add(self) -> None:
        """Add the settings of one more image."""
        group = SettingsGroup()
        role = Choice(
            "Select the kind of probability",
            list(ROLES),
            value="border",
            doc="An output of the network. The button *Describe model* lists them under *gives*.",
        )
        name = ImageName("Name the image", "ProbabilityBorder", doc="The name of the image, of values from 0 to 1.")
        group.append("role", role)
        group.append("image_name", name)
        group.append("remove", RemoveSettingButton("", "Remove this image", self.further, group))
        self.further.append(group)

    def set_further_count(self, count: int) -> None:
        """Make as many groups of settings as a pipeline has."""
        del self.further[count:]
        while len(self.further) < count:
            self.add()

    def of_further_images(self) -> List[Any]:
        """Return the settings of the further images in the order of the pipeline file: append only."""
        return [self.further_count, *[each for group in self.further for each in (group.role, group.image_name)]]

    def visible(self) -> List[Any]:
        """Return the settings that are shown."""
        if not self.save.value:
            return [self.save]
        groups = [setting for group in self.further for setting in group.visible_settings()]
        return [self.save, self.name, *groups, self.add_button]

    def check_roles(self, roles: Sequence[str]) -> None:
        """Raise ValidationError if an image is asked for that a model with these roles does not compute."""
        for group in self.further if self.save.value else []:
            if group.role.value not in roles:
                raise ValidationError(
                    f"The model computes no probability of the kind {group.role.value!r}, only {', '.join(roles)}. "
                    "Choose one of these.",
                    group.role,
                )

    def save_images(self, image_set: Any, image: Any, planes: Mapping[str, Any], foreground: Any) -> None:
        """Add the images to the image set, if the user wants them, with the mask and cropping of the input image."""
        if not self.save.value:
            return
        images = [(self.name.value, foreground)]
        images += [(group.image_name.value, planes[group.role.value]) for group in self.further]
        for name, plane in images:
            image_set.add(name, Image(plane, parent_image=image, convert=False, dimensions=image.dimensions))
