import numpy as np
import pytest

from cpunet.errors import OptionError
from cpunet.options import Options, check_options, progress_of_part


@pytest.mark.parametrize(
    "option",
    [
        {"diameter_px": 0},
        {"diameter_px": float("nan")},
        {"foreground_threshold": 1.0},
        {"outline_level": 0},
        {"outline_level": 1.0},
        {"outline_level": float("nan")},
        {"scale": 0},
        {"scale": 5},
        {"scale": float("nan")},
        {"z_step_px": 0},
        {"z_step_px": 51},
        {"z_step_px": float("nan")},
        {"tile_planes": 0},
        {"mask": np.ones((4, 4), np.uint8)},
    ],
)
def test_impossible_options_are_refused(option):
    with pytest.raises(OptionError, match=r"must|can be enlarged"):
        check_options(Options(**option))


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ({"declump_method": "magic"}, "way to separate touching objects called 'magic'; choose one of: probability"),
        ({"smoothing_px": -1}, "smoothing before declumping must be 0 pixels or more"),
        ({"min_distance_px": float("nan")}, "distance between the centers of two objects must be"),
        ({"fill_holes": "always"}, "way to fill holes called 'always'"),
        ({"augmentation": "turns"}, "no augmentation called 'turns'; choose one of: none, flips"),
    ],
)
def test_impossible_choices_are_refused(option, message):
    with pytest.raises(OptionError, match=message):
        check_options(Options(**option))


def test_the_defaults_are_possible():
    check_options(Options())


def test_progress_of_parts_counts_on():
    reports = []
    for part in range(2):
        report = progress_of_part(lambda done, total: reports.append((done, total)), part, 2)
        for done in range(4):
            report(done, 3)
    assert reports == [(0, 6), (1, 6), (2, 6), (3, 6), (3, 6), (4, 6), (5, 6), (6, 6)]
    assert progress_of_part(None, 0, 2) is None
