import csv
import json
from dataclasses import replace

import numpy as np
import pytest
import tifffile
import yaml

from cpunet.__main__ import main
from cpunet.errors import ConfigError, WeightsError
from cpunet.export.set_scores import image_sets
from cpunet.model.card import Postprocessing
from cpunet.model.ensemble import average_models
from cpunet.model.session import load_model
from cpunet.options import Options
from cpunet.scores import pool_scores, score_image
from cpunet.segment import segment_image
from cpunet.training.data.fold import fold_of
from cpunet.training.data.labeled_images import read_index, read_labeled_image
from cpunet.training.evaluation.methods import open_weights
from cpunet.training.folds import out_of_fold, run
from cpunet.training.folds.deal import read_dealt
from cpunet.training.folds.out_of_fold import read_summary
from cpunet.training.folds.predicted_files import PredictedFile, read_about, read_probabilities, write_probabilities
from cpunet.training.folds.run import train_folds
from cpunet.training.tuning.settings_scores import Predicted, score_settings
from cpunet.training.weights import load_trained
from tests.synthetic_data_set import SMALL

# Fewer settings are tried than usual.
FEW_SETTINGS = (
    "cpunet.training.tuning.search.candidates",
    lambda *_: {"foreground_threshold": (0.3, 0.4, 0.6, 0.7)},
)


@pytest.fixture(autouse=True)
def few_settings(monkeypatch):
    monkeypatch.setattr(*FEW_SETTINGS)


@pytest.fixture(scope="module")
def trained(tmp_path_factory, eight):
    """The run of two folds by the command."""
    folder = tmp_path_factory.mktemp("run")
    path = folder / "small.yaml"
    path.write_text(yaml.safe_dump({**SMALL, "validate_every": 40, "batch_size": 2, "validation_images": 1}))
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(*FEW_SETTINGS)
        assert main(["train", str(path), "--data", str(eight), "--folds", "2", "--run", str(folder / "r")]) == 0
    return folder / "r"


def of_index(eight, image):
    return next(row for row in read_index(eight / "drawn") if row.id == image)


def test_one_file_holds_the_mean_of_the_networks_of_all_folds(trained):
    mean = load_model(trained / "average" / "model.onnx")
    parts = [open_weights(trained / f"fold_{number}" / "weights.safetensors", True) for number in (1, 2)]
    batch = np.random.default_rng(0).random((2, 1, 40, 56)).astype(np.float32)
    each = [part.predict(batch) for part in parts]
    np.testing.assert_allclose(mean.predict(batch), np.mean(each, axis=0), atol=1e-4)
    assert np.abs(each[0] - each[1]).max() > 0.01
    assert main(["verify", str(trained / "average" / "model.onnx")]) == 0


def test_the_card_says_what_was_averaged_and_how_it_scored(trained, eight):
    card = load_model(trained / "average" / "model.onnx").card
    found = read_summary(trained)
    assert card.postprocessing == found.settings
    assert card.name == "small"
    assert "The mean of 2 networks" in card.description
    folds = card.provenance["folds"]
    assert [fold["sha256"] for fold in folds] == list(found.weights)
    assert [fold["seed"] for fold in folds] == [3, 4]
    assert [fold["images_left_out"] for fold in folds] == [4, 4]
    (data,) = card.provenance["data"]
    assert data["images"] == 8
    assert data["objects"] == sum(
        len(np.unique(read_labeled_image(row).labels)) - 1 for row in read_index(eight / "drawn")
    )
    assert card.scores == {"drawn, out of fold": found.scores["drawn"]}
    page = (trained / "average" / "README.md").read_text()
    assert "| drawn, out of fold | 8 |" in page
    assert "**Mean of 2 networks:** small_fold_1" in page


def test_each_image_is_predicted_by_the_network_that_did_not_see_it(trained, eight):
    dealt = {image.id: image.fold for image in read_dealt(trained / "folds.csv")}
    for name in ("f0", "f7"):
        path = trained / f"fold_{dealt[name]}" / "weights.safetensors"
        model = open_weights(path, needs_diameter=True)
        assert ("drawn", name) in fold_of(load_trained(path).facts).left_out
        expected = segment_image(read_labeled_image(of_index(eight, name)).image, model)
        place = trained / "out_of_fold" / "probabilities" / "drawn" / f"{name}.tif"
        assert read_about(place).roles == model.card.output.roles
        assert read_about(place).scale == expected.scale
        np.testing.assert_allclose(read_probabilities(place), expected.probabilities, atol=0.5 / 255 + 1e-6)


def test_scores_of_each_image_are_those_of_its_labels(trained, eight):
    with (trained / "out_of_fold" / "scores.csv").open(newline="") as stream:
        rows = {row["id"]: row for row in csv.DictReader(stream)}
    assert set(rows) == {f"f{number}" for number in range(8)}
    scores = []
    for name, row in rows.items():
        truth = read_labeled_image(of_index(eight, name)).labels
        labels = tifffile.imread(str(trained / "out_of_fold" / "labels" / "drawn" / f"{name}.tif"))
        scores.append(score_image(truth, labels))
        assert float(row["mean_f1"]) == pytest.approx(pool_scores([scores[-1]]).mean_f1, abs=1e-4)
        assert int(row["found_objects"]) == labels.max()
    assert read_summary(trained).scores["drawn"]["mean_f1"] == pytest.approx(pool_scores(scores).mean_f1, abs=1e-4)
    assert pool_scores(scores).mean_f1 > 0.1  # 40 steps teach something


def test_the_settings_are_the_best_of_all_images_that_were_left_out(trained, eight):
    roles = ("foreground", "border", "distance")
    images = [
        Predicted(
            read_probabilities(path), read_labeled_image(of_index(eight, path.stem)).labels, read_about(path).scale
        )
        for path in sorted((trained / "out_of_fold" / "probabilities" / "drawn").glob("*.tif"))
    ]
    found = read_summary(trained).settings

    def quality(settings):
        return pool_scores([score_settings(image, roles, settings) for image in images]).mean_f1

    # Images at half their size count as well, so that another threshold may be a little better here.
    others = [replace(found, foreground_threshold=each) for each in (0.3, 0.4, 0.5, 0.6, 0.7)]
    assert quality(found) >= np.mean([quality(other) for other in others])


def test_models_of_single_folds_are_scored_on_what_they_left_out(eight, tmp_path, monkeypatch):
    exported = []
    monkeypatch.setattr("cpunet.export.average.export_average", lambda *words: exported.append(words))
    monkeypatch.setattr("cpunet.export.export_model.export_model", lambda *words: exported.append(words))
    path = tmp_path / "small.yaml"
    decoding = {"foreground_threshold": 0.4}
    path.write_text(yaml.safe_dump({**SMALL, "steps": 2, "validate_every": 2, "decoding": decoding}))
    words = ["--data", str(eight), "--folds", "2", "--each-fold", "--run", str(tmp_path / "run")]
    assert main(["train", str(path), *words]) == 0
    folders = [tmp_path / "run" / f"fold_{number}" for number in (1, 2)]
    assert exported[1:] == [(folder / "weights.safetensors", folder / "model.onnx", eight) for folder in folders]
    left_out = []
    for folder in folders:
        trained = load_trained(folder / "weights.safetensors")
        rows = {split: {row.id for row in image_sets(trained, eight, split)[0].rows} for split in ("train", "val")}
        assert not rows["train"] & rows["val"]
        left_out += rows["val"]
    assert sorted(left_out) == [f"f{number}" for number in range(8)]


def test_what_is_done_is_not_done_again(trained, eight):
    config = replace(load_trained(trained / "fold_1" / "weights.safetensors").config, name="small")
    summary = trained / "out_of_fold" / "summary.json"
    before = read_summary(trained)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(out_of_fold, "segment_image", None)
        assert train_folds(config, eight, trained, 2).found == before
        summary.unlink()  # as if it had been killed before the end: probabilities are kept
        assert train_folds(config, eight, trained, 2).found == before
        (trained / "out_of_fold" / "probabilities" / "drawn" / "f3.tif").unlink()
        summary.unlink()
        with pytest.raises(TypeError):
            train_folds(config, eight, trained, 2)
    assert train_folds(config, eight, trained, 2).found == before


def test_a_run_of_other_weights_is_predicted_anew(eight, short, tmp_path, monkeypatch):
    found = train_folds(replace(short, decoding=Postprocessing(foreground_threshold=0.3)), eight, tmp_path, 2).found
    assert found.settings == Postprocessing(foreground_threshold=0.3)
    place = tmp_path / "out_of_fold" / "probabilities" / "drawn" / "f0.tif"
    other = PredictedFile(("foreground",), 1.0, "0" * 64)
    write_probabilities(place, np.zeros((1, 96, 96), np.float32), other)
    (tmp_path / "out_of_fold" / "summary.json").unlink()
    train_folds(replace(short, decoding=Postprocessing(foreground_threshold=0.3)), eight, tmp_path, 2)
    assert read_about(place).weights in found.weights


def test_a_run_of_another_configuration_is_refused(trained, eight, short):
    with pytest.raises(ConfigError, match="of a run with another"):
        train_folds(replace(short, steps=3), eight, trained, 2)


def test_the_mean_is_exported_elsewhere(trained, tmp_path, capsys, monkeypatch):
    exported = []
    monkeypatch.setattr("cpunet.export.commands.export.export_average", lambda *words: exported.append(words))
    place = tmp_path / "mine" / "model.onnx"
    assert main(["export", str(trained), "-o", str(place), "--command", "make mine"]) == 0
    assert exported == [(trained, place, "make mine")]
    assert main(["export", str(trained), "-o", str(place), "--data", str(tmp_path)]) == 2
    assert "is a run with folds" in capsys.readouterr().err


def test_folds_that_have_not_finished_are_not_exported(eight, short, tmp_path, monkeypatch, capsys):
    stopped = replace(short, decoding=Postprocessing())
    monkeypatch.setattr(run, "predict_out_of_fold", lambda *_: None)
    train_folds(stopped, eight, tmp_path / "run", 2)
    assert main(["export", str(tmp_path / "run"), "-o", str(tmp_path / "model.onnx")]) == 2
    assert "the training of its folds is not done" in capsys.readouterr().err
    assert not (tmp_path / "model.onnx").exists()
    (tmp_path / "run" / "out_of_fold").mkdir()
    (tmp_path / "run" / "out_of_fold" / "summary.json").write_text("{}")
    with pytest.raises(WeightsError, match="this summary cannot be read"):
        read_summary(tmp_path / "run")


def test_options_that_need_folds(small_yaml, data_root, capsys):
    assert main(["train", str(small_yaml), "--data", str(data_root), "--each-fold"]) == 2
    assert "--each-fold goes with --folds" in capsys.readouterr().err


def test_the_evaluation_takes_what_was_left_out(trained, eight, tmp_path):
    words = ["--beside", f"folds={trained / 'out_of_fold' / 'labels' / 'drawn'}"]
    assert main(["evaluate", "--data", str(eight), "--split", "train", *words, "-o", str(tmp_path)]) == 0
    (method,) = json.loads((tmp_path / "scores.json").read_text())["methods"]
    assert method["overall"]["images"] == 6


def test_the_evaluation_takes_several_models_and_views(trained, eight, tmp_path):
    words = ["--average-with", str(trained / "fold_2"), "--views", "4", "--view-scales", "0.8", "1", "--crops", "64"]
    assert (
        main(["evaluate", "--model", str(trained / "fold_1"), *words, "--data", str(eight), "-o", str(tmp_path)]) == 0
    )
    (method,) = json.loads((tmp_path / "scores.json").read_text())["methods"]
    row = of_index(eight, "f6")
    model = average_models([open_weights(trained / f"fold_{n}" / "weights.safetensors", True) for n in (1, 2)])
    options = Options(augmentation="flips", view_scales=(0.8, 1.0), crop_px=64)
    truth = read_labeled_image(row)
    expected = pool_scores([score_image(truth.labels, segment_image(truth.image, model, options).labels)])
    found = next(image for image in method["images"] if image["id"] == "f6")
    assert found["mean_f1"] == pytest.approx(expected.mean_f1)


@pytest.mark.parametrize(
    ("command", "more"),
    [("train", ["--run"]), ("train", ["--folds", "2", "--run"]), ("search", ["--trials", "1", "-o"])],
)
def test_a_file_where_a_run_needs_a_folder_is_said_and_kept(tmp_path, eight, capsys, command, more):
    path, taken = tmp_path / "small.yaml", tmp_path / "taken"
    path.write_text(yaml.safe_dump({**SMALL, "search": {"learning_rate": {"low": 0.001, "high": 0.1}}}))
    taken.write_text("mine")
    assert main([command, str(path), "--data", str(eight), *more, str(taken)]) == 2
    assert "this is a file, and a run needs a folder" in capsys.readouterr().err
    assert taken.read_text() == "mine"


def test_the_file_of_a_user_is_known_before_the_folds_are_trained(tmp_path, eight, capsys):
    path, mine = tmp_path / "small.yaml", tmp_path / "run" / "fold_2" / "model.onnx"
    path.write_text(yaml.safe_dump(SMALL))
    mine.parent.mkdir(parents=True)
    mine.write_text("mine")
    words = ["train", str(path), "--data", str(eight), "--folds", "2", "--each-fold", "--run", str(tmp_path / "run")]
    assert main(words) == 2
    assert str(mine) in capsys.readouterr().err
    assert not (tmp_path / "run" / "fold_1").exists()
