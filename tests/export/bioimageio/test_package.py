import gc
import io
import json
import warnings

import numpy as np
import onnx
import pytest
import yaml

from cpunet.__main__ import main
from cpunet.errors import PackageError
from cpunet.export.bioimageio import package as bioimageio_package
from cpunet.export.bioimageio.package import write_bioimageio
from cpunet.model.session import load_model
from cpunet.options import Options
from cpunet.segment import segment_image
from tests.export.bioimageio_packages import (
    ANSWERS,
    ROOT,
    SCALE,
    SHIPPED,
    clip,
    files_of,
    imported,
    linear,
    packed,
    theirs,
)
from tests.tiny_onnx import changed_card, tiny_onnx


@pytest.mark.parametrize("name", SHIPPED)
def test_bioimageio_core_accepts_the_package_of_a_shipped_model(name, packages):
    from bioimageio.core import test_model

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)  # bioimageio.spec leaves files open
        summary = test_model(packages / f"{name}.zip", devices=["cpu"])
        found = [(detail.name, detail.status) for detail in summary.details]
        passed = summary.status == "passed"
        del summary
        gc.collect()
    assert passed, found
    assert ("Reproduce test outputs from test inputs (onnx)", "passed") in found
    assert sum("Run onnx inference" in step for step, _ in found) == 6


def test_the_test_output_is_what_cpunet_computes_on_the_whole_image(packages):
    files = files_of(packages / "nuclei_fluorescence.zip")
    image, output = (np.load(io.BytesIO(files[name])) for name in ("test_input.npy", "test_output.npy"))
    model = load_model(ROOT / "models" / "nuclei_fluorescence" / "model.onnx", device="cpu")
    probabilities = segment_image(image[0, 0], model, Options(diameter_px=model.card.input.diameter_px)).probabilities
    np.testing.assert_allclose(output[0], probabilities, atol=1e-3)


@pytest.mark.parametrize(
    ("place", "wrong"),
    [
        (("scale_range", "axes"), ["channel", "y", "x"]),
        (("scale_range", "max_percentile"), 99.0),
        (("clip", "max"), 12.0),
    ],
)
def test_a_wrong_number_in_the_description_would_be_noticed(place, wrong, packages, tmp_path):
    files = files_of(packages / "nuclei_generalist.zip")
    bare = onnx.load_from_string(files["model.onnx"])
    del bare.metadata_props[:]
    rdf = yaml.safe_load(files["rdf.yaml"])
    (step,) = [step for step in rdf["inputs"][0]["preprocessing"] if step["id"] == place[0]]
    step["kwargs"][place[1]] = wrong
    changed = {"rdf.yaml": json.dumps(rdf).encode(), "model.onnx": bare.SerializeToString()}
    package = packed(tmp_path / "p.zip", {**files, **changed})
    with pytest.raises(PackageError, match="Reproduce test outputs"):
        bioimageio_package.check_package(package)


@pytest.fixture
def tiny(tmp_path):
    path = tmp_path / "tiny.onnx"
    path.write_bytes(
        tiny_onnx(card=changed_card(licence="Ask us", citation="Noether 1918, doi 10.1234/abc.", name="ti"))
    )
    return path


def test_the_same_model_gives_the_same_bytes_and_a_valid_description(tiny, tmp_path):
    for name in ("a.zip", "b.zip"):
        write_bioimageio(tiny, tmp_path / "new" / name)  # raises unless bioimageio.core's test passes
    content = (tmp_path / "new" / "a.zip").read_bytes()
    assert content == (tmp_path / "new" / "b.zip").read_bytes()
    files = files_of(tmp_path / "new" / "a.zip")
    rdf = yaml.safe_load(files["rdf.yaml"])
    assert rdf["cite"] == [{"text": "Noether 1918, doi 10.1234/abc.", "doi": "10.1234/abc"}]
    assert "license" not in rdf
    assert "Ask us" in files["README.md"].decode()
    assert rdf["name"] == "model ti"


def test_a_package_that_bioimageio_refuses_is_not_written(tiny, tmp_path, monkeypatch):
    monkeypatch.setattr(bioimageio_package, "normalize_together", lambda image, normalization: image / 300)
    with pytest.raises(PackageError, match="Reproduce test outputs"):
        write_bioimageio(tiny, tmp_path / "wrong.zip")
    assert not list(tmp_path.glob("*wrong*"))


@pytest.mark.parametrize(
    "sample",
    [
        np.random.default_rng(0).integers(0, 4096, (100, 700)).astype(np.uint16),
        np.random.default_rng(0).random((300, 300, 1)),
    ],
    ids=["narrow uint16", "one channel"],
)
def test_an_image_of_the_user_becomes_the_test_input(sample, tiny, tmp_path):
    write_bioimageio(tiny, tmp_path / "s.zip", sample)
    found = np.load(io.BytesIO(files_of(tmp_path / "s.zip")["test_input.npy"]))
    assert found.shape == (1, 1, 256, 256)
    assert np.isin(found, np.asarray(sample, np.float32)).all()


def test_an_image_that_does_not_fit_is_refused(tiny, tmp_path, capsys):
    np.save(tmp_path / "x.npy", 0)
    assert (
        main(["export", str(tiny), "--bioimageio", str(tmp_path / "s.zip"), "--sample", str(tmp_path / "x.npy")]) == 2
    )
    assert "this has the shape (), and" in capsys.readouterr().err
    with pytest.raises(Exception, match="the model takes nuclei"):
        write_bioimageio(tiny, tmp_path / "s.zip", np.zeros((300, 300, 3)))


NORMALIZED = {
    "mean and standard deviation": {"kind": "zero_mean_unit_variance"},
    "no lower limit": {"kind": "percentile", "clip_low": -1e6, "percentile_low": 40.0, "percentile_high": 60.0},
    "none": {"kind": "none"},
}


@pytest.mark.parametrize("normalization", NORMALIZED.values(), ids=NORMALIZED)
def test_any_normalization_goes_out_and_comes_back(normalization, tmp_path):
    path = tmp_path / "tiny.onnx"
    path.write_bytes(tiny_onnx(changed_card(input={"normalization": normalization}), gain=2.0, offset=0.0))
    write_bioimageio(path, tmp_path / "p.zip")  # raises unless bioimageio.core's test passes
    assert imported(tmp_path / "p.zip", tmp_path / "back.onnx") == 0
    assert (tmp_path / "back.onnx").read_bytes() == path.read_bytes()


@pytest.mark.parametrize("kind", ["percentile", "zero_mean_unit_variance"])
def test_channels_that_are_scaled_together_go_out_and_come_back(kind, tmp_path):
    given = {"channels": ["a", "b"], "normalization": {"kind": kind, "per_channel": False}}
    path = tmp_path / "tiny.onnx"
    path.write_bytes(tiny_onnx(changed_card(input=given), channels=2, gain=2.0, offset=0.0))
    write_bioimageio(path, tmp_path / "p.zip")
    assert imported(tmp_path / "p.zip", tmp_path / "back.onnx") == 0
    assert (tmp_path / "back.onnx").read_bytes() == path.read_bytes()


@pytest.mark.parametrize("batch", ["N", 1])
def test_a_network_of_one_size_goes_out_and_comes_back(batch, tmp_path):
    path = tmp_path / "tiny.onnx"
    path.write_bytes(tiny_onnx(changed_card(input={"tile_shape": [64, 96]}), size=(64, 96), batch=batch))
    write_bioimageio(path, tmp_path / "p.zip")
    rdf = yaml.safe_load(files_of(tmp_path / "p.zip")["rdf.yaml"])
    assert [axis.get("size") for axis in rdf["inputs"][0]["axes"][2:]] == [64, 96]
    assert imported(tmp_path / "p.zip", tmp_path / "back.onnx") == 0
    assert (tmp_path / "back.onnx").read_bytes() == path.read_bytes()


def test_an_imported_package_goes_out_again(tmp_path):
    """Its steps are then inside the network."""
    before = [SCALE, clip(min=0.0, max=1.0), linear(0.5, 0.25)]
    package = theirs(tmp_path / "p.zip", before, [], lambda scaled: np.clip(scaled, 0, 1) * 0.5 + 0.25)
    assert imported(package, tmp_path / "m.onnx", *ANSWERS) == 0
    write_bioimageio(tmp_path / "m.onnx", tmp_path / "again.zip")
    assert imported(tmp_path / "again.zip", tmp_path / "back.onnx") == 0
    assert (tmp_path / "back.onnx").read_bytes() == (tmp_path / "m.onnx").read_bytes()
