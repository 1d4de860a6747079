"""A file that chooses is opened for the models and features that it knows, and for no others."""

import numpy as np
import pytest

from cpunet.choice.card import chooser_card_from_json, chooser_card_to_json, read_chooser_card
from cpunet.choice.chooser import load_chooser
from cpunet.choice.features import feature_names
from cpunet.choice.model_choice import choice_card, choice_of
from cpunet.errors import ModelError
from cpunet.model.card import card_from_content
from cpunet.model.session import load_model
from cpunet.onnx_reader.metadata import read_card
from tests.tiny_onnx import changed_card, tiny_onnx
from tests.tiny_trees import chooser_card, chooser_onnx, listed, stump_attributes, trees_onnx
from tests.tiny_volumes import changed_volume_card

ONE, OTHER = tiny_onnx(), tiny_onnx(changed_card(name="other"), gain=20.0)
MODELS = listed(("tiny", ONE), ("other", OTHER))


@pytest.fixture
def chooser_file(tmp_path):
    path = tmp_path / "chooser.onnx"
    path.write_bytes(chooser_onnx(MODELS))
    return path


@pytest.fixture
def models(tmp_path):
    for name, content in (("one", ONE), ("other", OTHER)):
        (tmp_path / f"{name}.onnx").write_bytes(content)
    return [load_model(tmp_path / f"{name}.onnx") for name in ("one", "other")]


def test_onnxruntime_runs_the_trees(chooser_file):
    chooser = load_chooser(chooser_file)
    features = np.zeros((3, len(feature_names(2))), np.float32)
    features[:, 0] = [0, 1, 0]
    np.testing.assert_allclose(chooser.predicted_iou(features), [0.4, 0.8, 0.4], rtol=1e-6)
    assert chooser.predicted_iou(features[:0]).shape == (0,)


def test_a_prediction_beyond_0_to_1_is_brought_into_it(tmp_path):
    path = tmp_path / "chooser.onnx"
    path.write_bytes(chooser_onnx(MODELS, ("model", 0.5, -0.5, 1.5)))
    features = np.zeros((2, len(feature_names(2))), np.float32)
    features[1, 0] = 1
    assert load_chooser(path).predicted_iou(features).tolist() == [0, 1]


def test_the_models_may_be_given_in_any_order(chooser_file, models):
    for given in (models, models[::-1]):
        choice = choice_of(given, load_chooser(chooser_file))
        assert [model.card.name for model in choice.models] == ["tiny", "other"]
        assert choice.card.name == "tiny + other, chosen per object"
        assert choice.card.output.roles == ("foreground",)


def test_other_models_are_refused_by_name(chooser_file, models, tmp_path):
    (tmp_path / "third.onnx").write_bytes(tiny_onnx(changed_card(name="third")))
    third = load_model(tmp_path / "third.onnx")
    chooser = load_chooser(chooser_file)
    with pytest.raises(ModelError, match=r"does not know the model third .*chooses among tiny 1\.0\.0"):
        choice_of([models[0], third], chooser)
    with pytest.raises(ModelError, match=r"other 1\.0\.0 .* is missing"):
        choice_of(models[:1], chooser)
    with pytest.raises(ModelError, match="tiny is given twice"):
        choice_of([models[0], models[0]], chooser)


def test_models_of_other_roles_scales_and_normalization_are_put_together(tmp_path):
    unlike = tiny_onnx(
        changed_card(
            name="unlike",
            input={
                "channels": ["red", "green", "blue"],
                "normalization": {"kind": "zero_mean_unit_variance"},
                "diameter_px": 200.0,
                "diameter_low_px": 150.0,
                "diameter_high_px": 300.0,
                "divisible_by": 6,
            },
            output={"roles": ["interior", "boundary"], "halo": 8},
        ),
        channels=3,
        out_channels=2,
    )
    paths = [tmp_path / "one.onnx", tmp_path / "unlike.onnx"]
    for path, content in zip(paths, (ONE, unlike)):
        path.write_bytes(content)
    (tmp_path / "chooser.onnx").write_bytes(chooser_onnx(listed(("tiny", ONE), ("unlike", unlike))))
    choice = choice_of([load_model(path) for path in paths], load_chooser(tmp_path / "chooser.onnx"))
    given = choice.card.input
    assert (given.channels, given.divisible_by, choice.card.output.halo) == (("nuclei",), 12, 8)
    assert (given.diameter_low_px, given.diameter_high_px) == (10, 300)


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ({"channels": ["membrane", "nuclei"]}, "tiny takes the channels nuclei, and other membrane, nuclei"),
    ],
)
def test_models_of_other_images_are_refused_by_name(tmp_path, given, why):
    unlike = tiny_onnx(changed_card(name="other", input=given), channels=2)
    paths = [tmp_path / "one.onnx", tmp_path / "other.onnx"]
    for path, content in zip(paths, (ONE, unlike)):
        path.write_bytes(content)
    (tmp_path / "chooser.onnx").write_bytes(chooser_onnx(listed(("tiny", ONE), ("other", unlike))))
    with pytest.raises(ModelError, match=why):
        choice_of([load_model(path) for path in paths], load_chooser(tmp_path / "chooser.onnx"))


def test_models_that_read_other_units_are_refused(tmp_path):
    contents = [
        tiny_onnx(changed_card(name=units, input={"normalization": {"kind": "none", "units": units}}))
        for units in ("zero_to_one", "as_stored")
    ]
    paths = [tmp_path / "a.onnx", tmp_path / "b.onnx"]
    for path, content in zip(paths, contents):
        path.write_bytes(content)
    models = listed(("zero_to_one", contents[0]), ("as_stored", contents[1]))
    (tmp_path / "chooser.onnx").write_bytes(chooser_onnx(models))
    with pytest.raises(ModelError, match="one reads the numbers of the files"):
        choice_of([load_model(path) for path in paths], load_chooser(tmp_path / "chooser.onnx"))


def test_a_card_is_written_and_read_alike(chooser_file):
    card = read_chooser_card(chooser_file)
    assert chooser_card_from_json(chooser_card_to_json(card)) == card
    assert (card.least_predicted_iou, card.most_shared) == (0.3, 0.5)


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"models": MODELS[:1]}, "names 2 to 16 models; this one names 1"),
        ({"models": [MODELS[0], MODELS[0]]}, "names each model once"),
        ({"least_predicted_iou": 1.5}, "least_predicted_iou of a file that chooses must lie between 0 and 1"),
        ({"features": ["model", "taste"]}, "'taste', which this version does not measure"),
        ({"features": list(feature_names(2))[:-1]}, "does not know the feature 'objects_inside_2'"),
        ({"features": list(feature_names(2))[::-1]}, "features in another order"),
        ({"card_version": "2.0"}, "Update the plugin"),
        ({"models": "all"}, "models should be a list"),
        ({"surprise": 1}, "there is no field 'surprise'"),
    ],
)
def test_a_card_that_does_not_fit_is_refused(tmp_path, changed, why):
    path = tmp_path / "chooser.onnx"
    path.write_bytes(chooser_onnx(MODELS, changed=changed))
    with pytest.raises(ModelError, match=why):
        load_chooser(path)


def test_unsound_trees_are_not_opened(tmp_path):
    path = tmp_path / "chooser.onnx"
    columns = len(feature_names(2))
    attributes = {**stump_attributes(0, 0.5, 0.4, 0.8), "nodes_truenodeids": [0, 0, 0]}
    path.write_bytes(trees_onnx(attributes, columns, chooser_card(MODELS)))
    with pytest.raises(ModelError, match="no sound file of decision trees"):
        load_chooser(path)


def test_a_model_is_no_file_that_chooses_and_the_other_way_round(tiny_model, chooser_file):
    with pytest.raises(ModelError, match="this is no file that chooses"):
        load_chooser(tiny_model)
    for read in (load_model, read_card):
        with pytest.raises(ModelError, match="no model but a file that chooses"):
            read(chooser_file)


def test_models_of_volumes_are_not_chosen_among():
    cards = [card_from_content(changed_card()), card_from_content(changed_volume_card())]
    with pytest.raises(
        ModelError, match=r"tiny_3d sees volumes \(3-D\), and objects are chosen among models of images"
    ):
        choice_card(cards)
