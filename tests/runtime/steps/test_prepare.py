import numpy as np
import pytest

from cpunet.errors import ModelError
from cpunet.model.card import Normalization
from cpunet.steps.prepare import contrast_limits, normalize

RAMP = np.linspace(0, 1, 10_000, dtype=np.float32).reshape(1, 100, 100)


def test_percentiles_become_zero_and_one():
    result = normalize(RAMP, Normalization(percentile_low=10, percentile_high=90))
    np.testing.assert_allclose(np.percentile(result, (10, 90)), (0, 1), atol=1e-3)


@pytest.mark.parametrize("factor", [1 / 16, 1, 4095, 65535])
def test_bit_depth_does_not_matter(factor):
    np.testing.assert_allclose(normalize(RAMP * factor, Normalization()), normalize(RAMP, Normalization()), atol=1e-4)


def test_a_hot_pixel_is_limited():
    image = RAMP.copy()
    image[0, 5, 5] = 1e6
    assert normalize(image, Normalization(clip_high=8)).max() == 8


def test_each_channel_has_its_own_contrast():
    result = normalize(np.concatenate([RAMP, 100 * RAMP]), Normalization())
    np.testing.assert_allclose(result[0], result[1], atol=1e-5)


def test_one_bright_object_in_a_large_dark_field_is_not_lost():
    image = np.zeros((1, 200, 200), np.float32)
    image[0, :5, :5] = 3
    assert contrast_limits(image[0], 1, 99.8) == (0, 3)
    assert normalize(image, Normalization()).max() == 1


def test_only_usable_pixels_set_the_contrast_and_the_rest_become_zero():
    image = RAMP.copy()
    usable = np.zeros((100, 100), bool)
    usable[:50] = True
    image[0, 50:] = 1000
    result = normalize(image, Normalization(), usable)
    assert (result[0, 50:] == 0).all()
    np.testing.assert_allclose(result[:, :50], normalize(image[:, :50], Normalization()), atol=1e-6)


def test_constant_image_becomes_zero():
    assert not normalize(np.full((1, 8, 8), 7, np.float32), Normalization()).any()


def test_kind_none_changes_nothing():
    np.testing.assert_array_equal(normalize(RAMP, Normalization(kind="none")), RAMP)


def test_large_images_are_sampled_close_to_the_truth():
    values = np.random.default_rng(0).gamma(2, size=(2500, 2500)).astype(np.float32)
    np.testing.assert_allclose(contrast_limits(values, 1, 99.8), np.percentile(values, (1, 99.8)), rtol=0.01)


@pytest.mark.parametrize(
    "wrong", [{"kind": "zscore"}, {"percentile_low": 60, "percentile_high": 40}, {"percentile_high": 101}]
)
def test_impossible_normalizations_are_refused(wrong):
    with pytest.raises(ModelError):
        Normalization(**wrong)
