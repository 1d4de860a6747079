import io

import numpy as np
import PIL.Image
import pytest
from skimage.transform import rotate

from cpunet.checks.synthetic import synthetic_field
from cpunet.steps.pixels.padding import find_padding

# Background of about 60 and nuclei of up to 230, as an 8-bit camera gives them.
FIELD = np.round(synthetic_field((240, 310), columns=8, diameter_px=22).image * 190 + 50).astype(np.uint8)


def padded(widths, value):
    """A field with padding, and where the padding is."""
    return np.pad(FIELD, widths, constant_values=value), np.pad(
        np.zeros(FIELD.shape, bool), widths, constant_values=True
    )


def turned(degrees, value):
    image = rotate(FIELD.astype(float), degrees, order=1, cval=value, preserve_range=True, resize=True)
    inside = rotate(np.ones(FIELD.shape), degrees, order=1, cval=0, resize=True)
    return image.round().astype(np.uint8), inside < 0.5


def mosaic(gap, value, missing=()):
    """Three by three tiles with gaps, and some tiles missing."""
    height, width = FIELD.shape[0] // 3, FIELD.shape[1] // 3
    image = np.full((3 * height + 2 * gap, 3 * width + 2 * gap), value, np.uint8)
    where = np.ones(image.shape, bool)
    for row in range(3):
        for column in range(3):
            if (row, column) not in missing:
                tile = (
                    slice(row * (height + gap), row * (height + gap) + height),
                    slice(column * (width + gap), column * (width + gap) + width),
                )
                image[tile] = FIELD[row * height : (row + 1) * height, column * width : (column + 1) * width]
                where[tile] = False
    return image, where


def as_jpeg(image, quality):
    file = io.BytesIO()
    PIL.Image.fromarray(image).save(file, "JPEG", quality=quality)
    return np.array(PIL.Image.open(file))


def round_field(value):
    y, x = np.ogrid[: FIELD.shape[0], : FIELD.shape[1]]
    where = np.hypot(y - FIELD.shape[0] / 2, x - FIELD.shape[1] / 2) > FIELD.shape[0] / 2
    return np.where(where, np.uint8(value), FIELD), where


CASES = {
    "below, black": padded(((0, 30), (0, 0)), 0),
    "around, black": padded(((20, 13), (31, 40)), 0),
    "around, white": padded(((20, 13), (31, 40)), 255),
    "around, gray": padded(((20, 13), (31, 40)), 20),
    "much larger than the image": padded(200, 0),
    "three pixels, black": padded(3, 0),
    "one pixel, white": padded(1, 255),
    "turned by 5 degrees": turned(5, 0),
    "turned by 30 degrees, white": turned(30, 255),
    "thin gaps": mosaic(2, 0),
    "wide gaps, white": mosaic(18, 255),
    "tiles missing in the middle and at a corner": mosaic(12, 0, missing=((1, 1), (0, 2))),
    "a round field": round_field(0),
}


def errors(found, where):
    """The share of the padding that was missed, and that of the image that was taken for padding."""
    assert found is not None
    return np.mean(~found[where]), np.mean(found[~where])


@pytest.mark.parametrize(("image", "where"), CASES.values(), ids=CASES)
def test_padding_is_found(image, where):
    missed, wrong = errors(find_padding(image), where)
    assert missed < 0.05
    assert wrong < 0.01


@pytest.mark.parametrize(("image", "where"), CASES.values(), ids=CASES)
def test_padding_is_found_in_the_units_of_cellprofiler(image, where):
    missed, wrong = errors(find_padding(image.astype(np.float32) / 255), where)
    assert missed < 0.05
    assert wrong < 0.01


@pytest.mark.parametrize("quality", [95, 75])
@pytest.mark.parametrize("name", ["below, black", "around, white", "turned by 30 degrees, white", "wide gaps, white"])
def test_padding_with_the_ripple_of_a_jpeg_file_is_found(name, quality):
    image, where = CASES[name]
    missed, wrong = errors(find_padding(as_jpeg(image, quality)), where)
    assert missed < 0.05
    assert wrong < 0.02


def test_padding_of_the_largest_number_of_16_bits_and_of_a_negative_number():
    image, where = padded(((0, 30), (25, 0)), 0)
    for deep in (np.where(where, 65535, image.astype(np.uint16) * 16), np.where(where, -9999.0, image)):
        missed, wrong = errors(find_padding(deep), where)
        assert missed == 0
        assert wrong < 0.001


def test_the_mixed_pixels_of_a_turned_frame_belong_to_its_padding():
    inside = rotate(np.ones(FIELD.shape), 20, order=1, cval=0, resize=True)
    image = rotate(FIELD * 4.0 + 1000, 20, order=1, cval=65535, preserve_range=True, resize=True)
    found = find_padding(image.round().astype(np.uint16))
    assert image[~found].max() < 4000
    assert found[inside > 0.99].mean() < 0.01


def test_pixels_that_are_not_finite_are_no_padding():
    image = FIELD.astype(np.float32)
    image[:, :60] = np.nan
    assert find_padding(image) is None


def clipped(low, high):
    """A field whose background, or brightest part, is one value."""
    return np.clip(FIELD.astype(int), low, high).astype(np.uint8)


def with_blobs(value):
    """Blurred nuclei on a background that is exactly 0."""
    labels = synthetic_field((240, 310), columns=4, diameter_px=40)
    return np.where(labels.image > 0.15, (labels.image - 0.15) * value, 0).astype(np.float32)


def saturated_squares():
    """Objects of one value, one of them cut by the frame: drawn, or saturated."""
    image = FIELD.copy()
    for top, left in ((0, 100), (60, 200), (150, 30)):
        image[top : top + 30, left : left + 30] = 255
    return image


def squares():
    image = np.zeros((200, 300), np.float32)
    image[50:90, 60:130] = 1
    image[120:150, 200:260] = 0.6
    return image


@pytest.mark.parametrize(
    "image",
    [
        FIELD,
        clipped(66, 255),
        clipped(0, 150),
        with_blobs(255),
        squares(),
        saturated_squares(),
        (FIELD > 100).astype(np.uint8) * 255,
        np.full((100, 100), 7, np.uint8),
        FIELD[:20, :20],
        np.tile(np.linspace(0, 255, 310).astype(np.uint8), (240, 1)),
        as_jpeg(FIELD, 60),
    ],
    ids=[
        "a field",
        "clipped background",
        "saturated nuclei",
        "nuclei on exact black",
        "a drawing",
        "objects of one value",
        "a mask",
        "constant",
        "tiny",
        "a ramp",
        "JPEG with flat blocks",
    ],
)
def test_what_belongs_to_the_image_is_no_padding(image):
    assert find_padding(image) is None
