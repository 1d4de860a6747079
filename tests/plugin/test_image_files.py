"""One image in many kinds of files: CellProfiler's reader and the command line find the same objects in each."""

import numpy as np
import PIL.Image
import pytest
import tifffile

from cpunet.__main__ import main
from cpunet.checks.synthetic import synthetic_field
from tests.ome_files import ome_of_many
from tests.plugin.headless import input_modules, make_module, rows_of, run_headless, write_pipeline

GRAYS = np.tile(np.arange(256, dtype=np.uint16) * 257, (3, 1))


def write_kinds(folder):
    """Write a drawn field as the kinds of files that both readers know; return the names without suffix."""
    drawn = synthetic_field((160, 240), columns=5, diameter_px=24).image
    eight, deep = (drawn * 255).astype(np.uint8), (drawn * 4095).astype(np.uint16)
    color, opaque = np.dstack([eight] * 3), np.full_like(eight, 255)
    kinds = {
        "plain": (deep, {}),
        "big_endian": (deep, {"byteorder": ">"}),
        "leading_1": (deep[np.newaxis], {"photometric": "minisblack"}),
        "white_8": (255 - eight, {"photometric": "miniswhite"}),
        "white_16": (65535 - deep, {"photometric": "miniswhite"}),
        "palette": (eight, {"photometric": "palette", "colormap": GRAYS}),
        "planar": (np.stack([deep] * 3), {"photometric": "rgb", "planarconfig": "separate"}),
        "rgba": (np.dstack([color, opaque]), {"photometric": "rgb", "extrasamples": ["unassalpha"]}),
        "turned": (deep, {"extratags": [(274, "H", 1, 3)]}),
        "float": (drawn.astype(np.float32), {}),
    }
    for name, (array, options) in kinds.items():
        tifffile.imwrite(folder / f"{name}.tif", array, **options)
    PIL.Image.fromarray(deep).save(folder / "lzw.tif", compression="tiff_lzw")
    PIL.Image.fromarray(deep).save(folder / "png.png")
    PIL.Image.fromarray(eight).convert("P").save(folder / "palette_png.png")
    PIL.Image.fromarray(eight).save(folder / "bmp.bmp")
    np.save(folder / "npy.npy", deep)
    ome_of_many(folder, [deep, deep[::-1]], "T")


@pytest.fixture(scope="module")
def counts(tmp_path_factory):
    """Objects by file: from CellProfiler, and from the command line."""
    base = tmp_path_factory.mktemp("kinds")
    (base / "images").mkdir()
    write_kinds(base / "images")
    modules = [
        *input_modules(),
        make_module("IdentifyObjectsUNet", x_name="DNA", y_name="Nuclei"),
        make_module("ExportToSpreadsheet", wants_prefix=False),
    ]
    modules[0].filter_choice.value = "No filtering"
    done = run_headless(write_pipeline(base / "kinds.cppipe", modules), base / "images", base / "output")
    assert done.returncode == 0, done.log
    host = {row["FileName_DNA"]: int(float(row["Count_Nuclei"])) for row in rows_of(base / "output" / "Image.csv")}
    assert main(["segment", str(base / "images"), "-o", str(base / "labels"), "--device", "cpu"]) == 0
    ours = {
        path.name: int(tifffile.imread(str(base / "labels" / f"{path.stem}_labels.tif")).max())
        for path in (base / "images").iterdir()
    }
    return host, ours


def test_both_find_the_same_objects_in_each_kind_of_file(counts):
    host, ours = counts
    assert len(ours) == 17
    assert host == ours
    assert len(set(ours.values())) == 1, "and in each kind the same as in the others"
