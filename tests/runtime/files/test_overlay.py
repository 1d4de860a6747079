import numpy as np
import pytest
from skimage.segmentation import find_boundaries

from cpunet.files.overlay import YELLOW, draw_outlines, gray_picture, picture


def test_colors_are_shown_as_they_are_and_white_stays_white():
    image = np.zeros((20, 30, 3), np.uint16)
    image[:, :10] = (4000, 0, 0)
    image[:, 10:20] = 4000
    shown = picture(image)
    assert (shown.dtype, shown.shape) == (np.uint8, image.shape)
    assert shown[0, 0].tolist() == [255, 0, 0]
    assert shown[0, 15].tolist() == [255, 255, 255]
    assert shown[0, 25].tolist() == [0, 0, 0]


@pytest.mark.parametrize("channels", [None, 1, 2, 4])
def test_anything_but_three_channels_is_shown_in_gray(channels):
    rng = np.random.default_rng(0)
    image = rng.random((9, 8) if channels is None else (9, 8, channels))
    np.testing.assert_array_equal(picture(image), gray_picture(image))


def test_pixels_that_are_no_numbers_are_black():
    image = np.ones((6, 6, 3))
    image[:3] = 0.2
    image[5, 5] = np.nan
    assert picture(image)[5, 5].tolist() == [0, 0, 0]


def test_colors_keep_their_hue_when_they_are_stretched():
    image = np.full((20, 20, 3), (200, 150, 220), np.uint8)
    image[5:10, 5:10] = (90, 40, 130)
    shown = picture(image)
    assert (np.argsort(shown[7, 7]) == np.argsort(image[7, 7])).all()
    assert (shown.min(), shown.max()) == (0, 255)


@pytest.mark.parametrize("shape", [(40, 50), (1, 9), (9, 1), (1, 1)])
def test_outlines_are_the_outermost_pixels_of_objects(shape):
    labels = np.random.default_rng(0).integers(0, 3, (20, 25)).repeat(2, 0).repeat(2, 1)[: shape[0], : shape[1]]
    drawn = draw_outlines(np.zeros((*shape, 3), np.uint8), labels)
    np.testing.assert_array_equal((drawn == YELLOW).all(axis=2), find_boundaries(labels, mode="inner"))


@pytest.mark.parametrize("channels", [(), (2,), (3,)])
def test_pictures_of_slides_are_drawn_in_parts(monkeypatch, channels):
    image = np.random.default_rng(0).normal(100, 20, (30, 20, *channels)).astype(np.float32)
    image[3, 4] = np.nan
    whole = picture(image)
    monkeypatch.setattr("cpunet.files.overlay.PIXELS_AT_A_TIME", 70)
    np.testing.assert_array_equal(picture(image), whole)
