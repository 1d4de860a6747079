import numpy as np
import pytest

from benchmarks.gallery.crops import Scored, choose, crop_of, found_there, fullest_window, judge, objects_inside
from benchmarks.labeled_images import BenchmarkImage
from cpunet.scores import score_image


def boxes(*places):
    """Label images of 60x60 pixels, an object for each (number, y, x, height, width)."""
    labels = np.zeros((60, 60), np.int32)
    for number, y, x, height, width in places:
        labels[y : y + height, x : x + width] = number
    return labels


PAIRS = {
    "right": (boxes((3, 5, 5, 10, 10)), boxes((8, 5, 5, 10, 9)), {3: "right"}, {}),
    "two merged": (
        boxes((1, 5, 5, 10, 10), (4, 5, 15, 10, 10)),
        boxes((1, 5, 5, 10, 20)),
        {1: "merged", 4: "merged"},
        {},
    ),
    "split": (boxes((1, 5, 5, 10, 20)), boxes((1, 5, 5, 10, 10), (2, 5, 15, 10, 10)), {1: "split"}, {}),
    "missed and false": (boxes((1, 5, 5, 10, 10)), boxes((6, 40, 40, 10, 10)), {1: "missed"}, {6: "false"}),
    "inexact": (boxes((1, 5, 5, 10, 10)), boxes((1, 5, 5, 10, 6)), {1: "inexact"}, {}),
    "swallowed by another's right one": (
        boxes((1, 5, 5, 20, 20), (2, 5, 25, 10, 5)),
        boxes((1, 5, 5, 20, 24)),
        {1: "right", 2: "missed"},
        {},
    ),
    "speck": (boxes((1, 5, 5, 10, 10), (2, 40, 40, 2, 2)), boxes((1, 5, 5, 10, 10)), {1: "right", 2: "tiny"}, {}),
    "nothing found": (boxes((1, 5, 5, 10, 10)), boxes(), {1: "missed"}, {}),
    "nothing there": (boxes(), boxes((1, 5, 5, 10, 10)), {}, {1: "false"}),
    "empty": (boxes(), boxes(), {}, {}),
}


@pytest.mark.parametrize(("truth", "prediction", "of_truth", "of_prediction"), PAIRS.values(), ids=PAIRS)
def test_each_object_is_judged(truth, prediction, of_truth, of_prediction):
    assert judge(truth, prediction) == (of_truth, of_prediction)
    score = score_image(truth, prediction)
    words = list(of_truth.values())
    assert (words.count("merged"), words.count("split")) == (score.under_segmented, score.over_segmented)


@pytest.mark.parametrize(
    ("labels", "corner"),
    [(boxes((1, 20, 30, 4, 4)), (12, 22)), (boxes((1, 0, 0, 2, 2)), (0, 0)), (boxes(), (20, 20))],
    ids=["one object lies in the middle", "corner", "nothing: the middle of the image"],
)
def test_the_window_lies_around_what_weighs(labels, corner):
    y, x = fullest_window(labels.astype(float), size=20)
    assert (y.start, x.start) == corner
    assert (y.stop - y.start, x.stop - x.start) == (20, 20)


def scored(name, mean_f1, case):
    truth, prediction, *_ = PAIRS[case]
    return Scored("drawn", "fluorescence", BenchmarkImage(name, truth, truth), prediction, mean_f1, mean_f1)


def test_a_crop_counts_what_lies_in_it():
    crop = crop_of(scored("a", 0.0, "missed and false"), "failure")
    assert found_there(crop) == "1 missed, 1 false"
    assert crop.objects == [("missed", 9.5, 9.5), ("false", 44.5, 44.5)]


def test_objects_mostly_outside_a_window_do_not_count():
    labels, words = boxes((1, 5, 5, 10, 10), (2, 5, 40, 10, 10)), {1: "right", 2: "missed"}
    assert objects_inside(labels, words, (slice(0, 60), slice(9, 44))) == [("right", 9.5, 2.5)]


def test_typical_images_and_failures_of_two_kinds_are_chosen():
    cases = ["missed and false", "missed and false", "two merged", "inexact", *["right"] * 6]
    images = [scored(f"i{place}", place / 10, case) for place, case in enumerate(cases)]
    for given in (images, images[::-1]):
        chosen = [(crop.row, crop.scored.truth.id) for crop in choose(given)]
        assert chosen == [("typical", "i5"), ("typical", "i7"), ("failure", "i0"), ("failure", "i2")]


@pytest.mark.parametrize(("count", "rows"), [(0, []), (1, ["typical"]), (2, ["typical", "failure"])])
def test_of_few_images_none_is_shown_twice(count, rows):
    chosen = choose([scored(f"i{place}", place / 10, "right") for place in range(count)])
    assert [crop.row for crop in chosen] == rows
    assert len({crop.scored.truth.id for crop in chosen}) == count
