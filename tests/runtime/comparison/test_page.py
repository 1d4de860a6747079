import re

import numpy as np
import pytest

from cpunet.comparison.compared_fields import Comparison, compare_record
from cpunet.comparison.records import Record, write_record
from cpunet.errors import ReportError
from cpunet.report import html_page
from tests.boxes import FIRST, SECOND, THIRD, boxes
from tests.html_page import Page

EVIL = '<script>alert("1")</script>.tif'


@pytest.fixture
def write_comparison():
    pytest.importorskip("jinja2", reason="pages need jinja2 and matplotlib, which CellProfiler has")
    pytest.importorskip("matplotlib")
    from cpunet.comparison.page import write_comparison

    return write_comparison


@pytest.fixture
def comparison(tmp_path):
    def made(*labels, failed=None, seconds=(0.25, 0.5)):
        fields = []
        for number, (primary, unet) in enumerate(labels):
            image = (primary > 0).astype(np.float32)
            image[:, -3:] = np.nan  # a mask
            record, path = Record(image, primary, unet), tmp_path / f"{number}.npz"
            write_record(path, record)
            fields.append(compare_record(EVIL if number == 0 else f"field {number}", path, record, seconds))
        return Comparison("Nuclei", "DNA", tuple(fields), failed or {})

    return made


def page_of(path):
    return Page(path.read_text(encoding="utf-8"))


def test_the_page_opens_offline_and_shows_as_many_fields_as_asked_for(write_comparison, comparison, tmp_path):
    differing = [(boxes(FIRST, SECOND), boxes(FIRST, THIRD))] * 4
    write_comparison(tmp_path / "c.html", "p.cppipe", [comparison(*differing)], most=2)
    page = page_of(tmp_path / "c.html")
    addresses = [address for address in page.loads if not address.startswith("#")]
    assert len(addresses) == 2 * 3 + 1  # the image, both modules, and the charts
    assert all(re.match(r"data:image/(jpeg|svg\+xml);base64,", address) for address in addresses)
    assert not {"script", "link", "iframe", "object", "embed"} & set(page.elements)
    assert [address for address in page.loads if address.startswith("#")] == ["#objects-1-1", "#objects-1-2"]


def test_each_field_has_its_line_and_names_cannot_become_markup(write_comparison, comparison, tmp_path):
    labels = [(boxes(FIRST, SECOND), boxes(FIRST, THIRD)), (boxes(), boxes()), (boxes(FIRST), boxes(FIRST))]
    write_comparison(tmp_path / "c.html", "p.cppipe", [comparison(*labels)])
    page = page_of(tmp_path / "c.html")
    assert page.texts.count(EVIL) == 2  # above its pictures, and in the table
    cells = [text.strip() for text in page.texts]
    start = cells.index("0.50") - 12
    line = [cell for cell in cells[start:] if cell][:11]
    assert line == ["2", "2", "0", "1", "0", "0", "0", "1", "1", "0.25", "0.50"]
    assert {"field 1", "field 2"} <= set(page.texts)


def test_what_failed_what_was_left_out_and_what_reads_thresholds_is_named(write_comparison, comparison, tmp_path):
    found = comparison((boxes(FIRST), boxes(FIRST)), failed={"b.tif": "Crop: <too small>"})
    write_comparison(
        tmp_path / "c.html", "p.cppipe", [found], ["SaveImages", "SaveImages"], ["module 9 reads"], " --model x"
    )
    text = " ".join(" ".join(page_of(tmp_path / "c.html").texts).split())
    assert "1 field could not be compared and is in no figure below" in text
    assert "b.tif: Crop: <too small>" in text
    assert "Modules that write files were left out: SaveImages." in text
    assert "module 9 reads" in text
    assert "cpunet convert p.cppipe NEW --model x" in text


def test_several_modules_have_a_section_each_and_fields_without_objects_are_no_error(
    write_comparison, comparison, tmp_path
):
    empty = comparison((boxes(), boxes()), seconds=(None, None))
    write_comparison(tmp_path / "c.html", "p.cppipe", [empty, empty])
    text = " ".join(page_of(tmp_path / "c.html").texts)
    assert text.count("Nuclei, in the image DNA") == 2
    assert "Time measured" not in text


def test_missing_packages_are_named_with_their_command(monkeypatch):
    monkeypatch.setattr(html_page.importlib.util, "find_spec", lambda name: None if name == "jinja2" else name)
    with pytest.raises(ReportError, match=r"needs jinja2, .* -m pip install jinja2"):
        html_page.check_packages()
