import struct
import zlib

import numpy as np
import PIL.Image
import pytest

from cpunet.errors import ImageError
from cpunet.files.images import gray_of_equal_colors, read_image, read_label_numbers, read_numbers_as_said

RNG = np.random.default_rng(0)
GRAY = RNG.integers(0, 200, (40, 50)).astype(np.uint8)
COLOR = RNG.integers(0, 255, (40, 50, 3)).astype(np.uint8)
ALPHA = np.full((40, 50, 1), 9, np.uint8)
LABELS = np.repeat(np.arange(5, dtype=np.uint8), 400).reshape(40, 50)


def png(path, width, height, bits, color, rows):
    """Write a PNG of any kind by hand; `rows` are the bytes of its lines."""

    def chunk(name, data):
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    header = struct.pack(">IIBBBBB", width, height, bits, color, 0, 0, 0)
    lines = zlib.compress(b"".join(b"\0" + row for row in rows))
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", lines) + chunk(b"IEND", b""))
    return path


@pytest.mark.parametrize(
    ("picture", "expected"),
    [
        (PIL.Image.fromarray(GRAY), GRAY),
        (PIL.Image.fromarray(GRAY.astype(np.uint16) * 257), GRAY.astype(np.uint16) * 257),
        (PIL.Image.fromarray(GRAY > 99), GRAY > 99),
        (PIL.Image.fromarray(COLOR), COLOR),
        (PIL.Image.fromarray(np.dstack([COLOR, ALPHA])), COLOR),
        (PIL.Image.fromarray(np.dstack([GRAY, ALPHA])), GRAY),
    ],
    ids=["8 bits", "16 bits", "1 bit", "RGB", "RGBA", "gray and alpha"],
)
def test_pixels_are_kept_and_transparency_is_not(tmp_path, picture, expected):
    picture.save(tmp_path / "a.png")
    image = read_image(tmp_path / "a.png")
    assert image.dtype == expected.dtype
    np.testing.assert_array_equal(image, expected)


def palette_png(path, colors):
    picture = PIL.Image.new("P", LABELS.shape[::-1])
    picture.putdata(LABELS.ravel().tolist())
    picture.putpalette([value for color in colors for value in color])
    picture.save(path)
    return path


def test_a_palette_gives_colors_to_images_and_numbers_to_labels(tmp_path):
    colors = [(0, 0, 0), (200, 0, 0), (0, 200, 0), (0, 0, 200), (7, 7, 7)]
    path = palette_png(tmp_path / "a.png", colors)
    np.testing.assert_array_equal(read_image(path), np.array(colors, np.uint8)[LABELS])
    np.testing.assert_array_equal(read_label_numbers(path), LABELS)


def test_a_gray_palette_is_gray(tmp_path):
    path = palette_png(tmp_path / "a.png", [(7 * k, 7 * k, 7 * k) for k in range(5)])
    np.testing.assert_array_equal(gray_of_equal_colors(read_image(path)), 7 * LABELS)


def test_a_palette_in_which_black_is_not_0_may_be_a_picture_in_colors(tmp_path):
    path = palette_png(tmp_path / "a.png", [(200, 0, 0), (0, 0, 0), (0, 200, 0), (0, 0, 200), (7, 7, 7)])
    with pytest.raises(ImageError, match=r"a\.png: .* black is the number 1 and not 0, .* --label-format"):
        read_label_numbers(path)
    np.testing.assert_array_equal(read_numbers_as_said(path), LABELS)


@pytest.mark.parametrize("bits", [2, 4])
def test_numbers_of_few_bits_are_labels_as_stored_and_images_as_shown(tmp_path, bits):
    values = RNG.integers(0, 2**bits, (6, 16)).astype(np.uint8)
    each = np.unpackbits(values[..., np.newaxis], axis=2)[..., 8 - bits :]
    path = png(tmp_path / "a.png", 16, 6, bits, 0, [row.tobytes() for row in np.packbits(each.reshape(6, -1), axis=1)])
    np.testing.assert_array_equal(read_label_numbers(path), values)
    np.testing.assert_array_equal(read_image(path), values * (255 // (2**bits - 1)))


@pytest.mark.parametrize(("color", "samples"), [(2, 3), (6, 4), (4, 2)], ids=["RGB", "RGBA", "gray and alpha"])
def test_16_bits_are_never_read_as_8(tmp_path, color, samples):
    path = png(tmp_path / "a.png", 5, 4, 16, color, [bytes(5 * samples * 2)] * 4)
    with pytest.raises(ImageError, match=r"a\.png: this is a color PNG of 16 bits, .* Save it as TIFF"):
        read_image(path)


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".bmp"])
def test_a_picture_cut_short_is_refused(tmp_path, suffix):
    path = tmp_path / f"a{suffix}"
    PIL.Image.fromarray(COLOR).save(path)
    whole = path.read_bytes()
    for share in (0.1, 0.5, 0.9):
        path.write_bytes(whole[: int(share * len(whole))])
        with pytest.raises(ImageError, match=rf"a\{suffix}: this cannot be read as an image: "):
            read_image(path)


def test_several_pictures_are_refused_by_their_number(tmp_path):
    pages = [PIL.Image.fromarray(plane) for plane in (GRAY, GRAY // 2, GRAY // 3)]
    pages[0].save(tmp_path / "a.gif", save_all=True, append_images=pages[1:])
    with pytest.raises(ImageError, match="this holds 3 pictures"):
        read_image(tmp_path / "a.gif")


def test_labels_in_jpeg_are_refused(tmp_path):
    PIL.Image.fromarray(LABELS).save(tmp_path / "a.jpg")
    with pytest.raises(ImageError, match="compressed with JPEG, which changes numbers"):
        read_label_numbers(tmp_path / "a.jpg")


def test_more_pixels_than_memory_are_refused_and_pillows_limit_is_not_the_reason(tmp_path):
    path = png(tmp_path / "a.png", 2_000_000, 2_000_000, 8, 0, [b"\0"])
    with pytest.raises(ImageError, match=r"declares 2000000 x 2000000 pixels, .* are free"):
        read_image(path)
    header = b"BM" + struct.pack("<IHHIIiiHHIIiiII", 100, 0, 0, 54, 40, 900_000, 900_000, 1, 24, 0, 0, 0, 0, 0, 0)
    (tmp_path / "a.bmp").write_bytes(header + bytes(99))
    with pytest.raises(ImageError, match=r"declares 900000 x 900000 pixels"):
        read_image(tmp_path / "a.bmp")
    jpeg = tmp_path / "a.jpg"
    PIL.Image.fromarray(COLOR).save(jpeg)
    whole = jpeg.read_bytes()
    jpeg.write_bytes(whole.replace(struct.pack(">HH", 40, 50), struct.pack(">HH", 65500, 65500), 1))
    limit = PIL.Image.MAX_IMAGE_PIXELS
    with pytest.raises(ImageError, match=r"declares 65500 x 65500 pixels|this cannot be read"):
        read_image(jpeg)
    assert limit == PIL.Image.MAX_IMAGE_PIXELS
