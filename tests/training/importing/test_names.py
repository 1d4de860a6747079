from pathlib import Path

import pytest

from cpunet.errors import DataError
from cpunet.training.importing.names import Rule, by_rule, without_label_suffix, without_suffix


def images(*stems):
    return {stem: Path(f"{stem}.tif") for stem in stems}


@pytest.mark.parametrize(
    ("image_names", "labels_names", "rule"),
    [
        (["a1_img", "a2_img"], ["a1_masks", "a2_masks"], Rule("_img", "_masks", at_end=True)),
        (["img_001", "img_002"], ["mask_001", "mask_002"], Rule("img", "mask", at_end=False)),
        (["a_image_1", "a_image_2"], ["a_seg_1", "a_seg_2"], Rule("image", "seg", at_end=False)),
        (["wellA", "wellB"], ["wellB_m", "wellA_m"], Rule("", "_m", at_end=True)),
        (["a1"], ["a1_nuclei"], Rule("", "_nuclei", at_end=True)),
    ],
)
def test_one_rule_is_found(image_names, labels_names, rule):
    paired, found = by_rule(images(*image_names), [Path(f"{name}.zip") for name in labels_names])
    assert found == rule
    assert sorted(paired.values()) == sorted(image_names)


@pytest.mark.parametrize(
    ("image_names", "labels_names"),
    [
        (["a1"], ["a2"]),
        (["a1", "a2"], ["a3", "a4"]),
        (["a1_img"], ["a2_mask"]),
        (["well_A"], ["well_B_m"]),
        (["DNA"], ["objects"]),
        (["a"], []),
    ],
)
def test_names_of_other_images_are_not_paired(image_names, labels_names):
    assert by_rule(images(*image_names), [Path(f"{name}.zip") for name in labels_names]) is None


def test_equal_ways_are_proposed_with_their_options():
    labels = [Path(f"set/{name}_{what}.tif") for name in ("a", "b") for what in ("cells", "my nuclei")]
    with pytest.raises(DataError, match="Say which: --labels-suffix _cells or --labels-suffix '_my nuclei'"):
        by_rule(images("xa_1a", "a", "b"), labels)


def test_endings_are_taken_off():
    assert without_label_suffix("a_masks", {"a"}) == "a"
    assert without_label_suffix("a_MASKS", {"a"}) == "a"
    assert without_label_suffix("a_masks", {"a_masks"}) == "a_masks"
    assert without_suffix(Path("x/a_seg.npy"), "_seg.npy") == without_suffix(Path("x/a_seg.npy"), "_seg") == "a"
    assert without_suffix(Path("x/a_seg.npy"), "_rois") is None
    assert without_suffix(Path("x/_seg.npy"), "_seg") is None


def test_thousands_of_names_are_paired_at_once():
    numbers = [f"{number:05d}" for number in range(3000)]
    paired, _ = by_rule(images(*(f"img_{each}" for each in numbers)), [Path(f"mask_{each}.tif") for each in numbers])
    assert paired == {Path(f"mask_{each}.tif"): f"img_{each}" for each in numbers}
