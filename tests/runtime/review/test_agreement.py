import pytest

from cpunet.review.agreement import agreements, compared_images, errors_an_image
from cpunet.review.saved_file import read_saved
from tests.review_files import line, write_saved


@pytest.fixture
def saved(tmp_path):
    def write(expert, **counts):
        lines = (line(name, *judged[:2], expert=expert, objects="".join(judged[2:])) for name, judged in counts.items())
        return read_saved(write_saved(tmp_path / f"{expert}.csv", *lines))

    return write


@pytest.fixture
def files(saved):
    return [
        saved("Anna", a=(0, 0), b=(2, 1, "#1 #2"), c=(0, 3), d=(5, 0), e=(0, 0)),
        saved("Ben", a=(0, 0), b=(1, 2, "#2"), c=(3, 0, "#4 #5 #6"), d=(0, 0), e=()),
        saved("Carl", a=(0, 4), b=(), c=(), d=(), e=(0, 1)),
    ]


def test_experts_agree_within_so_many_errors(files):
    first, second, third = agreements(files)
    assert (first.experts, first.images) == (("Anna", "Ben"), 4)
    assert first.false == (1, 2, 2, 3, 3)  # differences 0, 1, 3, 5
    assert first.missed == (2, 3, 3, 4, 4)  # 0, 1, 3, 0
    assert first.errors == (1, 1, 2, 2, 2)  # 0, 2, 6, 5: false and missed do not cancel
    assert (first.clicked_by_both, first.clicked_by_either) == (1, 5)
    assert (second.experts, second.images, second.errors) == (("Anna", "Carl"), 2, (0, 1, 1, 1, 2))
    assert (third.experts, third.images) == (("Ben", "Carl"), 1)


def test_images_are_compared_by_the_two_who_differ_most(files):
    found = {key[1]: (sorted(judgments), difference) for key, judgments, difference in compared_images(files)}
    assert found == {
        "a": (["Anna", "Ben", "Carl"], 4),
        "b": (["Anna", "Ben"], 2),
        "c": (["Anna", "Ben"], 6),
        "d": (["Anna", "Ben"], 5),
        "e": (["Anna", "Carl"], 1),
    }


def test_errors_an_image_are_counted(files):
    assert errors_an_image(files[0]) == (2, 0, 0, 2, 0, 1)


def test_experts_without_a_common_image_are_not_compared(saved):
    assert agreements([saved("Anna", a=(0, 0), b=()), saved("Ben", a=(), b=(1, 0))]) == []
