import numpy as np
import pytest

from cpunet.outcomes import OutcomeCounts
from cpunet.training.evaluation.report.advice import advice


def counts(kept=0, wrong_size=0, merged=0, cut=0, missed=0, invented=0, ratio=1.0):
    return OutcomeCounts(kept, wrong_size, merged, cut, missed, invented, np.full(kept + wrong_size, ratio))


@pytest.mark.parametrize(
    ("found", "words"),
    [
        (counts(kept=83, cut=17), ["17% of the objects are cut", "larger typical diameter"]),
        (counts(kept=80, merged=20), ["20% of the objects are merged", "smaller typical diameter"]),
        (counts(kept=90, missed=10), ["10% of the objects are missed", "lower foreground threshold"]),
        (counts(kept=50, invented=50), ["50% of the objects found are no true ones", "diameter range"]),
        (counts(kept=95, wrong_size=5, ratio=0.75), ["too tight", "0.75 of the true area", "cpunet calibrate"]),
        (counts(kept=100, ratio=1.3), ["too wide", "1.30 of the true area", "cpunet calibrate"]),
        (counts(kept=90, wrong_size=10), ["10% of the objects have a wrong outline", "drawn exactly"]),
        (counts(kept=99, missed=1), ["nothing to change"]),
        (counts(), ["nothing to change"]),
    ],
)
def test_each_error_has_its_advice(found, words):
    (sentence,) = advice(found, found.kept + found.invented, {})
    assert all(word in sentence for word in words)


def test_the_most_frequent_error_comes_first():
    sentences = advice(counts(kept=60, cut=10, missed=30), 90, {})
    assert ["missed" in sentence for sentence in sentences] == [True, False]


def test_images_that_go_wrong_altogether_are_named_before_all_else():
    scores = {"set/a": 0.1, "set/b": 0.9, "set/c": 0.8}
    assert advice(counts(kept=9, missed=1), 9, scores)[0].startswith("1 of 3 images go wrong altogether")
    assert "set/a" in advice(counts(kept=9), 9, scores)[0]
    # where all do, none stands out
    assert "altogether" not in " ".join(advice(counts(missed=9), 0, {"set/a": 0.1}))
