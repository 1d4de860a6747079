import numpy as np
import pytest
from scipy import ndimage

from benchmarks.stress.optics import (
    blurred,
    blurred_by_disc,
    lit_from_one_side,
    magnified,
    out_of_focus,
    padded_with_black,
    rotated_on_black,
    vignetted,
)
from cpunet.steps.diameter import typical_diameter


def rng():
    return np.random.default_rng(3)


@pytest.mark.parametrize("factor", [0.35, 0.5, 2, 3])
def test_magnification_changes_image_and_truth_alike(factor, nuclei):
    image, labels = magnified(nuclei.image, nuclei.labels, rng(), factor)
    assert image.shape == labels.shape == (round(256 * factor), round(256 * factor))
    assert labels.max() == nuclei.labels.max()
    assert typical_diameter(labels) == pytest.approx(factor * typical_diameter(nuclei.labels), rel=0.03)
    for number in (1, 5, 9):
        before, after = (ndimage.center_of_mass(each == number) for each in (nuclei.labels, labels))
        np.testing.assert_allclose(after, (np.array(before) + 0.5) * factor - 0.5, atol=0.6)
    assert np.median(image[labels > 0]) == pytest.approx(np.median(nuclei.image[nuclei.labels > 0]), rel=0.05)


def test_a_magnified_image_has_noise_in_each_of_its_pixels(nuclei):
    image, labels = magnified(nuclei.image, nuclei.labels, rng(), 4)
    background = image[~ndimage.binary_dilation(labels > 0, iterations=40)].astype(float)
    smooth = ndimage.uniform_filter(image.astype(float), 3)[~ndimage.binary_dilation(labels > 0, iterations=40)]
    assert np.std(background - smooth) > 2.5


def test_a_point_out_of_focus_is_a_disc():
    point = np.zeros((41, 41))
    point[20, 20] = 1000
    disc = blurred_by_disc(point, 8)
    assert disc.sum() == pytest.approx(1000)
    assert disc[20, 20] == pytest.approx(disc[20, 25], rel=0.15)
    assert disc[20, 33] < 0.02 * disc[20, 20]


def test_a_wide_blur_is_as_wide_as_a_gaussian():
    point = np.zeros((201, 201))
    point[100, 100] = 1
    spread = (blurred(point, 12).sum(axis=0) * (np.arange(201) - 100) ** 2).sum()
    assert np.sqrt(spread) == pytest.approx(12, rel=0.03)


def test_what_is_out_of_focus_has_softer_outlines(nuclei):
    steepness = [
        ndimage.gaussian_gradient_magnitude(image.astype(float), 1.5).max()
        for image in (nuclei.image, *(out_of_focus(nuclei.image, nuclei.labels, rng(), s)[0] for s in (0.1, 0.2)))
    ]
    assert steepness[0] > 1.2 * steepness[1] > 1.5 * steepness[2]


def test_a_vignette_darkens_the_corners_and_not_the_middle(nuclei):
    image, _ = vignetted(nuclei.image, nuclei.labels, rng(), corner=0.2)
    above, before = image.astype(float) - nuclei.image.min(), nuclei.image.astype(float) - nuclei.image.min()
    middle = (slice(96, 160),) * 2
    assert above[middle].mean() > 0.85 * before[middle].mean()
    corners = [(ys, xs) for ys in (slice(0, 24), slice(-24, None)) for xs in (slice(0, 24), slice(-24, None))]
    shares = [above[corner].sum() / before[corner].sum() for corner in corners]
    assert 0.15 < min(shares) < 0.35
    assert max(shares) < 0.6


def test_the_background_of_the_bright_side_is_as_bright_as_nuclei_of_the_dark_one(nuclei):
    image, labels = lit_from_one_side(nuclei.image, nuclei.labels, rng(), least=0.25)
    assert np.percentile(image[labels == 0], 95) > np.percentile(image[labels > 0], 5)


def test_a_frame_that_was_turned_lies_on_black(nuclei):
    image, labels = rotated_on_black(nuclei.image, nuclei.labels, rng())
    assert image.shape[0] > 256
    assert all(image[y, x] == 0 for y in (0, -1) for x in (0, -1))
    assert (image > 0).sum() == pytest.approx(256**2, rel=0.02)
    assert (image[labels > 0] > 0).mean() > 0.995
    assert labels.max() == nuclei.labels.max()
    assert (labels > 0).sum() == pytest.approx((nuclei.labels > 0).sum(), rel=0.02)


def test_a_padded_frame_is_unchanged_inside_black(nuclei):
    image, labels = padded_with_black(nuclei.image, nuclei.labels, rng())
    rows, columns = (np.flatnonzero((image > 0).any(axis=axis)) for axis in (1, 0))
    inner = slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)
    np.testing.assert_array_equal(image[inner], nuclei.image)
    np.testing.assert_array_equal(labels[inner], nuclei.labels)
    assert all(1.25 < size / 256 < 1.55 for size in image.shape)
