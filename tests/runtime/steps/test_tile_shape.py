from types import SimpleNamespace

import numpy as np
import pytest

from cpunet.model.card import card_from_content
from cpunet.model.ensemble import average_models
from cpunet.model.find import find_model
from cpunet.model.session import load_model
from cpunet.steps.predict import predict_in_tiles
from cpunet.steps.tile_shape import MOST_BYTES, automatic_tile_shape
from tests.tiny_onnx import changed_card


def a_model(bytes_a_pixel=128, halo=160, divisible_by=32, **given):
    """A model that says how much memory it takes, and computes nothing."""
    card = card_from_content(changed_card(input={"divisible_by": divisible_by, **given}, output={"halo": halo}))
    shapes = []

    def predict(batch):
        shapes.append(batch.shape)
        return batch

    return SimpleNamespace(
        card=card, needed_bytes=lambda shape: bytes_a_pixel * shape[2] * shape[3], predict=predict, shapes=shapes
    )


# 640 MiB hold 5.2 million pixels of 128 bytes, and 1.3 million of 512.
CASES = {
    "a small field": ((520, 696), 128, [(544, 704)]),
    "just larger than the usual tile": ((1080, 1080), 128, [(1088, 1088)]),
    "a camera of 4 megapixels": ((2048, 2048), 128, [(2048, 2048)]),
    "a camera of 5 megapixels": ((2160, 2160), 128, [(2176, 2176)]),
    "two strips are fewer pixels than four squares": ((2400, 2400), 128, [(2400, 1376)] * 2),
    "a large network": ((2048, 2048), 512, [(1184, 896)] * 6),
    "a network too large for any": ((2048, 2048), 4096, [(896, 896)] * 9),
    "16 megapixels": ((4096, 4096), 128, [(2208, 2208)] * 4),
    "a wide strip": ((300, 9000), 128, [(320, 9024)]),
}


@pytest.mark.parametrize(("size", "bytes_a_pixel", "tiles"), CASES.values(), ids=CASES)
def test_the_network_computes_as_few_pixels_as_the_memory_allows(size, bytes_a_pixel, tiles):
    model = a_model(bytes_a_pixel)
    pixels = np.random.default_rng(0).random((1, *size), np.float32)
    np.testing.assert_array_equal(predict_in_tiles(pixels, model), pixels)
    assert len(model.shapes) == len(tiles)
    assert sum(np.prod(shape) for shape in model.shapes) == sum(np.prod(tile) for tile in tiles)
    assert all(np.prod(shape) * bytes_a_pixel <= max(MOST_BYTES, 1024**2 * bytes_a_pixel) for shape in model.shapes)


@pytest.mark.parametrize("size", [(1025, 5000), (3333, 2222), (20000, 20000), (1500, 1100)])
@pytest.mark.parametrize("halo", [0, 80, 160, 400])
def test_no_way_to_cut_is_better(size, halo):
    """Against each square and oblong tile in steps of the network's unit."""
    model = a_model(halo=halo)
    tile_y, tile_x = automatic_tile_shape(size, model)

    def computed(length, tile):
        length = -(-length // 32) * 32
        kept = tile - 2 * -(-halo // 32) * 32
        return length if tile >= length else tile * -(-(length - tile) // kept + -1) if kept > 0 else np.inf

    chosen = computed(size[0], tile_y) * computed(size[1], tile_x)
    assert tile_y * tile_x * 128 <= MOST_BYTES
    sides = range(512, 2 * 2304, 256)
    others = [computed(size[0], y) * computed(size[1], x) for y in sides for x in sides if y * x * 128 <= MOST_BYTES]
    assert chosen <= min(others)


def test_what_is_not_known_to_fit_gets_the_usual_tiles():
    model = a_model()
    assert automatic_tile_shape((2048, 2048), SimpleNamespace(card=model.card)) == (1024, 1024)
    assert automatic_tile_shape((2048, 2048), a_model(bytes_a_pixel=4096)) == (1024, 1024)
    assert automatic_tile_shape((2048, 2048), a_model(halo=16, tile_shape=[64, 64], divisible_by=16)) == (1024, 1024)


def test_the_default_model_sees_an_image_of_a_usual_camera_in_one_piece():
    for name in ("nuclei_fluorescence", "nuclei_fluorescence_int8"):
        model = load_model(find_model(name), "cpu", 1)
        for side in (1080, 2048, 2304):
            assert min(automatic_tile_shape((side, side), model)) >= side


def test_an_average_of_models_takes_the_memory_of_all(tiny_model):
    model = load_model(tiny_model, "cpu", 1)
    shape = (1, 1, 256, 256)
    assert average_models([model, model]).needed_bytes(shape) == 2 * model.needed_bytes(shape) > 0
