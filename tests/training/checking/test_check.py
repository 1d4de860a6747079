import re

import numpy as np
import pytest
from scipy import ndimage

from cpunet.training.checking.check import check_data
from cpunet.training.checking.image_facts import ERROR, WARNING
from tests.import_sources import data, field, put
from tests.written_sets import good_images, write_set


def found(*folders):
    """Return what is found as (severity, kind, where)."""
    return [(each.severity, each.kind, each.where) for each in check_data(folders).findings]


def sentences(folder, kind):
    return [each.what for each in check_data([folder]).findings if each.kind == kind]


def test_a_good_set_has_no_finding(tmp_path, capsys):
    write_set(tmp_path / "good", *good_images())
    assert data("check", tmp_path / "good") == 0
    printed = capsys.readouterr().out
    assert "Training may start: 0 errors, 0 warnings." in printed


def test_files_that_cannot_be_used_are_errors_and_do_not_stop_the_check(tmp_path, capsys):
    folder = write_set(tmp_path / "set", *good_images(12))
    (folder / "images/f0.tif").unlink()
    (folder / "labels/f1.tif").write_bytes(b"no image")
    put(folder / "labels/f2.tif", np.zeros((10, 10), np.uint16))
    put(folder / "labels/f4.tif", np.full((64, 64), 0.5, np.float32))
    put(folder / "labels/f5.tif", np.full((64, 64), -1, np.int16))
    put(folder / "images/f7.tif", np.zeros((9, 64, 64), np.uint8))
    put(folder / "images/f8.png", np.zeros((64, 64), np.uint8))
    assert [each for each in found(folder) if each[0] == ERROR] == [
        (ERROR, "file", "set/f0"),
        (ERROR, "file", "set/f1"),
        (ERROR, "labels", "set/f2"),
        (ERROR, "labels", "set/f4"),
        (ERROR, "labels", "set/f5"),
        (ERROR, "file", "set/f7"),
        (ERROR, "file", "set/f8"),
    ]
    assert data("check", folder) == 1
    assert "Training may not start: 7 errors" in capsys.readouterr().out


def test_an_index_that_cannot_be_read_does_not_hide_the_other_sets(tmp_path):
    good = write_set(tmp_path / "good", *good_images())
    (good / "labels/f1.tif").unlink()
    assert found(tmp_path / "none", good) == [(ERROR, "index", "none"), (ERROR, "file", "good/f1")]


def test_columns_of_one_name_are_an_error_that_says_what_to_do(tmp_path):
    folder = write_set(tmp_path / "set", *good_images())
    lines = (folder / "index.csv").read_text().splitlines()
    (folder / "index.csv").write_text("".join(f"{line},,\n" for line in lines))
    (finding,) = check_data([folder]).findings
    assert (finding.severity, finding.kind) == (ERROR, "index")
    assert "the column '' stands in the first line twice. Remove one, or empty columns at the end." in finding.what


@pytest.mark.parametrize("name", ["f1", "../f1"])
def test_ids_that_cannot_be_are_errors(tmp_path, name):
    folder = write_set(tmp_path / "set", *good_images())
    text = (folder / "index.csv").read_text()
    (folder / "index.csv").write_text(text.replace("f2,", f"{name},"))
    assert (ERROR, "index", "set") in found(folder)


@pytest.mark.parametrize(("old", "missing"), [("val", "val"), ("train", "train")])
def test_a_set_without_a_needed_split_is_an_error(tmp_path, monkeypatch, old, missing):
    monkeypatch.setattr("cpunet.training.data.labeled_images.MOST_WITHOUT_VALIDATION", 1)
    folder = write_set(tmp_path / "set", *good_images())
    text = (folder / "index.csv").read_text()
    (folder / "index.csv").write_text(text.replace(f",{old},", ",other,"))
    report = check_data([folder])
    assert [(each.severity, each.kind) for each in report.findings] == [(ERROR, "split"), (WARNING, "split")]
    assert f"no image has the split '{missing}'" in report.findings[0].what
    assert "split 'other'" in report.findings[1].what


def test_a_train_split_without_any_object_is_an_error(tmp_path):
    empty = [(name, split, image, labels * (split == "val")) for name, split, image, labels in good_images()]
    assert (ERROR, "split", "set") in found(write_set(tmp_path / "set", *empty))


def test_a_group_on_two_sides_is_an_error(tmp_path):
    assert (ERROR, "group", "set") in found(write_set(tmp_path / "set", *good_images(), group="plate1"))


def test_the_index_and_the_import_are_compared_with_the_files(tmp_path):
    folder = write_set(tmp_path / "set", *good_images(3), objects="8", height="64", overlap_px="12")
    assert sentences(folder, "index") == ["index.csv says objects 8, and the files say 9."] * 3
    assert sentences(folder, "overlap") == ["when imported, 12 pixels lay in two objects at once."] * 3


def test_files_that_the_index_does_not_name_are_pointed_out(tmp_path):
    folder = write_set(tmp_path / "set", *good_images())
    put(folder / "images/extra.png", np.zeros((4, 4), np.uint8))
    assert found(folder) == [(WARNING, "stray", "set")]


def test_images_of_no_use_are_pointed_out(tmp_path):
    images = good_images()
    images[1] = ("f1", "train", np.full((64, 64), 7, np.uint8), images[1][3])
    images[2] = ("f2", "train", np.where(images[2][2] > 40000, np.nan, images[2][2]).astype(np.float32), images[2][3])
    assert [each[1:] for each in found(write_set(tmp_path / "set", *images)) if each[1] == "pixels"] == [
        ("pixels", "set/f1"),
        ("pixels", "set/f2"),
    ]


def duplicates(first, second, copy, **cells):
    """Two sets of one image each beside others; the second's is a copy of the first's."""
    image, labels = field(50)
    return [("t", first, image, labels), *good_images()], [("u", second, copy(image), labels)]


@pytest.mark.parametrize(
    ("first", "second", "severity"),
    [("train", "val", ERROR), ("test", "train", ERROR), ("train", "train", WARNING), ("val", "test", WARNING)],
)
def test_the_same_pixels_across_sets(tmp_path, first, second, severity):
    here, there = duplicates(first, second, lambda image: image.astype(np.uint32))
    others = [(f"o{seed}", split, *field(seed + 70)) for seed, split in enumerate(("train", "val"))]
    sets = write_set(tmp_path / "here", *here), write_set(tmp_path / "there", *there, *others)
    assert found(*sets) == [(severity, "duplicate", "here/t")]


def test_a_duplicate_that_the_index_names_is_left_out_of_training_and_no_error(tmp_path):
    here, there = duplicates("train", "val", np.copy)
    here, there = write_set(tmp_path / "here", *here), write_set(tmp_path / "there", *there, ("o", "train", *field(70)))
    text = (there / "index.csv").read_text()
    (there / "index.csv").write_text(re.sub("(?m)^(u,.*fluorescence,val),", r"\1,here/t", text))
    (finding,) = check_data([here, there]).findings
    assert (finding.severity, finding.kind) == (WARNING, "duplicate")
    assert "left out of training" in finding.what


def test_an_excluded_duplicate_is_none(tmp_path):
    here, there = duplicates("train", "excluded", np.copy)
    others = [(f"o{seed}", split, *field(seed + 70)) for seed, split in enumerate(("train", "val"))]
    assert found(write_set(tmp_path / "here", *here), write_set(tmp_path / "there", *there, *others)) == []


@pytest.mark.parametrize(
    ("copy", "severity"),
    [
        (lambda image: (np.sqrt(image / 65535) * 255).astype(np.uint8), WARNING),
        (lambda image: image // 16, ERROR),
        (lambda image: (image // 257).astype(np.uint8), ERROR),
        (lambda image: ndimage.zoom(image.astype(float), 2, order=1).astype(np.uint16), WARNING),
    ],
    ids=["8 bits, other contrast", "12 bits", "8 bits", "enlarged"],
)
def test_nearly_the_same_picture_is_pointed_out(tmp_path, copy, severity):
    here, _ = duplicates("train", "val", np.copy)
    changed_image = copy(field(50)[0])
    labels = field(50)[1]
    labels = labels if changed_image.shape == labels.shape else np.kron(labels, np.ones((2, 2), labels.dtype))
    there = [("u", "val", changed_image, labels), ("o", "train", *field(70))]
    assert found(write_set(tmp_path / "here", *here), write_set(tmp_path / "there", *there)) == [
        (severity, "near-duplicate", "here/t")
    ]


def test_a_copy_in_another_bit_depth_is_no_error_on_one_side_or_where_the_index_names_it(tmp_path):
    here, there = duplicates("train", "val", lambda image: image // 16)
    here, there = write_set(tmp_path / "here", *here), write_set(tmp_path / "there", *there, ("o", "train", *field(70)))
    assert found(here, there) == [(ERROR, "near-duplicate", "here/t")]
    text = (there / "index.csv").read_text()
    (there / "index.csv").write_text(re.sub("(?m)^(u,.*fluorescence,val),", r"\1,here/t", text))
    assert found(here, there) == [(WARNING, "near-duplicate", "here/t")]
    (there / "index.csv").write_text(text.replace("fluorescence,val", "fluorescence,train") + "v,,,,,,f,val,,\n")
    for sub in ("images", "labels"):
        put(there / sub / "v.tif", dict(zip(("images", "labels"), field(71), strict=True))[sub].astype(np.uint16))
    assert found(here, there) == [(WARNING, "near-duplicate", "here/t")]


def test_even_images_are_nobodys_duplicates(tmp_path):
    even = [(f"e{n}", ("train", "val")[n % 2], np.full((64, 64), n // 2, np.uint8), field(0)[1] * 0) for n in range(8)]
    kinds = [kind for _, kind, _ in found(write_set(tmp_path / "set", *good_images(), *even))]
    assert sorted(kinds) == ["empty"] * 8 + ["pixels"] * 8


def test_an_image_of_another_modality_than_the_index_says_is_pointed_out(tmp_path):
    images, rows = [], []
    for seed in range(12):
        image, labels = field(seed)
        bright = seed % 2 == 1
        images.append((f"f{seed}", "val" if seed % 3 == 0 else "train", 65535 - image if bright else image, labels))
        rows.append("brightfield" if bright and seed != 5 else "fluorescence")
    folder = write_set(tmp_path / "set", *images)
    lines = (folder / "index.csv").read_text().splitlines()
    lines[1:] = [line.replace("fluorescence", name) for line, name in zip(lines[1:], rows, strict=True)]
    (folder / "index.csv").write_text("\n".join(lines))
    report = check_data([folder])
    assert [dict(cluster.modalities) for cluster in report.clusters] in (
        [{"fluorescence": 6}, {"brightfield": 5, "fluorescence": 1}],
        [{"brightfield": 5, "fluorescence": 1}, {"fluorescence": 6}],
        [{"fluorescence": 6}, {"fluorescence": 1, "brightfield": 5}],
        [{"fluorescence": 1, "brightfield": 5}, {"fluorescence": 6}],
    )
    (finding,) = [each for each in report.findings if each.kind == "modality"]
    assert "1 images of modality 'fluorescence', set/f5 first" in finding.what
