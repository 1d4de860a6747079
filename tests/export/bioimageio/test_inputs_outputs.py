"""Axes, sizes, types and roles of packages, in the formats 0.4 and 0.5."""

import re
import warnings
import zipfile

import numpy as np
import pytest
import yaml
from onnx import TensorProto, helper, numpy_helper
from scipy import ndimage

from cpunet.checks.stored_test import STORED_TEST_KEY, stored_test_from_json
from cpunet.checks.synthetic import synthetic_field
from cpunet.checks.verify import verify_model
from cpunet.model.session import load_model
from cpunet.onnx_reader.metadata import read_card, read_metadata
from cpunet.segment import segment_image
from tests.export.bioimageio_packages import (
    ANSWERS,
    SCALE,
    changed,
    files_of,
    imported,
    npy,
    older,
    same_network,
    sigmoid,
    standard,
    theirs,
)

BATCH, CHANNEL = {"type": "batch"}, {"type": "channel", "channel_names": ["foreground"]}
SINGLE = {"type": "space", "id": "z", "size": 1}
RAW = np.arange(192, dtype=np.float32).reshape(12, 16)
WITHOUT_HALO = ANSWERS[:4]


def free(axis):
    return {"type": "space", "id": axis, "size": {"min": 8, "step": 4}}


def same_as_input(axis, **more):
    return {"type": "space", "id": axis, "size": {"tensor_id": "raw", "axis_id": axis}, **more}


LAYOUTS = {
    "batch, y, x, channel": "byxc",
    "batch, y, x": "byx",
    "channel, y, x": "cyx",
    "y, x": "yx",
    "x and y turned": "bcxy",
    "one plane of a stack": "bczyx",
}


@pytest.mark.parametrize("order", LAYOUTS.values(), ids=LAYOUTS)
@pytest.mark.parametrize("opset", [11, 17])
def test_axes_may_stand_in_any_order(order, opset, tmp_path):
    given = {"b": BATCH, "c": CHANNEL, "z": SINGLE, "y": free("y"), "x": free("x")}
    gives = {**given, "y": same_as_input("y"), "x": same_as_input("x")}
    shape = [{"b": "N", "c": 1, "z": 1}.get(axis, axis.upper()) for axis in order]
    letters = [axis for axis in order if axis in "yx"]
    image = RAW if letters == ["y", "x"] else RAW.T
    tensor = np.reshape(image, [1 if axis in "bcz" else image.shape[letters.index(axis)] for axis in order])
    package = changed(
        theirs(tmp_path / "p.zip"),
        input={"axes": [given[axis] for axis in order]},
        output={"axes": [gives[axis] for axis in order]},
        files={
            "w.onnx": same_network(shape=shape, opset=opset),
            "in.npy": npy(tensor),
            "out.npy": npy((tensor / tensor.max()).astype(np.float32)),
        },
    )
    assert imported(package, tmp_path / "m.onnx", *ANSWERS) == 0
    scaled = RAW / RAW.max()
    found = load_model(tmp_path / "m.onnx", "cpu").predict(np.stack([scaled[np.newaxis], scaled[np.newaxis] / 2]))
    np.testing.assert_array_equal(found[0, 0], scaled)
    np.testing.assert_array_equal(found[1, 0], scaled / 2)


@pytest.mark.parametrize("kind", [TensorProto.FLOAT16, TensorProto.DOUBLE, TensorProto.UINT8, TensorProto.INT32])
def test_networks_may_take_other_numbers_than_float32(kind, tmp_path):
    whole = kind in (TensorProto.UINT8, TensorProto.INT32)
    binary = {"id": "binarize", "kwargs": {"threshold": 0.5}}
    before = [SCALE, binary, {"id": "ensure_dtype", "kwargs": {"dtype": "uint8"}}] if whole else [SCALE]
    package = theirs(tmp_path / "p.zip", before, [], (lambda scaled: scaled > 0.5) if whole else None)
    changed(package, files={"w.onnx": same_network(kind=kind)})
    assert imported(package, tmp_path / "m.onnx", *ANSWERS) == 0


def smoothing(side, shape, roles=1):
    """A network that sees `side` pixels at each side and tells bright from dark, in each channel alike."""
    length = 2 * side + 1
    kernel = np.full((roles, 1, length, length), 4 / length**2, np.float32)
    ends = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, (shape[0], count, *shape[1:]))
        for name, count in (("image", 1), ("logits", roles))
    ]
    conv = helper.make_node("Conv", ["image", "kernel"], ["logits"], pads=[side] * 4)
    graph = helper.make_graph([conv], "smooth", ends[:1], ends[1:], [numpy_helper.from_array(kernel, "kernel")])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=9)


def answer_of(model, image):
    roles, _, length, _ = model.graph.initializer[0].dims
    return sigmoid(4 * ndimage.uniform_filter(image, (1, 1, length, length), mode="constant")).repeat(roles, axis=1)


def nuclei(side=64):
    return synthetic_field((side, side), 3, 12).image.astype(np.float32)


def zoo_like(path, size, network, halo=None, roles=("foreground",), axis_ids=("y", "x")):
    """A package like those of the zoo: logits with a sigmoid after them, zero mean, one fixed size."""
    image = nuclei()[np.newaxis, np.newaxis] * 200 + 30
    package = theirs(path, [{"id": "zero_mean_unit_variance", "kwargs": {"axes": ["x", "y"]}}], [{"id": "sigmoid"}])
    spaces = [{"type": "space", "id": axis, "size": size} for axis in axis_ids]
    more = {} if halo is None else {"halo": halo}
    return changed(
        package,
        input={"axes": [{"type": "batch", "size": 1}, {"type": "channel", "channel_names": ["raw"]}, *spaces]},
        output={
            "axes": [
                BATCH,
                {"type": "channel", "channel_names": list(roles)},
                *[same_as_input(axis, **more) for axis in "yx"],
            ]
        },
        files={
            "w.onnx": network.SerializeToString(),
            "in.npy": npy(image),
            "out.npy": npy(answer_of(network, standard(image)).astype(np.float32)),
        },
    )


def test_a_package_of_one_size_is_run_in_tiles_of_it_and_its_test_is_stored(tmp_path, capsys):
    package = zoo_like(tmp_path / "p.zip", 64, smoothing(5, (1, 64, 64)), halo=8)
    model = tmp_path / "m.onnx"
    assert imported(package, model, *WITHOUT_HALO) == 0
    assert "takes 64 x 64 pixels alone" in capsys.readouterr().out
    card = read_card(model)
    assert (card.input.tile_shape, card.output.halo) == ((64, 64), 8)
    assert card.input.normalization.kind == "zero_mean_unit_variance"
    stored = stored_test_from_json(read_metadata(model)[STORED_TEST_KEY])
    files = files_of(package)
    (tmp_path / "out.npy").write_bytes(files["out.npy"])
    np.testing.assert_array_equal(stored.output, np.load(tmp_path / "out.npy"))
    assert all(finding.passed for finding in verify_model(model))
    tiled = segment_image(nuclei(200), load_model(model, "cpu"))
    assert tiled.labels.max() == 9


@pytest.mark.parametrize("declared", [None, 2], ids=["no halo", "a halo that is too small"])
@pytest.mark.parametrize("size", [64, {"min": 16, "step": 16}], ids=["one size", "any size"])
def test_a_halo_is_as_wide_as_the_network_sees(declared, size, tmp_path):
    shape = (1, 64, 64) if size == 64 else ("N", "Y", "X")
    package = zoo_like(tmp_path / "p.zip", size, smoothing(5, shape), halo=declared)
    assert imported(package, tmp_path / "m.onnx", *WITHOUT_HALO) == 0
    assert read_card(tmp_path / "m.onnx").output.halo >= 5
    assert all(finding.passed for finding in verify_model(tmp_path / "m.onnx"))


def test_a_halo_never_takes_more_than_half_of_a_tile_of_one_size(tmp_path, capsys):
    package = zoo_like(tmp_path / "p.zip", 64, smoothing(29, (1, 64, 64)), halo=30)
    assert imported(package, tmp_path / "m.onnx", *WITHOUT_HALO) == 0
    assert read_card(tmp_path / "m.onnx").output.halo < 30


def test_a_test_that_is_too_large_to_be_stored_is_spoken_of(tmp_path, capsys):
    image = np.linspace(0, 1, 2052 * 2052, dtype=np.float32).reshape(1, 1, 2052, 2052)
    package = changed(theirs(tmp_path / "p.zip"), files={"in.npy": npy(image), "out.npy": npy(image)})
    assert imported(package, tmp_path / "m.onnx", *ANSWERS) == 0
    assert "too large to be stored" in capsys.readouterr().out
    assert all(finding.passed for finding in verify_model(tmp_path / "m.onnx"))


def test_free_height_and_width_but_one_image_at_a_time(tmp_path):
    package = zoo_like(tmp_path / "p.zip", {"min": 16, "step": 16}, smoothing(5, (1, "Y", "X")), halo=7)
    assert imported(package, tmp_path / "m.onnx", *WITHOUT_HALO) == 0
    assert read_card(tmp_path / "m.onnx").input.tile_shape is None
    batch = np.random.default_rng(0).random((3, 1, 32, 48), np.float32)
    assert load_model(tmp_path / "m.onnx", "cpu").predict(batch).shape == (3, 1, 32, 48)


def test_sizes_that_the_network_does_not_take_are_measured_instead(tmp_path, capsys):
    """A package says that any size is taken, and its network pools and enlarges by four."""
    pool = helper.make_node("MaxPool", ["a"], ["pooled"], kernel_shape=[4, 4], strides=[4, 4])
    enlarge = helper.make_node("Resize", ["pooled", "", "factors"], ["b"], mode="nearest")
    factors = numpy_helper.from_array(np.array([1, 1, 4, 4], np.float32), "factors")
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ("N", 1, "Y", "X")) for name in "ab"]
    graph = helper.make_graph([pool, enlarge], "pools", ends[:1], ends[1:], [factors])
    network = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    axes = [{"type": "space", "id": axis, "size": {"min": 1, "step": 1}} for axis in "yx"]
    scaled = RAW / RAW.max()
    pooled = scaled.reshape(3, 4, 4, 4).max(axis=(1, 3)).repeat(4, axis=0).repeat(4, axis=1)
    package = changed(
        theirs(tmp_path / "p.zip"),
        input={"axes": [BATCH, CHANNEL, *axes]},
        files={"w.onnx": network.SerializeToString(), "out.npy": npy(pooled[np.newaxis, np.newaxis])},
    )
    assert imported(package, tmp_path / "m.onnx", *ANSWERS) == 0
    assert "input.divisible_by: 4, measured" in capsys.readouterr().out
    assert read_card(tmp_path / "m.onnx").input.divisible_by == 4


def test_a_free_network_is_run_in_the_one_size_that_its_package_names(tmp_path):
    package = zoo_like(tmp_path / "p.zip", 64, smoothing(5, ("N", "Y", "X")))
    assert imported(package, tmp_path / "m.onnx", *WITHOUT_HALO) == 0
    assert read_card(tmp_path / "m.onnx").input.tile_shape == (64, 64)


NAMES = {
    "foreground and boundary": (["foreground", "boundary"], ("foreground", "boundary")),
    "in other words": (["Background", "fg", "Boundary_probability"], ("background", "foreground", "boundary")),
    "probability": (["probability"], ("foreground",)),
    "without a name": (["channel0"], ("foreground",)),
    "boundaries alone": (["boundaries"], ("boundary",)),
}


@pytest.mark.parametrize(("names", "roles"), NAMES.values(), ids=NAMES)
def test_names_of_output_channels_become_roles(names, roles, tmp_path, capsys):
    network = smoothing(5, ("N", "Y", "X"), len(names))
    package = zoo_like(tmp_path / "p.zip", {"min": 16, "step": 16}, network, halo=7, roles=names)
    assert imported(package, tmp_path / "m.onnx", *ANSWERS) == 0
    assert read_card(tmp_path / "m.onnx").output.roles == roles
    assert ("is taken for" in capsys.readouterr().out) == (tuple(names) != roles)


@pytest.mark.parametrize("names", [["channel0", "channel1"], ["foreground", "fg"], ["flow"]])
def test_roles_that_no_name_says_are_asked_for(names, tmp_path, capsys):
    network = smoothing(5, ("N", "Y", "X"), len(names))
    package = zoo_like(tmp_path / "p.zip", {"min": 16, "step": 16}, network, halo=7, roles=names)
    assert imported(package, tmp_path / "m.onnx", *ANSWERS) == 2
    assert "--roles" in capsys.readouterr().err
    roles = ["foreground", "boundary"][: len(names)]
    assert imported(package, tmp_path / "m.onnx", *ANSWERS, "--roles", *roles) == 0
    assert read_card(tmp_path / "m.onnx").output.roles == tuple(roles)


def zmuv04(mode, **more):
    return {"name": "zero_mean_unit_variance", "kwargs": {"mode": mode, "axes": "yx", **more}}


def range04(mode="per_sample", **more):
    kwargs = {"mode": mode, "axes": "yx", "min_percentile": 0, "max_percentile": 100, **more}
    return {"name": "scale_range", "kwargs": kwargs}


ANY = RAW[np.newaxis, np.newaxis]
OLDER = {
    "zero mean": ([zmuv04("per_sample")], [{"name": "sigmoid"}], sigmoid(standard(ANY)), "zero_mean_unit_variance"),
    "zero mean of a data set": (
        [zmuv04("per_dataset")],
        [{"name": "sigmoid"}],
        sigmoid(standard(ANY)),
        "zero_mean_unit_variance",
    ),
    "fixed mean": ([zmuv04("fixed", mean=95.0, std=50.0)], [{"name": "sigmoid"}], sigmoid((ANY - 95) / 50), "none"),
    "percentiles": ([range04()], [], ANY / ANY.max(), "percentile"),
    "linear and clip": (
        [range04(), {"name": "scale_linear", "kwargs": {"gain": 0.5, "offset": 0.25}}],
        [{"name": "clip", "kwargs": {"min": 0.3, "max": 0.6}}],
        np.clip(ANY / ANY.max() / 2 + 0.25, 0.3, 0.6),
        "percentile",
    ),
    "binarize": (
        [range04()],
        [{"name": "binarize", "kwargs": {"threshold": 0.5}}],
        ANY / ANY.max() > 0.5,
        "percentile",
    ),
}


@pytest.mark.parametrize(("before", "after", "expected", "kind"), OLDER.values(), ids=OLDER)
def test_packages_of_format_0_4_are_taken(before, after, expected, kind, tmp_path):
    package = older(tmp_path / "p.zip", before, after, lambda _: expected)
    assert imported(package, tmp_path / "m.onnx", *ANSWERS) == 0
    assert read_card(tmp_path / "m.onnx").input.normalization.kind == kind


def test_what_the_conversion_of_format_0_4_drops_is_not_lost(tmp_path, capsys):
    package = older(tmp_path / "p.zip", [range04("per_dataset")], [], lambda image: image / image.max())
    assert imported(package, tmp_path / "m.onnx", *ANSWERS) == 0
    assert "values of a whole data set together" in capsys.readouterr().out
    package = changed(package, files={"w.onnx": same_network(opset=13)})
    rdf = files_of(package)["rdf.yaml"]
    with zipfile.ZipFile(package, "a") as archive, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the name stands twice in it; the last counts
        archive.writestr("rdf.yaml", re.sub(rb'"sha256": "[0-9a-f]+"', b'"sha256": "' + b"0" * 64 + b'"', rdf))
    assert imported(package, tmp_path / "n.onnx", *ANSWERS) == 2
    assert f"promises {'0' * 64}" in capsys.readouterr().err


def test_two_channels_of_format_0_4_have_no_names_and_are_asked_for(tmp_path, capsys):
    """Foreground and boundary, as the zoo's most used model of nuclei gives them."""
    network = smoothing(2, ("N", "Y", "X"), 2)

    def expected(image):
        return answer_of(network, standard(image))

    package = older(
        tmp_path / "p.zip",
        [zmuv04("per_sample")],
        [{"name": "sigmoid"}],
        expected,
        roles=2,
        halo=[0, 0, 3, 3],
        network=network.SerializeToString(),
    )
    assert imported(package, tmp_path / "m.onnx", *WITHOUT_HALO) == 2
    assert "--roles" in capsys.readouterr().err
    assert imported(package, tmp_path / "m.onnx", *WITHOUT_HALO, "--roles", "foreground", "boundary") == 0
    card = read_card(tmp_path / "m.onnx")
    assert (card.output.roles, card.output.halo) == (("foreground", "boundary"), 3)


def test_one_size_with_a_halo_in_format_0_4(tmp_path):
    package = older(
        tmp_path / "p.zip", [range04()], [], lambda image: image / 200, shape=[1, 1, 12, 16], halo=[0, 0, 1, 1]
    )
    files = files_of(package)
    scaled = RAW[np.newaxis, np.newaxis] / RAW.max()
    changed(package, files={**files, "out.npy": npy(scaled.astype(np.float32))})
    assert imported(package, tmp_path / "m.onnx", *WITHOUT_HALO) == 0
    assert read_card(tmp_path / "m.onnx").input.tile_shape == (12, 16)


VOLUME = [BATCH, CHANNEL, {"type": "space", "id": "z", "size": 5}, free("y"), free("x")]
VOLUME_OUT = [BATCH, CHANNEL, *map(same_as_input, "zyx")]
WRONG = {
    "a volume of one depth": (
        {"input": {"axes": VOLUME, "preprocessing": []}, "output": {"axes": VOLUME_OUT}},
        "a volume of the fixed depth, height or width 5",
    ),
    "a volume to an image": ({"input": {"axes": VOLUME, "preprocessing": []}}, "both must have planes (z), or neither"),
    "a volume normalized plane by plane": ({"input": {"axes": VOLUME}}, "cpunet takes z and y and x together"),
    "a time series": (
        {"input": {"axes": [BATCH, {"type": "time", "id": "time", "size": 3}, CHANNEL, free("y"), free("x")]}},
        "Models of time series",
    ),
    "no width": (
        {
            "input": {"axes": [BATCH, CHANNEL, free("y")]},
            "output": {"axes": [BATCH, CHANNEL, same_as_input("y")]},
        },
        "does not follow the format",
    ),
    "another number of axes": (
        {
            "input": {"axes": [CHANNEL, free("y"), free("x")]},
            "output": {"axes": [BATCH, CHANNEL, *map(same_as_input, "yx")]},
        },
        "has 4 axes, and its description names 3",
    ),
    "a smaller output": (
        {
            "output": {
                "axes": [
                    BATCH,
                    CHANNEL,
                    {"type": "space", "id": "y", "size": {"tensor_id": "raw", "axis_id": "y", "offset": -4}},
                    same_as_input("x"),
                ]
            }
        },
        "another height than its input: that of raw.y -4",
    ),
    "a coarser output": (
        {"output": {"axes": [BATCH, CHANNEL, same_as_input("y"), same_as_input("x", scale=2.0)]}},
        "another width than its input",
    ),
    "one side fixed": (
        {"input": {"axes": [BATCH, CHANNEL, free("y"), {**free("x"), "size": 16}]}},
        "both must be fixed",
    ),
    "a test of other axes": ({"files": {"in.npy": npy(RAW)}}, "its test input has the shape (12, 16)"),
    "a test that is no number": (
        {"files": {"out.npy": npy(np.full((1, 1, 12, 16), np.nan, np.float32))}},
        "holds values that are no numbers",
    ),
    "no test": ({"input": {"test_tensor": None}}, "no test tensor for raw"),
}


@pytest.mark.parametrize(("parts", "message"), WRONG.values(), ids=WRONG)
def test_what_is_no_image_to_an_image_of_the_same_size_is_refused(parts, message, tmp_path, capsys):
    package = changed(theirs(tmp_path / "p.zip"), **parts)
    assert imported(package, tmp_path / "m.onnx", *ANSWERS) == 2
    assert message in capsys.readouterr().err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["p.zip"]


def test_the_second_axis_may_leave_its_name_to_the_default(tmp_path):
    spaces = [
        {"type": "space", "id": "y", "size": {"min": 8, "step": 4}},
        {"type": "space", "size": {"min": 8, "step": 4}},
    ]
    referring = [same_as_input("y"), {"type": "space", "size": {"tensor_id": "raw", "axis_id": "x"}}]
    package = changed(
        theirs(tmp_path / "p.zip"),
        input={"axes": [BATCH, CHANNEL, *spaces]},
        output={"axes": [BATCH, CHANNEL, *referring]},
    )
    assert imported(package, tmp_path / "m.onnx", *ANSWERS) == 0


@pytest.mark.parametrize("name", ["inputs", "outputs"])
def test_several_tensors_are_refused_by_their_names(name, tmp_path, capsys):
    package = theirs(tmp_path / "p.zip")
    tensor = {"id": "second", "axes": [BATCH, CHANNEL, free("y"), free("x")], "test_tensor": {"source": "in.npy"}}
    if name == "outputs":
        tensor["axes"][2:] = [same_as_input("y"), same_as_input("x")]
    rdf = yaml.safe_load(files_of(package)["rdf.yaml"])
    changed(package, rdf={name: [*rdf[name], tensor]})
    assert imported(package, tmp_path / "m.onnx", *ANSWERS) == 2
    assert f"it has 2 {name} ({rdf[name][0]['id']}, second)" in capsys.readouterr().err


def test_the_package_itself_is_left_as_it_is(tmp_path, capsys):
    folder = tmp_path / "folder"
    folder.mkdir()
    for name, content in files_of(theirs(tmp_path / "p.zip")).items():
        (folder / name).write_bytes(content)
    before = (folder / "w.onnx").read_bytes()
    assert imported(folder, folder / "w.onnx", *ANSWERS, "--overwrite") == 2
    assert "lies in the package itself" in capsys.readouterr().err
    assert (folder / "w.onnx").read_bytes() == before


UNITS = {
    "whole numbers": ({"type": "uint8"}, 1.0, "as_stored"),
    "a range up to 255": ({"type": "float32", "range": [0, 255]}, 1 / 255, "as_stored"),
    "a range up to 1": ({"type": "float32", "range": [0, 1]}, 1.0, "zero_to_one"),
    "a test up to 191": ({"type": "float32"}, 1.0, "as_stored"),
    "a test up to 1": ({"type": "float32"}, 1 / 191, "zero_to_one"),
    "a test below 0": ({"type": "float32"}, -1 / 191, "as_stored"),
}


@pytest.mark.parametrize(("data", "factor", "units"), UNITS.values(), ids=UNITS)
def test_the_card_says_in_which_units_images_go_in_that_are_not_normalized(data, factor, units, tmp_path):
    image = RAW[np.newaxis, np.newaxis] * np.float32(factor)
    package = theirs(tmp_path / "p.zip", [], [{"id": "sigmoid"}], lambda _: sigmoid(image))
    changed(package, input={"data": data}, files={"in.npy": npy(image)})
    assert imported(package, tmp_path / "m.onnx", *ANSWERS) == 0
    normalization = read_card(tmp_path / "m.onnx").input.normalization
    assert (normalization.kind, normalization.units) == ("none", units)
    assert imported(package, tmp_path / "n.onnx", *ANSWERS, "--units", "zero_to_one") == 0
    assert read_card(tmp_path / "n.onnx").input.normalization.units == "zero_to_one"
