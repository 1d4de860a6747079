import numpy as np
import pytest

from benchmarks.few_images import sets
from benchmarks.few_images.sets import TEACHING, FewImagesSet, background_is_blue, images_of, scored, teaching
from tests.written_sets import write_index


@pytest.fixture
def root(tmp_path, monkeypatch):
    rows = [(f"i{number}", "fluorescence", "train", "") for number in range(40)]
    rows += [("copy", "fluorescence", "train", "other/i1"), ("left", "fluorescence", "excluded", "")]
    write_index(tmp_path / "set", *rows, ("gray", "brightfield", "train", ""))
    monkeypatch.setitem(sets.SETS, "these", FewImagesSet("set", "fluorescence"))
    return tmp_path


def test_what_is_scored_teaches_nothing_and_few_are_among_more(root):
    rows = images_of("these", root)
    assert len(rows) == 40
    assert [row.id for row in images_of("these", root)] == [row.id for row in rows]
    assert [row.id for row in rows] != sorted(row.id for row in rows)
    judged = {row.id for row in scored(rows)}
    taught = [{row.id for row in teaching(rows, number)} for number in TEACHING]
    assert all(fewer < more for fewer, more in zip(taught, taught[1:], strict=False))
    assert len(judged) == 20
    assert not judged & taught[-1]


def test_a_blue_ground_is_told_from_a_white_one():
    image = np.full((40, 40, 3), (205, 200, 210), np.uint8)
    image[:10] = (90, 40, 120)
    assert not background_is_blue(image)
    image[10:] = (170, 160, 205)
    assert background_is_blue(image)
