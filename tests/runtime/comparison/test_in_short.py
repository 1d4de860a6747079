from pathlib import Path

import numpy as np
import pytest

from cpunet.comparison.compared_fields import Comparison, compare_record
from cpunet.comparison.in_short import in_short, median_ratio, what_to_check
from cpunet.comparison.records import Record
from tests.boxes import FIRST, SECOND, THIRD, boxes


def comparison(**fields):
    made = [
        compare_record(name, Path(name), Record(np.ones(primary.shape, np.float32), primary, unet))
        for name, (primary, unet) in fields.items()
    ]
    return Comparison("Nuclei", "DNA", tuple(made), {})


def test_the_facts_name_what_differs_and_by_how_much():
    large, halves = (2, 14, 2, 26), ((2, 14, 2, 13), (2, 14, 14, 26))
    facts = in_short(
        comparison(
            a=(boxes(FIRST, SECOND, THIRD), boxes(FIRST, SECOND)),
            b=(boxes(large), boxes(*halves)),
            c=(boxes(*halves), boxes(large)),
            d=(boxes(FIRST, SECOND), boxes()),
            e=(boxes(), boxes(THIRD)),
        )
    )
    assert facts == [
        "IdentifyPrimaryObjects found 8 objects in 5 fields, and IdentifyObjectsUNet 6 (-25.0%).",
        "2 of the 8 objects of IdentifyPrimaryObjects (25.0%) are the same in both: their outlines agree well (IoU "
        "above 0.7).",
        "IdentifyObjectsUNet splits 1 object of IdentifyPrimaryObjects into several, and joins 2 into fewer.",
        "3 objects only IdentifyPrimaryObjects found, and 1 only IdentifyObjectsUNet found.",
        "In 1 field only IdentifyPrimaryObjects found objects: d (2).",
        "In 1 field only IdentifyObjectsUNet found objects: e (1).",
        "Of an object that both found, IdentifyObjectsUNet's area is 1.00 times that of IdentifyPrimaryObjects, and "
        "its mean intensity 1.00 times (medians).",
    ]


def test_what_is_the_same_has_little_to_check():
    same = boxes(FIRST, SECOND, THIRD)
    assert what_to_check(comparison(a=(same, same))) == ["All objects are the same."]
    nearly = {str(number): (same, same) for number in range(9)}
    checks = what_to_check(comparison(**nearly, last=(same, boxes(FIRST, SECOND))))
    assert checks == ["Nearly all objects are the same. Look at the few that differ, in the pictures below."]


CHECKS = {
    "Cyan": (boxes((2, 14, 2, 26)), boxes((2, 14, 2, 13), (2, 14, 14, 26))),
    "Orange": (boxes((2, 14, 2, 13), (2, 14, 14, 26)), boxes((2, 14, 2, 26))),
    "Red": (boxes(FIRST, SECOND), boxes(FIRST)),
    "Outlines are larger in IdentifyObjectsUNet": (boxes(FIRST), boxes((2, 14, 2, 15))),
    "Outlines are smaller in IdentifyObjectsUNet": (boxes(FIRST), boxes((2, 14, 2, 13))),
    "No object was found by either": (boxes(), boxes()),
}


@pytest.mark.parametrize("begins", CHECKS)
def test_what_to_check_is_what_was_found(begins):
    said = {case: what_to_check(comparison(a=labels)) for case, labels in CHECKS.items()}
    assert any(sentence.startswith(begins) for sentence in said[begins])
    assert not any(s.startswith(begins) for case, found in said.items() if case != begins for s in found)


def test_the_median_ratio_leaves_out_what_cannot_be_divided():
    assert median_ratio(np.array([[0.0, 1.0]])) is None
    assert median_ratio(np.array([[2.0, 1.0], [1.0, 1.0], [1.0, 3.0]])) == 1.0
