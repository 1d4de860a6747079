import sys

import numpy as np
import pytest
import tifffile

from cpunet.errors import ImageError
from cpunet.mosaic.readers.open_mosaic import open_mosaic


def test_parts_of_a_slide(tmp_path):
    pytest.importorskip("openslide")
    pixels = np.random.default_rng(0).integers(0, 255, (300, 340, 3)).astype(np.uint8)
    path = tmp_path / "slide.svs"
    tifffile.imwrite(str(path), pixels, tile=(128, 128), photometric="rgb")
    with open_mosaic(path) as slide:
        assert slide.shape == pixels.shape
        np.testing.assert_array_equal(slide.read(slice(100, 300), slice(7, 340)), pixels[100:300, 7:340])


def test_what_is_no_slide_is_named(tmp_path):
    pytest.importorskip("openslide")
    path = tmp_path / "slide.svs"
    path.write_text("no slide")
    with pytest.raises(ImageError, match=r"slide\.svs: OpenSlide cannot open this"), open_mosaic(path):
        pass


def test_without_openslide_the_command_that_installs_it_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "openslide", None)
    with pytest.raises(ImageError, match=r"pip install \"cpunet\[mosaics\]\""), open_mosaic(tmp_path / "slide.svs"):
        pass
