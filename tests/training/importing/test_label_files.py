import numpy as np
import PIL.Image
import pytest
import tifffile
from skimage.util import img_as_float32, img_as_ubyte, img_as_uint

from cpunet.checks.synthetic import synthetic_field
from cpunet.errors import ImageError, LabelFileError
from cpunet.training.importing.label_files import guess_format, read_labels

TRUTH = synthetic_field((96, 96), columns=4, diameter_px=15, touching=True, seed=2).labels


def saved(path, array):
    if path.suffix == ".tif":
        tifffile.imwrite(path, array, photometric="rgb" if array.shape[2:] == (3,) else "minisblack")
    else:
        PIL.Image.fromarray(array).save(path)
    return path


def many_objects(count):
    """A grid of squares, each its own number."""
    side = int(np.ceil(np.sqrt(count)))
    labels = np.zeros((side * 4, side * 4), np.int32)
    for number in range(count):
        y, x = divmod(number, side)
        labels[4 * y : 4 * y + 3, 4 * x : 4 * x + 3] = number + 1
    return labels


@pytest.mark.parametrize(
    "array",
    [
        TRUTH.astype(np.uint8),
        TRUTH.astype(np.uint16),
        TRUTH.astype(np.uint32),
        TRUTH.astype(np.int32),
        TRUTH.astype(np.float32),
        np.where(TRUTH, TRUTH * 7 + 300, 0).astype(np.uint16),
        np.repeat(TRUTH.astype(np.uint8)[..., None], 3, axis=2),
    ],
    ids=["uint8", "uint16", "uint32", "int32", "float", "gaps", "gray as colors"],
)
def test_instances_are_read_whatever_their_type_and_numbers(tmp_path, array):
    path = saved(tmp_path / "a.tif", array)
    assert guess_format(path) == "instances"
    read = read_labels([path], "instances")
    np.testing.assert_array_equal(read.labels, TRUTH)
    assert read.note == ""


@pytest.mark.parametrize("count", [5, 40, 255])
@pytest.mark.parametrize("save", [img_as_ubyte, img_as_uint, img_as_float32], ids=["8-bit", "16-bit", "float"])
@pytest.mark.parametrize("mode", ["uint16", "Grayscale"])
@pytest.mark.filterwarnings("ignore:Downcasting")
def test_what_saveimages_scales_is_brought_back_exactly(tmp_path, mode, save, count):
    truth = many_objects(count)
    # ConvertObjectsToImage and SaveImages of CellProfiler 4.2.8 do just this.
    pixels = truth if mode == "uint16" else truth / truth.max()
    read = read_labels([saved(tmp_path / "a.tif", save(pixels))], "instances")
    np.testing.assert_array_equal(read.labels, truth)


def test_background_that_saveimages_lifts_above_0_is_background(tmp_path):
    truth = many_objects(400)
    # img_as_float32 of CellProfiler's scikit-image 0.18 on labels of 32 bits.
    lifted = ((2 * truth.astype(np.float64) + 1) / (2**32 - 1)).astype(np.float32)
    np.testing.assert_array_equal(read_labels([saved(tmp_path / "a.tif", lifted)], "instances").labels, truth)


@pytest.mark.filterwarnings("ignore:Downcasting")
def test_objects_that_8_bits_have_joined_are_refused_and_emptied_images_pointed_out(tmp_path):
    truth = many_objects(300)
    joined = saved(tmp_path / "joined.tif", img_as_ubyte(truth / truth.max()))
    with pytest.raises(LabelFileError, match=r"joined\.tif: this has 8 bits.*16-bit integer"):
        read_labels([joined], "instances")
    # img_as_ubyte shifts whole numbers of 32 bits by 23: nothing is left, and nothing to see it by.
    emptied = read_labels([saved(tmp_path / "emptied.tif", img_as_ubyte(truth.astype(np.int32)))], "instances")
    assert not emptied.labels.any()
    assert "more than 255 objects comes out empty" in emptied.note


@pytest.mark.parametrize(
    ("array", "message"),
    [
        ((TRUTH > 0).astype(np.uint8) * 255, "this is a mask: all"),
        (np.random.default_rng(0).integers(0, 255, (64, 64), np.uint8), "no label image"),
        (np.where(TRUTH > 0, TRUTH, -1).astype(np.int16), "negative value -1"),
        (np.where(TRUTH > 0, TRUTH, np.nan).astype(np.float32), "NaN"),
        (np.zeros((4, 5, 6), np.uint8), "4 planes of which"),
    ],
    ids=["mask", "photograph", "negative", "nan", "stack"],
)
def test_what_is_no_label_image_is_refused(tmp_path, array, message):
    with pytest.raises((LabelFileError, ImageError), match=rf"a\.tif: .*{message}"):
        read_labels([saved(tmp_path / "a.tif", array)], "instances")


def test_a_resized_label_image_is_refused(tmp_path):
    smooth = np.asarray(PIL.Image.fromarray(TRUTH.astype(np.uint8)).resize((300, 300), PIL.Image.Resampling.BICUBIC))
    with pytest.raises(LabelFileError, match="no label image"):
        read_labels([saved(tmp_path / "a.png", smooth)], "instances")


@pytest.fixture
def four_colors():
    """Four squares that touch at their sides, in two colors; the fifth lies apart in the color of the first."""
    labels = np.zeros((30, 40), np.int32)
    labels[2:10, 2:10], labels[2:10, 10:18] = 1, 2
    labels[10:18, 2:10], labels[10:18, 10:18] = 3, 4
    labels[20:26, 30:38] = 5
    colors = np.array([[0, 0, 0], [200, 0, 0], [0, 200, 0], [0, 0, 200], [200, 200, 0], [200, 0, 0]], np.uint8)
    return labels, colors[labels]


@pytest.mark.parametrize("alpha", [False, True])
def test_objects_in_colors_are_told_apart(tmp_path, four_colors, alpha):
    labels, picture = four_colors
    if alpha:
        picture = np.dstack([picture, np.full(labels.shape, 255, np.uint8)])
    path = saved(tmp_path / "a.png", picture)
    assert guess_format(path) == "colors"
    read = read_labels([path], "colors").labels
    assert read.max() == 5
    for number in range(1, 6):
        assert len(np.unique(read[labels == number])) == 1
    np.testing.assert_array_equal(read == 0, labels == 0)


def test_the_first_channel_alone_counts_in_the_publishers_masks(tmp_path):
    mask = np.zeros((12, 12, 4), np.uint8)
    mask[..., 3] = 255
    mask[1:5, 1:5, 0], mask[1:5, 5:9, 0] = 1, 2
    mask[8:, 8:, 1] = 9  # not in the first channel
    mask[2, 2, 2] = 7
    path = saved(tmp_path / "a.png", mask)
    expected = np.zeros((12, 12), np.int32)
    expected[1:5, 1:5], expected[1:5, 5:9] = 1, 2
    np.testing.assert_array_equal(read_labels([path], "first-channel").labels, expected)


def test_an_image_without_background_keeps_every_object(tmp_path):
    labels = np.repeat([[3, 8]], 4, axis=0).repeat(4, axis=1).astype(np.uint8)
    assert read_labels([saved(tmp_path / "a.png", labels)], "instances").labels.min() == 1
    assert "no pixel is 0" in read_labels([tmp_path / "a.png"], "instances").note


def test_colors_without_black_are_refused(tmp_path):
    picture = np.zeros((4, 8, 3), np.uint8)
    picture[:, :4, 0], picture[:, 4:, 1] = 9, 9
    with pytest.raises(LabelFileError, match=r"b\.png: no pixel is black, the background"):
        read_labels([saved(tmp_path / "b.png", picture)], "colors")


def one_nucleus_with(*others):
    labels = np.zeros((40, 40), np.uint8)
    labels[5:15, 5:15] = 255
    for y, x, size in others:
        labels[y : y + size, x : x + size] = 255
    return labels


@pytest.mark.parametrize("strays", [[(30, 30, 1)], [(30, 30, 4)], [(2 * n, 38, 1) for n in range(18)]])
def test_stray_pixels_are_no_second_object(tmp_path, strays):
    read = read_labels([saved(tmp_path / "a.png", one_nucleus_with(*strays))], "instances")
    assert read.labels.max() == 1
    assert f"its one number lies in {1 + len(strays)} places" in read.note


def test_one_number_in_large_pieces_is_a_mask_unless_the_user_says_so(tmp_path):
    path = saved(tmp_path / "a.png", one_nucleus_with((25, 25, 5), (35, 2, 2)))
    with pytest.raises(LabelFileError, match="this is a mask: all 2 objects"):
        read_labels([path], "instances")
    read = read_labels([path], "said-instances")
    assert read.labels.max() == 1
    assert "its one number lies in 3 places; is each object a number of its own?" in read.note
    photograph = np.random.default_rng(0).integers(0, 255, (64, 64), np.uint8)
    with pytest.raises(LabelFileError, match="no label image"):
        read_labels([saved(tmp_path / "b.png", photograph)], "said-instances")


def test_numbers_in_several_places_are_asked_about(tmp_path):
    labels = many_objects(4).astype(np.uint16)
    labels[labels == 4] = 1
    read = read_labels([saved(tmp_path / "a.tif", labels)], "instances")
    assert read.note == "its 3 numbers lie in 4 places; is each object a number of its own?"


def test_a_photograph_is_not_taken_for_colors(tmp_path):
    picture = np.random.default_rng(0).integers(0, 255, (40, 40, 3), np.uint8)
    with pytest.raises(LabelFileError, match="photograph"):
        read_labels([saved(tmp_path / "a.png", picture)], "colors")


def write_masks(folder, *masks):
    return [saved(folder / f"{number}.png", mask.astype(np.uint8) * 255) for number, mask in enumerate(masks)]


def test_masks_become_labels_and_a_small_object_stays_on_a_large_one(tmp_path):
    small, large = np.zeros((20, 20), bool), np.zeros((20, 20), bool)
    small[4:8, 4:8], large[2:14, 2:14] = True, True
    read = read_labels(write_masks(tmp_path, small, large, np.zeros_like(small)), "masks")
    assert np.bincount(read.labels.ravel()).tolist() == [400 - 144, 144 - 16, 16]
    assert read.overlap_px == 16
    assert "16 pixels lie in two objects" in read.note
    apart = read_labels(write_masks(tmp_path, small), "masks")
    assert (apart.overlap_px, apart.note) == (0, "")


def test_masks_of_other_sizes_or_values_are_named(tmp_path):
    first = saved(tmp_path / "a.png", np.ones((5, 5), np.uint8))
    with pytest.raises(LabelFileError, match=r"b\.png: the mask has the shape \(5, 6\), and a\.png \(5, 5\)"):
        read_labels([first, saved(tmp_path / "b.png", np.ones((5, 6), np.uint8))], "masks")
    with pytest.raises(LabelFileError, match=r"c\.png: .*values from 1 to 24"):
        read_labels([saved(tmp_path / "c.png", np.arange(25, dtype=np.uint8).reshape(5, 5))], "masks")


def test_numbers_are_closed_up_in_their_order(tmp_path):
    path = saved(tmp_path / "a.tif", np.array([[0, 2**31 - 1, 7], [7, 0, 12]], np.uint32))
    labels = read_labels([path], "own").labels
    np.testing.assert_array_equal(labels, [[0, 3, 1], [1, 0, 2]])
    assert labels.dtype == np.int32


def palette_file(path, colors):
    """Write TRUTH as numbers of a palette, as PNG or TIFF; the colors of further numbers are random."""
    more = np.random.default_rng(0).integers(1, 255, (256 - len(colors), 3))
    palette = np.concatenate([np.array(colors).reshape(-1, 3), more]).astype(np.uint16)
    if path.suffix == ".tif":
        tifffile.imwrite(path, TRUTH.astype(np.uint8), photometric="palette", colormap=palette.T * 257)
        return path
    picture = PIL.Image.new("P", TRUTH.shape[::-1])
    picture.putdata(TRUTH.ravel().tolist())
    picture.putpalette(palette.ravel().tolist())
    picture.save(path)
    return path


@pytest.mark.parametrize("name", ["a.png", "a.tif"])
@pytest.mark.parametrize("second", [(0, 0, 9), (0, 0, 0)], ids=["colors", "two numbers of one color"])
def test_palette_labels_are_the_stored_numbers(tmp_path, name, second):
    path = palette_file(tmp_path / name, [(0, 0, 0), (9, 0, 0), second])
    assert guess_format(path) == "instances"
    np.testing.assert_array_equal(read_labels([path], "instances").labels, TRUTH)
    np.testing.assert_array_equal(read_labels([path], "own").labels, TRUTH)


def test_a_palette_in_which_black_is_not_0_is_read_as_the_user_says(tmp_path):
    path = palette_file(tmp_path / "a.png", [(255, 255, 255), (0, 0, 0)])  # 0 is white, and object 1 is black
    with pytest.raises(ImageError, match=r"a\.png: this has a palette in which black is the number 1 and not 0"):
        read_labels([path], guess_format(path))
    np.testing.assert_array_equal(read_labels([path], "said-instances").labels, TRUTH)
    read = read_labels([path], "colors").labels
    assert not read[TRUTH == 1].any()
    assert read[TRUTH == 0].all()


def test_labels_in_jpeg_are_refused(tmp_path):
    PIL.Image.fromarray(TRUTH.astype(np.uint8)).save(tmp_path / "a.jpg")
    with pytest.raises(ImageError, match="compressed with JPEG, which changes numbers"):
        read_labels([tmp_path / "a.jpg"], "instances")


@pytest.mark.parametrize("dtype", [np.int8, np.int16, np.int64, np.uint64, np.float16, np.float64, ">u4", ">f4"])
def test_label_tiffs_of_napari_and_others_are_read_in_every_type(tmp_path, dtype):
    # napari saves a layer of labels with tifffile, in the layer's own type and compressed.
    path = tmp_path / "Labels.tif"
    tifffile.imwrite(path, TRUTH.astype(dtype), compression="zlib", photometric="minisblack")
    read = read_labels([path], guess_format(path))
    np.testing.assert_array_equal(read.labels, TRUTH)
    assert read.note == ""


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_label_tiffs_that_imagej_and_labkit_save_are_read_whatever_their_color_table(tmp_path, dtype):
    # Labkit hands its labeling to ImageJ, which saves it with the color table that it is shown in.
    path = tmp_path / "Labeling.tif"
    table = np.random.default_rng(7).integers(0, 256, (3, 256), np.uint8)
    table[:, 0] = 0
    tifffile.imwrite(path, TRUTH.astype(dtype), imagej=True, metadata={"axes": "YX", "LUTs": [table]})
    with tifffile.TiffFile(path) as file:
        np.testing.assert_array_equal(np.reshape(file.imagej_metadata["LUTs"], table.shape), table)
    np.testing.assert_array_equal(read_labels([path], guess_format(path)).labels, TRUTH)


def test_an_array_of_labels_is_read(tmp_path):
    np.save(tmp_path / "a.npy", TRUTH.astype(np.int64))
    np.testing.assert_array_equal(read_labels([tmp_path / "a.npy"], "instances", TRUTH.shape).labels, TRUTH)
