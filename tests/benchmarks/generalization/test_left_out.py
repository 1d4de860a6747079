import csv
from types import SimpleNamespace

import pytest

from benchmarks.generalization.left_out import new_images, sets_seen, some_of

OTHER = {
    "bbbc039": [("IXM_A02_s1", "fluorescence", "train", ""), ("IXM_A03_s1", "fluorescence", "test", "")],
    "dsb2018": [
        ("twin", "fluorescence", "train", "IXM_A02_s1_w1E7BCD2F-6D7E"),
        ("kept out", "fluorescence", "excluded", "IXM_A03_s1_w11265571E-AA95"),
        ("alone", "fluorescence", "val", ""),
        ("stained", "brightfield_colour", "val", ""),
    ],
    "mnfinder": [("m0", "fluorescence", "train", ""), ("m1", "fluorescence", "val", "")],
}


@pytest.fixture
def root(tmp_path):
    for name, rows in OTHER.items():
        (tmp_path / name).mkdir()
        with (tmp_path / name / "index.csv").open("w", newline="") as stream:
            csv.writer(stream).writerows([("id", "modality", "split", "duplicate_of"), *rows])
    return tmp_path


@pytest.mark.parametrize(
    ("name", "images"),
    [("dsb2018", ["alone"]), ("bbbc039", ["IXM_A03_s1"]), ("mnfinder", ["m0", "m1"])],
    ids=["no twin, no stain", "no twin that was trained on", "all"],
)
def test_images_that_the_other_sets_hold_too_are_not_new(root, name, images):
    assert new_images(root, name) == images


@pytest.mark.parametrize(
    ("count", "chosen"), [(None, 10), (3, 3), (10, 10), (99, 10)], ids=["all", "three", "each", "more than there are"]
)
def test_some_images_are_chosen_evenly(count, chosen):
    images = [str(number) for number in range(10)]
    found = some_of(images, count)
    assert len(found) == chosen
    assert found[0] == "0"
    assert found == sorted(found, key=int)


def test_a_model_has_seen_what_the_model_that_it_started_from_has_seen():
    card = SimpleNamespace(provenance={"data": [{"name": "mnfinder fluorescence"}]})
    assert sets_seen(card) == {"mnfinder"}
    card.provenance["start_from"] = {"name": "nuclei_fluorescence"}
    assert sets_seen(card) >= {"mnfinder", "dsb2018", "bbbc039"}


def test_a_model_without_provenance_has_seen_nothing_that_is_known():
    assert sets_seen(SimpleNamespace(provenance={})) == set()
