from dataclasses import fields, replace

import numpy as np
import pytest

from cpunet.checks.synthetic import synthetic_field
from cpunet.errors import ModelError
from cpunet.model.card import OF_INSTANCES, Postprocessing, card_from_content
from cpunet.model.ensemble import average_cards, average_models
from cpunet.model.session import load_model
from cpunet.options import Options
from cpunet.segment import segment_image, segment_stack
from tests.tiny_onnx import changed_card, tiny_onnx
from tests.tiny_volumes import balls, changed_volume_card, tiny_volume_onnx

ROLES = ["interior", "boundary"]


class Drawn:
    """A model that answers a constant for each role."""

    provider = "CPUExecutionProvider"

    def __init__(self, values, **sections):
        roles = sections.setdefault("output", {"roles": ROLES, "halo": 8})["roles"]
        self.card = card_from_content(changed_card(**sections))
        self.values = [values[role] for role in roles]

    def predict(self, batch):
        n, _, y, x = batch.shape
        return np.broadcast_to(np.float32(self.values)[:, np.newaxis, np.newaxis], (n, len(self.values), y, x)).copy()


LOW = {"interior": 0.2, "boundary": 0.4}
HIGH = {"interior": 0.6, "boundary": 0.1}


def test_probabilities_are_averaged_role_by_role_whatever_their_order():
    turned = Drawn(HIGH, output={"roles": ROLES[::-1], "halo": 8})
    both = average_models([Drawn(LOW), turned])
    found = both.predict(np.zeros((2, 1, 8, 12), np.float32))
    assert found.shape == (2, 2, 8, 12)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found[:, 0], 0.4, rtol=1e-6)
    np.testing.assert_allclose(found[:, 1], 0.25, rtol=1e-6)
    assert both.card.output.roles == tuple(ROLES)


def test_the_card_is_what_all_models_can_do():
    first = Drawn(
        LOW,
        name="first",
        input={"divisible_by": 4, "min_size": 8, "diameter_px": 16.0, "diameter_low_px": 8.0, "diameter_high_px": 40.0},
        output={"roles": ROLES, "halo": 8},
        postprocessing={"foreground_threshold": 0.4, "min_size_px": 10, "fill_holes": False},
    )
    second = Drawn(
        HIGH,
        name="second",
        input={
            "divisible_by": 6,
            "min_size": 32,
            "diameter_px": 36.0,
            "diameter_low_px": 9.0,
            "diameter_high_px": 80.0,
        },
        output={"roles": ROLES, "halo": 20},
        postprocessing={"foreground_threshold": 0.6, "min_size_px": 20, "fill_holes": True},
    )
    card = average_models([first, second]).card
    assert (card.input.divisible_by, card.input.min_size, card.output.halo) == (12, 32, 20)
    assert (card.input.diameter_low_px, card.input.diameter_high_px) == (9, 40)
    assert card.input.diameter_px == pytest.approx(24)
    assert card.postprocessing.foreground_threshold == pytest.approx(0.5)
    assert card.postprocessing.min_size_px == 15
    assert card.postprocessing.fill_holes
    assert card.name == "first + second"


def test_no_setting_of_a_card_is_forgotten():
    settings = Postprocessing(0.31, 0.32, 3, 4, 0.33, 5, True, 0.34, 2)
    of_probabilities = [each for each in fields(Postprocessing) if each.name not in OF_INSTANCES["postprocessing"]]
    assert all(getattr(settings, each.name) != each.default for each in of_probabilities)
    model = Drawn(LOW)
    model.card = replace(model.card, postprocessing=settings)
    assert average_models([model, model]).card.postprocessing == settings
    other = Drawn(LOW)
    other.card = replace(model.card, postprocessing=replace(settings, outline_level=0.54))
    assert average_models([model, other]).card.postprocessing.outline_level == pytest.approx(0.44)
    other.card = replace(model.card, postprocessing=replace(settings, outline_shift_px=-3))
    assert average_models([model, other]).card.postprocessing.outline_shift_px == pytest.approx(-0.5)
    other.card = replace(model.card, postprocessing=replace(settings, outline_level=None))
    assert average_models([model, other]).card.postprocessing.outline_level is None
    assert average_models([model]).card.input == model.card.input


@pytest.mark.parametrize(
    ("sections", "message"),
    [
        ({"input": {"channels": ["actin"]}}, "their channels differ. tiny has nuclei; other has actin"),
        ({"input": {"normalization": {"kind": "none"}}}, "their normalization differ"),
        ({"input": {"tile_shape": [64, 64]}}, "their tile sizes differ. tiny has None; other has 64, 64"),
        (
            {"output": {"roles": ["interior"], "halo": 8}},
            "their output roles differ. tiny has boundary, interior; other",
        ),
        (
            {"input": {"diameter_px": 90.0, "diameter_low_px": 60.0, "diameter_high_px": 200.0}},
            r"no object diameter is known to all.*tiny: 10 to 40; other: 60 to 200 pixels",
        ),
    ],
    ids=["channels", "normalization", "tile sizes", "roles", "diameters"],
)
def test_models_that_do_not_fit_together_are_refused_in_plain_words(sections, message):
    with pytest.raises(ValueError, match=message):
        average_models([Drawn(LOW), Drawn(LOW), Drawn(HIGH, name="other", **sections)])


def test_no_model_is_refused():
    with pytest.raises(ValueError, match="choose one at least"):
        average_models([])


def test_opened_models_segment_together(tmp_path):
    paths = [tmp_path / "blind.onnx", tmp_path / "seeing.onnx"]
    paths[0].write_bytes(tiny_onnx(gain=0.0, offset=-9.0))
    paths[1].write_bytes(tiny_onnx(changed_card(postprocessing={"foreground_threshold": 0.25})))
    blind, seeing = (load_model(path) for path in paths)
    field = synthetic_field((120, 150), columns=4, diameter_px=20)
    both = average_models([blind, seeing])
    assert both.provider == seeing.provider
    found = segment_image(field.image, both, Options(scale=1.0))
    alone = segment_image(field.image, seeing, Options(scale=1.0))
    np.testing.assert_allclose(found.probabilities, alone.probabilities / 2, atol=1e-3)
    assert found.labels.max() == field.labels.max()


def test_models_of_volumes_are_averaged(tmp_path):
    models = []
    for place, offset in enumerate((-4.0, -5.0)):
        path = tmp_path / f"{place}.onnx"
        planes = {"divisible_by_planes": 2 + place, "min_planes": 2 + 7 * place}
        path.write_bytes(
            tiny_volume_onnx(changed_volume_card(input=planes, output={"halo_planes": 2 - place}), offset=offset)
        )
        models.append(load_model(path, "cpu"))
    mean = average_models(models)
    given = mean.card.input
    assert (given.dimensions, given.z_step_px, given.divisible_by_planes, given.min_planes) == (3, 2.0, 6, 9)
    assert mean.card.output.halo_planes == 2
    batch = np.random.default_rng(0).random((1, 1, 18, 8, 12), np.float32)
    expected = (models[0].predict(batch) + models[1].predict(batch)) / 2
    np.testing.assert_allclose(mean.predict(batch), expected, rtol=1e-6)
    volume, truth = balls((16, 60, 60), ((5, 20, 20), (8, 40, 40)), 20)
    found = segment_stack(volume, mean).labels
    assert found.max() == truth.max() == 2


@pytest.mark.parametrize(
    ("other", "message"),
    [
        (changed_card(), r"tiny sees images \(2-D\), and tiny_3d sees volumes \(3-D\). Choose models of one kind"),
        (changed_volume_card(name="far", input={"z_step_px": 5.0}), "z steps differ. tiny_3d has 2.0; far has 5.0"),
    ],
    ids=["images", "z step"],
)
def test_models_of_volumes_are_not_averaged_with_others(other, message):
    cards = [card_from_content(changed_volume_card()), card_from_content(other)]
    for order in (cards, cards[::-1]) if "sees" in message else (cards,):
        with pytest.raises(ModelError, match=message):
            average_cards(order)
