import numpy as np
import pytest

from cpunet.checks.synthetic import synthetic_field
from cpunet.training.checking.image_facts import appearance, label_warnings, used_bits


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


def test_appearance_does_not_depend_on_the_bit_depth():
    image = synthetic_field((96, 96), 4, 14, seed=1).image
    as_12, as_16 = (np.round(image * top).astype(np.uint16) for top in (4095, 65535))
    np.testing.assert_allclose(appearance(as_12), appearance(as_16), atol=0.01)
    inverted = appearance((65535 - as_16).astype(np.uint16))
    assert inverted[1] > 0.8 > 0.2 > appearance(as_16)[1]


def test_a_mask_and_an_image_in_place_of_labels_are_called_so():
    ((kind, what),) = label_warnings(np.where(SQUARES > 0, 255, 0) * (np.arange(SQUARES.shape[1]) % 4 > 0))
    assert kind == "mask"
    assert "one number (255) in" in what
    ((kind, what),) = label_warnings(np.random.default_rng(0).integers(0, 50, (64, 64)))
    assert kind == "pieces"
    assert "images and labels swapped" in what
