import re

import jinja2
import numpy as np
import pytest
from scipy import ndimage

from cpunet.checks.synthetic import draw_field
from cpunet.training import html_page
from cpunet.training.checking.appearance import cluster_numbers
from cpunet.training.checking.check import NEAR_DUPLICATE, check_data
from cpunet.training.checking.image_facts import ERROR, WARNING, appearance, label_warnings, used_bits
from cpunet.training.checking.report import report_text, set_table
from cpunet.training.data.duplicates import fine_structure
from cpunet.training.data.index import WRITTEN_FIELDS, write_table
from tests.html_page import Page
from tests.import_sources import data, field, put


def write_set(folder, *images, **cells):
    """Write a data set of (id, split, image, labels); `cells` are added to every row."""
    rows = []
    for name, split, image, labels in images:
        put(folder / "images" / f"{name}.tif", image)
        put(folder / "labels" / f"{name}.tif", labels.astype(np.uint16) if labels.dtype == np.int32 else labels)
        rows.append({"id": name, "split": split, "modality": "fluorescence", "duplicate_of": ""} | cells)
    write_table(folder, [*WRITTEN_FIELDS, *(cells.keys() - set(WRITTEN_FIELDS))], rows)
    return folder


def good_images(count=6):
    return [(f"f{seed}", "val" if seed % 3 == 0 else "train", *field(seed)) for seed in range(count)]


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


def test_the_table_says_what_is_there(tmp_path):
    image = np.full((30, 40), 100, np.uint16)
    image[5, 5] = 4095
    labels = np.zeros((30, 40), np.int32)
    labels[0:10, 0:10], labels[20:30, 20:30] = 1, 2
    color = np.random.default_rng(0).integers(0, 255, (20, 20, 3), np.uint8)
    folder = write_set(tmp_path / "set", ("a", "train", image, labels), ("b", "val", color, labels[:20, :20] * 0))
    (row,) = set_table(check_data([folder]))
    assert row == {
        "set": "set",
        "images": "2",
        "splits": "train 1, val 1",
        "modalities": "fluorescence 2",
        "sizes (Y x X)": "30 x 40 (1), 20 x 20 (1)",
        "channels": "1 (1), 3 (1)",
        "bits used": "12 in uint16, 8 in uint8",
        "objects": "2",
        "without objects": "1",
        "diameter_px, median (5 to 95 %)": "11 (11 to 11)",
    }


@pytest.mark.parametrize(("value", "bits"), [(0, 0), (1, 1), (255, 8), (256, 9), (4095, 12), (65535, 16)])
def test_bits_are_those_that_are_used(value, bits):
    assert used_bits(np.array([[0, value]], np.uint16)) == bits
    assert used_bits(np.array([[0.5]], np.float32)) == 0


SQUARES = np.zeros((40, 40), np.int32)
SQUARES[2:10, 2:10], SQUARES[20:30, 20:30] = 1, 2
HALVES = ((slice(0, 40), slice(0, 20), 1), (slice(0, 40), slice(20, 40), 2))


def changed(*places, base=SQUARES):
    labels = base.copy()
    for rows, columns, number in places:
        labels[rows, columns] = number
    return labels


@pytest.mark.parametrize(
    ("labels", "kinds"),
    [
        (SQUARES, []),
        (SQUARES * 0, ["empty"]),
        (changed((slice(33, 38), slice(2, 8), 1)), ["pieces"]),
        (changed((slice(10, 12), slice(10, 12), 1)), []),  # hangs together by a corner
        (changed((slice(35, 38), slice(35, 38), 3)), ["specks"]),
        (changed(*HALVES), []),
        (np.where(SQUARES == 2, 2**31 - 1, SQUARES).astype(np.uint64), []),
        (changed((slice(33, 38), slice(2, 8), 2**31 - 1), (slice(20, 30), slice(20, 30), 2**31 - 1)), ["pieces"]),
        (np.ones((9, 9), np.int32), []),
        (changed(*HALVES, (slice(10, 30), slice(10, 30), 3)), []),  # between two objects
    ],
    ids=[
        "good",
        "empty",
        "pieces",
        "corner",
        "speck",
        "halves",
        "huge number",
        "huge number in pieces",
        "full",
        "between",
    ],
)
def test_broken_labels_are_seen(labels, kinds):
    assert [kind for kind, _ in label_warnings(labels)] == kinds


def test_a_speck_is_named_by_its_number():
    (warning,) = label_warnings(changed((slice(35, 38), slice(35, 38), 7)))
    assert warning[1] == "1 object (7) of less than 10 pixels."


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
        (ERROR, "image", "set/f7"),
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
def test_a_set_without_a_needed_split_is_an_error(tmp_path, old, missing):
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


def test_different_fields_are_no_duplicates_whatever_the_illumination():
    y, x = np.mgrid[:96, :96] / 96
    shade = 1 + y + x
    fields = [draw_field((96, 96), 4, 14, seed=seed).image * shade for seed in range(8)]
    thumbnails = np.stack([fine_structure(image, 64).ravel() for image in fields])
    likeness = thumbnails @ thumbnails.T
    assert likeness[~np.eye(8, dtype=bool)].max() < NEAR_DUPLICATE - 0.05
    np.testing.assert_allclose(np.diag(likeness), 1, rtol=1e-4)
    assert not fine_structure(np.full((50, 50), 7, np.uint8), 64).any()


def test_appearance_does_not_depend_on_the_bit_depth():
    image = draw_field((96, 96), 4, 14, seed=1).image
    as_12, as_16 = (np.round(image * top).astype(np.uint16) for top in (4095, 65535))
    np.testing.assert_allclose(appearance(as_12), appearance(as_16), atol=0.01)
    inverted = appearance((65535 - as_16).astype(np.uint16))
    assert inverted[1] > 0.8 > 0.2 > appearance(as_16)[1]


@pytest.mark.parametrize("count", [1, 2, 3])
def test_clusters_are_as_many_as_stand_apart(count):
    rng = np.random.default_rng(0)
    truth = np.arange(90) % count
    points = rng.normal(0, 0.02, (90, 6)) + truth[:, np.newaxis] * [1, 0, 0.5, 0, 0, 0]
    numbers = cluster_numbers(points)
    assert len(set(zip(truth, numbers, strict=True))) == count
    assert len(set(numbers)) == count


def test_many_images_are_clustered_like_few():
    rng = np.random.default_rng(0)
    truth = np.arange(4000) % 2
    numbers = cluster_numbers(rng.normal(0, 0.02, (4000, 6)) + truth[:, np.newaxis])
    assert len(set(zip(truth, numbers, strict=True))) == 2


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


def test_the_page_shows_all_and_opens_offline(tmp_path, capsys):
    empty = ("x&y", "train", field(9)[0], field(9)[1] * 0)
    folder = write_set(tmp_path / "set", *good_images(), empty, modality="<b>dim")
    assert data("check", folder, "--report", tmp_path / "pages/check.html") == 0
    text = (tmp_path / "pages/check.html").read_text(encoding="utf-8")
    page = Page(text)
    assert all(source.startswith("data:image/") for source in page.loads)
    assert sum(source.startswith("data:image/svg") for source in page.loads) == 1
    assert sum(source.startswith("data:image/png") for source in page.loads) >= 5
    assert "set/x&y" in " ".join(page.texts)
    assert "<b>dim 7" in page.texts
    assert "<b>" not in text
    assert "Training may start: 0 errors, 1 warnings." in " ".join(page.texts)
    assert "empty" in capsys.readouterr().out


def test_without_escaping_a_modality_would_become_markup(tmp_path, monkeypatch):
    def unescaped(**options):
        return jinja2.Environment(**(options | {"autoescape": False}))

    folder = write_set(tmp_path / "set", *good_images(), modality="<b>dim")
    monkeypatch.setattr(html_page, "Environment", unescaped)
    assert data("check", folder, "--report", tmp_path / "check.html") == 0
    text = (tmp_path / "check.html").read_text(encoding="utf-8")
    assert "<b>dim 7" not in Page(text).texts
    assert "<b>" in text


def test_the_text_sums_up_what_is_found_often(tmp_path):
    images = [
        (name, split, image, labels * 0) if split == "val" else (name, split, image, labels)
        for name, split, image, labels in good_images()
    ]
    text = report_text(check_data([write_set(tmp_path / "set", *images)]))
    assert "warning  empty: 2 times in set, first set/f0: no object." in text
    assert text.endswith("Give --report FILE.html for all of them.")
    alone = [images[0], *good_images()[1:]]
    assert report_text(check_data([write_set(tmp_path / "alone", *alone)])).endswith("0 errors, 1 warnings.")


def test_a_set_without_a_single_good_image_is_reported_too(tmp_path, capsys):
    folder = write_set(tmp_path / "set", *good_images())
    for path in (folder / "images").iterdir():
        path.unlink()
    assert data("check", folder, "--report", tmp_path / "check.html") == 1
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith("error    file: ")]
    assert [line.split(": ")[1] for line in lines] == [f"set/f{number}" for number in range(6)]
    assert (tmp_path / "check.html").is_file()
