import numpy as np
import pytest
from scipy import ndimage

from cpunet.errors import ModelError, OptionError
from cpunet.volumes.tiling import plan_volume_tiles, predict_tiled_volume


def identity(batch):
    return batch


def blur(batch):
    """Sees 2 planes and 4 pixels to each side, and nothing beyond the tile."""
    return ndimage.uniform_filter(batch, (1, 1, 5, 9, 9), mode="constant")


def pool_and_repeat(batch):
    """Like a network that pools: the output depends on where the grid of 2 planes and 4 pixels begins."""
    n, c, z, y, x = batch.shape
    pooled = batch.reshape(n, c, z // 2, 2, y // 4, 4, x // 4, 4).max(axis=(3, 5, 7))
    return pooled.repeat(2, axis=2).repeat(4, axis=3).repeat(4, axis=4)


def volume(*shape, channels=1):
    return np.random.default_rng(1).random((channels, *shape), np.float32)


@pytest.mark.parametrize("shape", [(1, 1, 1), (1, 1, 50), (7, 3, 2), (9, 17, 33), (20, 40, 61)])
@pytest.mark.parametrize("tile", [(8, 16, 16), (6, 32, 24), (64, 512, 512)])
def test_identity_gives_the_volume_back(shape, tile):
    voxels = volume(*shape, channels=2)
    found = predict_tiled_volume(voxels, identity, 2, tile, (2, 4, 4), (2, 4, 4), (2, 8, 8))
    np.testing.assert_array_equal(found, voxels)


@pytest.mark.parametrize("shape", [(8, 64, 64), (21, 64, 100), (13, 37, 41)])
@pytest.mark.parametrize("halo", [(0, 0, 0), (2, 4, 4), (3, 5, 8)])
def test_each_voxel_is_written_by_exactly_one_tile_that_sees_its_halo(shape, halo):
    plan = plan_volume_tiles(shape, (12, 32, 36), halo, (2, 4, 4), (2, 8, 8))
    covered = np.zeros([len(places) for places in plan.places], int)
    for tile in plan.tiles:
        covered[tuple(slice(begin, end) for _, begin, end in tile)] += 1
        for (start, begin, end), length, beside, size in zip(tile, plan.tile_shape, halo, covered.shape):
            assert 0 <= start <= begin < end <= start + length <= size
            assert begin == 0 or begin - start >= beside
            assert end == size or start + length - end >= beside
    assert (covered == 1).all()


@pytest.mark.parametrize("function", [blur, pool_and_repeat])
@pytest.mark.parametrize("batch_size", [1, 3])
def test_tiled_equals_untiled_seams_included_when_the_halo_covers_the_neighborhood(function, batch_size):
    voxels = volume(26, 60, 72)
    whole = predict_tiled_volume(voxels, function, 1, (512, 512, 512), (2, 4, 4), (2, 4, 4))
    tiled = predict_tiled_volume(voxels, function, 1, (10, 24, 28), (2, 4, 4), (2, 4, 4), batch_size=batch_size)
    np.testing.assert_allclose(tiled, whole, atol=1e-6)


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_tiled_differs_when_the_halo_is_too_small_in_any_direction(axis):
    voxels, halo = volume(24, 48, 48), [2, 4, 4]
    halo[axis] = 0
    whole = predict_tiled_volume(voxels, blur, 1, (512, 512, 512), (2, 4, 4))
    assert not np.allclose(predict_tiled_volume(voxels, blur, 1, (12, 24, 24), halo), whole, atol=1e-6)


def test_borders_are_mirrored():
    voxels, seen = volume(3, 5, 6), []

    def remember(batch):
        seen.extend(batch)
        return batch

    predict_tiled_volume(voxels, remember, 1, (8, 8, 8), (0, 0, 0), (4, 8, 8), (4, 8, 8))
    padding = [(0, 0), (0, 1), (1, 2), (1, 1)]
    np.testing.assert_array_equal(seen, np.pad(voxels, padding, mode="reflect")[np.newaxis])


def test_tiles_at_the_border_are_those_of_the_mirrored_volume():
    voxels, seen = volume(7, 19, 21), []

    def remember(batch):
        seen.extend(batch[:, 0])
        return batch

    predict_tiled_volume(voxels, remember, 1, (6, 12, 12), (1, 2, 2), (2, 4, 4))
    padded = np.pad(voxels[0], [(0, 1), (0, 1), (1, 2)], mode="reflect")
    windows = np.lib.stride_tricks.sliding_window_view(padded, seen[0].shape)
    assert len(seen) > 8
    for tile in seen:
        assert (windows == tile).all(axis=(3, 4, 5)).any()


@pytest.mark.parametrize(
    ("tile", "message"),
    [
        (
            (4, 64, 64),
            "A tile of 4 planes is too small for the model's halo of 4 planes a side; use tiles of at least 10",
        ),
        (
            (64, 16, 64),
            "A tile of 16 pixels is too small for the model's halo of 8 pixels a side; use tiles of at least 20",
        ),
    ],
)
def test_a_tile_smaller_than_its_halo_is_refused(tile, message):
    with pytest.raises(OptionError, match=message):
        predict_tiled_volume(volume(40, 40, 40), identity, 1, tile, (3, 8, 8), (2, 4, 4))


def test_progress_counts_tiles_and_its_error_stops_between_two():
    seen, counted = [], []

    def predict(batch):
        seen.append(len(batch))
        return batch

    def stop_after_two(done, total):
        counted.append((done, total))
        if done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        predict_tiled_volume(volume(8, 32, 32), predict, 1, (8, 16, 16), (0, 0, 0), on_progress=stop_after_two)
    assert counted == [(0, 4), (1, 4), (2, 4)]
    assert len(seen) == 2
    counted.clear()
    two = volume(8, 16, 32)
    predict_tiled_volume(two, identity, 1, (8, 16, 16), (0, 0, 0), on_progress=lambda *done: counted.append(done))
    assert counted == [(0, 2), (1, 2), (2, 2)]


def test_a_network_that_gives_another_shape_is_refused():
    with pytest.raises(ModelError, match=r"shape \(1, 1, 8, 8, 4\); its model card promises \(1, 1, 8, 8, 8\)"):
        predict_tiled_volume(volume(8, 8, 8), lambda batch: batch[..., ::2], 1, (8, 8, 8), (0, 0, 0))


def test_the_volume_is_not_changed():
    voxels = volume(5, 9, 9)
    before = voxels.copy()
    predict_tiled_volume(voxels, identity, 1, (4, 8, 8), (0, 0, 0), (2, 4, 4))[:] = 7
    np.testing.assert_array_equal(voxels, before)
