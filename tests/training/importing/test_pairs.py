import numpy as np
import pytest

from cpunet.training.data.index import read_table
from tests.import_sources import data, field, put
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
    assert "85 % train, 15 % val, drawn at random with the seed 1" in printed
    assert {row["split"] for row in read_table(out).rows} == {"train", "val"}


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


def test_what_cellpose_and_imagej_write_is_named_with_the_way_out(tmp_path, capsys):
    image, labels = field(0)
    for name in ("a", "b"):
        put(tmp_path / f"set/{name}.png", image)
        np.save(tmp_path / f"set/{name}_seg.npy", np.array({"masks": labels}, object))
        put(tmp_path / f"set/{name}_cp_output.png", np.repeat((image // 256).astype(np.uint8)[..., None], 3, axis=2))
    (tmp_path / "set/RoiSet.zip").write_bytes(b"PK\x03\x04")
    words = ["import", "--images", tmp_path / "set", "--labels", tmp_path / "set", "-o", tmp_path / "new"]
    assert data(*words) == 2
    said = capsys.readouterr().err
    assert "there is no label image (PNG or TIFF) of any image" in said
    assert "a_seg.npy, b_seg.npy: Cellpose's own file, which is not read. In Cellpose choose File > Save masks" in said
    assert "RoiSet.zip: ROIs of ImageJ" in said
    for name in ("a", "b"):
        put(tmp_path / f"set/{name}_cp_masks.png", labels.astype(np.uint16))
    assert data(*words) == 0
    said = capsys.readouterr().out
    assert "results of the images beside them by their names: a_cp_output.png, b_cp_output.png." in said
    assert contents(tmp_path / "new").keys() == {"a", "b"}


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
