import hashlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from cpunet.errors import DataError
from cpunet.training.config import DataSource
from cpunet.training.data.labeled_images import IndexRow
from cpunet.training.facts import (
    current_commit,
    data_sum,
    known_diameters,
    median_diameter,
    set_diameters,
    training_facts,
)
from cpunet.training.patches.augmentation import Augmentation
from cpunet.training.patches.patch import Patch


def patch_of(*sides):
    """Squares of these sides: one of 10 pixels has the area of a disc of 11.28 pixels, and so on in proportion."""
    labels = np.zeros((40, 160), np.int32)
    for number, side in enumerate(sides, start=1):
        labels[:side, 40 * (number - 1) :][:, :side] = number
    return Patch(np.zeros((1, *labels.shape), np.float32), labels)


def rows_in(folder, *names):
    """Rows of images whose files hold made-up bytes."""
    for sub in ("images", "labels"):
        (folder / sub).mkdir(parents=True)
        for name in names:
            (folder / sub / f"{name}.png").write_bytes(f"{sub} {name}".encode())
    return [IndexRow(folder, name, "f", "train", "") for name in names]


@pytest.fixture
def config(small_config):
    return replace(
        small_config,
        data=(DataSource("one", share=1), DataSource("two", share=3)),
        augmentation=Augmentation(scale_low=0.5, scale_high=2),
    )


def test_the_facts_of_two_sets_counted_by_hand(tmp_path, config):
    rows = [rows_in(tmp_path / "one", "b", "a", "c"), rows_in(tmp_path / "two", "d")]
    # Medians of the images: 22.57, 11.28 and none in the first set, 33.85 in the second, which has 3/4 of the weight.
    sources = [[patch_of(10, 20, 20), patch_of(10), patch_of()], [patch_of(30)]]
    facts = training_facts(config, rows, sources, [22.46, 40.0])
    assert facts == {
        "data": [
            {"name": "one", "images": 3, "objects": 4, "sha256": data_sum(rows[0]), "image_diameter_px": 22.5},
            {"name": "two", "images": 1, "objects": 1, "sha256": data_sum(rows[1]), "image_diameter_px": 40.0},
        ],
        "diameter_px": 33.9,
        "diameter_low_px": 5.6,  # half of 11.28
        "diameter_high_px": 67.7,  # twice 33.85
    }


def test_each_set_counts_by_its_share_however_many_images_it_has(tmp_path, config):
    rows = [rows_in(tmp_path / "one", "a"), rows_in(tmp_path / "two", "b", "c", "d")]
    sources = [[patch_of(30)], [patch_of(10), patch_of(10), patch_of(20)]]
    alike = replace(config, data=(DataSource("one"), DataSource("two")))
    first = replace(config, data=(DataSource("one", share=5), DataSource("two", share=1)))
    # By images, 10 would be the middle; by share, 10 and 20 have three sixths, so that half is reached at 20.
    assert training_facts(alike, rows, sources, [1, 1])["diameter_px"] == 22.6
    assert training_facts(first, rows, sources, [1, 1])["diameter_px"] == 33.9


def test_the_sum_of_a_set_knows_names_and_bytes_but_no_order(tmp_path):
    rows = rows_in(tmp_path, "b", "a")

    def sha256(content):
        return hashlib.sha256(content).digest()

    files = [b"a", sha256(b"images a"), sha256(b"labels a"), b"b", sha256(b"images b"), sha256(b"labels b")]
    expected = hashlib.sha256(b"".join(files)).hexdigest()
    assert data_sum(rows) == data_sum(rows[::-1]) == expected
    rows[0].labels_path.write_bytes(b"labels B")
    assert data_sum(rows) != expected


@pytest.mark.parametrize(
    ("seen", "known"),
    [
        ((30.0, 8.0, 100.0), (30.0, 16.7, 45.0)),  # no farther than 30 / 1.8 and 30 * 1.5
        ((30.0, 25.0, 40.0), (30.0, 25.0, 40.0)),  # nor than what was seen
        ((30.0, 25.0, 70.0), (30.0, 25.0, 45.0)),
    ],
)
def test_known_diameters_lie_within_what_was_seen_and_near_the_middle(seen, known):
    names = ("diameter_px", "diameter_low_px", "diameter_high_px")
    assert known_diameters(dict(zip(names, seen))) == dict(zip(names, known))


def test_a_users_diameter_is_that_of_the_images_before_they_were_scaled(config):
    facts = {"data": [{"image_diameter_px": 17.5}, {"image_diameter_px": 40.0}], "diameter_px": 20.0}
    assert set_diameters(replace(config, diameter_px=20.0), facts) == [17.5, 40.0]
    assert set_diameters(config, facts) == [None, None]


def test_the_median_diameter_is_that_of_the_images_and_not_of_all_objects():
    images = [np.array([1.0, 3.0, 100.0]), np.array([]), np.array([10.0, 20.0, 30.0, 40.0])]
    assert median_diameter(images, "a set") == 14.0  # between 3 and 25; the median of all objects is 20
    with pytest.raises(DataError, match=r"a set: .*no object"):
        median_diameter([np.array([])], "a set")


def test_where_git_is_not_installed_no_commit_is_known(monkeypatch):
    """Training ended with "No such file or directory: 'git'"."""
    monkeypatch.setenv("PATH", "")
    assert current_commit(Path(__file__).parent) == ""


def test_a_folder_outside_git_has_no_commit(tmp_path):
    assert current_commit(tmp_path) == ""
