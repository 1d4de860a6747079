"""What holds for every row: it is deterministic, changes no input, and its truth fits its image."""

import numpy as np
import pytest

from benchmarks.stress.rows import ROWS, degraded
from benchmarks.stress.small import SMALL_ROWS, SPARSE

# The frame of 2048x2048 pixels is made by the same function as the small one.
SMALL = {name: steps for name, steps in SMALL_ROWS.items() if name != "one nucleus in 2048x2048"}
UNCHANGED_TRUTH = {
    *("x 1", "bright debris", "dead cells", "cytoplasmic haze", "fibers", "background steps", "chromocenters"),
    *("low light, 25 electrons", "low light, 6 electrons", "slightly out of focus", "out of focus", "vignette"),
    *("light from one side", "saturated", "8 bits, 10 gray levels", "JPEG"),
}


@pytest.fixture(scope="module")
def made(nuclei):
    return {name: degraded(nuclei, name, steps) for name, steps in SMALL.items()}


def test_the_rows_that_the_issue_asks_for_are_there():
    assert {f"x {factor}" for factor in ("0.25", "0.35", "0.5", "0.71", "1", "1.5", "2", "3", "4")} <= set(ROWS)
    assert set(ROWS) > UNCHANGED_TRUTH
    assert SPARSE not in ROWS


@pytest.mark.parametrize("row", SMALL)
def test_a_row_gives_the_same_image_every_time(row, made, nuclei):
    again = degraded(nuclei, row, SMALL[row])
    np.testing.assert_array_equal(again.image, made[row].image)
    np.testing.assert_array_equal(again.labels, made[row].labels)


@pytest.mark.parametrize("row", SMALL)
def test_a_row_gives_what_a_camera_saves(row, made):
    image, labels = made[row].image, made[row].labels
    assert image.shape == labels.shape
    assert image.dtype == (np.uint8 if row in ("8 bits, 10 gray levels", "JPEG") else np.uint16)
    assert image.max() <= 4095
    assert labels.dtype == np.int32
    assert set(np.unique(labels)) == set(range(labels.max() + 1))


@pytest.mark.parametrize("row", SMALL)
def test_the_truth_lies_where_the_nuclei_are(row, made):
    """The outline of the truth fits the image better than the truth moved by a third of a nucleus."""
    truth = made[row]
    inside, count = truth.labels > 0, truth.labels.max()
    step = round(0.33 * np.sqrt(inside.sum() / count * 4 / np.pi))
    # Nothing on the slide that is no nucleus, and no spot in one, may outweigh the nuclei.
    usual = np.minimum(truth.image, np.percentile(truth.image[inside], 75)).astype(float)
    moved = [np.roll(inside, shift, axis) for axis in (0, 1) for shift in (-step, step)]
    assert usual[inside].mean() > max(usual[other].mean() for other in moved)
    assert usual[inside].mean() > usual[~inside].mean()


@pytest.mark.parametrize("row", sorted(UNCHANGED_TRUTH))
def test_what_is_no_nucleus_is_not_in_the_truth(row, made, nuclei):
    np.testing.assert_array_equal(made[row].labels, nuclei.labels)
    if row != "x 1":
        assert (made[row].image != nuclei.image).mean() > 0.01


def test_another_image_gets_other_debris(nuclei):
    steps = ROWS["bright debris"]
    other = degraded(nuclei._replace(id="another"), "bright debris", steps)
    assert (other.image != degraded(nuclei, "bright debris", steps).image).any()
