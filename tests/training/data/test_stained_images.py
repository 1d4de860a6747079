from dataclasses import replace

import numpy as np
import pytest
from skimage.color import rgb_from_hed
from skimage.io import imsave

from cpunet.errors import ConfigError, DataError
from cpunet.training.config import DataSource
from cpunet.training.data.labeled_images import read_labeled_image, rows_of_split
from cpunet.training.data.stained_images import stain_density
from cpunet.training.patches.sources import normalized_patch
from tests.written_sets import write_index

SOURCE = DataSource("set", stain="hematoxylin")


def let_through(density, stain=0):
    """The light that a stain of such a density, (Y, X), lets through: (Y, X, 3), 8 bits."""
    absorbed = np.asarray(density)[..., np.newaxis] * rgb_from_hed[stain]
    return np.round(255 * np.exp(-absorbed)).astype(np.uint8)


@pytest.fixture
def stained_set(tmp_path):
    """One training image with a nucleus in hematoxylin beside as much eosin, and one for validation."""
    write_index(tmp_path / "set", ("a", "color", "train", ""), ("b", "color", "val", ""))
    labels = np.zeros((32, 40), np.uint16)
    labels[4:16, 4:16] = 1
    light = let_through(labels == 1).astype(float)
    light[20:30, 20:30] = let_through(np.ones((10, 10)), stain=1)
    for name in "ab":
        for folder, pixels in (("images", light.astype(np.uint8)), ("labels", labels)):
            (tmp_path / "set" / folder).mkdir(exist_ok=True)
            imsave(tmp_path / "set" / folder / f"{name}.png", pixels, check_contrast=False)
    return tmp_path


def test_more_stain_is_brighter_and_another_stain_is_dark():
    density = np.linspace(0.1, 2, 12).reshape(3, 4)
    found = stain_density(let_through(density), "hematoxylin")
    assert found.shape == (3, 4)
    assert found.dtype == np.float32
    assert (np.diff(found.ravel()) > 0).all()
    assert stain_density(let_through(density, stain=1), "hematoxylin").max() < 0.1 * found.max()


def test_opaque_alpha_changes_nothing():
    light = let_through(np.linspace(0.1, 1, 6).reshape(2, 3))
    with_alpha = np.dstack([light, np.full((2, 3), 255, np.uint8)])
    np.testing.assert_array_equal(stain_density(with_alpha, "eosin"), stain_density(light, "eosin"))


@pytest.mark.parametrize("split", ["train", "val"])
def test_a_color_set_is_read_as_the_stain_of_its_source(stained_set, split):
    [[row]] = rows_of_split([SOURCE], stained_set, split)
    read = read_labeled_image(row)
    assert read.image.shape == (32, 40)
    assert read.image[read.labels == 1].min() > 5 * read.image[read.labels == 0].max()


def test_a_network_for_gray_images_takes_its_patches(stained_set, small_config):
    [[row]] = rows_of_split([SOURCE], stained_set, "train")
    patch = normalized_patch(read_labeled_image(row), small_config)
    assert patch.image.shape == (1, 32, 40)


def test_an_image_without_color_is_named(stained_set):
    [[row]] = rows_of_split([SOURCE], stained_set, "train")
    imsave(row.image_path, np.zeros((32, 40), np.uint8), check_contrast=False)
    with pytest.raises(DataError, match=r"a: the image has the shape \(32, 40\); only a color image has a hematoxylin"):
        read_labeled_image(row)


def test_numbers_that_are_no_colors_are_refused():
    with pytest.raises(DataError, match="numbers from 7 to 7; a dab stain is separated in whole numbers of 8"):
        stain_density(np.full((4, 4, 3), 7.0), "dab")


def test_an_unknown_stain_is_refused(small_config):
    with pytest.raises(ConfigError, match="stain must be one of hematoxylin, eosin, dab; it is 'giemsa'"):
        replace(small_config, data=(DataSource("set", stain="giemsa"),))


def test_one_set_in_color_and_as_a_stain_has_two_names(small_config):
    replace(small_config, data=(DataSource("set"), SOURCE))
