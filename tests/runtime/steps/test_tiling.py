import numpy as np
import pytest
from scipy import ndimage

from cpunet.steps.tiling import mirror_to_size, predict_tiled, shortest_tile, tile_starts


def identity(batch):
    return batch


def blur(batch):
    """Sees 4 pixels to each side, and nothing beyond the tile."""
    return ndimage.uniform_filter(batch, (1, 1, 9, 9), mode="constant")


def pool_and_repeat(batch):
    """Like a network that pools: the output depends on where the grid of 4 pixels begins."""
    n, c, y, x = batch.shape
    pooled = batch.reshape(n, c, y // 4, 4, x // 4, 4).max(axis=(3, 5))
    return pooled.repeat(4, axis=2).repeat(4, axis=3)


def image(height, width, channels=1):
    return np.random.default_rng(1).random((channels, height, width), np.float32)


@pytest.mark.parametrize("shape", [(1, 1), (1, 50), (3, 2), (16, 16), (17, 33), (100, 61)])
@pytest.mark.parametrize("tile", [16, 32, 1024])
def test_identity_gives_the_image_back(shape, tile):
    pixels = image(*shape)
    np.testing.assert_array_equal(predict_tiled(pixels, identity, 1, (tile, tile), 4, 4, 8), pixels)


@pytest.mark.parametrize("size", [64, 96, 100, 164])
@pytest.mark.parametrize(("tile", "halo"), [(32, 4), (32, 8), (48, 12), (64, 0)])
def test_kept_parts_cover_each_pixel_once(size, tile, halo):
    covered = np.zeros(size, int)
    for start, keep_start, keep_stop in tile_starts(size, tile, halo, 4):
        assert start % 4 == 0
        assert start >= 0
        assert start + min(tile, size) <= size
        assert keep_start == 0 or keep_start - start >= halo
        assert keep_stop == size or start + tile - keep_stop >= halo
        covered[keep_start:keep_stop] += 1
    assert (covered == 1).all()


@pytest.mark.parametrize("size", [64, 96, 100, 164, 2048])
@pytest.mark.parametrize(("most", "halo"), [(32, 4), (32, 8), (48, 12), (64, 0)])
def test_tiles_are_as_short_as_their_number_allows(size, most, halo):
    tile = shortest_tile(size, most, halo, 4)
    assert tile % 4 == 0
    assert tile <= min(most, size)
    count = len(tile_starts(size, min(most, size), halo, 4))
    assert len(tile_starts(size, tile, halo, 4)) == count
    if tile - 4 > 2 * halo:
        assert len(tile_starts(size, tile - 4, halo, 4)) > count


def test_tiles_are_not_shorter_than_the_network_takes():
    assert shortest_tile(68, 64, 4, 4) == 40
    assert shortest_tile(68, 64, 4, 4, min_size=50) == 52


def test_an_image_of_2048_pixels_is_cut_into_nine_tiles_that_overlap_little():
    shapes = []

    def seen(batch):
        shapes.append(batch.shape[2:])
        return batch

    predict_tiled(image(2048, 2048), seen, 1, (1024, 1024), 80, 16)
    assert shapes == [(800, 800)] * 9


@pytest.mark.parametrize("function", [blur, pool_and_repeat])
@pytest.mark.parametrize("batch_size", [1, 3])
def test_tiled_equals_untiled_when_the_halo_covers_the_neighborhood(function, batch_size):
    pixels = image(132, 156)
    whole = predict_tiled(pixels, function, 1, (1024, 1024), 4, 4)
    tiled = predict_tiled(pixels, function, 1, (40, 48), 4, 4, batch_size=batch_size)
    np.testing.assert_allclose(tiled, whole, atol=1e-6)


def test_tiled_differs_when_the_halo_is_too_small():
    pixels = image(128, 128)
    whole = predict_tiled(pixels, blur, 1, (1024, 1024), 0, 4)
    assert not np.allclose(predict_tiled(pixels, blur, 1, (32, 32), 0, 4), whole, atol=1e-6)


def test_borders_are_mirrored():
    padded, inner = mirror_to_size(np.arange(5, dtype=np.float32).reshape(1, 1, 5), 8, 8)
    assert padded.shape == (1, 8, 8)
    np.testing.assert_array_equal(padded[0, 0], [1, 0, 1, 2, 3, 4, 3, 2])
    assert padded[0][inner].tolist() == [[0, 1, 2, 3, 4]]


@pytest.mark.parametrize(
    ("shape", "tile"), [((1, 1), 64), ((5, 70), 32), ((37, 41), 16), ((64, 63), 16), ((3, 100), 16)]
)
@pytest.mark.parametrize(("divisible_by", "min_size"), [(1, 1), (16, 16), (8, 40)])
def test_tiles_at_the_frame_are_those_of_a_mirrored_image(shape, tile, divisible_by, min_size):
    pixels, seen = image(*shape), []

    def remember(batch):
        seen.extend(batch)
        return batch

    result = predict_tiled(pixels, remember, 1, (tile, tile), 0, divisible_by, min_size)
    np.testing.assert_array_equal(result, pixels)
    missing = [-(-max(size, min_size) // divisible_by) * divisible_by - size for size in shape]
    padded = np.pad(pixels, [(0, 0), *((each // 2, each - each // 2) for each in missing)], mode="reflect")
    height, width = seen[0].shape[1:]
    windows = np.lib.stride_tricks.sliding_window_view(padded[0], (height, width))
    for tile_seen in seen:
        assert (windows == tile_seen[0]).all(axis=(2, 3)).any()


def test_a_tile_smaller_than_its_halo_is_refused():
    with pytest.raises(ValueError, match="tiles of at least"):
        predict_tiled(image(64, 64), identity, 1, (16, 16), 8, 4)


def test_a_network_that_returns_another_shape_is_refused():
    with pytest.raises(ValueError, match="promises"):
        predict_tiled(image(64, 64), lambda batch: batch[:, :, ::2], 1, (64, 64), 0)


@pytest.mark.parametrize(("batch_size", "expected"), [(1, [0, 1, 2, 3, 4, 5, 6]), (4, [0, 4, 6]), (9, [0, 6])])
def test_progress_is_told_between_the_calls(batch_size, expected):
    reports = []
    predict_tiled(
        image(64, 96),
        identity,
        1,
        (32, 32),
        0,
        batch_size=batch_size,
        on_progress=lambda done, total: reports.append((done, total)),
    )
    assert reports == [(done, 6) for done in expected]
