import hashlib
import importlib.util
import re

import numpy as np
import pytest
import tifffile

from cpunet.files.images import read_image
from cpunet.training.data.duplicates import leaking_images
from cpunet.training.data.index import read_table, write_table
from cpunet.training.data.labeled_images import read_index, read_labeled_image
from tests.drawn_data_set import write_data_set
from tests.import_sources import data, field, put, put_lzw

RNG = np.random.default_rng(7)


def fields(folder, count=4, suffix="", image_type=np.uint16):
    """Write images/ and labels/ of some fields; return them by name."""
    drawn = {}
    for seed in range(count):
        image, labels = field(seed)
        image = image.astype(image_type)
        drawn[f"f{seed}"] = image, labels
        put(folder / "images" / f"f{seed}.tif", image)
        put(folder / "labels" / f"f{seed}{suffix}.tif", labels.astype(np.uint16))
    return drawn


def contents(folder):
    return {row.id: read_labeled_image(row) for row in read_index(folder)}


def tree(folder):
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*"))


@pytest.mark.parametrize("suffix", ["", "_mask", "_labels", "_label", "_masks", "_cp_masks", "_seg"])
def test_two_folders_are_paired_by_name(tmp_path, suffix, capsys):
    drawn = fields(tmp_path, suffix=suffix)
    out = tmp_path / "new"
    code = data(
        "import", "--images", tmp_path / "images", "--labels", tmp_path / "labels", "-o", out, "--modality", "f"
    )
    assert code == 0
    read = contents(out)
    assert read.keys() == drawn.keys()
    for name, (image, labels) in drawn.items():
        np.testing.assert_array_equal(read[name].image, image)
        np.testing.assert_array_equal(read[name].labels, labels)
    row = read_table(out).rows[0]
    expected = {"height": "64", "width": "64", "dtype": "uint16", "channels": "1", "objects": "9", "modality": "f"}
    assert expected.items() <= row.items()
    printed = capsys.readouterr().out
    assert "labels: instances: label files hold one number an object" in printed
    assert "85 % train, 15 % val, drawn at random with the seed 1" in printed
    assert {row["split"] for row in read_table(out).rows} == {"train", "val"}


def kinds():
    """Images of every type, as TIFF and, where it holds them, as PNG."""
    gray = (40, 50)
    for image in (RNG.integers(0, 255, gray, np.uint8), RNG.integers(0, 4095, gray, np.uint16)):
        yield image, ".png"
        yield image, ".tif"
    yield RNG.integers(0, 255, (*gray, 3), np.uint8), ".png"
    yield RNG.integers(0, 255, (*gray, 3), np.uint8), ".tif"
    yield RNG.integers(0, 60000, (*gray, 3), np.uint16), ".tif"
    yield RNG.integers(0, 2**31, gray, np.uint32), ".tif"
    yield RNG.integers(-9, 9, gray, np.int16), ".tif"
    yield RNG.random(gray, np.float32), ".tif"


@pytest.mark.parametrize(("image", "suffix"), list(kinds()), ids=lambda value: str(getattr(value, "dtype", value)))
def test_pixel_values_and_bit_depth_are_kept(tmp_path, image, suffix):
    path = put(tmp_path / "images" / f"a{suffix}", image)
    put(tmp_path / "labels/a.png", np.eye(40, 50, dtype=np.uint8))
    assert data("import", "--images", path.parent, "--labels", tmp_path / "labels", "-o", tmp_path / "new") == 0
    (row,) = read_index(tmp_path / "new")
    stored = read_image(row.image_path)
    assert stored.dtype == image.dtype
    np.testing.assert_array_equal(stored, image)
    # What is fine already is the very same file.
    assert hashlib.sha256(row.image_path.read_bytes()).digest() == hashlib.sha256(path.read_bytes()).digest()


@pytest.mark.parametrize(
    ("given", "stored"),
    [
        (np.dstack([RNG.integers(0, 255, (20, 30, 3), np.uint8), np.full((20, 30), 255, np.uint8)]), (20, 30, 3)),
        (np.repeat(RNG.integers(0, 255, (20, 30, 1), np.uint8), 3, axis=2), (20, 30)),
        (np.repeat(RNG.integers(0, 60000, (20, 30, 1), np.uint16), 3, axis=2), (20, 30)),
        (RNG.random((3, 20, 30)).astype(np.float32), (20, 30, 3)),
        (RNG.integers(0, 60000, (2, 20, 30), np.uint16), (20, 30, 2)),
    ],
    ids=["opaque alpha", "gray as RGB", "gray as 16-bit RGB", "channels first", "two channels first"],
)
def test_images_that_say_the_same_otherwise_are_written_anew(tmp_path, given, stored):
    put(tmp_path / "images/a.tif", given) if given.shape[2:] != (4,) else put(tmp_path / "images/a.png", given)
    put(tmp_path / "labels/a.png", np.eye(20, 30, dtype=np.uint8))
    assert data("import", "--images", tmp_path / "images", "--labels", tmp_path / "labels", "-o", tmp_path / "new") == 0
    image = read_image(read_index(tmp_path / "new")[0].image_path)
    assert image.shape == stored
    assert image.dtype == given.dtype
    last = np.moveaxis(given, 0, 2) if given.shape[0] < 4 else given
    np.testing.assert_array_equal(image, last[..., 0] if len(stored) == 2 else last[..., : stored[2]])


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("stack", "f1.tif: a plane of one to four channels is needed"),
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


def write_bowl(folder, count=3):
    """Lay fields out as the Data Science Bowl 2018 does; return their labels."""
    drawn = {}
    for seed in range(count):
        image, labels = field(seed, touching=seed == 1)
        gray = (image // 256).astype(np.uint8)
        color = np.dstack([gray, gray, gray, np.full_like(gray, 255)])
        put(folder / f"id{seed}/images/id{seed}.png", color)
        for number in range(1, labels.max() + 1):
            put(folder / f"id{seed}/masks/{number:03d}.png", (labels == number).astype(np.uint8) * 255)
        drawn[f"id{seed}"] = gray, labels
    return drawn


def same_objects(first, second):
    pairs = np.unique(np.stack([first.ravel(), second.ravel()]), axis=1)
    return len(pairs[0]) == len(np.unique(first)) == len(np.unique(second))


def test_one_mask_an_object_as_in_the_data_science_bowl(tmp_path, capsys):
    drawn = write_bowl(tmp_path / "stage1_train")
    extra = np.zeros((64, 64), np.uint8)
    inside = np.argwhere(drawn["id0"][1] == 1)[0]
    extra[inside[0], inside[1]] = 255
    put(tmp_path / "stage1_train/id0/masks/extra.png", extra)
    assert data("import", tmp_path / "stage1_train", "-o", tmp_path / "new") == 0
    read = contents(tmp_path / "new")
    np.testing.assert_array_equal(read["id1"].image, drawn["id1"][0])
    assert same_objects(read["id1"].labels, drawn["id1"][1])
    assert "id0: 1 pixels lie in two objects" in capsys.readouterr().out
    assert {row["id"]: row["overlap_px"] for row in read_table(tmp_path / "new").rows} == {
        "id0": "1",
        "id1": "0",
        "id2": "0",
    }


def test_a_folder_of_masks_for_each_image_is_found_by_itself(tmp_path, capsys):
    for name, (image, labels) in {"a": field(0), "b": field(1)}.items():
        put(tmp_path / f"images/{name}.tif", image)
        for number in range(1, labels.max() + 1):
            put(tmp_path / f"labels/{name}/{number}.png", (labels == number).astype(np.uint8))
    assert data("import", "--images", tmp_path / "images", "--labels", tmp_path / "labels", "-o", tmp_path / "new") == 0
    assert "masks, one file an object" in capsys.readouterr().out
    assert same_objects(contents(tmp_path / "new")["b"].labels, field(1)[1])


def test_masks_in_colors_are_found_by_themselves(tmp_path, capsys):
    image, labels = field(1, touching=True)
    put(tmp_path / "images/a.tif", image)
    put(
        tmp_path / "labels/a.png",
        RNG.integers(1, 255, (labels.max() + 1, 3), np.uint8)[labels] * (labels > 0)[..., None].astype(np.uint8),
    )
    assert data("import", "--images", tmp_path / "images", "--labels", tmp_path / "labels", "-o", tmp_path / "new") == 0
    assert "labels: colors" in capsys.readouterr().out
    assert same_objects(contents(tmp_path / "new")["a"].labels, labels)


def write_output(folder, names=("A01", "A02", "A03"), image="_DNA", labels="_Nuclei"):
    """Write what SaveImages writes; return the objects by name."""
    drawn = {}
    for seed, name in enumerate(names):
        pixels, truth = field(seed, touching=seed % 2 == 1)
        put(folder / f"{name}{image}.tiff", pixels)
        put(folder / f"{name}{labels}.tiff", truth.astype(np.uint16))
        drawn[name] = pixels, truth
    return drawn


def test_a_cellprofiler_folder_by_its_suffixes(tmp_path):
    drawn = write_output(tmp_path / "out/plate1") | {
        f"plate2_{name}": pair for name, pair in write_output(tmp_path / "out/plate2", ("B01",)).items()
    }
    write_output(tmp_path / "out/plate1", image="_ER", labels="_Cells")
    (tmp_path / "out/Image.csv").write_text("ImageNumber\n1\n")
    words = ["--cellprofiler", tmp_path / "out", "--image-suffix", "_DNA", "--labels-suffix", "_Nuclei"]
    assert data("import", *words, "-o", tmp_path / "new") == 0
    read = contents(tmp_path / "new")
    assert read.keys() == {"A01", "A02", "A03", "B01"}
    np.testing.assert_array_equal(read["A02"].image, drawn["A02"][0])
    np.testing.assert_array_equal(read["A02"].labels, drawn["A02"][1])


def test_one_name_in_two_folders_takes_the_folders_name(tmp_path):
    for plate in ("p1", "p2"):
        write_output(tmp_path / "out" / plate, ("A01",))
    put(tmp_path / "out/p2/A01_DNA.tiff", field(5)[0])
    words = ["--cellprofiler", tmp_path / "out", "--image-suffix", "_DNA", "--labels-suffix", "_Nuclei"]
    assert data("import", *words, "--group", "^(p.)_", "-o", tmp_path / "new") == 0
    assert {row.id: row.group for row in read_index(tmp_path / "new")} == {"p1_A01": "p1", "p2_A01": "p2"}


@pytest.mark.parametrize(
    ("image", "labels"), [("_DNA", "_Nuclei"), ("", "_labels"), ("_image", "_img_objects"), ("w1", "w1_Nuc")]
)
def test_suffixes_are_found_by_looking_into_the_files(tmp_path, image, labels, capsys):
    drawn = write_output(tmp_path / "out", image=image, labels=labels)
    assert data("import", "--cellprofiler", tmp_path / "out", "-o", tmp_path / "new") == 0
    assert "chosen by looking into the files: --image-suffix" in capsys.readouterr().out
    read = contents(tmp_path / "new")
    assert len(read) == 3
    for (_, truth), found in zip(drawn.values(), read.values(), strict=True):
        np.testing.assert_array_equal(found.labels, truth)


def test_a_choice_that_is_not_clear_is_asked_for(tmp_path, capsys):
    write_output(tmp_path / "out")
    write_output(tmp_path / "out", image="_ER", labels="_Cells")
    assert data("import", "--cellprofiler", tmp_path / "out", "-o", tmp_path / "new") == 2
    printed = capsys.readouterr().err
    assert "several pairs fit" in printed
    assert "--image-suffix '_DNA' --labels-suffix '_Nuclei'" in printed


def test_a_folder_without_label_images_is_refused(tmp_path, capsys):
    put(tmp_path / "out/a.tiff", field(0)[0])
    assert data("import", "--cellprofiler", tmp_path / "out", "-o", tmp_path / "new") == 2
    assert "none of the first 1 PNG and TIFF files is a label image" in capsys.readouterr().err


def test_labels_saved_as_a_mask_name_the_setting_to_change(tmp_path, capsys):
    write_output(tmp_path / "out")
    put(tmp_path / "out/A01_Nuclei.tiff", (field(0)[1] > 0).astype(np.uint8) * 255)
    words = ["--cellprofiler", tmp_path / "out", "--image-suffix", "_DNA", "--labels-suffix", "_Nuclei"]
    assert data("import", *words, "-o", tmp_path / "new") == 2
    printed = capsys.readouterr().err
    assert "A01_Nuclei.tiff: this is a mask" in printed
    assert '"uint16" in ConvertObjectsToImage' in printed


def test_colors_of_convertobjectstoimage_are_read(tmp_path):
    drawn = write_output(tmp_path / "out")
    for name, (_, truth) in drawn.items():
        colors = RNG.random((truth.max() + 1, 3)).astype(np.float32)
        colors[0] = 0
        put(tmp_path / f"out/{name}_Nuclei.tiff", colors[truth])
    words = ["--cellprofiler", tmp_path / "out", "--image-suffix", "_DNA", "--labels-suffix", "_Nuclei"]
    assert data("import", *words, "-o", tmp_path / "new") == 0
    assert same_objects(contents(tmp_path / "new")["A02"].labels, drawn["A02"][1])


def test_images_that_are_there_twice_name_their_duplicates(tmp_path):
    drawn = fields(tmp_path)
    put(tmp_path / "images/f9.tif", drawn["f1"][0].astype(np.uint32))
    put(tmp_path / "labels/f9.tif", drawn["f1"][1].astype(np.uint16))
    words = ["import", "--images", tmp_path / "images", "--labels", tmp_path / "labels"]
    assert data(*words, "-o", tmp_path / "one") == 0
    assert {row.id: row.duplicate_of for row in read_index(tmp_path / "one") if row.duplicate_of} == {"f9": "f1"}
    splits = {row.id: row.split for row in read_index(tmp_path / "one")}
    assert splits["f9"] == splits["f1"]
    assert data(*words, "-o", tmp_path / "two", "--against", tmp_path / "one") == 0
    duplicates = {row.id: row.duplicate_of for row in read_index(tmp_path / "two")}
    assert duplicates == {"f0": "one/f0", "f1": "one/f1", "f2": "one/f2", "f3": "one/f3", "f9": "one/f1"}


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


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "Say what to import"),
        (["--images", "x"], "belong together"),
        (["."], "neither a data set"),
        (["--cellprofiler", ".", "--image-suffix", "_a"], "Give both --image-suffix"),
        (["--images", "nowhere", "--labels", "nowhere"], "nowhere: there is no such folder"),
    ],
)
def test_what_cannot_be_understood_is_said(tmp_path, monkeypatch, words, message, capsys):
    monkeypatch.chdir(tmp_path)
    assert data("import", *words, "-o", "new") == 2
    assert message in capsys.readouterr().err


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


def write_small_set(folder, *rows):
    """Write a data set of drawn fields: (id, split, duplicate_of, seed) and other cells."""
    fields = ["id", "modality", "split", "duplicate_of", *sorted({name for *_, cells in rows for name in cells})]
    table = []
    for name, split, duplicate, seed, cells in rows:
        image, labels = field(seed)
        put(folder / f"images/{name}.tif", image)
        put(folder / f"labels/{name}.tif", labels.astype(np.uint16))
        table.append({"id": name, "modality": "f", "split": split, "duplicate_of": duplicate, **cells})
    write_table(folder, fields, table)


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


def test_folders_of_masks_without_an_image_are_named(tmp_path, capsys):
    for name in ("a", "b", "orphan"):
        put(tmp_path / f"labels/{name}/1.png", (field(0)[1] == 1).astype(np.uint8))
    for name in ("a", "b"):
        put(tmp_path / f"images/{name}.tif", field(ord(name))[0])
    words = ["import", "--images", tmp_path / "images", "--labels", tmp_path / "labels", "-o", tmp_path / "new"]
    assert data(*words) == 2
    assert "1.png: there is no image for these labels" in capsys.readouterr().err
    assert data(*words, "--skip-unpaired") == 0
    assert contents(tmp_path / "new").keys() == {"a", "b"}


def test_labels_beside_their_images_as_cellpose_writes_them(tmp_path, capsys):
    drawn = {}
    for seed in range(3):
        drawn[f"i{seed}"] = field(seed)
        put(tmp_path / f"both/i{seed}.tif", drawn[f"i{seed}"][0])
        put(tmp_path / f"both/i{seed}_cp_masks.tif", drawn[f"i{seed}"][1].astype(np.uint16))
    words = ["import", "--images", tmp_path / "both", "--labels", tmp_path / "both"]
    assert data(*words, "-o", tmp_path / "new") == 0
    read = contents(tmp_path / "new")
    assert read.keys() == drawn.keys()
    for name, (image, labels) in drawn.items():
        np.testing.assert_array_equal(read[name].image, image)
        np.testing.assert_array_equal(read[name].labels, labels)
    (tmp_path / "both/i1.tif").unlink()
    (tmp_path / "both/i2_cp_masks.tif").unlink()
    assert data(*words, "-o", tmp_path / "other") == 2
    printed = capsys.readouterr().err
    assert "i1_cp_masks.tif: there is no image for these labels" in printed
    assert "i2.tif: there are no labels for this image" in printed


@pytest.mark.skipif(
    importlib.util.find_spec("imagecodecs") is not None, reason="imagecodecs is installed, with which all bits are read"
)
def test_a_compressed_tiff_that_would_lose_bits_is_refused(tmp_path, capsys):
    image = RNG.integers(0, 60000, (20, 30, 3), np.uint16)
    path = put_lzw(tmp_path / "images/a.tif", image)
    put(tmp_path / "labels/a.png", np.eye(20, 30, dtype=np.uint8))
    # It is a sound file, of which Pillow keeps the upper 8 bits.
    np.testing.assert_array_equal(read_image(path), image >> 8)
    assert data("import", "--images", tmp_path / "images", "--labels", tmp_path / "labels", "-o", tmp_path / "new") == 2
    assert "a.tif: this is compressed so that only 8 of its bits can be read" in capsys.readouterr().err


def test_labels_of_one_number_in_pieces_are_read_if_the_user_says_so(tmp_path, capsys):
    put(tmp_path / "images/a.tif", field(0)[0])
    put(tmp_path / "labels/a.tif", (field(0)[1] > 0).astype(np.uint8))
    words = ["import", "--images", tmp_path / "images", "--labels", tmp_path / "labels", "-o", tmp_path / "new"]
    assert data(*words) == 2
    assert "this is a mask" in capsys.readouterr().err
    assert data(*words, "--label-format", "instances") == 0
    printed = capsys.readouterr().out
    assert "a: its one number lies in 9 places; is each object a number of its own?\n" in printed
    assert "labels: instances, as you said" in printed


@pytest.mark.parametrize(
    ("words", "left"),
    [
        (["--random", "--fractions", "train=0.5", "val=0.5"], False),
        (["--column", "stage"], False),
        (["--column", "fold", "--rename", "1=train", "2=val"], True),
        (["--folds", "2", "--validate-on", "1"], True),
    ],
)
def test_folds_of_an_earlier_draw_go(tmp_path, words, left):
    rows = ((f"a{seed}", "train", "", seed, {"stage": "val", "fold": str(seed % 2 + 1)}) for seed in range(4))
    write_small_set(tmp_path / "set", *rows)
    assert data("split", tmp_path / "set", *words) == 0
    table = read_table(tmp_path / "set")
    assert ("fold" in table.fields) is left
    assert {row["stage"] for row in table.rows} == {"val"}


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--random", "--rename", "a=b"], "--rename goes with --column"),
        (["--folds", "2", "--validate-on", "1", "--fractions", "train=1"], "--fractions goes with --random"),
        (["--column", "split", "--fractions", "train=1"], "--fractions goes with --random"),
        (["--random", "--validate-on", "1"], "--validate-on goes with --folds"),
        (["--column", "split", "--stratify", "modality"], "--stratify goes with --random or --folds"),
        (["--random", "--seed", "-1"], "--seed -1: a whole number from 0 on"),
    ],
)
def test_options_of_split_that_do_not_apply_are_refused(tmp_path, words, message, capsys):
    write_small_set(tmp_path / "set", *((f"a{seed}", "train", "", seed, {}) for seed in range(20)))
    before = (tmp_path / "set/index.csv").read_bytes()
    assert data("split", tmp_path / "set", *words) == 2
    assert message in capsys.readouterr().err
    assert (tmp_path / "set/index.csv").read_bytes() == before


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--label-format", "masks"], "--label-format goes with --images and --labels"),
        (["--image-suffix", "_a", "--labels-suffix", "_b"], "go with --cellprofiler"),
        (["--labels-suffix", "_b"], "go with --cellprofiler"),
    ],
)
def test_options_of_import_that_do_not_apply_are_refused(tmp_path, words, message, capsys):
    write_small_set(tmp_path / "set", ("a", "train", "", 0, {}))
    assert data("import", tmp_path / "set", *words, "-o", tmp_path / "new") == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "new").exists()
