import numpy as np
import pytest
from scipy import ndimage

from benchmarks.stress import specimen
from benchmarks.stress.camera import levels_of


def added(function, nuclei):
    """What a function adds to the image, in multiples of the nuclei's contrast."""
    image, labels = function(nuclei.image, nuclei.labels, np.random.default_rng(1))
    assert labels is nuclei.labels
    return (image.astype(float) - nuclei.image) / levels_of(nuclei.image, nuclei.labels).contrast


def pieces(bright):
    found, count = ndimage.label(bright)
    return np.bincount(found.ravel())[1:], count


def test_debris_is_small_and_brighter_than_any_nucleus(nuclei):
    areas, count = pieces(added(specimen.bright_debris, nuclei) > 1.5)
    assert 2 <= count <= 12
    assert areas.max() < 2 * np.pi * 14**2
    image, _ = specimen.bright_debris(nuclei.image, nuclei.labels, np.random.default_rng(1))
    assert image.max() == 4095


def test_dead_cells_float_beside_the_nuclei(nuclei):
    cells = added(specimen.dead_cells, nuclei)
    assert cells.max() > 1.5
    brightest = cells > 0.7 * cells.max()
    assert (brightest & (nuclei.labels > 0)).sum() < 0.1 * brightest.sum()


def test_haze_lies_around_nuclei_and_is_mostly_dimmer_than_they_are(nuclei):
    haze = added(specimen.cytoplasmic_haze, nuclei)
    away = ndimage.distance_transform_edt(nuclei.labels == 0)
    near, far = haze[(away > 2) & (away < 6)], haze[away > 20]
    assert 0.1 < np.median(near) < 0.8
    assert np.median(far) < 0.5 * np.median(near)


def test_fibers_are_longer_than_any_nucleus(nuclei):
    found, _ = ndimage.label(added(specimen.fibers, nuclei) > 0.2)
    lengths = [max(part.stop - part.start for part in place) for place in ndimage.find_objects(found)]
    assert max(lengths) > 4 * 28


def test_the_background_has_steps(nuclei):
    smooth = ndimage.median_filter(added(specimen.background_steps, nuclei), 5)
    assert np.percentile(smooth, 95) - np.percentile(smooth, 5) > 0.4
    # At an edge, most of the step lies within three pixels.
    assert np.abs(smooth[:, 3:] - smooth[:, :-3]).max() > 0.35


def test_chromocenters_lie_inside_nuclei(nuclei):
    spots = added(specimen.chromocenters, nuclei)
    bright = spots > 0.4
    _, count = pieces(bright)
    assert count > 3 * nuclei.labels.max()
    assert (bright & (nuclei.labels == 0)).sum() < 0.01 * bright.sum()
    # What is left of the nucleus is dimmer than before, and brighter than the background.
    between = np.percentile(spots[ndimage.binary_erosion(nuclei.labels > 0, iterations=2)], 10)
    assert -0.6 < between < -0.15


@pytest.mark.parametrize("share", [0.5, 2.0])
def test_things_have_the_size_of_the_nuclei_beside_them(share, nuclei):
    """Twice as many pixels across a nucleus: debris of four times the area."""
    shape = tuple(round(size * share) for size in nuclei.labels.shape)
    places = np.ix_(*(np.minimum((np.arange(n) / share).astype(int), 255) for n in shape))
    spans = []
    for image, labels in ((nuclei.image, nuclei.labels), (nuclei.image[places], nuclei.labels[places])):
        more, _ = specimen.bright_debris(image, labels, np.random.default_rng(4))
        spans.append((more.astype(float) - image > 800).mean())
    assert 0.3 < spans[1] / spans[0] < 3
