import numpy as np
import pytest

from cpunet.files.overlay import YELLOW
from cpunet.training.checking.check import check_data
from cpunet.training.checking.outlined import outlined_images, outlined_picture, picture_side
from tests.html_page import Page
from tests.import_sources import data
from tests.written_sets import good_images, write_set


@pytest.mark.parametrize("side", [500, 50])
def test_labels_are_outlined_whatever_the_pictures_size(tmp_path, side):
    image, labels = np.full((120, 90), 7, np.uint8), np.zeros((120, 90), np.int32)
    image[20:80, 20:60], labels[20:80, 20:60] = 200, 3
    (seen,) = check_data([write_set(tmp_path / "set", ("a", "train", image, labels))]).facts
    drawn = outlined_picture(seen, side)
    assert drawn.shape == ((120, 90, 3) if side == 500 else (50, 38, 3))
    yellow = (drawn == YELLOW).all(axis=-1)
    rows, columns = np.nonzero(yellow)
    scale = drawn.shape[0] / 120
    assert (rows.min(), columns.min()) == pytest.approx((20 * scale, 20 * scale), abs=1)
    assert (rows.max(), columns.max()) == pytest.approx((79 * scale, 59 * scale), abs=1)


def test_the_page_shows_every_image(tmp_path):
    folder = write_set(tmp_path / "set", *good_images())
    assert data("check", folder, "--report", tmp_path / "check.html") == 0
    page = Page((tmp_path / "check.html").read_text(encoding="utf-8"))
    assert sum(address.startswith("data:image/jpeg") for address in page.loads) == len(good_images())
    facts = check_data([folder]).facts
    assert [shown["name"] for shown in outlined_images(facts)] == ["/".join(seen.row.key) for seen in facts]


def test_pages_of_many_images_have_smaller_pictures():
    assert picture_side(10) > picture_side(100) > picture_side(1000)
