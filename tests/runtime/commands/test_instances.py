"""The commands with a model that gives objects."""

import numpy as np
import pytest
import tifffile

from cpunet.__main__ import main
from cpunet.checks.device import measure
from cpunet.model.session import load_model
from tests.tiny_instances import blobs, instances_onnx

CENTERS = [(30, 30), (30, 90), (80, 60)]


@pytest.fixture
def blob_file(tmp_path):
    path = tmp_path / "blobs.onnx"
    path.write_bytes(instances_onnx())
    return path


@pytest.fixture
def image(tmp_path):
    path = tmp_path / "image.tif"
    tifffile.imwrite(str(path), (blobs((110, 130), CENTERS) * 4000).astype(np.uint16))
    return path


@pytest.mark.parametrize("more", [[], ["--by-tile"], ["--foreground-threshold", "0.4", "--diameter", "20"]], ids=str)
def test_segment(blob_file, image, tmp_path, more):
    assert main(["segment", str(image), "-o", str(tmp_path / "out"), "--model", str(blob_file), *more]) == 0
    labels = tifffile.imread(str(tmp_path / "out" / "image_labels.tif"))
    assert labels.max() == 3
    assert len({labels[place] for place in CENTERS}) == 3


@pytest.mark.parametrize(
    ("more", "message"),
    [(["--views", "4"], "several views"), (["--no-declump"], "separate already"), (["--average-with"], "averaged")],
)
def test_what_makes_no_sense_is_refused_before_the_first_image(blob_file, image, tmp_path, capsys, more, message):
    more = [*more, str(blob_file)] if more == ["--average-with"] else more
    assert main(["segment", str(image), "-o", str(tmp_path / "out"), "--model", str(blob_file), *more]) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_models_and_doctor_know_it(blob_file, tmp_path, monkeypatch, capsys):
    model = load_model(blob_file, "cpu")
    measured = measure(model)
    assert any(line.startswith("found     ") for line in measured.lines)
    assert measured.problem == ""
    folder = tmp_path / "models" / "blobs"
    folder.mkdir(parents=True)
    blob_file.rename(folder / "model.onnx")
    monkeypatch.setenv("CPUNET_MODELS", str(tmp_path / "models"))
    main(["models"])
    assert "objects with their scores, 0.4 and more" in capsys.readouterr().out
