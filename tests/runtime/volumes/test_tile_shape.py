import math
from types import SimpleNamespace

import pytest

from cpunet.model.card import card_from_content
from cpunet.volumes.tile_shape import MOST_BYTES, USUAL_VOXELS, automatic_volume_tile
from cpunet.volumes.tiling import plan_volume_tiles
from tests.tiny_volumes import changed_volume_card

CARD = card_from_content(
    changed_volume_card(
        input={"divisible_by": 8, "min_size": 16, "divisible_by_planes": 2, "min_planes": 4},
        output={"halo": 20, "halo_planes": 6},
    )
)
HALO, UNITS, LEAST = (6, 20, 20), (2, 8, 8), (4, 16, 16)


def model_of(bytes_a_voxel):
    return SimpleNamespace(card=CARD, needed_bytes=lambda shape: bytes_a_voxel * math.prod(shape))


@pytest.mark.parametrize("size", [(1, 1, 1), (40, 128, 128), (256, 512, 512), (900, 300, 70), (3, 2048, 2048)])
@pytest.mark.parametrize("bytes_a_voxel", [50, 800, 3000])
def test_tiles_take_no_more_memory_than_is_meant_and_cover_the_volume(size, bytes_a_voxel):
    tile = automatic_volume_tile(size, model_of(bytes_a_voxel))
    plan = plan_volume_tiles(size, tile, HALO, UNITS, LEAST)
    assert plan.tile_shape == tile
    assert math.prod(plan.tile_shape) * bytes_a_voxel <= MOST_BYTES


def test_a_volume_that_fits_is_one_tile():
    assert automatic_volume_tile((40, 128, 120), model_of(100)) == (40, 128, 120)
    assert automatic_volume_tile((2, 8, 9), model_of(100)) == (4, 16, 16)


def test_without_the_networks_needs_tiles_have_the_usual_number_of_voxels():
    tile = automatic_volume_tile((256, 512, 512), SimpleNamespace(card=CARD))
    assert USUAL_VOXELS / 3 < math.prod(tile) <= USUAL_VOXELS


def test_planes_and_sides_that_are_asked_for_are_kept():
    assert automatic_volume_tile((256, 512, 512), model_of(400), planes=20)[0] == 20
    assert automatic_volume_tile((256, 512, 512), model_of(400), sides=(96, 128))[1:] == (96, 128)
    assert automatic_volume_tile((256, 512, 512), model_of(400), planes=20, sides=(96, 128)) == (20, 96, 128)


def test_where_nothing_fits_the_smallest_tiles_are_taken():
    tile = automatic_volume_tile((256, 512, 512), model_of(10**6))
    assert math.prod(tile) < 64 * 128 * 128
    assert all(length > 2 * halo for length, halo in zip(tile, HALO))
