import pytest

from cpunet.errors import ReviewError
from cpunet.review.page import Review
from cpunet.review.saved_file import check_together, read_saved
from tests.review_files import HEADER, IDENTITY, line, write_saved

LINES = (line("a", 1, 2, objects="#3", points="x4y5 x60y7"), line("b", 0, 0), line("c"))
OTHER = IDENTITY[::-1]


@pytest.fixture
def saved(tmp_path):
    return write_saved(tmp_path / "anna.csv", *LINES)


def test_what_an_expert_saved_is_read(saved):
    read = read_saved(saved)
    assert (read.expert, read.review) == ("Anna", Review(IDENTITY, {("s", "a"): 10, ("s", "b"): 10, ("s", "c"): 10}))
    first, second = read.images
    assert (first.key, first.line, first.predicted, first.false, first.missed) == (("s", "a"), 2, 10, 1, 2)
    assert (first.false_objects, first.missed_at, first.seconds) == ({3}, ((4, 5), (60, 7)), 7)
    assert (second.false, second.missed, second.false_objects) == (0, 0, frozenset())


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text.replace(",", ";").encode("utf-8"),
        lambda text: text.replace(",", "\t").encode("utf-8"),
        lambda text: text.encode("utf-8-sig"),
        lambda text: text.replace("\r\n", "\n").encode("utf-8"),
        lambda text: (text + ",,,,,,,,,\r\n\r\n").encode("utf-8"),
        lambda text: text.replace("Anna", '"Anna"').encode("utf-8"),
        lambda text: text.replace(HEADER, f"{HEADER},note").replace(IDENTITY, f"{IDENTITY},good").encode("utf-8"),
    ],
    ids=["semicolons", "tabs", "mark", "line ends", "empty lines", "quotes", "a column more"],
)
def test_what_a_spreadsheet_makes_of_it_is_read_alike(saved, change):
    before = read_saved(saved)
    saved.write_bytes(change(saved.read_text(encoding="utf-8")))
    assert read_saved(saved) == before


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ([line("a", -1, 0)], r"line 2: false_count is '-1', and a whole number from 0 on is needed"),
        ([line("a", 0, "two")], r"line 2: missed_count is 'two', and a whole number"),
        ([line("a", 0, "1.5")], r"line 2: missed_count is '1\.5', and a whole number"),
        ([line("a", 1, "")], r"line 2: missed_count is '', and a whole number"),
        ([line("a", 0, 0), line("b", 11, 0)], r"line 3: 11 objects are false, and only 10 were found"),
        ([line("a", 0, 0), line("b", 0, 0), line("a", 1, 0)], r"line 4: s/a is in line 2 already"),
        ([line("a", 0, 0, predicted="")], r"line 2: predicted is ''"),
        ([line("a", 0, 0, objects="3")], r"line 2: false_objects is '3', which the page does not write"),
        ([line("a", 0, 0, points="4 5")], r"line 2: missed_at is '4 5'"),
        (
            [line("a", 0, 0), line("b", 0, 0, expert="Ben")],
            r"line 3: the expert is 'Ben', and in line 2 'Anna'\. A file",
        ),
        (
            [line("a", 0, 0), line("b", 0, 0, review=OTHER)],
            r"line 3: the review is another one than in line 2\. A file",
        ),
        ([line("a", 0, 0, review="1.2E+63")], r"line 2: the review is '1\.2E\+63', which is no SHA-256"),
        ([line("a", 0, 0, expert="")], r"line 2: the expert is ''"),
        ([line("a", 0, 0) + ",7"], r"line 2: there are 11 cells, and 10 columns"),
        ([], r"there is no line of an image after the header"),
    ],
)
def test_a_line_that_cannot_be_is_named(tmp_path, lines, message):
    path = write_saved(tmp_path / "anna.csv", *lines)
    with pytest.raises(ReviewError, match=f"anna.csv.*{message}"):
        read_saved(path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "this file is empty"),
        (b"PK\x03\x04\0\0", "this is no CSV file"),
        ("expert;M\u00fcller".encode("cp1252"), r"no text in UTF-8 \(byte 8\)\. .* 'CSV UTF-8'"),
        (
            HEADER.replace(",false_count,", ",FALSE,").encode(),
            r"line 1: there is no column false_count; there are expert, set",
        ),
        (f"{HEADER},missed_count\n{line('a', 0, 0)},1\n".encode(), "line 1: the column missed_count is there twice"),
    ],
    ids=["empty", "zip", "cp1252", "columns", "doubled column"],
)
def test_another_file_is_refused(tmp_path, content, message):
    path = tmp_path / "anna.csv"
    path.write_bytes(content)
    with pytest.raises(ReviewError, match=message):
        read_saved(path)


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ([line(name, 0, 0, expert="Ben", review=OTHER) for name in "abc"], r"ben\.csv: this file is of another review"),
        ([line(name, 0, 0, expert="anna") for name in "abc"], r"ben\.csv: anna is the expert of .*anna\.csv too"),
        ([line(name, 0, 0, expert="Ben") for name in "ab1"], r"ben\.csv, line 4: the image s/1 is not in .*001 to 1"),
        (
            [line(name, 0, 0, expert="Ben") for name in "ab"],
            r"ben\.csv: there is no line of s/c, which .*anna\.csv has",
        ),
        (
            [*(line(name, 0, 0, expert="Ben") for name in "ab"), line("c", 0, 0, expert="Ben", predicted=9)],
            r"ben\.csv, line 4: predicted is 9, and in .*anna\.csv 10",
        ),
    ],
    ids=["another review", "one name", "unknown image", "missing line", "predicted"],
)
def test_files_that_do_not_belong_together_are_refused(saved, tmp_path, lines, message):
    other = read_saved(write_saved(tmp_path / "ben.csv", *lines))
    with pytest.raises(ReviewError, match=message):
        check_together([read_saved(saved), other])


def test_with_the_page_a_single_file_is_checked(saved):
    read = read_saved(saved)
    check_together([read], read.review)
    with pytest.raises(ReviewError, match=r"anna\.csv, line 4: the image s/c is not in page\.html"):
        check_together([read], Review(IDENTITY, {("s", "a"): 10, ("s", "b"): 10}), "page.html")
