import numpy as np
import pytest

from cpunet.checks.synthetic import synthetic_field
from cpunet.errors import ModelError
from cpunet.model.card import InputCard, Normalization
from cpunet.steps.prepare import UNITS_UNKNOWN, contrast_limits, normalize, prepare

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


FIELD = synthetic_field((120, 150), columns=4, diameter_px=20).image


def card(channels=("nuclei",), **normalization):
    return InputCard(channels, 1, 1, Normalization(**normalization), 20.0, 10.0, 40.0, "fluorescence")


@pytest.mark.parametrize("value", [0, 1, np.nan, np.inf, -np.inf], ids=str)
def test_what_is_not_measured_sets_no_contrast_and_makes_no_edge(value):
    image = np.pad(FIELD + np.float32(0.2), ((0, 30), (40, 0)), constant_values=value)
    channels, usable, notes = prepare(image, card())
    np.testing.assert_allclose(channels[:, :120, 40:], prepare(FIELD, card()).channels, atol=1e-5)
    assert usable[:120, 40:].all()
    assert usable.sum() == FIELD.size
    # beside the edge, a mirror image
    np.testing.assert_array_equal(channels[0, 120:150, 40:], channels[0, 118:88:-1, 40:])
    assert any("padding" in note for note in notes) == np.isfinite(value)


def test_the_share_of_padding_is_said():
    image = np.pad(FIELD, ((0, 30), (0, 0)), constant_values=3)
    assert prepare(image, card()).notes[0].startswith("20.0% of the image are padding")
    assert prepare(FIELD, card()).notes == ()
    assert prepare(FIELD, card()).usable is None


def test_dead_pixels_rows_and_columns_are_filled_and_count():
    image = FIELD.copy()
    image[50], image[:, 70:72], image[3, 3] = np.nan, np.inf, np.nan
    channels, usable, _ = prepare(image, card())
    assert usable.all()
    difference = np.abs(channels - prepare(FIELD, card()).channels)
    assert difference.max() < 1
    assert np.median(difference) < 0.01


def test_masked_out_pixels_stay_0_and_padding_in_the_mask_is_found():
    image = np.pad(FIELD + np.float32(0.2), ((0, 0), (40, 0)), constant_values=0)
    mask = np.ones(image.shape, bool)
    mask[:, 130:] = False
    channels, usable, _ = prepare(image, card(), mask)
    assert not channels[:, :, 130:].any()
    assert not usable[:, :40].any()
    assert usable[:, 40:130].all()
    outside = np.where(mask & (image > 0), image, 0)  # as CellProfiler's Crop leaves it
    same, still, notes = prepare(outside, card(), mask & (image > 0))
    np.testing.assert_array_equal(still, mask & (image > 0))
    assert not same[:, ~still].any()
    assert notes == ()


def test_one_channel_alone_may_be_shifted():
    image = np.stack([FIELD, np.pad(FIELD, ((0, 0), (20, 0)))[:, :150]], axis=-1) + np.float32(0.2)
    image[:, :20, 1] = 0
    channels, usable, _ = prepare(image, card(("nuclei", "cells")))
    assert not usable[:, :20].any()
    assert usable[:, 20:].all()
    assert np.isfinite(channels).all()


def test_units_that_a_card_does_not_state_are_said():
    assert prepare(FIELD, card(kind="none")).notes == (UNITS_UNKNOWN,)
    assert prepare(FIELD, card(kind="none", units="zero_to_one")).notes == ()
    assert prepare(FIELD, card()).notes == ()


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_a_file_and_the_image_that_cellprofiler_makes_of_it_are_read_alike(dtype):
    stored = (FIELD * np.iinfo(dtype).max).astype(dtype)
    scaled = stored.astype(np.float32) / np.float32(np.iinfo(dtype).max)
    for units in ("", "zero_to_one"):
        given = card(kind="none", units=units)
        np.testing.assert_array_equal(prepare(stored, given).channels, prepare(scaled, given).channels)


@pytest.mark.parametrize(
    "wrong",
    [{"kind": "zscore"}, {"percentile_low": 60, "percentile_high": 40}, {"percentile_high": 101}, {"units": "volts"}],
)
def test_impossible_normalizations_are_refused(wrong):
    with pytest.raises(ModelError):
        Normalization(**wrong)


@pytest.mark.parametrize("factor", [1 / 16, 1, 65535])
def test_the_mean_becomes_zero_and_the_standard_deviation_one(factor):
    image = RAMP * factor + 3 * factor
    result = normalize(image, Normalization("zero_mean_unit_variance"))
    np.testing.assert_allclose((result.mean(), result.std()), (0, 1), atol=1e-4)
    np.testing.assert_allclose(result, (image - image.mean()) / image.std(), atol=1e-3)


def test_only_usable_pixels_set_the_mean_and_the_standard_deviation():
    image, usable = RAMP.copy(), np.zeros((100, 100), bool)
    usable[:50] = True
    image[0, 50:] = 1000
    kind = Normalization("zero_mean_unit_variance")
    result = normalize(image, kind, usable)
    np.testing.assert_allclose(result[:, :50], normalize(image[:, :50], kind), atol=1e-5)
    assert not result[0, 50:].any()


def test_an_image_without_contrast_has_none_after_zero_mean_and_unit_variance():
    kind = Normalization("zero_mean_unit_variance")
    assert not normalize(np.full((1, 999, 1001), 0.1, np.float32), kind).any()
    assert not normalize(RAMP, kind, np.zeros((100, 100), bool)).any()


@pytest.mark.parametrize("kind", ["percentile", "zero_mean_unit_variance"])
def test_channels_that_are_scaled_together_keep_their_ratio(kind):
    image = np.concatenate([RAMP, 10 * RAMP])
    usable = np.ones((100, 100), bool)
    usable[:, :7] = False
    together = Normalization(kind, 0.0, 100.0, per_channel=False)
    result = normalize(image, together, usable)[:, usable]
    assert np.ptp(result[1]) == pytest.approx(10 * np.ptp(result[0]), rel=1e-4)
    alone = normalize(image, Normalization(kind, 0.0, 100.0), usable)[:, usable]
    np.testing.assert_allclose(alone[0], alone[1], atol=1e-4)


def test_the_lowest_value_is_that_of_the_card():
    dark = Normalization(percentile_low=50, percentile_high=60)
    assert normalize(RAMP, dark).min() == -1
    assert normalize(RAMP, Normalization(percentile_low=50, percentile_high=60, clip_low=-1e6)).min() < -4
