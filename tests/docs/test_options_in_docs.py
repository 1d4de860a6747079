"""docs/training.md names each option of the code, and nothing else."""

import re
from dataclasses import fields

import pytest

from cpunet.model.card import Normalization
from cpunet.training.config import FROZEN, JUDGES, OPTIMIZERS, PRECISIONS, SCHEDULES, TrainingConfig
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


def test_every_row_of_an_option_has_four_cells():
    assert {len(row) for row in ROWS if row[0].strip().startswith("`")} == {4}
