import re

import numpy as np
import pytest
import tifffile

from cpunet.files.images import read_image
from cpunet.training.data.duplicates import leaking_images
from cpunet.training.data.index import read_table
from cpunet.training.data.labeled_images import read_index
from tests.import_sources import data, field, put
from tests.synthetic_data_set import write_data_set
from tests.written_sets import contents, fields, tree, write_small_set


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("stack", "f1.tif: this holds 9 planes of which the file does not say what they are"),
        ("other size", "f1.tif: the labels have the shape (64, 64) and the image (60, 64)"),
        ("unreadable", "f1.tif: this cannot be read as an image"),
        ("deep color", "f1.png: this is a color PNG of 16 bits"),
    ],
)
def test_a_bad_file_is_named_with_all_others_and_nothing_is_written(tmp_path, name, message, capsys):
    fields(tmp_path)
    bad = tmp_path / "images/f1.tif"
    if name == "stack":
        tifffile.imwrite(bad, np.zeros((9, 64, 64), np.uint8), photometric="minisblack")
    elif name == "other size":
        tifffile.imwrite(bad, np.zeros((60, 64), np.uint8))
    elif name == "unreadable":
        bad.write_bytes(b"no image")
    else:
        bad.unlink()
        header = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x40\0\0\0\x40\x10\x02"
        (tmp_path / "images/f1.png").write_bytes(header + bytes(40))
    (tmp_path / "images/f3.tif").write_bytes(b"")
    assert data("import", "--images", tmp_path / "images", "--labels", tmp_path / "labels", "-o", tmp_path / "new") == 2
    printed = capsys.readouterr().err
    assert message in printed
    assert "f3.tif" in printed
    assert sorted(path.name for path in tmp_path.iterdir()) == ["images", "labels"]


def test_what_has_no_partner_is_named_and_can_be_left_out(tmp_path, capsys):
    fields(tmp_path)
    (tmp_path / "labels/f1.tif").unlink()
    (tmp_path / "images/f2.tif").unlink()
    words = ["import", "--images", tmp_path / "images", "--labels", tmp_path / "labels", "-o", tmp_path / "new"]
    assert data(*words) == 2
    printed = capsys.readouterr().err
    assert "f1.tif: there are no labels for this image" in printed
    assert "f2.tif: there is no image for these labels" in printed
    assert "--skip-unpaired" in printed
    assert data(*words, "--skip-unpaired") == 0
    assert contents(tmp_path / "new").keys() == {"f0", "f3"}


def test_an_existing_target_is_refused_and_left_alone(tmp_path, capsys):
    fields(tmp_path)
    (tmp_path / "new").mkdir()
    (tmp_path / "new/mine.txt").write_text("mine")
    assert data("import", "--images", tmp_path / "images", "--labels", tmp_path / "labels", "-o", tmp_path / "new") == 2
    assert "exists already" in capsys.readouterr().err
    assert tree(tmp_path / "new") == ["mine.txt"]


def test_images_that_are_there_twice_name_their_duplicates(tmp_path):
    drawn = fields(tmp_path, count=8)
    put(tmp_path / "images/f9.tif", drawn["f1"][0].astype(np.uint32))
    put(tmp_path / "labels/f9.tif", drawn["f1"][1].astype(np.uint16))
    words = ["import", "--images", tmp_path / "images", "--labels", tmp_path / "labels"]
    assert data(*words, "-o", tmp_path / "one") == 0
    assert {row.id: row.duplicate_of for row in read_index(tmp_path / "one") if row.duplicate_of} == {"f9": "f1"}
    splits = {row.id: row.split for row in read_index(tmp_path / "one")}
    assert splits["f9"] == splits["f1"]
    assert data(*words, "-o", tmp_path / "two", "--against", tmp_path / "one") == 0
    duplicates = {row.id: row.duplicate_of for row in read_index(tmp_path / "two")}
    assert duplicates == {**{f"f{number}": f"one/f{number}" for number in range(8)}, "f9": "one/f1"}


def test_our_own_layout_keeps_its_splits_and_columns(tmp_path, capsys):
    write_data_set(tmp_path / "old", ["train", "val", "test", "excluded"])
    text = (tmp_path / "old/index.csv").read_text().splitlines()
    (tmp_path / "old/index.csv").write_text(
        "\n".join(f"{line},{'plate' if i == 0 else 'P1'}" for i, line in enumerate(text))
    )
    assert data("import", tmp_path / "old", "-o", tmp_path / "new") == 0
    assert "splits, as they were" in capsys.readouterr().out
    rows = read_table(tmp_path / "new").rows
    assert [row["split"] for row in rows] == ["train", "val", "test", "excluded"]
    assert {row["plate"] for row in rows} == {"P1"}
    assert {row["modality"] for row in rows} == {"fluorescence"}
    before, after = contents(tmp_path / "old"), contents(tmp_path / "new")
    for name in before:
        np.testing.assert_array_equal(before[name].labels, after[name].labels)


def test_sources_with_the_same_ids_are_refused(tmp_path, capsys):
    for name in ("first", "second"):
        write_data_set(tmp_path / name, ["train", "val"])
    assert data("import", tmp_path / "first", tmp_path / "second", "-o", tmp_path / "new") == 2
    printed = capsys.readouterr().err
    assert "'f0' stands in index.csv twice" in printed
    assert "Rename the files and the ids in one of the sources' index.csv." in printed
    assert not (tmp_path / "new").exists()


def test_a_copy_of_another_bit_depth_names_its_duplicate_in_another_set(tmp_path, capsys):
    fields(tmp_path)
    words = ["import", "--images", tmp_path / "images", "--labels", tmp_path / "labels"]
    assert data(*words, "-o", tmp_path / "one") == 0
    for path in sorted((tmp_path / "images").iterdir()):
        put(path, (read_image(path) // 256).astype(np.uint8))
    put(tmp_path / "images/f3.tif", (field(8)[0] // 256).astype(np.uint8))
    put(tmp_path / "labels/f3.tif", field(8)[1].astype(np.uint16))
    capsys.readouterr()
    assert data(*words, "-o", tmp_path / "two", "--against", tmp_path / "one") == 0
    duplicates = {row.id: row.duplicate_of for row in read_index(tmp_path / "two")}
    assert duplicates == {"f0": "one/f0", "f1": "one/f1", "f2": "one/f2", "f3": ""}
    printed = capsys.readouterr().out
    assert re.search(r"f1: nearly the same picture \(correlation (0\.999\d|1\.0000)\) as one/f1\.", printed)
    assert "3 images are duplicates, or nearly so" in printed


def test_merged_sets_keep_their_duplicates(tmp_path):
    write_small_set(
        tmp_path / "first",
        ("a1", "val", "", 1, {}),
        ("a2", "train", "first/a3", 2, {}),
        ("a3", "test", "", 3, {}),
    )
    write_small_set(
        tmp_path / "second",
        ("b1", "train", "first/a1", 4, {}),
        ("b2", "train", "third/c", 5, {}),
        ("b3", "train", "", 6, {}),
    )
    assert data("import", tmp_path / "first", tmp_path / "second", "-o", tmp_path / "merged") == 0
    rows = read_index(tmp_path / "merged")
    duplicates = {row.id: row.duplicate_of for row in rows}
    assert duplicates == {"a1": "", "a2": "a3", "a3": "", "b1": "a1", "b2": "third/c", "b3": ""}
    assert {name for _, name in leaking_images(rows)} == {"a1", "a2", "a3", "b1"}


def test_a_duplicate_that_the_source_names_is_kept(tmp_path, capsys):
    write_small_set(
        tmp_path / "old", ("a", "train", "", 1, {}), ("b", "train", "third/c", 1, {}), ("d", "val", "", 2, {})
    )
    assert data("import", tmp_path / "old", "-o", tmp_path / "new") == 0
    assert {row.id: row.duplicate_of for row in read_index(tmp_path / "new")} == {"a": "", "b": "third/c", "d": ""}
    assert "b: the same pixels as a; its duplicate_of stays third/c." in capsys.readouterr().out


def test_an_image_without_a_split_takes_that_of_its_group_or_duplicates(tmp_path, capsys):
    write_small_set(
        tmp_path / "old",
        ("a", "val", "", 1, {"group": "g"}),
        ("b", "train", "", 2, {"group": "g"}),
        ("c", "", "", 3, {"group": "g"}),
        ("d", "test", "", 4, {"group": ""}),
        ("e", "", "", 4, {"group": ""}),
        ("f", "", "e", 5, {"group": ""}),
        ("g", "excluded", "", 6, {"group": "h"}),
    )
    assert data("import", tmp_path / "old", "-o", tmp_path / "new") == 0
    splits = {row.id: row.split for row in read_index(tmp_path / "new")}
    assert splits == {"a": "val", "b": "train", "c": "val", "d": "test", "e": "test", "f": "test", "g": "excluded"}
    assert "splits: those of their groups and duplicates" in capsys.readouterr().out
    write_small_set(tmp_path / "more", *((f"m{seed}", "", "", seed, {}) for seed in (10, 11, 12, 13, 14)))
    assert data("import", tmp_path / "old", tmp_path / "more", "-o", tmp_path / "both") == 0
    both = {row.id: row.split for row in read_index(tmp_path / "both")}
    assert splits.items() <= both.items()
    assert sorted(both[f"m{seed}"] for seed in (10, 11, 12, 13, 14)) == ["train"] * 4 + ["val"]
