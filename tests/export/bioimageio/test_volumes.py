"""Packages of networks of volumes, with a z axis: written, tested by bioimageio.core, and read again."""

import io
import json

import numpy as np
import pytest
import yaml
from onnx import TensorProto, helper
from scipy import ndimage

from cpunet.checks.verify import verify_model
from cpunet.export.bioimageio.package import check_package, write_bioimageio
from cpunet.export.card.file import with_card_and_test
from cpunet.model.card import card_from_content
from cpunet.model.session import load_model
from cpunet.onnx_reader.metadata import read_card
from tests.export.bioimageio_packages import changed, files_of, imported, npy, packed, same_network
from tests.tiny_volumes import changed_volume_card, mean_volume_onnx

CARD = changed_volume_card(
    name="tiny volumes",
    description="Bright balls.",
    authors=["A. Curie"],
    input={"pixel_size_um": 0.5, "z_step_px": 3.0},
    output={"halo": 4, "halo_planes": 2},
)
AXES = {
    "z": {"size": {"min": 6, "step": 2}, "scale": 1.5},
    "y": {"size": {"min": 12, "step": 4}, "scale": 0.5},
    "x": {"size": {"min": 12, "step": 4}, "scale": 0.5},
}


def written(path, card=CARD):
    """Write a model of volumes that averages 3 x 5 x 5 voxels, with its test."""
    path.write_bytes(mean_volume_onnx(card))
    model = load_model(path, "cpu")
    path.write_bytes(with_card_and_test(mean_volume_onnx(None), card_from_content(card), model.predict))
    return path


@pytest.fixture
def package(tmp_path):
    """The package of it, which bioimageio.core has tested."""
    write_bioimageio(written(tmp_path / "model.onnx"), tmp_path / "p.zip")
    return tmp_path / "p.zip"


def percentiles_of(rdf):
    (step,) = [step for step in rdf["inputs"][0]["preprocessing"] if step["id"] == "scale_range"]
    return step["kwargs"]


def test_a_package_has_a_z_axis_with_its_size_halo_and_scale(package):
    files = files_of(package)
    rdf = yaml.safe_load(files["rdf.yaml"])
    (given,), (output,) = rdf["inputs"], rdf["outputs"]
    assert [axis["type"] for axis in given["axes"]] == ["batch", "channel", "space", "space", "space"]
    for axis in given["axes"][2:]:
        assert (axis["size"], axis["scale"], axis["unit"]) == (*AXES[axis["id"]].values(), "micrometer")
    assert {axis["id"]: axis["halo"] for axis in output["axes"][2:]} == {"z": 2, "y": 4, "x": 4}
    assert all(axis["size"] == {"tensor_id": "image", "axis_id": axis["id"]} for axis in output["axes"][2:])
    assert percentiles_of(rdf)["axes"] == ["z", "y", "x"]
    assert "3d" in rdf["tags"]
    test_input, test_output = (np.load(io.BytesIO(files[name])) for name in ("test_input.npy", "test_output.npy"))
    assert test_input.shape == test_output.shape == (1, 1, 8, 64, 64)
    readme = files["README.md"].decode()
    assert "Nor does it resample a volume" in readme
    assert "Planes must lie 3 times as far apart as pixels." in readme
    assert files["cover.png"].startswith(b"\x89PNG")


def test_a_wrong_axis_of_the_normalization_would_be_noticed(package, tmp_path):
    """Percentiles of each plane are others than those of the volume."""
    files = files_of(package)
    rdf = yaml.safe_load(files["rdf.yaml"])
    percentiles_of(rdf)["axes"] = ["y", "x"]
    wrong = packed(tmp_path / "wrong.zip", {**files, "rdf.yaml": json.dumps(rdf).encode()})
    with pytest.raises(Exception, match="Reproduce test outputs"):
        check_package(wrong)


def test_a_package_comes_back_as_the_model_that_it_was(package, tmp_path):
    assert imported(package, tmp_path / "back.onnx") == 0
    assert (tmp_path / "back.onnx").read_bytes() == (tmp_path / "model.onnx").read_bytes()


@pytest.mark.parametrize(
    "sample",
    [
        np.random.default_rng(0).integers(0, 4096, (11, 100, 70)).astype(np.uint16),
        np.random.default_rng(0).random((3, 20, 90, 1)),
    ],
    ids=["planes", "a channel"],
)
def test_a_sample_is_a_volume(sample, tmp_path):
    write_bioimageio(written(tmp_path / "model.onnx"), tmp_path / "p.zip", sample)
    test_input = np.load(io.BytesIO(files_of(tmp_path / "p.zip")["test_input.npy"]))
    assert test_input.shape == (1, 1, 8, 64, 64)


def test_an_image_is_no_sample_of_a_volume(tmp_path):
    with pytest.raises(Exception, match=r"Give a volume \(Z, Y, X\) or \(Z, Y, X, C\)"):
        write_bioimageio(written(tmp_path / "model.onnx"), tmp_path / "p.zip", np.zeros((64, 64)))


def theirs(path, order="bczyx", after=(), channels=1):
    """Write another program's package of a network of volumes that gives back its input, in any order of axes."""
    kinds = {"b": {"type": "batch"}, "c": {"type": "channel", "channel_names": [f"c{n}" for n in range(channels)]}}
    units = {"unit": "micrometer"}
    for axis, scale in zip("zyx", (2.0, 0.5, 0.5), strict=True):
        kinds[axis] = {"type": "space", "id": axis, "size": {"min": 4, "step": 2}, "scale": scale, **units}
    roles = {"type": "channel", "channel_names": ["foreground", "boundary"][:channels]}
    ends = {**kinds, "c": roles}
    for axis in "zyx":
        ends[axis] = {**kinds[axis], "size": {"tensor_id": "raw", "axis_id": axis}}
    values = np.random.default_rng(0).random((1, channels, 6, 12, 16)).astype(np.float32)
    shape = [{"b": "N", "c": channels, "z": "Z", "y": "Y", "x": "X"}[axis] for axis in order]
    low, high = (values.reshape(channels, -1).min(1), values.reshape(channels, -1).max(1))
    scaled = (values - low[:, None, None, None]) / (high - low)[:, None, None, None]
    turned = [np.transpose(each, ["bczyx".index(axis) for axis in order]) for each in (values, scaled)]
    kwargs = {"axes": ["z", "y", "x"], "min_percentile": 0.0, "max_percentile": 100.0}
    rdf = {
        "format_version": "0.5.3",
        "type": "model",
        "name": "theirs",
        "description": "Nuclei.",
        "license": "MIT",
        "authors": [{"name": "A. Curie"}],
        "cite": [{"text": "Curie 2020", "doi": "10.1234/5"}],
        "inputs": [
            {
                "id": "raw",
                "axes": [kinds[axis] for axis in order],
                "test_tensor": {"source": "in.npy"},
                "preprocessing": [{"id": "scale_range", "kwargs": kwargs}],
            }
        ],
        "outputs": [
            {
                "id": "out",
                "axes": [ends[axis] for axis in order],
                "test_tensor": {"source": "out.npy"},
                "postprocessing": list(after),
            }
        ],
        "weights": {"onnx": {"source": "w.onnx", "opset_version": 17}},
    }
    files = {
        "rdf.yaml": json.dumps(rdf).encode(),
        "w.onnx": same_network(shape=shape),
        "in.npy": npy(turned[0]),
        "out.npy": npy(turned[1]),
    }
    return packed(path, files)


ANSWERS = ("--diameter", "20", "--modality", "fluorescence")


@pytest.mark.parametrize("order", ["bczyx", "bxyzc", "zyxbc"])
def test_axes_of_volumes_may_stand_in_any_order(order, tmp_path, capsys):
    output = tmp_path / "m.onnx"
    assert imported(theirs(tmp_path / "p.zip", order), output, *ANSWERS) == 0, capsys.readouterr().err
    card = read_card(output)
    assert (card.input.dimensions, card.input.z_step_px, card.input.pixel_size_um) == (3, 4.0, 0.5)
    assert (card.input.divisible_by, card.input.divisible_by_planes, card.input.min_planes) == (2, 2, 4)
    assert all(finding.passed for finding in verify_model(output))


def test_an_isotropic_package_without_a_scale_is_asked_for_its_z_step(tmp_path, capsys):
    package = theirs(tmp_path / "p.zip")
    rdf = yaml.safe_load(files_of(package)["rdf.yaml"])
    for tensor in ("inputs", "outputs"):
        for axis in rdf[tensor][0]["axes"][2:]:
            del axis["scale"], axis["unit"]
    changed(package, rdf=rdf)
    assert imported(package, tmp_path / "m.onnx", *ANSWERS) == 2
    assert "--z-step PX" in capsys.readouterr().err
    assert imported(package, tmp_path / "m.onnx", *ANSWERS, "--z-step", "2.5") == 0
    assert read_card(tmp_path / "m.onnx").input.z_step_px == 2.5


def test_steps_behind_a_network_of_volumes_go_into_it(tmp_path, capsys):
    package = theirs(tmp_path / "p.zip", after=[{"id": "softmax", "kwargs": {"axis": "channel"}}], channels=2)
    files = files_of(package)
    scaled = np.load(io.BytesIO(files["out.npy"]))
    powers = np.exp(scaled)
    changed(package, files={"out.npy": npy((powers / powers.sum(axis=1, keepdims=True)).astype(np.float32))})
    assert imported(package, tmp_path / "m.onnx", *ANSWERS) == 0, capsys.readouterr().err


def test_planes_without_a_halo_get_the_one_that_is_measured(tmp_path, capsys):
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ("N", 1, "Z", "Y", "X")) for name in "ab"]
    pool = helper.make_node("MaxPool", ["a"], ["b"], kernel_shape=[3, 5, 5], pads=[1, 2, 2] * 2)
    graph = helper.make_graph([pool], "largest", ends[:1], ends[1:])
    network = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    package = theirs(tmp_path / "p.zip")
    image = np.load(io.BytesIO(files_of(package)["in.npy"]))
    scaled = (image - image.min()) / (image.max() - image.min())
    largest = ndimage.maximum_filter(scaled[0, 0], (3, 5, 5), mode="constant", cval=-1)[np.newaxis, np.newaxis]
    changed(package, files={"w.onnx": network.SerializeToString(), "out.npy": npy(largest.astype(np.float32))})
    assert imported(package, tmp_path / "m.onnx", *ANSWERS, "--halo", "0", "--halo-planes", "0") == 0
    assert read_card(tmp_path / "m.onnx").output.halo_planes == 0  # as it was answered
    assert imported(package, tmp_path / "m.onnx", *ANSWERS) == 0, capsys.readouterr().err
    output = read_card(tmp_path / "m.onnx").output
    assert (output.halo_planes, output.halo) == (2, 4)


BY_PLANE = {"id": "scale_range", "kwargs": {"axes": ["y", "x"], "min_percentile": 0.0, "max_percentile": 100.0}}
ONE_DEPTH = [
    {"type": "batch"},
    {"type": "channel", "channel_names": ["c0"]},
    {"type": "space", "id": "z", "size": 6, "scale": 2.0, "unit": "micrometer"},
    *(
        {"type": "space", "id": axis, "size": size, "scale": 0.5, "unit": "micrometer"}
        for axis, size in zip("yx", (12, 16))
    ),
]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"preprocessing": [BY_PLANE]}, "cpunet takes z and y and x together"),
        ({"axes": ONE_DEPTH}, "a volume of the fixed depth, height or width 6"),
    ],
    ids=["normalized plane by plane", "one depth"],
)
def test_volumes_that_cannot_be_used_are_refused(changes, message, tmp_path, capsys):
    package = changed(theirs(tmp_path / "p.zip"), input=changes)
    assert imported(package, tmp_path / "m.onnx", *ANSWERS) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "m.onnx").exists()
