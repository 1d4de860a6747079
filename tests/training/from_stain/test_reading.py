import numpy as np
import pytest

from cpunet.errors import DataError
from cpunet.training.from_stain.pairing import StainedPair
from cpunet.training.from_stain.reading import read_pair
from tests.import_sources import put

NOISE = np.random.default_rng(1).integers(1, 200, (80, 70)).astype(np.uint8)


def written(tmp_path, image, stain):
    return StainedPair("a", put(tmp_path / "image.tif", image), put(tmp_path / "stain.tif", stain))


@pytest.mark.parametrize("stain_type", [np.uint8, np.uint16, np.float32])
@pytest.mark.parametrize("image_type", [np.uint8, np.uint16, np.float32])
def test_every_bit_depth_is_read_as_it_is(tmp_path, image_type, stain_type):
    read = read_pair(written(tmp_path, NOISE.astype(image_type), NOISE.astype(stain_type)))
    assert read.image.pixels.dtype == image_type
    assert read.stain_dtype == np.dtype(stain_type).name
    assert np.array_equal(read.stain, NOISE)


@pytest.mark.parametrize(
    ("image", "stain", "message"),
    [
        (NOISE, NOISE[:-1], r"stain.tif: the stain has 79 x 70 pixels .* image.tif 80 x 70"),
        (NOISE, np.stack([NOISE, NOISE // 2, NOISE // 3], axis=2), "stain.tif: the stain must be one gray channel"),
        (NOISE, np.zeros_like(NOISE), "stain.tif: all pixels are 0"),
        (np.full_like(NOISE, 7), NOISE, "image.tif: all pixels are 7"),
        (NOISE, np.where(NOISE > 9, NOISE, np.nan).astype(np.float32), "stain.tif: .* no finite numbers"),
        (NOISE[:20], NOISE[:20], "image.tif: 20 x 70 pixels are too few"),
    ],
)
def test_a_pair_that_cannot_belong_together_is_refused_by_name(tmp_path, image, stain, message):
    with pytest.raises(DataError, match=message):
        read_pair(written(tmp_path, image, stain))
