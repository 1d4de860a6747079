import csv

import pytest

from cpunet.review.saved_file import read_saved
from cpunet.review.write_scores import AGREEMENT, IMAGES, PAGE, SCORES, score_review, terminal_text, write_scores
from tests.html_page import Page
from tests.review_files import line, write_saved


@pytest.fixture
def scored(tmp_path):
    anna = write_saved(tmp_path / "a.csv", line("x", 1, 1), line("y", 0, 0), line("z", 0, 2))
    ben = write_saved(
        tmp_path / "b.csv", *(line(name, 0, 0, expert="<b>en") for name in "xy"), line("z", expert="<b>en")
    )
    return score_review([read_saved(anna), read_saved(ben)], tolerance=1)


def rows_of(path):
    with path.open(newline="", encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


def test_the_terminal_shows_scores_agreement_and_where_experts_disagree(scored):
    lines = terminal_text(scored).splitlines()
    assert any(each.split() == ["s", "Anna", "3", "30", "1", "3", "0.967", "0.906", "0.935", "0.879"] for each in lines)
    assert any(each.split() == ["Anna", "and", "<b>en", "both", "2", "1", "1", "2", "2", "2"] for each in lines)
    assert "Two experts differ by more than 1 error on 1 of 2 images that several judged:" in lines
    assert any(each.split() == ["s", "x", "10", "1", "1", "0", "0", "2", "DISAGREE"] for each in lines)
    assert "<b>en did not judge 1 of 3 images." in lines


def test_the_tables_and_the_page_say_the_same(scored, tmp_path):
    pytest.importorskip("jinja2", reason="pages need jinja2, which CellProfiler has")
    write_scores(tmp_path / "out", scored)
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == sorted((PAGE, SCORES, AGREEMENT, IMAGES))
    scores = rows_of(tmp_path / "out" / SCORES)
    assert [row["expert"] for row in scores] == ["Anna", "<b>en", "all experts"]
    assert scores[0]["precision"] == "0.9667"
    assert [row["within 1"] for row in rows_of(tmp_path / "out" / AGREEMENT)] == ["2", "2", "1"]
    images = rows_of(tmp_path / "out" / IMAGES)
    assert [(row["image"], row["missed: Anna"], row["difference"]) for row in images] == [
        ("x", "1", "2"),
        ("y", "0", "0"),
        ("z", "2", ""),
    ]
    page = Page((tmp_path / "out" / PAGE).read_text(encoding="utf-8"))
    assert not page.loads
    assert "b" not in page.elements
    assert {"0.967", "DISAGREE", "Anna and <b>en"} <= set(page.texts)


def test_of_one_expert_there_is_no_agreement(tmp_path):
    scored = score_review([read_saved(write_saved(tmp_path / "a.csv", line("x", 1, 1)))], 1)
    text = terminal_text(scored)
    assert "within" not in text
    assert "DISAGREE" not in text
