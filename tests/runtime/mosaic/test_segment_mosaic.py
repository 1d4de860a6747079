"""The labels of a mosaic by tile are those of one piece."""

import numpy as np
import pytest

from cpunet.errors import OptionError
from cpunet.model.session import load_model
from cpunet.mosaic import padding_of_mosaic
from cpunet.mosaic.objects import declump_mosaic
from cpunet.mosaic.readers.open_mosaic import WholeImage
from cpunet.mosaic.segment_mosaic import check_options_of_mosaic, segment_mosaic
from cpunet.options import Options
from cpunet.segment import segment_image
from cpunet.steps import scale as scale_module
from cpunet.steps import windows as windows_module
from cpunet.steps.filters import filter_objects
from tests.tiny_onnx import changed_card, tiny_onnx

SMALL_TILES = (128, 160)


def both(image, model, folder, options=None, diameter_range=None, discard_border=False):
    """Segment in one piece and by tile; return both labels, and check that the notes are the same."""
    options = options or Options(tile_shape=SMALL_TILES)
    found = segment_image(image, model, options)
    whole = filter_objects(found.labels, diameter_range, discard_border, found.usable).labels
    by_tile = segment_mosaic(
        WholeImage(image), model, options, folder, lambda *step: None, diameter_range, discard_border
    )
    labels = by_tile.labels.read()
    assert by_tile.notes == found.notes
    assert by_tile.objects == labels.max()
    return whole, labels


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"augmentation": "flips and rotations"},
        {"declump_method": "none"},
        {"outline_level": 0.4},
        {"foreground_threshold": 0.2},
        {"scale": 0.5},
    ],
    ids=str,
)
def test_labels_are_those_of_one_piece(field, model, tmp_path, thin_bands, options):
    whole, labels = both(field, model, tmp_path, Options(tile_shape=SMALL_TILES, **options))
    assert whole.max() > 100
    np.testing.assert_array_equal(labels, whole)


def test_filters_are_those_of_one_piece(field, model, tmp_path, thin_bands):
    whole, labels = both(field, model, tmp_path, diameter_range=(22, 25), discard_border=True)
    assert 0 < whole.max() < 144
    np.testing.assert_array_equal(labels, whole)


@pytest.mark.parametrize("roles", [["foreground", "border"], ["interior", "boundary"], ["boundary"]], ids=str)
@pytest.mark.parametrize("method", ["probability", "none"])
def test_roles_growth_and_holes_are_those_of_one_piece(tmp_path, thin_bands, roles, method):
    card = changed_card(
        output={"roles": roles, "halo": 0},
        postprocessing={"foreground_threshold": 0.6, "marker_threshold": 0.1, "dilation_px": 2.5, "fill_holes": True},
    )
    path = tmp_path / "roles.onnx"
    path.write_bytes(tiny_onnx(card, out_channels=len(roles), gain=3.0, offset=-2.0))
    smooth = np.random.default_rng(1).normal(size=(300, 260))
    for axis in (0, 1):
        smooth = np.apply_along_axis(np.convolve, axis, smooth, np.ones(9) / 9, "same")
    options = Options(tile_shape=SMALL_TILES, declump_method=method, scale=1.0)
    whole, labels = both(smooth.astype(np.float32), load_model(path), tmp_path, options)
    assert whole.max() > 10
    np.testing.assert_array_equal(labels, whole)


def test_an_object_larger_than_tiles_and_bands_is_one_and_is_filled(model, tmp_path, thin_bands):
    y, x = np.indices((420, 530))
    radius = np.hypot(y - 200, x - 260)
    image = (np.where((radius > 120) & (radius < 150), 3000, 100) + (y * 7 + x * 3) % 50).astype(np.uint16)
    whole, labels = both(image, model, tmp_path, Options(tile_shape=SMALL_TILES, scale=1.0))
    assert whole.max() == 1
    assert whole[200, 260] == 1, "the hole of the ring is filled"
    np.testing.assert_array_equal(labels, whole)


def test_a_clump_too_large_for_one_watershed_is_flooded_square_by_square(tmp_path, thin_bands, monkeypatch):
    """Touching stripes of rising score, each with a marker: far pixels change nothing within the margin."""
    path = tmp_path / "border.onnx"
    card = changed_card(postprocessing={"foreground_threshold": 0.3, "marker_threshold": 0.99, "marker_min_size_px": 1})
    path.write_bytes(tiny_onnx(card))
    y, x = np.indices((400, 500))
    image = (2000 + 1500 * np.sin(x / 8) * np.sin(y / 8) + x % 7).astype(np.uint16)
    monkeypatch.setattr(declump_mosaic, "LARGEST_WINDOW_PX", 10_000)
    monkeypatch.setattr(declump_mosaic, "SQUARE_PX", 100)
    monkeypatch.setattr(declump_mosaic, "AROUND_PX", 64)
    whole, labels = both(image, load_model(path), tmp_path, Options(tile_shape=SMALL_TILES, scale=1.0))
    assert whole.max() > 100
    np.testing.assert_array_equal(labels, whole)


@pytest.mark.parametrize("discard_border", [False, True])
def test_what_was_not_measured_is_that_of_one_piece(field, model, tmp_path, thin_bands, discard_border):
    image = field.astype(np.float32)
    image[330:, 400:] = 9000  # a corner of padding
    image[100:103, 50:300] = np.nan  # a defect of the camera
    image[180:250, 200:290] = np.inf
    whole, labels = both(image, model, tmp_path, discard_border=discard_border)
    assert whole.max() > 50
    assert not whole[340:, 410:].any(), "the padding is bright, and would be an object"
    np.testing.assert_array_equal(labels, whole)


def test_padding_of_a_large_mosaic_is_found_on_fewer_pixels(field, model, tmp_path, thin_bands, monkeypatch):
    image = field.copy()
    image[330:, 400:] = 9000
    monkeypatch.setattr(padding_of_mosaic, "MOST_PIXELS", image.size // 4)
    options = Options(tile_shape=SMALL_TILES)
    whole = segment_image(image, model, options)
    by_tile = segment_mosaic(WholeImage(image), model, options, tmp_path, lambda *step: None)
    labels = by_tile.labels.read()
    assert "5.3% of the image are padding" in by_tile.notes[0]
    assert not labels[330:, 400:].any()
    # In one piece, a rim of two pixels that may be mixed counts as padding too.
    np.testing.assert_array_equal(labels[:327], whole.labels[:327])
    np.testing.assert_array_equal(labels[:, :397], whole.labels[:, :397])


@pytest.mark.parametrize("enough", [10, 10_000], ids=["a window holds enough", "the whole is seen"])
def test_the_scale_is_that_of_one_piece(field, model, tmp_path, thin_bands, monkeypatch, enough):
    from cpunet.mosaic import scale_of_mosaic

    for module in (scale_module, scale_of_mosaic):
        monkeypatch.setattr(module, "WINDOW_PX", 100)
        monkeypatch.setattr(module, "ENOUGH_OBJECTS", enough)
    monkeypatch.setattr(windows_module, "WINDOW_PX", 100)
    monkeypatch.setattr(scale_module, "CLEARLY_ENOUGH", 10_000)  # the first look never suffices
    seen = {}
    kept = scale_of_mosaic.measure_scale

    def remember(channels, usable, model, options, first=None):
        seen["window"] = channels.copy()
        return kept(channels, usable, model, options, first)

    whole = scale_module.choose_scale(prepared(field, model), None, model, Options())
    monkeypatch.setattr(scale_of_mosaic, "measure_scale", remember)
    labels_whole, labels = both(field, model, tmp_path)
    np.testing.assert_array_equal(labels, labels_whole)
    assert seen["window"].shape[1:] == (100, 100)
    assert whole[0] == 1.0


def test_the_first_look_is_that_of_one_piece(field, model, tmp_path, thin_bands, monkeypatch):
    from cpunet.mosaic import scale_of_mosaic

    looks = []

    def remember(channels, usable, model, options):
        looks.append(channels.copy())
        return True

    for module in (scale_module, scale_of_mosaic):
        monkeypatch.setattr(module, "WINDOW_PX", 100)
        monkeypatch.setattr(module, "FIRST_LOOK_PX", 60)
        monkeypatch.setattr(module, "is_clearly_known", remember)
    monkeypatch.setattr(windows_module, "WINDOW_PX", 100)
    labels_whole, labels = both(field, model, tmp_path)
    np.testing.assert_array_equal(labels, labels_whole)
    in_one_piece, by_tile = looks
    assert by_tile.shape[1:] == (60, 60)
    np.testing.assert_array_equal(by_tile, in_one_piece)


def prepared(field, model):
    from cpunet.steps.prepare import prepare

    return prepare(field, model.card.input).channels


@pytest.mark.parametrize(
    "image",
    [np.full((60, 70), 7, np.uint8), np.full((60, 70), np.nan, np.float32), np.ones((1, 300), np.uint8)],
    ids=["constant", "not finite", "a line"],
)
def test_an_image_without_contrast_has_no_object(image, model, tmp_path):
    whole, labels = both(image, model, tmp_path)
    assert not whole.any()
    assert not labels.any()


def test_other_ways_to_separate_are_refused():
    with pytest.raises(OptionError, match="By tile"):
        check_options_of_mosaic(Options(declump_method="shape"))
    with pytest.raises(OptionError, match="By tile"):
        check_options_of_mosaic(Options(fill_holes="after thresholding"))


def test_views_at_other_scales_and_crops_are_refused_and_flips_are_not():
    check_options_of_mosaic(Options(augmentation="flips", view_scales=(1.0,)))
    for views in ({"view_scales": (0.8, 1.0)}, {"crop_px": 256}):
        with pytest.raises(OptionError, match=r"one scale and in no crops\. Leave out --view"):
            check_options_of_mosaic(Options(**views))
