import jinja2
import numpy as np

from cpunet.training.checking.check import check_data
from cpunet.training.checking.report import report_text, set_table
from tests.html_page import Page
from tests.import_sources import data, field
from tests.written_sets import good_images, write_set


def test_the_table_says_what_is_there(tmp_path):
    image = np.full((30, 40), 100, np.uint16)
    image[5, 5] = 4095
    labels = np.zeros((30, 40), np.int32)
    labels[0:10, 0:10], labels[20:30, 20:30] = 1, 2
    color = np.random.default_rng(0).integers(0, 255, (20, 20, 3), np.uint8)
    folder = write_set(tmp_path / "set", ("a", "train", image, labels), ("b", "val", color, labels[:20, :20] * 0))
    (row,) = set_table(check_data([folder]))
    assert row == {
        "set": "set",
        "images": "2",
        "splits": "train 1, val 1",
        "modalities": "fluorescence 2",
        "sizes (Y x X)": "30 x 40 (1), 20 x 20 (1)",
        "channels": "1 (1), 3 (1)",
        "bits used": "12 in uint16, 8 in uint8",
        "objects": "2",
        "without objects": "1",
        "diameter_px, median (5 to 95 %)": "11 (11 to 11)",
    }


def test_the_page_shows_all_and_opens_offline(tmp_path, capsys):
    empty = ("x&y", "train", field(9)[0], field(9)[1] * 0)
    folder = write_set(tmp_path / "set", *good_images(), empty, modality="<b>dim")
    assert data("check", folder, "--report", tmp_path / "pages/check.html") == 0
    text = (tmp_path / "pages/check.html").read_text(encoding="utf-8")
    page = Page(text)
    assert all(source.startswith("data:image/") for source in page.loads)
    assert sum(source.startswith("data:image/svg") for source in page.loads) == 1
    assert sum(source.startswith("data:image/png") for source in page.loads) >= 5
    assert "set/x&y" in " ".join(page.texts)
    assert "<b>dim 7" in page.texts
    assert "<b>" not in text
    assert "Training may start: 0 errors, 1 warnings." in " ".join(page.texts)
    assert "empty" in capsys.readouterr().out


def test_without_escaping_a_modality_would_become_markup(tmp_path, monkeypatch):
    environment = jinja2.Environment

    def unescaped(**options):
        return environment(**(options | {"autoescape": False}))

    folder = write_set(tmp_path / "set", *good_images(), modality="<b>dim")
    monkeypatch.setattr(jinja2, "Environment", unescaped)
    assert data("check", folder, "--report", tmp_path / "check.html") == 0
    text = (tmp_path / "check.html").read_text(encoding="utf-8")
    assert "<b>dim 7" not in Page(text).texts
    assert "<b>" in text


def test_the_text_sums_up_what_is_found_often(tmp_path):
    images = [
        (name, split, image, labels * 0) if split == "val" else (name, split, image, labels)
        for name, split, image, labels in good_images()
    ]
    text = report_text(check_data([write_set(tmp_path / "set", *images)]))
    assert "warning  empty: 2 times in set, first set/f0: no object." in text
    assert text.endswith("Give --report FILE.html for all of them.")
    alone = [images[0], *good_images()[1:]]
    assert report_text(check_data([write_set(tmp_path / "alone", *alone)])).endswith("0 errors, 1 warnings.")


def test_a_set_without_a_single_good_image_is_reported_too(tmp_path, capsys):
    folder = write_set(tmp_path / "set", *good_images())
    for path in (folder / "images").iterdir():
        path.unlink()
    assert data("check", folder, "--report", tmp_path / "check.html") == 1
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith("error    file: ")]
    assert [line.split(": ")[1] for line in lines] == [f"set/f{number}" for number in range(6)]
    assert (tmp_path / "check.html").is_file()
