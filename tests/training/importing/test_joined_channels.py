import re

import numpy as np
import pytest
import tifffile

from cpunet.training.data.index import read_table
from tests.import_sources import data, field, put
from tests.written_sets import contents

SUFFIXES = ("_z1", "_z2", "_z3", "_z4", "_z5")


def focus_stack(seed, depths):
    """A drawn field in so many gray planes, each of another brightness, and its labels."""
    image, labels = field(seed)
    return np.stack([image // (depth + 1) for depth in range(depths)]), labels


def write_files(folder, depths):
    """Write two fields, each channel as a file; return the stacks by name."""
    stacks = {}
    for seed in range(2):
        stack, labels = focus_stack(seed, depths)
        for plane, suffix in zip(stack, SUFFIXES, strict=False):
            put(folder / "images" / f"f{seed}{suffix}.tif", plane)
        put(folder / "labels" / f"f{seed}.png", labels.astype(np.uint16))
        stacks[f"f{seed}"] = stack
    return stacks


def importing(folder, *words):
    return data("import", "--images", folder / "images", "--labels", folder / "labels", "-o", folder / "new", *words)


@pytest.mark.parametrize("depths", [2, 3, 4, 5])
def test_files_of_single_channels_are_joined_in_the_order_that_is_asked_for(tmp_path, depths, capsys):
    stacks = write_files(tmp_path, depths)
    order = SUFFIXES[:depths][::-1]
    assert importing(tmp_path, "--channel-suffixes", *order) == 0
    read = contents(tmp_path / "new")
    for name, stack in stacks.items():
        np.testing.assert_array_equal(read[name].image, np.moveaxis(stack[::-1], 0, -1))
    assert {row["channels"] for row in read_table(tmp_path / "new").rows} == {str(depths)}
    assert f"channels: {depths} files an image, in the order {', '.join(order)}." in capsys.readouterr().out
    assert data("check", tmp_path / "new") == 0


@pytest.mark.parametrize(("axes", "depths"), [("ZYX", 4), ("ZYX", 9), ("QYX", 7), ("CYX", 6)])
def test_the_depths_of_a_focus_stack_become_channels(tmp_path, axes, depths, capsys):
    stack, labels = focus_stack(0, depths)
    (tmp_path / "images").mkdir()
    metadata = {} if axes == "QYX" else {"axes": axes}
    tifffile.imwrite(tmp_path / "images" / "f0.tif", stack, ome=axes != "QYX", metadata=metadata)
    put(tmp_path / "labels" / "f0.png", labels.astype(np.uint16))
    if axes != "CYX":
        assert importing(tmp_path) == 2
        assert "one plane is needed" in capsys.readouterr().err
    assert importing(tmp_path, "--depths-as-channels") == 0
    np.testing.assert_array_equal(contents(tmp_path / "new")["f0"].image, np.moveaxis(stack, 0, -1))
    assert data("check", tmp_path / "new") == 0


def spoiled(change):
    def spoil(folder):
        write_files(folder, 3)
        change(folder / "images")

    return spoil


@pytest.mark.parametrize(
    ("spoil", "words", "message"),
    [
        (spoiled(lambda images: (images / "f1_z2.tif").unlink()), SUFFIXES[:3], "not there: .*f1_z2.tif"),
        (
            spoiled(lambda images: put(images / "f1_z2.tif", np.zeros((9, 64), np.uint16))),
            SUFFIXES[:3],
            r"f1_z2.tif: this is uint16 of the shape \(9, 64\), and f1_z1.tif is uint16 of \(64, 64\)",
        ),
        (
            spoiled(lambda images: put(images / "f0_z3.tif", np.zeros((64, 64), np.uint8))),
            SUFFIXES[:3],
            "f0_z3.tif: this is uint8",
        ),
        (
            spoiled(
                lambda images: put(images / "f0_z3.tif", np.arange(64 * 64 * 3, dtype=np.uint16).reshape(64, 64, 3))
            ),
            SUFFIXES[:3],
            "f0_z3.tif: this has 3 channels, and each file of --channel-suffixes must be gray",
        ),
        (spoiled(lambda images: None), ("_z1",), "give two or more, each once"),
        (spoiled(lambda images: None), ("_z1", "_z1"), "give two or more, each once"),
    ],
)
def test_channels_that_cannot_be_joined_are_named(tmp_path, spoil, words, message, capsys):
    spoil(tmp_path)
    assert importing(tmp_path, "--channel-suffixes", *words) == 2
    error = capsys.readouterr().err
    assert re.search(message, error), error
    assert not (tmp_path / "new").exists()


def test_options_that_would_have_no_effect_are_refused(tmp_path, capsys):
    write_files(tmp_path, 2)
    assert importing(tmp_path, "--channel-suffixes", "_z1", "_z2", "--image-suffix", "_z1") == 2
    assert "takes the place of --image-suffix" in capsys.readouterr().err
    assert data("import", tmp_path, "--depths-as-channels", "-o", tmp_path / "new") == 2
    assert "--depths-as-channels goes with --images" in capsys.readouterr().err


def test_more_planes_than_channels_can_be_are_refused(tmp_path, capsys):
    stack, labels = focus_stack(0, 33)
    (tmp_path / "images").mkdir()
    tifffile.imwrite(tmp_path / "images" / "f0.tif", stack, ome=True, metadata={"axes": "ZYX"})
    put(tmp_path / "labels" / "f0.png", labels.astype(np.uint16))
    assert importing(tmp_path, "--depths-as-channels") == 2
    assert "a plane of one to 32 channels is needed" in capsys.readouterr().err
