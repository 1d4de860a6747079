from pathlib import Path

import pytest

from cpunet.errors import OptionError
from cpunet.files.find import (
    find_files,
    find_folders,
    find_images,
    natural_order,
    other_programs_labels,
    result_of,
)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    for name in ("a2.tif", "a10.TIF", "a1.png", "notes.txt", ".hidden.tif"):
        (tmp_path / "images" / name).parent.mkdir(exist_ok=True)
        (tmp_path / "images" / name).touch()
    monkeypatch.chdir(tmp_path)
    return tmp_path


def names(found):
    return [path.name for path in found.paths]


@pytest.mark.parametrize("word", ["images", "images/", "./images", "images/*", "images/a*", "**/*", "im*/[a]*"])
def test_a_folder_and_a_pattern_give_their_images_in_natural_order(folder, word):
    found = find_images([Path(word)])
    assert names(found) == ["a1.png", "a2.tif", "a10.TIF"]
    assert (found.left_out, found.problems) == ((), ())


def test_the_order_is_that_of_counting():
    names = ["b/a.tif", "a10/x.tif", "a2/x.tif", "a2/x2.tif", "a2/x10.tif", "a2/x2_1.tif", "A3/y.tif", "a2/x²5.tif"]
    ordered = [path.as_posix() for path in sorted(map(Path, names), key=natural_order)]
    assert ordered == [
        "a2/x.tif",
        "a2/x2.tif",
        "a2/x2_1.tif",
        "a2/x10.tif",
        "a2/x²5.tif",
        "A3/y.tif",
        "a10/x.tif",
        "b/a.tif",
    ]


def test_an_absolute_pattern_is_a_pattern(folder):
    assert names(find_images([folder / "images" / "*.tif"])) == ["a2.tif"]


def test_the_order_of_words_is_kept_and_each_file_is_taken_once(folder):
    words = [Path("images/a10.TIF"), Path("images"), Path("images/../images/a2.tif")]
    assert names(find_images(words)) == ["a10.TIF", "a1.png", "a2.tif"]


def test_a_name_that_exists_is_no_pattern(folder):
    (folder / "plate[1]").mkdir()
    for name in ("b[1].tif", "b1.tif"):
        (folder / "plate[1]" / name).touch()
    assert names(find_images([Path("plate[1]/b[1].tif")])) == ["b[1].tif"]
    assert names(find_images([Path("plate[1]/*.tif")])) == ["b1.tif", "b[1].tif"]
    assert names(find_images([folder / "plate[1]"])) == ["b1.tif", "b[1].tif"]


def test_a_word_that_means_nothing_costs_only_itself(folder):
    (folder / "empty").mkdir()
    (folder / "nested/deeper").mkdir(parents=True)
    words = [
        Path("*.jpg"),
        Path("empty"),
        Path("images/a2.tif"),
        Path("images/*.txt"),
        Path("nested"),
        Path("absent.tif"),
    ]
    found = find_images(words)
    assert names(found) == ["a2.tif", "absent.tif"], "the reader says that a file is absent"
    jpg, empty, text, nested = found.problems
    assert jpg.startswith("*.jpg: no image file matches this pattern (TIF,")
    assert empty.startswith("empty: there is no image in this folder")
    assert "It means 1 other files, such as notes.txt" in text
    assert str(Path("nested/*/*.tif")) in nested


RESULTS = ["a2_labels.tif", "a2_overlay.png", "a2_cp_masks.tif", "a2_cp_output.png", "a2_flows.tif", "a2_seg.npy"]


@pytest.mark.parametrize("name", RESULTS)
def test_results_are_not_taken_as_images(folder, name):
    (folder / "images" / name).touch()
    assert result_of(folder / "images" / name) == folder / "images" / "a2.tif"
    for words in (["images"], ["images/*"]):
        found = find_images([Path(word) for word in words])
        assert names(found) == ["a1.png", "a2.tif", "a10.TIF"]
        assert [each.path.name for each in found.left_out] == [name]
        assert f"{name}, by its name a result of a2.tif" in found.left_out[0].why
    found = find_images([Path("images/a2.tif"), Path(f"images/{name}")])
    own = name in ("a2_labels.tif", "a2_overlay.png")
    assert names(found) == (["a2.tif", name] if own else ["a2.tif"]), "of our own, the mark inside says what it is"


def test_what_only_looks_like_a_result_is_an_image(folder):
    (folder / "images" / "b_labels.tif").touch()
    (folder / "images" / "a2_overlay.png").touch()
    assert "b_labels.tif" in names(find_images([Path("images")])), "there is no image b"
    assert names(find_images([Path("images/a2_overlay.png")])) == ["a2_overlay.png"], "it alone was asked for"


def test_label_files_may_be_results(folder):
    (folder / "images" / "a2_labels.tif").touch()
    assert [path.name for path in find_files([Path("images/*_labels.tif")])] == ["a2_labels.tif"]
    with pytest.raises(OptionError, match="no image file matches this pattern"):
        find_files([Path("images/*_masks.tif")])


def test_patterns_of_folders(folder):
    for name in ("set10", "set2"):
        (folder / name).mkdir()
    assert find_folders([Path("set*"), Path("images"), Path("elsewhere")]) == [
        Path("set2"),
        Path("set10"),
        Path("images"),
        Path("elsewhere"),
    ]
    with pytest.raises(OptionError, match=r"x\*: no folder matches"):
        find_folders([Path("x*")])


def test_labels_that_are_not_read_are_named_with_the_way_out(folder):
    assert other_programs_labels(folder / "images") == ""
    for name in ("a1_seg.npy", "a2_seg.npy", "RoiSet.zip"):
        (folder / "images" / name).touch()
    said = other_programs_labels(folder / "images")
    assert said.startswith("a1_seg.npy, a2_seg.npy, RoiSet.zip: no label image, but `cpunet data import` makes")


def test_a_name_too_long_and_a_loop_of_links_are_left_to_the_reader(folder):
    (folder / "loop.tif").symlink_to("loop.tif")
    words = [Path("x" * 5000 + ".tif"), Path("loop.tif")]
    assert list(find_images(words).paths) == words


def test_a_data_set_means_its_images_and_never_its_labels(tmp_path):
    for name in ("images/b.png", "images/a2.tif", "images/a10.tif", "labels/a2.tif", "labels/b.png", "cover.png"):
        (tmp_path / "set" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "set" / name).write_bytes(b"")
    found = find_images([tmp_path / "set"])
    assert [path.relative_to(tmp_path / "set").as_posix() for path in found.paths] == [
        "images/a2.tif",
        "images/a10.tif",
        "images/b.png",
    ]


def test_a_folder_of_zarr_is_an_image_and_slides_are_found(tmp_path):
    for name in ("scan.zarr", "other"):
        (tmp_path / name).mkdir()
    for name in ("a.svs", "b.tif", "c.txt"):
        (tmp_path / name).touch()
    (tmp_path / "scan.zarr" / "x.tif").touch()
    expected = [tmp_path / name for name in ("a.svs", "b.tif", "scan.zarr")]
    assert list(find_images([tmp_path]).paths) == expected
    assert list(find_images([tmp_path / "*"]).paths) == expected
    assert list(find_images([tmp_path / "scan.zarr"]).paths) == expected[2:]
    assert find_files([tmp_path]) == [tmp_path / "b.tif"], "other commands read no such images"
