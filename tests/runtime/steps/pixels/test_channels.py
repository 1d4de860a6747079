import numpy as np
import pytest

from cpunet.errors import ImageError
from cpunet.model.card import Normalization
from cpunet.steps.pixels.channels import COLORS, channels_of, is_gray, largest_of_type

GRAY = np.random.default_rng(0).integers(0, 200, (20, 30)).astype(np.uint8)
COLOR = np.random.default_rng(1).integers(0, 200, (20, 30, 3)).astype(np.uint8)
OPAQUE = np.full((20, 30, 1), 255, np.uint8)


def repeated(image, count=3):
    return np.repeat(image[..., np.newaxis], count, axis=2)


@pytest.mark.parametrize(
    "image",
    [
        GRAY[..., np.newaxis],
        repeated(GRAY),
        np.concatenate([repeated(GRAY), OPAQUE], axis=2),
        np.concatenate([GRAY[..., np.newaxis], OPAQUE], axis=2),
        repeated(GRAY.astype(np.uint16) * 257),
        repeated(GRAY.astype(np.float32) / 255),
    ],
    ids=["one channel", "RGB", "RGBA", "gray and alpha", "RGB of 16 bits", "RGB of 0 to 1"],
)
def test_a_gray_image_in_another_number_of_channels_is_gray(image):
    channels, usable = channels_of(image, ("nuclei",), Normalization())
    assert usable is None
    scale = float(image[..., 0].max()) / float(GRAY.max())
    np.testing.assert_allclose(channels, GRAY[np.newaxis] * scale, rtol=1e-6)


def test_nan_is_gray_too():
    image = repeated(GRAY.astype(np.float32))
    image[3, 4] = np.nan
    assert is_gray(image)
    _, usable = channels_of(image, ("nuclei",), Normalization())
    assert not usable[3, 4]
    assert usable.sum() == usable.size - 1


def test_one_value_of_another_color_makes_a_color_image():
    image = repeated(GRAY)
    image[0, 0, 2] += 1
    assert not is_gray(image)
    with pytest.raises(ImageError, match=r"\(20, 30, 3\), that is 3 channels.*1 channel .nuclei"):
        channels_of(image, ("nuclei",), Normalization())


def test_a_color_model_takes_gray_and_opaque_images():
    for image in (COLOR, np.concatenate([COLOR, OPAQUE], axis=2)):
        np.testing.assert_array_equal(channels_of(image, COLORS, Normalization())[0], np.moveaxis(COLOR, -1, 0))
    np.testing.assert_array_equal(channels_of(GRAY, COLORS, Normalization())[0], np.stack([GRAY] * 3))


def test_a_fourth_channel_that_is_no_opaque_alpha_is_refused():
    with pytest.raises(ImageError, match="4 channels"):
        channels_of(np.concatenate([COLOR, GRAY[..., np.newaxis]], axis=2), COLORS, Normalization())


@pytest.mark.parametrize(
    ("dtype", "largest"),
    [
        (np.uint8, 255),
        (np.int8, 255),
        (np.uint16, 65535),
        (">u2", 65535),
        (np.int16, 65535),
        (np.float32, 1),
        (bool, 1),
    ],
)
def test_a_model_that_reads_0_to_1_gets_what_cellprofiler_makes_of_the_file(dtype, largest):
    image = (GRAY > 100) if dtype is bool else GRAY.astype(dtype)
    assert largest_of_type(image.dtype) == largest
    for normalization in (Normalization("none"), Normalization("none", units="zero_to_one")):
        channels, _ = channels_of(image, ("nuclei",), normalization)
        np.testing.assert_array_equal(channels[0], image.astype(np.float32) / np.float32(largest))
    for normalization in (Normalization("none", units="as_stored"), Normalization()):
        np.testing.assert_array_equal(channels_of(image, ("nuclei",), normalization)[0][0], image.astype(np.float32))


def test_numbers_that_float32_cannot_hold_are_refused_by_their_size():
    image = np.full((4, 4), 1e30)
    image[0, 0] = np.inf  # counts as not measured
    channels_of(image, ("nuclei",), Normalization())
    image[1, 1] = -1e39
    with pytest.raises(ImageError, match=r"1e\+39.*3\.4e\+38 is the largest"):
        channels_of(image, ("nuclei",), Normalization())
