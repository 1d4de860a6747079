from pathlib import Path

import numpy as np
import pytest

from cpunet.errors import DataError
from cpunet.training.from_stain.pairing import pair_stains
from tests.import_sources import put

PATTERN = r"(?P<well>[A-H]\d\d)_s(?P<tile>\d)_t(?P<time>\d+)"


def folders(tmp_path, stains, images):
    for folder, names in (("stain", stains), ("phase", images)):
        (tmp_path / folder).mkdir()
        for name in names:
            put(tmp_path / folder / name, np.zeros((2, 2), np.uint8))
    return tmp_path / "stain", tmp_path / "phase"


def named(pairing):
    return [(pair.id, pair.stain.name) for pair in pairing.pairs]


@pytest.mark.parametrize(
    ("stains", "images", "expected"),
    [
        (["a.tif", "b.tif"], ["a.png", "b.png"], [("a", "a.tif"), ("b", "b.tif")]),
        (["a_dapi.tif", "b_dapi.tif"], ["a_ph.png", "b_ph.png"], [("a_ph", "a_dapi.tif"), ("b_ph", "b_dapi.tif")]),
        (["w2_1.tif", "w2_2.tif"], ["ph_1.tif", "ph_2.tif"], None),  # the channel's number differs: say how
        (["dapi.tif"], ["phase.tif"], [("phase", "dapi.tif")]),
    ],
)
def test_names_that_are_equal_or_differ_in_one_place_pair(tmp_path, stains, images, expected):
    found = folders(tmp_path, stains, images)
    if expected is None:
        with pytest.raises(DataError, match="--pattern"):
            pair_stains(*found)
    else:
        assert named(pair_stains(*found)) == expected


def test_named_parts_pair_whatever_else_the_names_hold(tmp_path):
    stains = ["A01_s1_t0_405nm.tif", "A01_s1_t1_405nm.tif", "B02_s2_t0_405nm.tif"]
    found = folders(tmp_path, stains, ["x-A01_s1_t0.tif", "x-A01_s1_t1.tif", "x-C03_s1_t0.tif", "notes.png"])
    pairing = pair_stains(*found, PATTERN)
    assert named(pairing) == [("x-A01_s1_t0", stains[0]), ("x-A01_s1_t1", stains[1])]
    assert pairing.pairs[1].parts == {"tile": "1", "time": "1", "well": "A01"}
    assert pairing.pairs[0].group == pairing.pairs[1].group
    assert {Path(path).name: why for path, why in pairing.unpaired} == {
        "x-C03_s1_t0.tif": "no stain belongs to this image",
        "notes.png": "no stain belongs to this image",
        stains[2]: "no image belongs to this stain",
    }


def test_one_folder_is_told_apart_by_two_patterns(tmp_path):
    (folder, _) = folders(tmp_path, ["1_ch1.tif", "1_ch2.tif", "2_ch1.tif", "2_ch2.tif"], [])
    pairing = pair_stains(folder, folder, r"(?P<tile>\d)_ch1", r"(?P<tile>\d)_ch2")
    assert named(pairing) == [("1_ch1", "1_ch2.tif"), ("2_ch1", "2_ch2.tif")]
    with pytest.raises(DataError, match="one folder"):
        pair_stains(folder, folder)


@pytest.mark.parametrize(
    ("patterns", "message"),
    [
        (("(", None), "no regular expression"),
        ((r"\d", None), "no named part"),
        ((r"(?P<id>\d)", None), "cannot be called 'id'"),
        ((r"(?P<well>Z)", None), "fits no name"),
        ((r"(?P<well>a)", None), "all belong to well a"),
        ((r"(?P<well>\d)", r"(?P<tile>\d)"), "must be the same"),
        ((None, r"(?P<tile>\d)"), "goes with --pattern"),
    ],
)
def test_a_pattern_that_cannot_be_used_is_refused(tmp_path, patterns, message):
    found = folders(tmp_path, ["a1.tif", "a2.tif"], ["a1.tif", "a2.tif"])
    with pytest.raises(DataError, match=message):
        pair_stains(*found, *patterns)


def test_missing_and_empty_folders_are_named(tmp_path):
    stains, images = folders(tmp_path, ["a.tif"], [])
    with pytest.raises(DataError, match="phase: there is no image"):
        pair_stains(stains, images)
    with pytest.raises(DataError, match="nowhere: there is no such folder"):
        pair_stains(stains, tmp_path / "nowhere")
