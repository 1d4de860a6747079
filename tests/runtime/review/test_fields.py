import pytest

from cpunet.errors import CpunetError
from cpunet.review.fields import Suffixes, draw_fields, find_fields
from tests.review_files import write_set


@pytest.fixture
def plates(tmp_path):
    return [write_set(tmp_path / name, count) for name, count in (("plate2", 12), ("plate10", 4))]


def keys(fields):
    return [each.key for each in fields]


def test_the_images_of_a_folder_are_a_set_in_natural_order(plates):
    found = find_fields(list(reversed(plates))).fields
    assert keys(found)[:3] == [("plate2", "1"), ("plate2", "2"), ("plate2", "3")]
    assert keys(found)[-1] == ("plate10", "4")
    assert keys(find_fields([plates[0] / "labels" / "1.tif"]).fields) == [("labels", "1")]


def test_so_many_images_a_set_are_drawn_by_a_seed(plates):
    fields = find_fields(plates).fields
    drawn = draw_fields(fields, 5, seed=1)
    assert [name for name, _ in keys(drawn)] == ["plate2"] * 5 + ["plate10"] * 4
    assert drawn == draw_fields(fields, 5, seed=1)
    assert drawn == sorted(drawn, key=fields.index)
    assert len({tuple(keys(draw_fields(fields, 5, seed))) for seed in range(20)}) > 10
    times = [sum(each in draw_fields(fields, 3, seed) for seed in range(200)) for each in fields[:12]]
    assert min(times) > 25  # of the 50 that are expected
    assert max(times) < 75


def test_labels_are_found_by_name_below_the_name_of_their_set(plates, tmp_path):
    (tmp_path / "found").mkdir()
    for plate in plates:
        (plate / "labels").rename(tmp_path / "found" / plate.name)
    found = find_fields([plate / "images" for plate in plates], [tmp_path / "found"])
    assert len(found.fields) == 16
    assert all(each.labels == tmp_path / "found" / each.set_name / f"{each.name}.tif" for each in found.fields)


def test_images_without_labels_or_stain_are_left_out_and_named(plates):
    images = [plates[1] / "images"]
    (plates[1] / "labels" / "2.tif").rename(plates[1] / "labels" / "2_masks.tif")
    (plates[1] / "labels" / "3.tif").unlink()
    (plates[1] / "stain" / "4.tif").unlink()
    found = find_fields(images, [plates[1] / "labels"], [plates[1] / "stain"])
    assert [each.name for each in found.fields] == ["1", "2"]
    assert found.notes == ["left out: 1 image without labels (3)", "left out: 1 image without stain (4)"]


def test_stains_in_the_folder_of_the_images_are_told_apart_by_suffixes(tmp_path):
    write_set(tmp_path, 3)
    for number in "123":
        (tmp_path / "images" / f"{number}.tif").rename(tmp_path / "images" / f"f{number}_phase.tif")
        (tmp_path / "stain" / f"{number}.tif").rename(tmp_path / "images" / f"f{number}_dapi.tif")
    folder = tmp_path / "images"
    found = find_fields([folder], None, [folder], Suffixes("_phase", "_dapi")).fields
    assert [(each.name, each.stain.name) for each in found] == [(f"f{n}_phase", f"f{n}_dapi.tif") for n in "123"]
    with pytest.raises(CpunetError, match=r"would be its own stain\. .* --image-suffix and --stain-suffix"):
        find_fields([folder], None, [folder])


def test_files_are_paired_in_their_order(plates):
    folder = plates[1]
    images = [folder / "images" / f"{number}.tif" for number in (3, 1)]
    found = find_fields(images, [folder / "labels" / "4.tif", folder / "labels" / "2.tif"]).fields
    assert {each.name: each.labels.name for each in found} == {"3": "4.tif", "1": "2.tif"}


def twice(folder):
    (folder / "2.png").touch()
    return folder


def test_stains_of_several_sets_have_a_folder_each(plates, tmp_path):
    (tmp_path / "stains").mkdir()
    images = [plate / "images" for plate in plates]
    with pytest.raises(
        CpunetError, match=r"1\.tif would serve two images, .*plate2.*1\.tif and .*plate10.*1\.tif\. Put"
    ):
        find_fields(images, None, [plates[0] / "stain"])
    for plate in plates:
        (plate / "stain").rename(tmp_path / "stains" / plate.name)
    found = find_fields(images, None, [tmp_path / "stains"]).fields
    assert len(found) == 16
    assert all(each.stain.parent.name == each.set_name for each in found)


def test_files_in_order_are_paired_before_images_are_left_out(plates):
    (plates[1] / "labels" / "2.tif").unlink()
    stains = [plates[1] / "stain" / f"{number}.tif" for number in (1, 2, 3, 4)]
    found = find_fields([plates[1] / "images"], [plates[1] / "labels"], stains).fields
    assert [(each.name, each.stain.stem) for each in found] == [("1", "1"), ("3", "3"), ("4", "4")]


REFUSED = {
    "too few files": (
        lambda plate: find_fields([plate / "images"], [plate / "labels" / "1.tif"]),
        r"4 images and 1 files after --labels; .* in the same order",
    ),
    "no such folder": (
        lambda plate: find_fields([plate / "images"], [plate / "nowhere"]),
        r"--labels .*nowhere: there is no such file or folder",
    ),
    "no labels": (
        lambda plate: find_fields([plate / "images"], [plate / "empty"]),
        r"--labels: .*empty holds no labels for 4 of the 4 images, the first is 1 \(looked for",
    ),
    "no stains": (
        lambda plate: find_fields([plate / "images"], None, [plate / "others"]),
        r"holds no stain of the 4 images \(looked for 1 for the first",
    ),
    "two stains": (
        lambda plate: find_fields([plate / "images"], None, [twice(plate / "stain")]),
        r"--stain: .*2\.png and 2\.tif beside it have the same name",
    ),
    "no images": (lambda plate: find_fields([plate / "nothing-*"]), "no image file matches this pattern"),
    "no such suffix": (
        lambda plate: find_fields([plate / "images"], suffixes=Suffixes("_phase")),
        r"no name of the 4 images ends in _phase \(--image-suffix\)",
    ),
    "one name": (
        lambda plate: find_fields([plate / "images", write_set(plate / "plate10", 1) / "images"]),
        "have the same name, '1', and folders of the same name, 'plate10'",
    ),
}


@pytest.mark.parametrize(("find", "message"), REFUSED.values(), ids=REFUSED)
def test_what_does_not_fit_is_refused(plates, find, message):
    for name in ("empty", "others"):
        (plates[1] / name).mkdir()
    (plates[1] / "stain" / "1.tif").rename(plates[1] / "others" / "other.tif")
    with pytest.raises(CpunetError, match=message):
        find(plates[1])
