import re

import pytest

from cpunet.errors import ReportError, ReviewError
from cpunet.review import page
from tests.boxes import FIRST, SECOND, boxes
from tests.html_page import Page
from tests.review_files import reviewed, write_field

pytest.importorskip("jinja2", reason="pages need jinja2, which CellProfiler has")
EVIL = "</script><script>alert(1)</script>{{ 7 * 7 }}"


@pytest.fixture
def fields(tmp_path):
    write_field(tmp_path / "set", "a", boxes(FIRST, SECOND), boxes(FIRST))
    write_field(tmp_path / "set", "b", boxes())
    return [reviewed(tmp_path / "set", "a", stain=True), reviewed(tmp_path / "set", "b")]


def test_the_page_opens_offline(fields, tmp_path):
    page.write_review(tmp_path / "r.html", fields, "the model tiny", "nucleus")
    text = (tmp_path / "r.html").read_text(encoding="utf-8")
    assert not Page(text).loads
    assert not re.search(r"https?://(?!www\.w3\.org/2000/svg)", text)
    assert "default-src 'none'" in text
    assert text.count("data:image/jpeg;base64,") == 3
    assert {"script", "dialog", "noscript"} <= set(Page(text).elements)


def test_a_page_tells_which_images_it_shows(fields, tmp_path):
    identity = page.write_review(tmp_path / "r.html", fields, "the model tiny", "nucleus")
    assert page.read_review(tmp_path / "r.html") == (identity, {("set", "a"): 2, ("set", "b"): 0})


def test_names_cannot_become_markup(fields, tmp_path):
    evil = [each.__class__(**{**vars(each), "name": EVIL, "set_name": EVIL}) for each in fields]
    page.write_review(tmp_path / "r.html", evil, EVIL, EVIL)
    text = (tmp_path / "r.html").read_text(encoding="utf-8")
    assert "alert(1)</script>" not in text
    assert "49" not in Page(text).texts
    assert list(page.read_review(tmp_path / "r.html").predicted) == [(EVIL, EVIL)]


@pytest.mark.parametrize("text", ["<p>mine", '<script type="application/json" id="review-data">[1]</script>', ""])
def test_another_page_is_refused(tmp_path, text):
    (tmp_path / "other.html").write_text(text)
    with pytest.raises(ReviewError, match=r"other\.html: this is no page of `cpunet review make`"):
        page.read_review(tmp_path / "other.html")


def test_a_page_that_nobody_could_open_is_not_written(fields, tmp_path, monkeypatch):
    monkeypatch.setattr(page, "LARGEST_BYTES", 1000)
    with pytest.raises(ReportError, match=r"with its 2 images; .* Draw fewer images with --number"):
        page.write_review(tmp_path / "r.html", fields, "the model tiny", "nucleus")
    assert not (tmp_path / "r.html").exists()
