import json

import numpy as np
import PIL.Image
import PIL.PngImagePlugin
import pytest
import tifffile

from cpunet.files.images import write_labels, write_picture, write_text
from cpunet.files.mark import is_as_written, is_result, read_mark, source_of, text_is_as_written

LABELS = np.arange(12, dtype=np.int32).reshape(3, 4)
PICTURE = np.arange(36, dtype=np.uint8).reshape(3, 4, 3)


@pytest.fixture
def image(tmp_path):
    path = tmp_path / "核 1.png"
    PIL.Image.fromarray(PICTURE).save(path)
    return path


@pytest.fixture(params=["labels.tif", "overlay.png"])
def result(request, tmp_path, image):
    path = tmp_path / request.param
    if path.suffix == ".tif":
        write_labels(path, LABELS, source_of(image))
    else:
        write_picture(path, PICTURE, source_of(image))
    return path


def test_a_result_says_what_it_was_made_from(result, image):
    mark = read_mark(result)
    assert mark.source == source_of(image)
    assert mark.source.name == "核 1.png"
    assert is_as_written(result, mark)
    assert is_result(result)


def test_pixels_that_were_changed_are_noticed_though_the_mark_was_kept(result):
    mark = read_mark(result)
    if result.suffix == ".tif":
        with tifffile.TiffFile(str(result)) as file:
            software = file.pages[0].tags["Software"].value
        tifffile.imwrite(str(result), (LABELS + 1).astype(np.uint16), software=software)
    else:
        text = PIL.PngImagePlugin.PngInfo()
        with PIL.Image.open(result) as written:
            text.add_text("Software", written.info["Software"])
        PIL.Image.fromarray(255 - PICTURE).save(result, pnginfo=text)
    assert read_mark(result) == mark
    assert not is_as_written(result, mark)
    assert is_result(result)


@pytest.mark.parametrize("shape", [(1, 1), (1, 7), (7, 1)])
def test_shapes_that_readers_change_stay_unchanged_results(tmp_path, shape):
    write_labels(tmp_path / "a.tif", np.ones(shape, np.int32))
    assert is_as_written(tmp_path / "a.tif", read_mark(tmp_path / "a.tif"))
    write_picture(tmp_path / "a.png", np.ones((*shape, 3), np.uint8))
    assert is_as_written(tmp_path / "a.png", read_mark(tmp_path / "a.png"))


def test_what_other_programs_wrote_has_no_mark(tmp_path, image):
    tifffile.imwrite(str(tmp_path / "other.tif"), PICTURE[..., 0])
    tifffile.imwrite(str(tmp_path / "near.tif"), PICTURE[..., 0], software="cpunetlike 1 {}")
    (tmp_path / "text.tif").write_text("labels")
    (tmp_path / "empty.png").touch()
    (tmp_path / "folder.tif").mkdir()
    for name in ("other.tif", "near.tif", "text.tif", "empty.png", "folder.tif", "absent.tif", image.name):
        assert read_mark(tmp_path / name) is None
        assert not is_result(tmp_path / name)


def test_a_moved_image_is_recognized_by_its_content_and_a_changed_one_by_its_place(tmp_path, image):
    first = source_of(image)
    moved = tmp_path / "moved.png"
    image.rename(moved)
    assert source_of(moved).content == first.content
    assert source_of(moved).place != first.place
    PIL.Image.fromarray(255 - PICTURE).save(image)
    assert source_of(image).place == first.place
    assert source_of(image).content != first.content


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.html", "<p>a</p>\n"),
        ("a.html", "<p>a</p>\n</html>"),
        ("a.md", "# a\n"),
        ("a.yaml", "a: 1\n"),
        ("a.json", '{\n "a": 1,\n "b": 2\n}\n'),
    ],
)
def test_reports_carry_a_mark_that_changes_nothing(tmp_path, name, text):
    path = tmp_path / name
    write_text(path, text)
    marked = path.read_text(encoding="utf-8")
    assert text_is_as_written(marked) is True
    assert text_is_as_written(text) is None
    assert text_is_as_written(marked.replace("a", "b", 1)) is False
    if name == "a.json":
        assert {key: value for key, value in json.loads(marked).items() if key != "written_by"} == {"a": 1, "b": 2}


def test_the_overlay_of_a_slide_is_recognized_though_pillow_takes_it_for_a_bomb(tmp_path, monkeypatch):
    write_picture(tmp_path / "a.png", PICTURE)
    monkeypatch.setattr(PIL.Image, "MAX_IMAGE_PIXELS", 2)
    mark = read_mark(tmp_path / "a.png")
    assert mark is not None
    assert is_as_written(tmp_path / "a.png", mark)
