"""``cpunet combine`` writes a file that segment and evaluate choose by."""

import json
import shutil

import numpy as np
import onnx
import pytest
import tifffile
from skimage.io import imread, imsave
from skimage.segmentation import expand_labels

from cpunet.__main__ import main
from cpunet.choice.card import read_chooser_card
from cpunet.choice.chooser import load_chooser
from cpunet.choice.features import feature_names
from cpunet.choice.model_choice import choice_of
from cpunet.model.session import load_model
from cpunet.segment import segment_image
from cpunet.training.commands.combine import trained_on
from cpunet.training.data.labeled_images import read_index
from tests.synthetic_data_set import write_data_set
from tests.tiny_onnx import changed_card, tiny_onnx


def said(arguments, capsys, code=0):
    assert main([str(word) for word in arguments]) == code
    captured = capsys.readouterr()
    return captured.out + captured.err


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with a data set whose labels suit one of two models in half of its images each."""
    folder = tmp_path_factory.mktemp("combine")
    write_data_set(folder / "mine", ["val"] * 10)
    for number in range(10):
        path = folder / "mine" / "labels" / f"f{number}.png"
        labels = imread(str(path))
        if number % 2:
            # The labels of touching fields are drawn wider, as the second model draws them.
            imsave(str(path), expand_labels(labels, 2).astype(np.uint16), check_contrast=False)
    for name, threshold in (("narrow", 0.6), ("wide", 0.02)):
        (folder / f"{name}.onnx").write_bytes(
            tiny_onnx(changed_card(name=name, postprocessing={"foreground_threshold": threshold}))
        )
    return folder


@pytest.fixture(scope="module")
def written(place):
    words = ["combine", place / "narrow.onnx", place / "wide.onnx", "--data", place / "mine", "-o", place / "c.onnx"]
    assert main([str(word) for word in words]) == 0
    return place / "c.onnx"


def test_the_file_knows_its_models_features_and_gain(place, written):
    card = read_chooser_card(written)
    models = [load_model(place / f"{name}.onnx") for name in ("narrow", "wide")]
    assert [(each.name, each.sha256) for each in card.models] == [(m.card.name, m.sha256) for m in models]
    assert card.features == feature_names(2)
    assert card.provenance["data"] == [{"name": "mine", "images": 10, "split": "val"}]
    assert card.scores["gains"]["the average"]["low"] <= card.scores["gains"]["the average"]["high"]


def test_the_file_is_within_what_the_plugin_opens(written):
    model = onnx.load(str(written))
    assert model.ir_version <= 8
    assert {each.domain: each.version for each in model.opset_import} == {"": 17, "ai.onnx.ml": 3}
    assert [node.op_type for node in model.graph.node] == ["TreeEnsembleRegressor"]
    load_chooser(written)


def test_segment_chooses_by_it(place, written, tmp_path):
    image = place / "mine" / "images" / "f0.png"
    words = [
        "segment",
        image,
        "-o",
        tmp_path,
        "--model",
        place / "wide.onnx",
        "--further-models",
        place / "narrow.onnx",
    ]
    assert main([str(word) for word in [*words, "--combine", "choose", "--chooser", written]]) == 0
    choice = choice_of([load_model(place / f"{name}.onnx") for name in ("narrow", "wide")], load_chooser(written))
    expected = segment_image(imread(str(image)), choice).labels
    np.testing.assert_array_equal(tifffile.imread(str(tmp_path / "f0_labels.tif")), expected)
    assert expected.max() > 3


def test_evaluate_scores_the_choice(place, written, tmp_path):
    words = ["evaluate", "--model", place / "narrow.onnx", "--average-with", place / "wide.onnx"]
    words += ["--combine", "choose", "--chooser", written, "--data", place / "mine", "-o", tmp_path / "scores"]
    assert main([str(word) for word in words]) == 0
    (method,) = json.loads((tmp_path / "scores" / "scores.json").read_text())["methods"]
    assert method["name"] == "narrow + wide, chosen per object"
    assert "chosen by" in method["source"]
    gain = read_chooser_card(written).scores["cross_validated"]["choice"]["mean F1"]
    assert method["overall"]["mean_f1"] >= gain - 0.02  # the trees saw these images


@pytest.mark.parametrize(
    ("more", "why"),
    [
        (["--combine", "choose"], "--combine choose needs the file"),
        (["--chooser", "c.onnx"], "--chooser is for --combine choose"),
        (["--combine", "choose", "--chooser", "narrow.onnx"], "this is no file that chooses"),
        (["--combine", "choose", "--chooser", "c.onnx"], "wide 1.0.0"),
        (["--combine", "choose", "--chooser", "c.onnx", "--average-with", "wide.onnx", "--by-tile"], "by tile"),
        (["--model", "c.onnx"], "no model but a file that chooses"),
    ],
)
def test_segment_refuses_what_does_not_fit(place, written, tmp_path, monkeypatch, capsys, more, why):
    monkeypatch.chdir(place)
    words = ["segment", place / "mine" / "images" / "f0.png", "-o", tmp_path / "out", "--model", "narrow.onnx", *more]
    assert why in said(words, capsys, 1 if "--by-tile" in more else 2)
    assert not list(tmp_path.rglob("*_labels.tif"))


def test_evaluate_without_a_model_has_nothing_to_choose_among(place, written, tmp_path, capsys):
    words = ["evaluate", "--data", place / "mine", "--combine", "choose", "--chooser", written, "-o", tmp_path / "new"]
    assert "there is no --model" in said([*words, "--beside", f"x={place / 'mine' / 'labels'}"], capsys, 2)


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["narrow.onnx"], "There is one model"),
        (["narrow.onnx", "narrow.onnx"], "is given twice"),
        (["narrow.onnx", "wide.onnx", "-o", "c.txt"], "ends in .onnx"),
        (["narrow.onnx", "wide.onnx", "-o", "wide.onnx"], "is an input of this command"),
        (["narrow.onnx", "wide.onnx", "-o", "notes.onnx"], "was not written by cpunet"),
        (["narrow.onnx", "missing"], "There is no model 'missing'"),
        (["narrow.onnx", "wide.onnx", "--split", "test"], "no image has the split 'test'"),
        (["narrow.onnx", "wide.onnx", "--diameter", "-3"], "must be larger than 0"),
    ],
)
def test_combine_refuses_before_the_work(place, tmp_path, monkeypatch, capsys, words, why):
    for name in ("narrow.onnx", "wide.onnx"):
        shutil.copy(place / name, tmp_path / name)
    (tmp_path / "notes.onnx").write_text("mine")
    monkeypatch.chdir(tmp_path)
    words = ["combine", *words, "--data", place / "mine"]
    assert why in said(words if "-o" in words else [*words, "-o", "c.onnx"], capsys, 2)
    assert not (tmp_path / "c.onnx").exists()
    assert (tmp_path / "notes.onnx").read_text() == "mine"


def test_a_choice_that_does_not_pay_is_not_written(place, tmp_path, capsys):
    """Both models find the same objects, which lie apart from each other."""
    write_data_set(tmp_path / "easy", ["val", "excluded"] * 6)
    (tmp_path / "same.onnx").write_bytes(
        tiny_onnx(changed_card(name="same", postprocessing={"foreground_threshold": 0.6}), gain=14.001)
    )
    words = ["combine", place / "narrow.onnx", tmp_path / "same.onnx", "--data", tmp_path / "easy"]
    printed = said([*words, "-o", tmp_path / "c.onnx"], capsys, 1)
    assert "Choosing does not pay" in printed
    assert "was not written" in printed
    assert not (tmp_path / "c.onnx").exists()


def test_images_that_a_model_was_trained_on_are_named(place, tmp_path):
    trained = changed_card(name="trained", provenance={"data": [{"name": "mine val"}, {"name": "other train"}]})
    (tmp_path / "trained.onnx").write_bytes(tiny_onnx(trained))
    models = [load_model(place / "wide.onnx"), load_model(tmp_path / "trained.onnx")]
    (line,) = trained_on(models, read_index(place / "mine"))
    assert "NOTE trained was trained on images of mine, val" in line
