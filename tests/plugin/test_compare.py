"""`cpunet compare` in a real, headless CellProfiler."""

import os
import subprocess
import sys

import numpy as np
import pytest
from skimage.io import imsave

from benchmarks.pipeline_text import make_module
from cpunet.checks.synthetic import synthetic_field
from tests.docs.pages import commands_of
from tests.html_page import Page
from tests.places import REPOSITORY
from tests.plugin.headless import input_modules, write_pipeline

GUIDE = REPOSITORY / "docs" / "replace-identifyprimaryobjects.md"


def compare(*words, folder=None):
    return subprocess.run(
        [sys.executable, "-m", "cpunet", "compare", *map(str, words)],
        capture_output=True,
        text=True,
        check=False,
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY / "plugins")},
    )


def write_image(path, pixels):
    imsave(str(path), pixels, check_contrast=False)


@pytest.fixture(scope="module")
def compared(tmp_path_factory):
    """The command of the guide: two modules, one on a masked image; a field of nuclei, an empty and a broken one."""
    folder = tmp_path_factory.mktemp("compare")
    images, saved = folder / "images", folder / "saved"
    images.mkdir()
    saved.mkdir()
    field = synthetic_field((160, 200), columns=5, diameter_px=24).image
    bright = (field / field.max() * 200).astype(np.uint8)
    write_image(images / "a nuclei.png", bright)
    write_image(images / "b empty.png", np.full((160, 200), 7, np.uint8))
    (images / "c broken.png").write_bytes(b"no picture")
    circle = make_module(
        "Crop",
        image_name="DNA",
        cropped_image_name="Middle",
        shape="Ellipse",
        crop_method="Coordinates",
        ellipse_center=(100, 80),
        ellipse_x_radius=60,
        ellipse_y_radius=60,
        remove_rows_and_columns="No",
    )
    modules = [
        *input_modules(),
        make_module("IdentifyPrimaryObjects", x_name="DNA", y_name="Nuclei", exclude_border_objects=False),
        circle,
        make_module("SaveImages", image_name="Middle", pathname=f"Elsewhere...|{saved}", single_file_name="saved"),
        make_module("IdentifyPrimaryObjects", x_name="Middle", y_name="Inner"),
        make_module("ExportToSpreadsheet"),
    ]
    (command,) = [words[2:] for words in commands_of(GUIDE, "cpunet") if words[1] == "compare"]
    write_pipeline(folder / command[0], modules)
    done = compare(*command, folder=folder)
    page = folder / "comparison" / "comparison.html"
    assert page.is_file(), done.stdout + done.stderr
    return folder, done, Page(page.read_text(encoding="utf-8"))


def test_both_modules_are_compared_on_each_field_and_a_broken_one_is_named(compared):
    _, done, page = compared
    assert done.returncode == 1
    assert "FAILED field 3: NamesAndTypes: " in done.stderr
    text = " ".join(" ".join(page.texts).split())
    assert text.count("c broken.png: NamesAndTypes: ") == 2
    assert {"Nuclei, in the image DNA", "Inner, in the image Middle"} <= set(page.texts)
    for name in ("a nuclei.png", "b empty.png"):
        assert page.texts.count(name) >= 2, "once in the table of each module"


def test_both_found_the_nuclei_with_their_times_and_fewer_inside_the_mask(compared):
    _, _, page = compared
    cells = [text.strip() for text in page.texts if text.strip()]
    lines = [cells[place + 1 : place + 12] for place, cell in enumerate(cells) if cell == "a nuclei.png"]
    nuclei, inner = (line for line in lines if len(line) == 11 and line[0].isdigit())
    for line in (nuclei, inner):
        assert int(line[0]) >= 2
        assert int(line[1]) >= 2
        assert all(float(seconds) >= 0 for seconds in line[-2:])
    assert int(inner[0]) < int(nuclei[0])


def test_nothing_is_left_behind_and_nothing_of_the_users_is_written(compared):
    folder, _, page = compared
    assert [path.name for path in (folder / "comparison").iterdir()] == ["comparison.html"]
    assert list((folder / "saved").iterdir()) == []
    assert "Modules that write files were left out: SaveImages." in " ".join(" ".join(page.texts).split())


def test_images_that_the_pipeline_does_not_take_are_told(tmp_path):
    pipeline = write_pipeline(
        tmp_path / "p.cppipe", [*input_modules(), make_module("IdentifyPrimaryObjects", x_name="DNA")]
    )
    (tmp_path / "a.txt").write_text("no image")
    done = compare(pipeline, tmp_path / "a.txt", "-o", tmp_path / "out")
    assert done.returncode == 2
    assert f"{pipeline}: CellProfiler ran no field: the pipeline made no image sets of these images" in done.stderr
    assert list((tmp_path / "out").iterdir()) == []
