import numpy as np
import pytest

from cpunet.checks.synthetic import synthetic_field
from cpunet.training.checking.unlabeled import count_unlabeled, unlabeled_warnings

DRAWN = synthetic_field((220, 220), columns=6, diameter_px=20, touching=False, seed=4)
NUMBERS = np.unique(DRAWN.labels)[1:]


def with_labels_of(numbers):
    return np.where(np.isin(DRAWN.labels, numbers), DRAWN.labels, 0)


def test_a_field_that_is_labeled_as_a_whole_is_not_warned_of():
    assert count_unlabeled(DRAWN.image, DRAWN.labels) == 0
    assert unlabeled_warnings(DRAWN.image, DRAWN.labels) == []


@pytest.mark.parametrize("dark", [False, True])
def test_objects_without_a_label_are_counted(dark):
    image = 1 - DRAWN.image if dark else DRAWN.image
    left = len(NUMBERS) // 2
    found = count_unlabeled(image, with_labels_of(NUMBERS[:left]))
    assert found == pytest.approx(len(NUMBERS) - left, abs=2)
    ((kind, sentence),) = unlabeled_warnings(image, with_labels_of(NUMBERS[:left]))
    assert kind == "unlabeled"
    assert f"the {left} labeled ones" in sentence


def test_one_that_was_forgotten_is_no_habit():
    assert unlabeled_warnings(DRAWN.image, with_labels_of(NUMBERS[1:])) == []


def test_what_is_marked_as_not_labeled_is_not_searched():
    some = with_labels_of(NUMBERS[: len(NUMBERS) // 2])
    marked = np.where((DRAWN.labels > 0) & (some == 0), -1, some)
    assert unlabeled_warnings(DRAWN.image, marked) == []


def test_noise_and_a_field_without_labels_say_nothing():
    noise = np.random.default_rng(0).random((220, 220))
    assert count_unlabeled(noise, with_labels_of(NUMBERS[:9])) == 0
    assert count_unlabeled(DRAWN.image, np.zeros_like(DRAWN.labels)) == 0
