"""docs/training.md names each option of the code, and nothing else."""

import re
from dataclasses import fields

import pytest

from cpunet.model.card import Normalization
from cpunet.training.config import FROZEN, JUDGES, OPTIMIZERS, PRECISIONS, SCHEDULES, DataSource, TrainingConfig
from cpunet.training.network.losses import WEIGHT_MAPS, Loss
from cpunet.training.network.unet import (
    DECODERS,
    DROPOUT_LEVELS,
    ENCODERS,
    INITIALIZATIONS,
    PADDINGS,
    STEMS,
    Architecture,
)
from cpunet.training.patches.augmentation import PRESETS, Augmentation
from cpunet.training.patches.targets import KINDS, Targets
from cpunet.training.volumes.config import VolumeConfig, VolumeSource
from cpunet.training.volumes.network import VolumeArchitecture
from cpunet.training.volumes.patches.augmentation import VolumeAugmentation
from tests.places import REPOSITORY

TEXT = (REPOSITORY / "docs" / "training.md").read_text(encoding="utf-8")
ROWS = [line.split("|")[1:-1] for line in TEXT.splitlines() if line.startswith("|") and not line.startswith("|-")]
OPTIONS = " ".join(cell for row in ROWS for cell in re.findall(r"`[^`]*`", row[0] + row[1] + row[-1]))
SECTIONS = {"targets", "architecture", "normalization", "augmentation", "loss"}


@pytest.mark.parametrize("kind", [Augmentation, TrainingConfig, Loss, Targets, Architecture, Normalization])
def test_every_field_stands_in_a_table(kind):
    missing = [
        field.name
        for field in fields(kind)
        if field.name not in SECTIONS | {"source"} and not re.search(rf"\b{field.name}\b", OPTIONS)
    ]
    assert not missing


CHOICES = {
    "kinds": KINDS,
    "presets": PRESETS,
    "weight maps": WEIGHT_MAPS,
    "optimizers": OPTIMIZERS,
    "schedules": SCHEDULES,
    "precisions": PRECISIONS,
    "frozen": FROZEN[1:],
    "encoders": ENCODERS,
    "decoders": DECODERS,
    "stems": STEMS,
    "paddings": PADDINGS,
    "initializations": INITIALIZATIONS,
    "levels of dropout": DROPOUT_LEVELS,
    "judges": JUDGES,
}


@pytest.mark.parametrize("choices", CHOICES.values(), ids=CHOICES)
def test_every_choice_stands_in_a_table(choices):
    assert not [name for name in choices if not re.search(rf"(?<![\w-]){re.escape(name)}(?![\w-])", OPTIONS)]


OF_VOLUMES = (REPOSITORY / "docs" / "three-dimensions.md").read_text(encoding="utf-8")
SAME_AS_IMAGES = {field.name for field in fields(TrainingConfig)}


@pytest.mark.parametrize("kind", [VolumeConfig, VolumeSource, VolumeArchitecture, VolumeAugmentation])
def test_every_field_of_volumes_that_images_lack_stands_in_their_table(kind):
    names = {field.name for field in fields(kind)}
    names -= SAME_AS_IMAGES if kind is VolumeConfig else {field.name for field in fields(DataSource)}
    rows = " ".join(line for line in OF_VOLUMES.splitlines() if line.startswith("| `"))
    assert not [name for name in names if f"`{name}`" not in rows]


@pytest.mark.parametrize("kind", [VolumeConfig, VolumeArchitecture, VolumeAugmentation])
def test_the_defaults_of_volumes_are_those_of_the_table(kind):
    for line in OF_VOLUMES.splitlines():
        cells = line.split("|")[1:-1]
        names = (
            [name for name in re.findall(r"`(\w+)`", cells[0]) if name not in ("architecture", "data")] if cells else []
        )
        known = {field.name: field.default for field in fields(kind) if field.name in names}
        if len(cells) != 3 or set(known) != set(names) or not names:
            continue
        shown = [text.strip() for text in cells[1].split(",")]
        for name, text in zip(names, shown, strict=True):
            if isinstance(known[name], (int, float)):
                assert text in (f"{known[name]:g}", str(known[name]).lower()), name


def test_every_row_of_an_option_has_four_cells():
    assert {len(row) for row in ROWS if row[0].strip().startswith("`")} == {4}
