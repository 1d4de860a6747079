import csv
import shutil
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from skimage.io import imread, imsave

from cpunet.errors import ConfigError, DataError
from cpunet.training.config import DataSource
from cpunet.training.data.fold import fold_as_fact, fold_of
from cpunet.training.data.labeled_images import rows_of_split
from cpunet.training.folds.contrast import contrast_groups, contrast_histogram
from cpunet.training.folds.crops import same_field
from cpunet.training.folds.deal import FOLDS_FILE, deal, dealt_images, fold_of_images
from tests.synthetic_data_set import write_data_set


def change_index(folder, change):
    """Let `change` edit each row of a set's index."""
    with (folder / "index.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    for row in rows:
        change(row)
    with (folder / "index.csv").open("w", newline="") as stream:
        writer = csv.DictWriter(stream, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def folds_of(dealt):
    return {image.id: image.fold for image in dealt}


def test_each_image_is_left_out_once_and_trained_on_in_all_other_folds(eight, short):
    dealt = deal(short, eight, 4)
    assert Counter(folds_of(dealt).values()) == dict.fromkeys(range(1, 5), 2)
    seen = Counter()
    for number in range(1, 5):
        fold = fold_of_images(dealt, number, 4)
        train, val = (rows_of_split(short.data, eight, split, fold)[0] for split in ("train", "val"))
        assert {row.key for row in val} == fold.left_out
        assert {row.key for row in train} == fold.trained_on
        assert not fold.left_out & fold.trained_on
        seen.update(row.id for row in val)
        assert fold_of({"fold": fold_as_fact(fold)}) == fold
    assert seen == dict.fromkeys(folds_of(dealt), 1)


def test_each_modality_is_spread_over_all_folds(tmp_path, short):
    write_data_set(tmp_path / "drawn", ["train"] * 12)
    change_index(tmp_path / "drawn", lambda row: row.update(modality="rare" if int(row["id"][1:]) < 4 else "usual"))
    dealt = deal(short, tmp_path, 4)
    assert Counter((image.stratum, image.fold) for image in dealt) == {
        **{("drawn: rare", fold): 1 for fold in range(1, 5)},
        **{("drawn: usual", fold): 2 for fold in range(1, 5)},
    }


def test_images_without_a_modality_are_grouped_by_contrast(tmp_path, short):
    write_data_set(tmp_path / "drawn", ["train"] * 16)
    change_index(tmp_path / "drawn", lambda row: row.update(modality=""))
    for number in range(8):  # half of them as bright fields: a twentieth of the contrast
        path = tmp_path / "drawn" / "images" / f"f{number}.png"
        imsave(str(path), (200 + imread(str(path)) // 20).astype(np.uint8), check_contrast=False)
    dealt = deal(short, tmp_path, 4)
    strata = {image.id: image.stratum for image in dealt}
    flat = {strata[f"f{number}"] for number in range(8)}
    assert flat == {"drawn: contrast 1"}
    assert not flat & {strata[f"f{number}"] for number in range(8, 16)}
    assert Counter(image.fold for image in dealt if image.stratum in flat) == dict.fromkeys(range(1, 5), 2)


def test_the_exposure_does_not_change_a_contrast_histogram():
    image = np.random.default_rng(0).poisson(30, (50, 70)).astype(np.uint16)
    found = contrast_histogram(image)
    assert found.sum() == pytest.approx(1)
    np.testing.assert_array_equal(found, contrast_histogram(image * 7))
    np.testing.assert_array_equal(found, contrast_histogram(np.stack([image] * 3, axis=2)))
    assert np.argmax(contrast_histogram(image + 3000)) < np.argmax(found)
    assert contrast_histogram(np.zeros((4, 4))).sum() == 1


def test_few_images_are_one_group():
    assert contrast_groups([np.eye(22)[number] for number in range(7)], 2, 0) == [1] * 7
    assert contrast_groups([np.eye(22)[number // 4 * 9] for number in range(8)], 2, 0) == [1] * 4 + [2] * 4


def test_copies_crops_duplicates_and_groups_stay_in_one_fold(tmp_path, short):
    folder = tmp_path / "drawn"
    write_data_set(folder, ["train"] * 16)
    images = folder / "images"
    rng = np.random.default_rng(5)
    large = rng.integers(0, 255, (140, 160)).astype(np.uint8)
    for name, part in {
        "f0": large[:96, :96],  # f0 and f1 overlap, and lie in no common image of the set
        "f1": large[40:136, 50:146],
    }.items():
        imsave(str(images / f"{name}.png"), part, check_contrast=False)
    shutil.copyfile(images / "f2.png", images / "f3.png")
    change_index(folder, lambda row: row.update(duplicate_of="f5" if row["id"] == "f4" else ""))
    folds = folds_of(deal(short, tmp_path, 4))
    assert folds["f0"] == folds["f1"]
    assert folds["f2"] == folds["f3"]
    assert folds["f4"] == folds["f5"]
    assert Counter(folds.values()) == dict.fromkeys(range(1, 5), 4)


def test_crops_are_found_in_color_and_floats_and_nothing_else_is_taken_for_one():
    rng = np.random.default_rng(1)
    field = rng.random((200, 150, 3))
    flat = np.zeros((100, 100, 3))
    images = [field, field[31:131, 17:117], flat, flat[:50], rng.random((90, 90, 3)), field[100:, 60:]]
    assert same_field(len(images), images.__getitem__) == [(0, 1), (0, 5), (1, 5)]
    changed = field[31:131, 17:117].copy()
    changed[99, 99] += 1e-9
    assert same_field(2, [field, changed].__getitem__) == []


def test_copies_of_test_images_are_in_no_fold_and_never_trained_on(tmp_path, short):
    folder = tmp_path / "drawn"
    write_data_set(folder, ["train"] * 8 + ["test"])
    shutil.copyfile(folder / "images" / "f8.png", folder / "images" / "f0.png")
    dealt = deal(short, tmp_path, 2)
    assert folds_of(dealt)["f0"] == 0
    assert "f8" not in folds_of(dealt)
    for number in (1, 2):
        fold = fold_of_images(dealt, number, 2)
        keys = {row.id for split in ("train", "val") for row in rows_of_split(short.data, tmp_path, split, fold)[0]}
        assert keys == {f"f{each}" for each in range(1, 8)}


def test_folds_that_cannot_be_are_refused(eight, tmp_path, short):
    with pytest.raises(ConfigError, match="--folds must be 2 or more; it is 1"):
        deal(short, eight, 1)
    with pytest.raises(DataError, match=r"8 independent images or groups .* and 9 splits or folds to fill. Label more"):
        deal(short, eight, 9)
    write_data_set(tmp_path / "drawn", ["train"] * 8)
    write_data_set(tmp_path / "few", ["train"] * 2)
    two = replace(short, data=(DataSource("drawn"), DataSource("few")))
    with pytest.raises(DataError, match=r"few: its 2 images are too few.* for 4 folds: fold . gets none\. Give fewer"):
        deal(two, tmp_path, 4)


def test_what_was_dealt_stays_dealt(eight, tmp_path, short, monkeypatch):
    dealt = dealt_images(short, eight, tmp_path, 4)
    monkeypatch.setattr("cpunet.training.folds.deal.deal", None)
    assert dealt_images(short, eight, tmp_path, 4) == dealt
    with pytest.raises(ConfigError, match="into 4 folds, and --folds is 2"):
        dealt_images(short, eight, tmp_path, 2)
    path = tmp_path / FOLDS_FILE
    lines = path.read_text().splitlines()
    path.write_text("\n".join(lines[:-1]) + "\n")
    with pytest.raises(ConfigError, match=r"drawn/f7 is in one of them alone\. To deal anew"):
        dealt_images(short, eight, tmp_path, 4)
    path.write_text("mine\n1\n")
    with pytest.raises(ConfigError, match="this is no table of folds"):
        dealt_images(short, eight, tmp_path, 4)
