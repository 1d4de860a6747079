import numpy as np
import pytest

from benchmarks.stress.camera import few_gray_levels, jpeg, levels_of, low_light, photographed, saturated

# Half of the field is one bright object, so that every statistic is known.
LABELS = np.zeros((200, 200), np.int32)
LABELS[:, 100:] = 1


def field(background=200, nucleus=700, dark=100):
    image = np.where(LABELS > 0, nucleus, background).astype(np.uint16)
    image[0, 0] = dark
    return image


def rng():
    return np.random.default_rng(5)


def test_levels_are_those_of_the_field():
    levels = levels_of(field(), LABELS)
    assert (levels.dark, levels.background, levels.background_noise, levels.contrast) == (100, 200, 0, 500)
    assert levels.diameter_px == pytest.approx(np.sqrt(20000 * 4 / np.pi))


def test_light_without_noise_gets_that_of_a_camera():
    light = np.full((300, 300), 1000.0)
    assert (photographed(light, rng()) == 1000).all()
    # 900 fresh gray levels: a variance of 900 / 2 for the shot noise, of 9 for reading, of 1 / 12 for rounding.
    noisy = photographed(light, rng(), np.full(light.shape, 900.0))
    assert noisy.astype(float).var() == pytest.approx(459, rel=0.03)
    assert photographed(light * 5 - 5000.0, rng()).max() == 0
    assert photographed(light * 5, rng()).max() == 4095


def test_low_light_has_the_noise_of_its_electrons():
    image, labels = low_light(field(), LABELS, rng(), electrons=25)
    assert labels is LABELS
    nucleus = np.sort(image[LABELS > 0])[:-50].astype(float)  # without hot pixels
    electrons = 25 * 600 / 500  # the background counts too
    assert nucleus.mean() == pytest.approx(100 + electrons * 24, rel=0.03)
    assert nucleus.std() == pytest.approx(np.sqrt(electrons + 1.6**2) * 24, rel=0.05)


def test_a_long_exposure_leaves_white_nuclei_on_a_gray_background():
    image, _ = saturated(field(), LABELS, rng(), times=1.5)
    assert (image[LABELS > 0] == 4095).mean() > 0.98
    assert 100 < np.median(image[LABELS == 0]) < 4095


def test_few_gray_levels_are_few():
    image, _ = few_gray_levels(field(), LABELS, rng(), count=10)
    assert image.dtype == np.uint8
    assert set(np.unique(image)) == {2, 4, 14}


def test_jpeg_loses_more_at_lower_quality(nuclei):
    fine, coarse = (jpeg(nuclei.image, nuclei.labels, rng(), quality)[0].astype(float) for quality in (95, 10))
    low, high = np.percentile(nuclei.image, [0.1, 99.9])
    stretched = np.clip((nuclei.image - low) / (high - low) * 255, 0, 255)
    losses = [np.abs(image - stretched).mean() for image in (fine, coarse)]
    assert 0 < 3 * losses[0] < losses[1] < 20
