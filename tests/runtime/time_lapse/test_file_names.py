from pathlib import Path

import pytest

from cpunet.errors import OptionError
from cpunet.time_lapse.file_names import facts_of_name, pattern_of


@pytest.mark.parametrize(
    ("name", "facts"),
    [
        ("VID7_B3_1_01d06h30m.tif", ("VID7_B3_1", "B3", "", 30.5, True)),
        ("exp_00d12h.tif", ("exp", "", "", 12.0, True)),
        ("B03_t012.tif", ("B03", "B03", "", 12.0, False)),
        ("plate1_P24_T7_w1.png", ("plate1_P24_w1", "P24", "", 7.0, False)),
        ("t0001.tif", ("", "", "", 1.0, False)),
        ("cells_frame-3.ome_labels.tif", ("cells", "", "", 3.0, False)),
        ("Q03_t2x.tif", ("Q03_t2x", "", "", None, False)),  # no well of a plate, and no word for a time
        ("A25.tif", ("A25", "", "", None, False)),
    ],
)
def test_what_names_say(name, facts):
    assert facts_of_name(Path("folder_C05_t9") / name) == facts


def test_a_pattern_of_the_user_goes_before():
    pattern = pattern_of(r"^(?P<group>\D+)(?P<well>\d)-(?P<time>[\d,]+)$")
    assert facts_of_name(Path("drug2-1,5.tif"), pattern) == ("drug2", "2", "drug", 1.5, False)
    hours = pattern_of(r"(?P<hours>\d+)h")
    assert facts_of_name(Path("a_36h.tif"), hours)[3:] == (36.0, True)


@pytest.mark.parametrize(
    ("pattern", "reason"), [("(", "no regular expression"), ("(?P<plate>.)", "finds nothing that is used")]
)
def test_a_bad_pattern_is_refused_with_an_example(pattern, reason):
    with pytest.raises(OptionError, match=rf"{reason}.*\(\?P<well>"):
        pattern_of(pattern)


def test_a_name_that_does_not_match_and_a_time_that_is_none_are_refused():
    with pytest.raises(OptionError, match=r"b\.tif: its name does not match"):
        facts_of_name(Path("b.tif"), pattern_of("(?P<time>[0-9]+)"))
    with pytest.raises(OptionError, match="is no number"):
        facts_of_name(Path("b.tif"), pattern_of("(?P<time>b)"))
