import numpy as np
import pytest

from cpunet.__main__ import main
from cpunet.export.reduced_precision import Comparison, calibration_images
from cpunet.onnx_reader.metadata import read_card
from cpunet.scores import pool_scores, score_image
from cpunet.training.weights import load_trained


def test_calibration_images_come_from_the_training_split_as_the_network_sees_them(
    data_root, weights_of_drawn, drawn_model
):
    images = calibration_images(load_trained(weights_of_drawn), data_root, read_card(drawn_model))
    assert len(images) == 6  # all that there are
    assert all(image.dtype == np.float32 and image.ndim == 3 for image in images)
    assert all(0 < np.percentile(image, 90) <= 8 for image in images)


@pytest.mark.parametrize(("precision", "from_weights"), [("float16", False), ("int8", True)])
def test_the_command_reports_and_writes(
    precision, from_weights, data_root, weights_of_drawn, drawn_model, tmp_path, capsys, monkeypatch
):
    # one of the 36 drawn objects that crosses one threshold is worth more than may be lost
    monkeypatch.setattr("cpunet.export.reduced_precision.MOST_F1_LOST", 0.02)
    source = weights_of_drawn if from_weights else drawn_model
    path = tmp_path / "variant" / "model.onnx"
    given = ["export", str(source), "-o", str(path), "--precision", precision, "--data", str(data_root)]
    assert main(given) == 0
    text = capsys.readouterr().out
    assert "times as fast as float32 on this CPU" in text
    assert "mean F1 on drawn val: " in text
    assert path.stat().st_size < drawn_model.stat().st_size
    before, after = read_card(drawn_model), read_card(path)
    assert after.postprocessing == before.postprocessing
    assert after.scores["drawn"]["mean_f1"] > before.scores["drawn"]["mean_f1"] - 0.02
    assert after.provenance["command"].endswith(f"{source} -o {path} --precision {precision} --data DATA")
    assert after.name in path.with_name("README.md").read_text()


def scores_of(found, objects):
    """Scores of an image with so many objects, of which so many are found exactly."""
    truth = np.arange(1, objects + 1, dtype=np.int32).reshape(1, -1).repeat(4, axis=0)
    return pool_scores([score_image(truth, np.where(truth <= found, truth, 0))])


def lost(**sets):
    """The F1 that is lost where all objects of each set were found before, and now so many of so many."""
    before = {name: scores_of(objects, objects) for name, (_, objects) in sets.items()}
    return Comparison(1, 1, 1.0, before, {name: scores_of(*each) for name, each in sets.items()}).f1_lost


def test_a_few_objects_of_a_small_set_do_not_decide():
    small = lost(small=(190, 200))
    assert small == pytest.approx(1 - 2 * 190 / 390)
    assert lost(small=(190, 200), large=(1800, 1800)) == pytest.approx(small / 10)
    assert lost(small=(200, 200), large=(1780, 1800)) == pytest.approx(1 - 2 * 1780 / 3580), "a large set alone counts"


def test_a_variant_that_loses_objects_is_not_written(data_root, drawn_model, tmp_path, capsys, monkeypatch):
    blind = "cpunet.export.reduced_precision.calibration_images"
    monkeypatch.setattr(blind, lambda *_: [np.full((1, 64, 64), 1e-4, np.float32)])
    path = tmp_path / "model.onnx"
    path.write_bytes(b"the model before")
    given = [
        "export",
        str(drawn_model),
        "-o",
        str(path),
        "--precision",
        "int8",
        "--data",
        str(data_root),
        "--overwrite",
    ]
    assert main(given) == 2
    message = capsys.readouterr().err
    assert "int8 loses 0." in message
    assert "nothing was written" in message
    assert path.read_bytes() == b"the model before"
    assert [entry.name for entry in tmp_path.iterdir()] == ["model.onnx"]


@pytest.mark.parametrize("missing", ["-o", "--data"])
def test_what_the_command_needs_is_said(missing, data_root, drawn_model, tmp_path, capsys):
    given = {"-o": str(tmp_path / "m.onnx"), "--data": str(data_root)}
    del given[missing]
    arguments = [part for pair in given.items() for part in pair]
    assert main(["export", str(drawn_model), "--precision", "int8", *arguments]) == 2
    assert "needs -o FILE.onnx, and --data FOLDER" in capsys.readouterr().err


def test_the_drawn_model_is_not_overwritten(data_root, drawn_model, capsys):
    before = drawn_model.read_bytes()
    given = ["export", str(drawn_model), "-o", str(drawn_model), "--precision", "int8", "--data", str(data_root)]
    assert main(given) == 2
    assert "is an input of this command" in capsys.readouterr().err
    assert drawn_model.read_bytes() == before
