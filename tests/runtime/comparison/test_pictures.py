import base64
import io

import numpy as np
import PIL.Image
import pytest

from cpunet.comparison.compared_fields import Comparison, compare_record
from cpunet.comparison.pictures import LEGEND, most_differing
from cpunet.comparison.records import Record, write_record
from tests.boxes import FIRST, SECOND, THIRD, boxes

COLOR = {style.meaning: style.color for style in LEGEND}


@pytest.fixture
def pictures(tmp_path):
    """Draw fields, each by its labels of both modules."""

    def drawn(*fields, most=12, image=None):
        compared = []
        for number, (primary, unet) in enumerate(fields):
            path = tmp_path / f"{number}.npz"
            record = Record(np.zeros(primary.shape, np.float32) if image is None else image, primary, unet)
            write_record(path, record)
            compared.append(compare_record(str(number), path, record))
        return most_differing(Comparison("Nuclei", "DNA", tuple(compared), {}), most)

    return drawn


def shown(address):
    picture = PIL.Image.open(io.BytesIO(base64.b64decode(address.partition(",")[2])))
    return np.asarray(picture.convert("RGB")).astype(int)


def frame_color(picture, box, scale):
    """The color of an object's upper edge."""
    top, _, left, right = box
    return picture[round(top * scale), round((left + right) / 2 * scale)]


def is_near(color, meaning):
    return np.abs(color - COLOR[meaning]).max() < 70


def test_an_object_has_the_same_color_in_both_panels_only_if_both_found_it(pictures):
    (field,) = pictures((boxes(FIRST, SECOND), boxes(FIRST, THIRD)))
    primary, unet = shown(field.primary), shown(field.unet)
    scale = len(primary) / 40
    for panel in (primary, unet):
        assert is_near(frame_color(panel, FIRST, scale), "the same in both")
    assert is_near(frame_color(primary, SECOND, scale), "found only here")
    assert is_near(frame_color(unet, THIRD, scale), "found only here")
    dashed = unet[round(2 * scale), round(20 * scale) : round(32 * scale)]
    assert any(is_near(color, "found only in the other panel") for color in dashed)


def test_one_object_that_is_several_in_the_other_panel(pictures):
    large, halves = (2, 14, 2, 26), ((2, 14, 2, 13), (2, 14, 14, 26))
    (split,) = pictures((boxes(large), boxes(*halves)))
    primary, unet = shown(split.primary), shown(split.unet)
    scale = len(primary) / 40
    assert is_near(frame_color(primary, large, scale), "one object here, several in the other panel")
    for half in halves:
        assert is_near(frame_color(unet, half, scale), "several objects here, one in the other panel")


def test_the_plain_picture_has_nothing_drawn_on_it(pictures):
    image = np.linspace(0, 1, 2400, dtype=np.float32).reshape(40, 60)
    (field,) = pictures((boxes(FIRST), boxes(SECOND)), image=image)
    plain = shown(field.plain)
    assert plain.min(axis=2).tolist() == plain.max(axis=2).tolist()


def test_no_more_are_drawn_than_asked_for_and_a_part_is_told(pictures):
    large = np.zeros((600, 700), np.int32)
    large[10:40, 10:40] = 1
    found = pictures((large, large), (large, 0 * large), (large, large), most=2)
    assert [each.part for each in found] == ["448 x 448 of 600 x 700 pixels"] * 2
    assert pictures((large, large), most=0) == []
