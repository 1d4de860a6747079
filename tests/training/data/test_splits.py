from collections import Counter

import numpy as np
import pytest
import tifffile

from cpunet.errors import DataError
from cpunet.training.data.index import read_table, write_table
from cpunet.training.data.labeled_images import read_index
from cpunet.training.data.splits import inseparable, split_at_random, split_by_column, split_in_folds
from tests.import_sources import data
from tests.written_sets import write_small_set

FIELDS = ["id", "modality", "split", "duplicate_of", "group"]


def rows_of(count, **columns):
    """Rows a00, a01, ...; `columns` are functions of the number."""
    return [
        {"id": f"a{number:02d}", "modality": "f", "split": "train", "duplicate_of": "", "group": ""}
        | {name: value(number) for name, value in columns.items()}
        for number in range(count)
    ]


def alone(rows):
    return [[number] for number in range(len(rows))]


def by_split(rows):
    return Counter(row["split"] for row in rows)


def test_fractions_are_met():
    rows = rows_of(50)
    split = split_at_random(rows, alone(rows), {"train": 0.8, "val": 0.1, "test": 0.1}, seed=1)
    assert by_split(split) == {"train": 40, "val": 5, "test": 5}


def test_a_seed_gives_one_split_in_whatever_order_the_table_stands():
    rows = rows_of(40)
    turned = rows[::-1]
    shares = {"train": 0.5, "val": 0.5}
    split = {row["id"]: row["split"] for row in split_at_random(rows, alone(rows), shares, seed=1)}
    assert {row["id"]: row["split"] for row in split_at_random(turned, alone(turned), shares, seed=1)} == split
    assert {row["id"]: row["split"] for row in split_at_random(rows, alone(rows), shares, seed=2)} != split


def test_each_modality_is_shared_out_alike():
    rows = rows_of(60, modality=lambda number: ("rare", "common", "common")[number % 3])
    shares = {"train": 0.75, "val": 0.25}
    split = split_at_random(rows, alone(rows), shares, 3, "modality")
    assert Counter((row["modality"], row["split"]) for row in split) == {
        ("rare", "train"): 15,
        ("rare", "val"): 5,
        ("common", "train"): 30,
        ("common", "val"): 10,
    }
    # Without it, chance decides.
    assert Counter(
        row["modality"] for row in split_at_random(rows, alone(rows), shares, 3) if row["split"] == "val"
    ) != {
        "rare": 5,
        "common": 10,
    }


@pytest.mark.parametrize("together", [False, True], ids=["images apart", "a plate together"])
@pytest.mark.parametrize("seed", range(4))
def test_strata_of_few_images_do_not_all_go_to_the_largest_share(seed, together):
    rows = rows_of(90, modality=lambda number: f"plate{number // 3:02d}")
    families = [[first, first + 1, first + 2] for first in range(0, 90, 3)] if together else alone(rows)
    split = split_at_random(rows, families, {"train": 0.8, "val": 0.1, "test": 0.1}, seed, "modality")
    count = by_split(split)
    assert abs(count["train"] - 72) <= 3
    assert abs(count["val"] - 9) <= 3
    assert abs(count["test"] - 9) <= 3


def test_the_seed_decides_which_of_strata_of_one_image_are_validated_on():
    rows = rows_of(20, modality=lambda number: f"plate{number:02d}")
    validated = {
        tuple(
            row["id"]
            for row in split_at_random(rows, alone(rows), {"train": 0.8, "val": 0.2}, seed, "modality")
            if row["split"] == "val"
        )
        for seed in range(5)
    }
    assert len(validated) == 5
    assert {len(ids) for ids in validated} == {4}


def test_excluded_images_stay_excluded():
    rows = rows_of(20, split=lambda number: "excluded" if number < 5 else "")
    split = split_at_random(rows, alone(rows), {"train": 0.8, "val": 0.2}, seed=1)
    assert by_split(split) == {"excluded": 5, "train": 12, "val": 3}
    assert all(row["split"] == "excluded" for row in split[:5])
    folds = split_in_folds(rows, alone(rows), 3, 1, seed=1)
    assert by_split(folds) == {"excluded": 5, "train": 10, "val": 5}
    renamed = split_by_column(rows_of(3, split=lambda n: "excluded" if n else "x", mine=lambda n: "val"), "mine", {})
    assert [row["split"] for row in renamed] == ["val", "excluded", "excluded"]


def test_even_a_small_fraction_of_few_images_gets_one():
    rows = rows_of(3)
    assert by_split(split_at_random(rows, alone(rows), {"train": 0.9, "val": 0.05, "test": 0.05}, 1)) == {
        "train": 1,
        "val": 1,
        "test": 1,
    }
    with pytest.raises(DataError, match="2 independent images or groups"):
        split_at_random(rows, [[0, 1], [2]], {"train": 0.9, "val": 0.05, "test": 0.05}, 1)


@pytest.fixture
def folder(tmp_path):
    """Twelve images: 0 and 1 have the same pixels, 2 and 3 one group, 4 names 5 as its duplicate, 5 is of 6's group."""
    rng = np.random.default_rng(0)
    rows = rows_of(12)
    (tmp_path / "images").mkdir()
    for number, row in enumerate(rows):
        image = rng.integers(0, 99, (8, 8), np.uint8) if number != 1 else image  # noqa: F821
        tifffile.imwrite(tmp_path / "images" / f"{row['id']}.tif", image)
    for number, group in {2: "p", 3: "p", 5: "q", 6: "q"}.items():
        rows[number]["group"] = group
    rows[4]["duplicate_of"] = "a05"
    write_table(tmp_path, FIELDS, rows)
    return tmp_path


def test_duplicates_and_groups_cannot_be_parted(folder):
    assert inseparable(folder, read_table(folder).rows) == [[0, 1], [2, 3], [4, 5, 6], [7], [8], [9], [10], [11]]


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize(
    "words", [["--random", "--fractions", "train=0.5", "val=0.5"], ["--folds", "3", "--validate-on", "2"]]
)
def test_duplicates_and_groups_stay_on_one_side(folder, words, seed, capsys):
    assert data("split", folder, *words, "--seed", seed) == 0
    split = [row.split for row in read_index(folder)]
    assert set(split) == {"train", "val"}
    for family in ([0, 1], [2, 3], [4, 5, 6]):
        assert len({split[number] for number in family}) == 1
    assert "(was: train 12)" in capsys.readouterr().out


def test_folds_are_the_same_whichever_is_validated_on(folder):
    folds, validated = [], []
    for k in (1, 2, 3):
        assert data("split", folder, "--folds", "3", "--validate-on", k) == 0
        rows = read_table(folder).rows
        folds.append([row["fold"] for row in rows])
        validated.append({row["id"] for row in rows if row["split"] == "val"})
        assert {row["fold"] for row in rows if row["split"] == "val"} == {str(k)}
    assert folds[0] == folds[1] == folds[2]
    assert sorted(name for ids in validated for name in ids) == [row["id"] for row in rows]
    assert sorted(Counter(folds[0]).values()) == [4, 4, 4]


def test_test_images_and_their_duplicates_are_in_no_fold(folder):
    rows = list(read_table(folder).rows)
    rows[1] = rows[1] | {"split": "test"}
    write_table(folder, FIELDS, rows)
    assert data("split", folder, "--folds", "2", "--validate-on", "1") == 0
    split = read_table(folder).rows
    assert [(row["split"], row["fold"]) for row in split[:2]] == [("test", ""), ("test", "")]
    assert all(row["fold"] in {"1", "2"} for row in split[2:])


def test_a_column_becomes_the_split(folder, capsys):
    rows = [
        row | {"stage": "training" if number % 2 else "validation"}
        for number, row in enumerate(read_table(folder).rows)
    ]
    write_table(folder, [*FIELDS, "stage"], rows)
    assert data("split", folder, "--column", "stage", "--rename", "training=train", "validation=val") == 0
    assert [row.split for row in read_index(folder)] == ["val", "train"] * 6
    assert read_table(folder).fields == (*FIELDS, "stage")
    assert capsys.readouterr().out.startswith(f"{folder}: train 6, val 6")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--column", "plate"], "no column 'plate'; it has id, modality"),
        (["--column", "split", "--rename", "training=train"], "No image has 'training' in the column 'split'"),
        (["--column", "group"], "empty for 8 images, the first of them a00"),
        (["--random", "--fractions", "train=0.8", "val=0.1"], "add up to 1"),
        (["--random", "--fractions", "train=all"], "must be a number"),
        (["--random", "--fractions", "train"], "NAME=VALUE is needed"),
        (["--random", "--stratify", "plate"], "no column 'plate' to stratify by"),
        (["--folds", "3"], "needs --validate-on, 1 to 3"),
        (["--folds", "3", "--validate-on", "4"], "--validate-on 1 to 3; got 3 and 4"),
        (["--folds", "9", "--validate-on", "1"], "8 independent images or groups"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_a_split_that_cannot_be_made_changes_nothing(folder, words, message, capsys):
    before = (folder / "index.csv").read_bytes()
    assert data("split", folder, *words) == 2
    assert message in capsys.readouterr().err
    assert (folder / "index.csv").read_bytes() == before


def test_an_image_that_cannot_be_read_is_named(folder, capsys):
    (folder / "images/a07.tif").unlink()
    assert data("split", folder, "--random") == 2
    assert "a07" in capsys.readouterr().err


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
