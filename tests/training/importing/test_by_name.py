import json

import numpy as np
import PIL.Image
import pytest
import tifffile
from roifile import ImagejRoi, roiwrite

from cpunet.training.data.index import read_table
from tests.import_sources import data, field, put
from tests.outlines import outlines_of
from tests.written_sets import RNG, contents, fields, same_objects, write_bowl


@pytest.mark.parametrize("suffix", ["", "_mask", "_labels", "_label", "_masks", "_cp_masks", "_seg"])
def test_two_folders_are_paired_by_name(tmp_path, suffix, capsys):
    drawn = fields(tmp_path, suffix=suffix)
    out = tmp_path / "new"
    code = data(
        "import", "--images", tmp_path / "images", "--labels", tmp_path / "labels", "-o", out, "--modality", "f"
    )
    assert code == 0
    read = contents(out)
    assert read.keys() == drawn.keys()
    for name, (image, labels) in drawn.items():
        np.testing.assert_array_equal(read[name].image, image)
        np.testing.assert_array_equal(read[name].labels, labels)
    row = read_table(out).rows[0]
    expected = {"height": "64", "width": "64", "dtype": "uint16", "channels": "1", "objects": "9", "modality": "f"}
    assert expected.items() <= row.items()
    printed = capsys.readouterr().out
    assert "labels: instances: label files hold one number an object" in printed
    assert "splits: all train, as so few images teach more than one of them would tell" in printed
    assert {row["split"] for row in read_table(out).rows} == {"train"}


def test_of_more_than_eight_images_some_are_drawn_for_validation(tmp_path, capsys):
    fields(tmp_path, count=9)
    assert data("import", "--images", tmp_path / "images", "--labels", tmp_path / "labels", "-o", tmp_path / "new") == 0
    assert "85 % train, 15 % val, drawn at random with the seed 1" in capsys.readouterr().out
    assert {row["split"] for row in read_table(tmp_path / "new").rows} == {"train", "val"}


def test_one_mask_an_object_as_in_the_data_science_bowl(tmp_path, capsys):
    drawn = write_bowl(tmp_path / "stage1_train")
    extra = np.zeros((64, 64), np.uint8)
    inside = np.argwhere(drawn["id0"][1] == 1)[0]
    extra[inside[0], inside[1]] = 255
    put(tmp_path / "stage1_train/id0/masks/extra.png", extra)
    assert data("import", tmp_path / "stage1_train", "-o", tmp_path / "new") == 0
    read = contents(tmp_path / "new")
    np.testing.assert_array_equal(read["id1"].image, drawn["id1"][0])
    assert same_objects(read["id1"].labels, drawn["id1"][1])
    assert "id0: 1 pixels lie in two objects" in capsys.readouterr().out
    assert {row["id"]: row["overlap_px"] for row in read_table(tmp_path / "new").rows} == {
        "id0": "1",
        "id1": "0",
        "id2": "0",
    }


def test_a_folder_of_masks_for_each_image_is_found_by_itself(tmp_path, capsys):
    for name, (image, labels) in {"a": field(0), "b": field(1)}.items():
        put(tmp_path / f"images/{name}.tif", image)
        for number in range(1, labels.max() + 1):
            put(tmp_path / f"labels/{name}/{number}.png", (labels == number).astype(np.uint8))
    assert data("import", "--images", tmp_path / "images", "--labels", tmp_path / "labels", "-o", tmp_path / "new") == 0
    assert "masks, one file an object" in capsys.readouterr().out
    assert same_objects(contents(tmp_path / "new")["b"].labels, field(1)[1])


def test_masks_in_colors_are_found_by_themselves(tmp_path, capsys):
    image, labels = field(1, touching=True)
    put(tmp_path / "images/a.tif", image)
    put(
        tmp_path / "labels/a.png",
        RNG.integers(1, 255, (labels.max() + 1, 3), np.uint8)[labels] * (labels > 0)[..., None].astype(np.uint8),
    )
    assert data("import", "--images", tmp_path / "images", "--labels", tmp_path / "labels", "-o", tmp_path / "new") == 0
    assert "labels: colors" in capsys.readouterr().out
    assert same_objects(contents(tmp_path / "new")["a"].labels, labels)


def test_folders_of_masks_without_an_image_are_named(tmp_path, capsys):
    for name in ("a", "b", "orphan"):
        put(tmp_path / f"labels/{name}/1.png", (field(0)[1] == 1).astype(np.uint8))
    for name in ("a", "b"):
        put(tmp_path / f"images/{name}.tif", field(ord(name))[0])
    words = ["import", "--images", tmp_path / "images", "--labels", tmp_path / "labels", "-o", tmp_path / "new"]
    assert data(*words) == 2
    assert "1.png: there is no image for these labels" in capsys.readouterr().err
    assert data(*words, "--skip-unpaired") == 0
    assert contents(tmp_path / "new").keys() == {"a", "b"}


def test_labels_beside_their_images_as_cellpose_writes_them(tmp_path, capsys):
    drawn = {}
    for seed in range(3):
        drawn[f"i{seed}"] = field(seed)
        put(tmp_path / f"both/i{seed}.tif", drawn[f"i{seed}"][0])
        put(tmp_path / f"both/i{seed}_cp_masks.tif", drawn[f"i{seed}"][1].astype(np.uint16))
    words = ["import", "--images", tmp_path / "both", "--labels", tmp_path / "both"]
    assert data(*words, "-o", tmp_path / "new") == 0
    read = contents(tmp_path / "new")
    assert read.keys() == drawn.keys()
    for name, (image, labels) in drawn.items():
        np.testing.assert_array_equal(read[name].image, image)
        np.testing.assert_array_equal(read[name].labels, labels)
    (tmp_path / "both/i1.tif").unlink()
    (tmp_path / "both/i2_cp_masks.tif").unlink()
    assert data(*words, "-o", tmp_path / "other") == 2
    printed = capsys.readouterr().err
    assert "i1_cp_masks.tif: there is no image for these labels" in printed
    assert "i2.tif: there are no labels for this image" in printed


def test_labels_of_one_number_in_pieces_are_read_if_the_user_says_so(tmp_path, capsys):
    put(tmp_path / "images/a.tif", field(0)[0])
    put(tmp_path / "labels/a.tif", (field(0)[1] > 0).astype(np.uint8))
    words = ["import", "--images", tmp_path / "images", "--labels", tmp_path / "labels", "-o", tmp_path / "new"]
    assert data(*words) == 2
    assert "this is a mask" in capsys.readouterr().err
    assert data(*words, "--label-format", "instances") == 0
    printed = capsys.readouterr().out
    assert "a: its one number lies in 9 places; is each object a number of its own?\n" in printed
    assert "labels: instances, as you said" in printed


def test_of_several_files_of_labels_of_one_image_the_user_chooses(tmp_path, capsys):
    image, labels = field(0)
    for name in ("a", "b"):
        put(tmp_path / f"set/{name}.png", image)
        np.save(tmp_path / f"set/{name}_seg.npy", np.array({"masks": labels}, object))
        put(tmp_path / f"set/{name}_cp_masks.png", (labels * (labels != 2)).astype(np.uint16))
        put(tmp_path / f"set/{name}_cp_output.png", np.repeat((image // 256).astype(np.uint8)[..., None], 3, axis=2))
        np.save(tmp_path / f"set/{name}_flows.npy", np.zeros((2, 64, 64)))
    words = ["import", "--images", tmp_path / "set", "--labels", tmp_path / "set", "-o"]
    assert data(*words, tmp_path / "none") == 2
    said = capsys.readouterr().err
    assert "a_cp_masks.png and a_seg.npy have the same name, 'a'; which of them counts? Say --labels-suffix" in said
    assert "--labels-suffix _cp_masks.png or --labels-suffix _seg.npy." in said
    assert data(*words, tmp_path / "seg", "--labels-suffix", "_seg.npy") == 0
    assert "labels: 2 files with masks of Cellpose (_seg.npy)." in capsys.readouterr().out
    np.testing.assert_array_equal(contents(tmp_path / "seg")["b"].labels, labels)
    assert data(*words, tmp_path / "masks", "--labels-suffix", "_cp_masks") == 0
    assert contents(tmp_path / "masks")["a"].labels.max() == labels.max() - 1
    for path in tmp_path.glob("set/*_cp_masks.png"):
        path.unlink()
    assert data(*words, tmp_path / "alone") == 0
    said = capsys.readouterr().out
    assert "results of the images beside them by their names: a_cp_output.png, b_cp_output.png." in said
    np.testing.assert_array_equal(contents(tmp_path / "alone")["a"].labels, labels)


def write_rois(path, labels):
    path.parent.mkdir(parents=True, exist_ok=True)
    roiwrite(path, [ImagejRoi.frompoints(np.array(rings[0])) for rings in outlines_of(labels)], mode="w")


def write_geojson(path, labels):
    path.parent.mkdir(parents=True, exist_ok=True)
    areas = [{"type": "Polygon", "coordinates": rings} for rings in outlines_of(labels)]
    path.write_text(json.dumps([{"type": "Feature", "geometry": area, "properties": {}} for area in areas]))


@pytest.mark.parametrize(
    ("name", "write", "said"),
    [
        ("{}.zip", write_rois, "2 files with ROIs of ImageJ"),
        ("{}_RoiSet.zip", write_rois, "2 files with ROIs of ImageJ"),
        ("{}_rois.zip", write_rois, "2 files with ROIs of ImageJ"),
        ("{}.tif.zip", write_rois, "2 files with ROIs of ImageJ"),
        ("{}.geojson", write_geojson, "2 files with objects of QuPath (GeoJSON)"),
        ("{}.tif.geojson", write_geojson, "2 files with objects of QuPath (GeoJSON)"),
        ("{}.json", write_geojson, "2 files with objects of QuPath (GeoJSON)"),
    ],
)
@pytest.mark.parametrize("beside", [True, False], ids=["beside the images", "in another folder"])
def test_outlines_are_paired_by_name(tmp_path, name, write, said, beside, capsys):
    drawn = {f"a{seed}": field(seed, touching=True) for seed in (0, 1)}
    labels_folder = tmp_path / ("images" if beside else "labels")
    for stem, (image, labels) in drawn.items():
        put(tmp_path / f"images/{stem}.tif", image)
        write(labels_folder / name.format(stem), labels)
    (tmp_path / "images/settings.json").write_text("{}")
    assert data("import", "--images", tmp_path / "images", "--labels", labels_folder, "-o", tmp_path / "new") == 0
    assert f"labels: {said}." in capsys.readouterr().out
    read = contents(tmp_path / "new")
    assert all(same_objects(read[stem].labels, labels) for stem, (_, labels) in drawn.items())
    assert {row["overlap_px"] for row in read_table(tmp_path / "new").rows} == {"0"}


def test_a_folder_of_single_rois_for_each_image(tmp_path):
    drawn = {f"a{seed}": field(seed) for seed in (0, 1)}
    for stem, (image, labels) in drawn.items():
        put(tmp_path / f"images/{stem}.tif", image)
        (tmp_path / "labels" / stem).mkdir(parents=True)
        for number, rings in enumerate(outlines_of(labels)):
            ImagejRoi.frompoints(np.array(rings[0])).tofile(tmp_path / f"labels/{stem}/{number}.roi")
    assert data("import", "--images", tmp_path / "images", "--labels", tmp_path / "labels", "-o", tmp_path / "new") == 0
    assert same_objects(contents(tmp_path / "new")["a1"].labels, drawn["a1"][1])


def test_the_one_set_of_rois_belongs_to_the_one_image(tmp_path, capsys):
    image, labels = field(0)
    put(tmp_path / "a.tif", image)
    write_rois(tmp_path / "RoiSet.zip", labels)
    words = ["import", "--images", tmp_path, "--labels", tmp_path, "-o"]
    assert data(*words, tmp_path / "new") == 0
    assert "RoiSet.zip is taken for a.tif, as there is one image and one file of ROIs" in capsys.readouterr().out
    put(tmp_path / "b.tif", image)
    assert data(*words, tmp_path / "other") == 2
    said = capsys.readouterr().err
    assert "no name of a file of labels (RoiSet.zip) fits the name of an image (a.tif)" in said
    assert "Name labels after their image, such as a_labels.zip" in said


@pytest.mark.parametrize(
    ("image_name", "labels_name", "said"),
    [
        ("{}_img", "{}_masks", "_img in an image's name is _masks in that of its labels, as --image-suffix _img"),
        ("img_{}", "mask_{}", "img in an image's name is mask in that of its labels."),
        (
            "{}",
            "{}-nuclei gt",
            "nothing in an image's name is -nuclei gt in that of its labels, as --labels-suffix '-nuc",
        ),
        ("{}.ome", "{}", ".ome in an image's name is nothing in that of its labels, as --image-suffix .ome"),
    ],
)
def test_other_names_are_found_and_said(tmp_path, image_name, labels_name, said, capsys):
    drawn = {f"f{seed}": field(seed) for seed in range(3)}
    for name, (image, labels) in drawn.items():
        put(tmp_path / f"images/{image_name.format(name)}.tif", image)
        put(tmp_path / f"labels/{labels_name.format(name)}.tif", labels.astype(np.uint16))
    assert data("import", "--images", tmp_path / "images", "--labels", tmp_path / "labels", "-o", tmp_path / "new") == 0
    assert f"names: {said}" in capsys.readouterr().out
    read = contents(tmp_path / "new")
    for name, (_, labels) in drawn.items():
        np.testing.assert_array_equal(read[image_name.format(name)].labels, labels)


def test_suffixes_beside_each_other_are_found_by_looking_into_the_files(tmp_path, capsys):
    for seed in range(3):
        image, labels = field(seed)
        put(tmp_path / f"set/f{seed}_raw.tif", image)
        put(tmp_path / f"set/f{seed}_nuclei.tif", labels.astype(np.uint16))
    words = ["import", "--images", tmp_path / "set", "--labels", tmp_path / "set", "-o"]
    assert data(*words, tmp_path / "new") == 0
    assert "names: --image-suffix '_raw' --labels-suffix '_nuclei'." in capsys.readouterr().out
    assert contents(tmp_path / "new").keys() == {"f0", "f1", "f2"}


def test_two_ways_to_pair_are_proposed(tmp_path, capsys):
    for seed in range(3):
        image, labels = field(seed)
        put(tmp_path / f"images/f{seed}.tif", image)
        for what in ("cells", "nuclei"):
            put(tmp_path / f"labels/f{seed}_{what}.tif", labels.astype(np.uint16))
    words = ["import", "--images", tmp_path / "images", "--labels", tmp_path / "labels", "-o"]
    assert data(*words, tmp_path / "none") == 2
    said = capsys.readouterr().err
    assert "several ways pair the names of images and labels, 3 files each. Say which: " in said
    assert "--labels-suffix _cells or --labels-suffix _nuclei." in said
    assert data(*words, tmp_path / "new", "--labels-suffix", "_nuclei") == 0
    assert contents(tmp_path / "new").keys() == {"f0", "f1", "f2"}
    assert data(*words, tmp_path / "other", "--labels-suffix", "_x") == 2
    assert "No image BASE has labels BASE_x (3 images, 0 files of labels end so)" in capsys.readouterr().err


def test_a_folder_without_labels_is_named_with_what_is_read(tmp_path, capsys):
    put(tmp_path / "images/a.tif", field(0)[0])
    (tmp_path / "labels").mkdir()
    (tmp_path / "labels/a.labeling").touch()
    words = ["import", "--images", tmp_path / "images", "--labels", tmp_path / "labels", "-o", tmp_path / "new"]
    assert data(*words) == 2
    said = capsys.readouterr().err
    assert "there is no file of labels. It holds a.labeling." in said
    assert "Labkit's .labeling: choose TIFF in Labeling > Save Labeling" in said


@pytest.mark.parametrize("suffix", [".jpg", ".bmp"])
def test_jpeg_and_bmp_are_images_where_there_is_no_other(tmp_path, suffix):
    for seed in range(2):
        image, labels = field(seed)
        (tmp_path / "images").mkdir(exist_ok=True)
        PIL.Image.fromarray((image // 256).astype(np.uint8)).save(tmp_path / f"images/f{seed}{suffix}")
        put(tmp_path / f"labels/f{seed}.png", labels.astype(np.uint16))
    assert data("import", "--images", tmp_path / "images", "--labels", tmp_path / "labels", "-o", tmp_path / "new") == 0
    assert contents(tmp_path / "new").keys() == {"f0", "f1"}


def test_images_of_other_formats_are_named(tmp_path, capsys):
    put(tmp_path / "labels/a.png", field(0)[1].astype(np.uint16))
    (tmp_path / "images").mkdir()
    (tmp_path / "images/a.czi").write_bytes(b"ZISRAWFILE")
    words = ["import", "--labels", tmp_path / "labels", "-o", tmp_path / "new", "--images"]
    assert data(*words, tmp_path / "images") == 2
    assert "It holds a.czi; save images of other formats as TIFF." in capsys.readouterr().err
    assert data(*words, tmp_path / "images/*.tif") == 2
    assert f"Give the folder itself: {tmp_path / 'images'}" in capsys.readouterr().err


def test_data_sets_may_be_given_as_a_pattern(tmp_path, capsys):
    for number, name in enumerate(("set1", "set2")):
        put(tmp_path / f"in/{name}/images/{name}.tif", field(number)[0])
        put(tmp_path / f"in/{name}/labels/{name}.png", field(number)[1].astype(np.uint16))
        folder = tmp_path / "in" / name
        assert data("import", "--images", folder / "images", "--labels", folder / "labels", "-o", tmp_path / name) == 0
    assert data("import", tmp_path / "set*", "-o", tmp_path / "both") == 0
    assert contents(tmp_path / "both").keys() == {"set1", "set2"}
    assert data("check", tmp_path / "x*") == 2
    assert "no folder matches this pattern" in capsys.readouterr().err


def write_series(path, *planes):
    """Write an OME-TIFF with several images, which it names."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tifffile.TiffWriter(path, ome=True) as file:
        for number, plane in enumerate(planes, start=1):
            file.write(plane, photometric="minisblack", metadata={"axes": "YX", "Name": f"Field {number}"})


def test_several_images_in_one_file_are_listed_and_one_is_chosen(tmp_path, capsys):
    drawn = [field(seed) for seed in range(3)]
    write_series(tmp_path / "images/a.ome.tif", *(image for image, _ in drawn))
    write_series(tmp_path / "labels/a.ome.tif", *(labels.astype(np.uint16) for _, labels in drawn))
    words = ["import", "--images", tmp_path / "images", "--labels", tmp_path / "labels", "-o"]
    assert data(*words, tmp_path / "none") == 2
    said = capsys.readouterr().err
    assert "this holds 3 images (1: Field 1, 64 x 64 pixels, 2: Field 2, 64 x 64 pixels, 3: Field 3" in said
    assert "or say --series N in `cpunet data import`" in said
    for number, (image, labels) in enumerate(drawn, start=1):
        assert data(*words, tmp_path / f"set{number}", "--series", number) == 0
        assert f"a.ome_{number}: image {number} of 3." in capsys.readouterr().out
        read = contents(tmp_path / f"set{number}")[f"a.ome_{number}"]
        np.testing.assert_array_equal(read.image, image)
        np.testing.assert_array_equal(read.labels, labels)
    assert data("import", *(tmp_path / f"set{number}" for number in (1, 2, 3)), "-o", tmp_path / "all") == 0
    assert data(*words, tmp_path / "none", "--series", 4) == 2
    assert "and none is number 4" in capsys.readouterr().err


def test_labels_of_one_image_fit_a_file_with_several(tmp_path):
    drawn = [field(seed) for seed in range(2)]
    write_series(tmp_path / "images/a.tif", *(image for image, _ in drawn))
    write_rois(tmp_path / "labels/a.zip", drawn[1][1])
    words = ["import", "--images", tmp_path / "images", "--labels", tmp_path / "labels", "-o", tmp_path / "new"]
    assert data(*words, "--series", 2) == 0
    read = contents(tmp_path / "new")["a_2"]
    np.testing.assert_array_equal(read.image, drawn[1][0])
    assert same_objects(read.labels, drawn[1][1])
