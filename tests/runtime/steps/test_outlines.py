import numpy as np
import pytest
from scipy import ndimage

from cpunet.model.card import Postprocessing
from cpunet.options import Options
from cpunet.steps.outline_shift import shift_outlines
from cpunet.steps.outlines import find_edges, level_of_outlines, move_outlines, outlines_as_asked, steps_from_outside


def disc(shape, center, radius):
    y, x = np.indices(shape)
    return np.hypot(y - center[0], x - center[1]) <= radius


def picture(mask, blur=1.5, background=0.1, inside=0.9, noise=0.01):
    sharp = np.where(mask, inside, background)
    rng = np.random.default_rng(0)
    return (ndimage.gaussian_filter(sharp, blur) + rng.normal(0, noise, mask.shape)).astype(np.float32)


def moved(labels, image, level, usable=None, **more):
    return move_outlines(labels, find_edges(labels, image, usable), usable, level, **more)


def radius_of(labels, number=1):
    return np.sqrt(np.count_nonzero(labels == number) / np.pi)


TRUE = disc((80, 90), (40, 45), 20)
IMAGE = picture(TRUE)


@pytest.mark.parametrize("drawn", [17, 19, 21, 23])
def test_an_outline_comes_to_half_of_the_edge_from_both_sides(drawn):
    labels = disc(TRUE.shape, (40, 45), drawn).astype(np.int32)
    assert radius_of(moved(labels, IMAGE, 0.5, pull=0)) == pytest.approx(radius_of(TRUE, True), abs=0.3)


def test_a_lower_level_makes_objects_larger():
    labels = TRUE.astype(np.int32)
    radii = [radius_of(moved(labels, IMAGE, level)) for level in (0.2, 0.35, 0.5, 0.65, 0.8)]
    assert np.all(np.diff(radii) < -0.2)
    assert radii[0] - radii[-1] < 5


@pytest.mark.parametrize("drawn", [17, 23])
def test_the_pull_keeps_an_outline_nearer_to_where_it_was(drawn):
    labels = disc(TRUE.shape, (40, 45), drawn).astype(np.int32)
    distances = [abs(radius_of(moved(labels, IMAGE, 0.5, pull=pull)) - drawn) for pull in (0, 0.15, 0.8)]
    assert distances[0] > distances[1] > distances[2] > 0
    assert distances[0] - distances[1] < 0.7


def test_objects_darker_than_their_background_are_treated_alike():
    labels = disc(TRUE.shape, (40, 45), 18).astype(np.int32)
    for level in (0.3, 0.5):
        np.testing.assert_array_equal(moved(labels, 1 - IMAGE, level), moved(labels, IMAGE, level))


def test_units_of_the_image_do_not_matter():
    labels = disc(TRUE.shape, (40, 45), 18).astype(np.int32)
    np.testing.assert_array_equal(moved(labels, IMAGE * 4096 + 1024, 0.4), moved(labels, IMAGE, 0.4))


def test_neither_the_labels_nor_the_image_are_changed():
    labels, image = TRUE.astype(np.int32), IMAGE.copy()
    moved(labels, image, 0.3)
    np.testing.assert_array_equal(labels, TRUE)
    np.testing.assert_array_equal(image, IMAGE)


def test_touching_objects_keep_the_line_between_them():
    left, right = disc((80, 120), (40, 42), 18), disc((80, 120), (40, 74), 18)
    image = picture(left | right)
    labels = np.where(np.arange(120) < 58, 1, 2) * (left | right)
    for level in (0.2, 0.5):
        result = moved(labels.astype(np.int32), image, level)
        assert not np.any((labels == 1) & (result == 2))
        assert not np.any((labels == 2) & (result == 1))
        np.testing.assert_array_equal(result[36:45, 50:66], labels[36:45, 50:66])
    assert np.count_nonzero(moved(labels.astype(np.int32), image, 0.2)) > np.count_nonzero(labels)


def test_no_pixel_outside_the_mask_is_added_and_its_edge_removes_none():
    labels = TRUE.astype(np.int32)
    usable = np.ones(TRUE.shape, bool)
    usable[:, 45:] = False
    labels[~usable] = 0
    image = np.where(usable, IMAGE, 0)
    result = moved(labels, image, 0.2, usable)
    assert not result[~usable].any()
    assert np.count_nonzero(result) > np.count_nonzero(labels)
    assert result[30:50, 44].all()
    # What is masked out has no influence, however bright.
    np.testing.assert_array_equal(moved(labels, np.where(usable, IMAGE, np.float32(1e6)), 0.2, usable), result)


def test_an_object_whose_contrast_is_not_above_the_noise_keeps_its_outline():
    labels = TRUE.astype(np.int32)
    noise = np.random.default_rng(1).normal(0, 1, TRUE.shape).astype(np.float32)
    np.testing.assert_array_equal(moved(labels, noise, 0.4), labels)
    np.testing.assert_array_equal(moved(labels, noise + TRUE, 0.4), labels)
    assert level_of_outlines(labels, find_edges(labels, noise)) is None
    np.testing.assert_array_equal(moved(labels, np.zeros(TRUE.shape, np.float32), 0.4), labels)


def test_an_object_without_background_keeps_its_outline():
    whole = np.ones((30, 40), np.int32)
    np.testing.assert_array_equal(moved(whole, IMAGE[:30, :40], 0.4), whole)
    np.testing.assert_array_equal(moved(np.ones((1, 1), np.int32), np.ones((1, 1), np.float32), 0.4), [[1]])


@pytest.mark.parametrize("side", [1, 2, 3, 4])
def test_tiny_objects_stay(side):
    labels = np.zeros((40, 40), np.int32)
    labels[20 : 20 + side, 20 : 20 + side] = 1
    labels[0, 0] = 2
    image = picture(labels > 0, blur=0.5)
    for level in (0.2, 0.5, 0.9):
        result = moved(labels, image, level)
        assert 1 <= np.count_nonzero(result == 1) <= (side + 2) ** 2
        assert np.count_nonzero(result == 2) >= 1


def test_an_object_at_the_frame_grows_and_shrinks_only_beside_it():
    true = disc((60, 60), (0, 30), 20)
    image = picture(true, noise=0)
    for drawn in (17, 23):
        labels = disc(true.shape, (0, 30), drawn).astype(np.int32)
        result = moved(labels, image, 0.5, pull=0)
        assert np.count_nonzero(result) == pytest.approx(np.count_nonzero(true), rel=0.04)
        assert result[0, 15:46].all()


def test_dark_spots_inside_make_no_hole():
    image = IMAGE.copy()
    image[38:42, 43:47] = 0.1  # in the middle
    image[40, 26:29] = 0.1  # two pixels inside the edge
    result = moved(disc(TRUE.shape, (40, 45), 17).astype(np.int32), image, 0.5)
    np.testing.assert_array_equal(ndimage.binary_fill_holes(result), result > 0)


def test_a_hole_that_the_model_drew_stays():
    ring = disc((80, 90), (40, 45), 20) & ~disc((80, 90), (40, 45), 8)
    image = picture(ring, blur=1)
    for level in (0.3, 0.5):
        result = moved(ring.astype(np.int32), image, level)
        assert not result[38:43, 43:48].any()


def test_objects_stay_connected_and_what_is_cut_off_goes():
    labels = disc((80, 120), (40, 45), 20).astype(np.int32)
    labels[38:43, 60:80] = 1  # a tail that is not there but for its end
    image = picture(disc((80, 120), (40, 45), 20))
    image[38:43, 75:80] = 0.9
    result = moved(labels, image, 0.5)
    _, pieces = ndimage.label(result)
    assert pieces == 1
    assert not result[38:43, 75:80].any()


def test_an_object_that_would_fall_apart_keeps_its_outline():
    lobes = disc((60, 120), (30, 35), 15) | disc((60, 120), (30, 85), 15)
    labels = lobes.astype(np.int32)
    labels[28:32, 45:75] = 1  # a bridge that is dark
    np.testing.assert_array_equal(moved(labels, picture(lobes), 0.5), labels)


def test_bright_debris_beside_an_object_is_not_added():
    image = IMAGE.copy()
    image[38:43, 70:80] = 5
    labels = TRUE.astype(np.int32)
    assert not moved(labels, image, 0.4)[:, 71:].any()


def test_the_level_of_outlines_is_where_they_lie():
    for drawn, expected in ((20, 0.5), (19, 0.75), (21, 0.25)):
        labels = disc(TRUE.shape, (40, 45), drawn).astype(np.int32)
        assert level_of_outlines(labels, find_edges(labels, IMAGE)) == pytest.approx(expected, abs=0.12)


def test_outlines_that_follow_no_edge_have_no_level():
    """As those of cells in phase contrast, whose outline is brighter than their inside and the background."""
    labels = disc(TRUE.shape, (40, 45), 20).astype(np.int32)
    image = picture(disc(TRUE.shape, (40, 45), 18), noise=0.001, inside=0.3)
    image[disc(TRUE.shape, (40, 45), 22) & ~disc(TRUE.shape, (40, 45), 18)] = 1
    assert level_of_outlines(labels, find_edges(labels, image)) is None


def test_outlines_of_a_shrunk_image_lose_their_steps_and_keep_their_place():
    """Blocks of 4 x 4 pixels are what a network draws at a scale of a quarter."""
    y, x = np.indices((200, 220))
    true = ((y - 100) / 60) ** 2 + ((x - 110) / 48) ** 2 <= 1
    image = picture(true, blur=1.5)
    blocks = true.reshape(50, 4, 55, 4).mean(axis=(1, 3)) > 0.5
    labels = np.kron(blocks, np.ones((4, 4))).astype(np.int32)
    result = outlines_as_asked(labels, image, None, Postprocessing(), Options(), 0.25)

    def wrong(found):
        return np.count_nonzero((found > 0) != true)

    assert wrong(result) < wrong(labels) / 3
    assert np.count_nonzero(result) == pytest.approx(np.count_nonzero(labels), rel=0.01)


def test_what_is_not_asked_for_is_not_done():
    labels = disc(TRUE.shape, (40, 45), 18).astype(np.int32)

    def result(card=None, option=None, scale=1.0, shift=0):
        settings = Postprocessing(outline_level=card, outline_shift_px=shift)
        return outlines_as_asked(labels, IMAGE, None, settings, Options(outline_level=option), scale)

    assert result() is labels
    assert result(scale=0.7) is labels
    assert result(scale=0.5) is not labels
    np.testing.assert_array_equal(result(card=0.3), moved(labels, IMAGE, 0.3))
    np.testing.assert_array_equal(result(card=0.3, option=0.6), moved(labels, IMAGE, 0.6))
    np.testing.assert_array_equal(result(shift=-2), shift_outlines(labels, -2))
    np.testing.assert_array_equal(result(card=0.3, shift=3), shift_outlines(moved(labels, IMAGE, 0.3), 3))
    np.testing.assert_array_equal(result(card=0.3, shift=3, option=0.6), moved(labels, IMAGE, 0.6))
    nothing = np.zeros_like(labels)
    assert outlines_as_asked(nothing, IMAGE, None, Postprocessing(), Options(outline_level=0.5), 1.0) is nothing


def test_steps_from_outside_count_within_an_octagon():
    mask = disc((41, 41), (20, 20), 15)
    steps = steps_from_outside(mask, 30)
    exact = ndimage.distance_transform_edt(mask)
    assert np.abs(steps - exact)[mask].max() < 2.1
    assert steps_from_outside(mask, 3).max() == 4
    assert (steps_from_outside(np.ones((5, 5), bool), 3) == 4).all()
