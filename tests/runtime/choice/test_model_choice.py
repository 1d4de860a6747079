"""Images and stacks are segmented by each model, and the better object of each place is kept."""

from dataclasses import replace

import numpy as np
import pytest

from cpunet.checks.synthetic import synthetic_field
from cpunet.choice.chooser import load_chooser
from cpunet.choice.model_choice import choice_of, combined_model
from cpunet.errors import OptionError
from cpunet.model.session import load_model
from cpunet.options import Options
from cpunet.segment import segment_image, segment_stack
from tests.tiny_onnx import changed_card, tiny_onnx
from tests.tiny_trees import BY_MODEL, chooser_onnx, listed

FIELD = synthetic_field((110, 140), columns=4, diameter_px=20)
NARROW, WIDE = (
    tiny_onnx(changed_card(name=name, postprocessing={"foreground_threshold": threshold}))
    for name, threshold in (("narrow", 0.9), ("wide", 0.1))
)


@pytest.fixture
def choice(tmp_path):
    return made(tmp_path)


def made(folder, question=BY_MODEL):
    for name, content in (("narrow", NARROW), ("wide", WIDE)):
        (folder / f"{name}.onnx").write_bytes(content)
    (folder / "chooser.onnx").write_bytes(chooser_onnx(listed(("narrow", NARROW), ("wide", WIDE)), question))
    models = [load_model(folder / f"{name}.onnx") for name in ("narrow", "wide")]
    return choice_of(models, load_chooser(folder / "chooser.onnx"))


@pytest.mark.parametrize(("low", "high", "winner"), [(0.4, 0.8, 1), (0.9, 0.8, 0)])
def test_the_objects_of_the_trusted_model_are_kept(tmp_path, low, high, winner):
    choice = made(tmp_path, ("model", 0.5, low, high))
    found = segment_image(FIELD.image, choice)
    alone = [segment_image(FIELD.image, model) for model in choice.models]
    assert (alone[0].labels > 0).sum() < (alone[1].labels > 0).sum()
    np.testing.assert_array_equal(found.labels > 0, alone[winner].labels > 0)
    assert found.labels.max() == FIELD.labels.max()
    np.testing.assert_allclose(found.confidence, max(low, high), rtol=1e-6)
    assert found.probabilities.shape == (1, *FIELD.image.shape)
    np.testing.assert_allclose(
        found.probabilities[0], (alone[0].probabilities[0] + alone[1].probabilities[0]) / 2, atol=1e-6
    )


def test_nothing_is_kept_that_is_predicted_to_fit_badly(tmp_path):
    found = segment_image(FIELD.image, made(tmp_path, ("model", 0.5, 0.1, 0.29)))
    assert not found.labels.any()
    assert found.confidence.shape == (0,)


@pytest.mark.parametrize("shape", [(1, 1), (1, 30), (40, 40)])
def test_an_image_without_objects_has_none(choice, shape):
    found = segment_image(np.ones(shape, np.uint8), choice)
    assert found.labels.shape == shape
    assert not found.labels.any()
    assert found.confidence.shape == (0,)


def test_a_mask_is_kept_to(choice):
    mask = np.zeros(FIELD.image.shape, bool)
    mask[:, :70] = True
    found = segment_image(FIELD.image, choice, Options(mask=mask))
    assert found.labels.max() > 0
    assert not found.labels[~mask].any()
    assert found.usable is not None


def test_objects_of_a_stack_are_chosen_in_each_plane_and_linked(choice):
    empty = np.full_like(FIELD.image, FIELD.image.min())
    stack = np.stack([empty, FIELD.image, FIELD.image, empty])
    found = segment_stack(stack, choice)
    alone = segment_stack(stack, choice.models[1])
    np.testing.assert_array_equal(found.labels > 0, alone.labels > 0)
    assert found.labels.max() == alone.labels.max() == FIELD.labels.max()
    np.testing.assert_array_equal(found.labels[1], found.labels[2])
    assert found.probabilities.shape == (1, *stack.shape)
    np.testing.assert_allclose(found.confidence, 0.8, rtol=1e-6)
    assert len(found.confidence) == found.labels.max()


def test_progress_counts_the_tiles_of_all_models(choice):
    told = []
    options = Options(scale=1.0, tile_shape=(64, 64), on_progress=lambda done, total: told.append((done, total)))
    segment_image(FIELD.image, choice, options)
    assert [done for done, _ in told] == sorted(done for done, _ in told)
    assert told[-1][0] == told[-1][1] > len(choice.models)


def test_options_hold_for_each_model(choice):
    with pytest.raises(OptionError):
        segment_image(FIELD.image, choice, Options(foreground_threshold=2.0))
    alike = segment_image(FIELD.image, choice, Options(foreground_threshold=0.5))
    np.testing.assert_array_equal(
        alike.labels > 0, segment_image(FIELD.image, choice.models[0], Options(foreground_threshold=0.5)).labels > 0
    )


def test_without_a_file_that_chooses_models_are_averaged(choice):
    assert combined_model(choice.models[:1], None) is choice.models[0]
    assert combined_model(choice.models, None).card.name == "narrow + wide"
    assert combined_model(choice.models, choice.chooser).card == choice.card


def test_models_may_have_confidences_of_their_own(choice, monkeypatch):
    """As those have that find objects without probabilities of pixels."""
    seen = []

    def with_confidence(found, choice):
        parts = [each._replace(confidence=np.full(each.labels.max(), 0.7, np.float32)) for each in found]
        return keep(parts, choice)

    from cpunet import segment
    from cpunet.choice import chooser

    keep, measured = segment.choose_in_image, chooser.features_of_candidates
    monkeypatch.setattr(segment, "choose_in_image", with_confidence)
    monkeypatch.setattr(chooser, "features_of_candidates", lambda found: seen.append(measured(found)) or seen[-1])
    segment_image(FIELD.image, choice)
    assert len(seen[0]) > 10
    np.testing.assert_allclose(seen[0][:, 1], 0.7, rtol=1e-6)


def test_a_model_of_boundaries_alone_can_be_chosen_among(tmp_path):
    outlines = tiny_onnx(changed_card(name="outlines", output={"roles": ["boundary"]}))
    (tmp_path / "outlines.onnx").write_bytes(outlines)
    (tmp_path / "narrow.onnx").write_bytes(NARROW)
    (tmp_path / "chooser.onnx").write_bytes(chooser_onnx(listed(("narrow", NARROW), ("outlines", outlines))))
    models = [load_model(tmp_path / f"{name}.onnx") for name in ("narrow", "outlines")]
    choice = choice_of(models, load_chooser(tmp_path / "chooser.onnx"))
    found = segment_image(FIELD.image, choice)
    assert 0 <= found.probabilities.min() <= found.probabilities.max() <= 1
    assert replace(choice.card).output.roles == ("foreground",)
