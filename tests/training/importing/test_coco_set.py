import json

import numpy as np
import PIL.Image
import pytest

from tests.import_sources import data, field, put
from tests.outlines import outlines_of
from tests.written_sets import contents, same_objects

DRAWN = {f"f{seed}": field(seed, touching=True) for seed in range(3)}


def coco_file(path, names):
    """Write a COCO file of several images; `names` are those in DRAWN, by the names of their files."""
    content = {"images": [], "annotations": [], "categories": [{"id": 1, "name": "nucleus"}]}
    for image_id, (file_name, name) in enumerate(names.items(), start=1):
        content["images"].append({"id": image_id, "file_name": file_name, "height": 64, "width": 64})
        for rings in outlines_of(DRAWN[name][1]):
            polygons = [[number for point in ring for number in point] for ring in rings]
            number = len(content["annotations"]) + 1
            content["annotations"].append(
                {"id": number, "image_id": image_id, "category_id": 1, "segmentation": polygons, "iscrowd": 0}
            )
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content))
    return path


def write_images(folder, suffix=".tif"):
    for name, (image, _) in DRAWN.items():
        if suffix == ".jpg":
            folder.mkdir(parents=True, exist_ok=True)
            PIL.Image.fromarray((image // 256).astype(np.uint8)).save(folder / f"{name}.jpg")
        else:
            put(folder / f"{name}{suffix}", image)


@pytest.mark.parametrize("suffix", [".tif", ".png", ".jpg"])
@pytest.mark.parametrize("place", ["file", "folder of labels", "beside the images"])
def test_one_file_holds_the_labels_of_all_images(tmp_path, suffix, place, capsys):
    write_images(tmp_path / "images", suffix)
    folder = tmp_path / ("images" if place == "beside the images" else "labels")
    path = coco_file(folder / "_annotations.coco.json", {f"{name}{suffix}": name for name in DRAWN})
    labels = path if place == "file" else folder
    assert data("import", "--images", tmp_path / "images", "--labels", labels, "-o", tmp_path / "new") == 0
    assert "labels: COCO, _annotations.coco.json." in capsys.readouterr().out
    read = contents(tmp_path / "new")
    assert read.keys() == DRAWN.keys()
    assert all(same_objects(read[name].labels, labels) for name, (_, labels) in DRAWN.items())


def test_folders_in_the_names_of_images_and_several_files(tmp_path):
    write_images(tmp_path / "images")
    put(tmp_path / "images/deep/f2.tif", DRAWN["f2"][0])
    (tmp_path / "images/f2.tif").unlink()
    coco_file(tmp_path / "labels/train.json", {"C:\\data\\f0.tif": "f0", "../../f1.tif": "f1"})
    coco_file(tmp_path / "labels/val.json", {"deep/f2.tif": "f2"})
    assert data("import", "--images", tmp_path / "images", "--labels", tmp_path / "labels", "-o", tmp_path / "new") == 0
    assert contents(tmp_path / "new").keys() == DRAWN.keys()


def test_images_without_labels_and_labels_without_an_image_are_listed(tmp_path, capsys):
    write_images(tmp_path / "images")
    path = coco_file(tmp_path / "coco.json", {"f0.tif": "f0", "f1.tif": "f1", "gone.tif": "f2"})
    words = ["import", "--images", tmp_path / "images", "--labels", path, "-o", tmp_path / "new"]
    assert data(*words) == 2
    said = capsys.readouterr().err
    assert "there is no image gone.tif in" in said
    assert "f2.tif: there are no labels for this image" in said
    assert data(*words, "--skip-unpaired") == 0
    assert contents(tmp_path / "new").keys() == {"f0", "f1"}


def test_a_file_of_other_images_or_of_one_image_twice_is_refused(tmp_path, capsys):
    write_images(tmp_path / "images")
    words = ["import", "--images", tmp_path / "images", "-o", tmp_path / "new", "--labels"]
    assert data(*words, coco_file(tmp_path / "a.json", {"x.tif": "f0"})) == 2
    assert "none of the 1 images that a.json names is there; the first is x.tif" in capsys.readouterr().err
    assert data(*words, coco_file(tmp_path / "b.json", {"f0.tif": "f0", "./f0.tif": "f1"})) == 2
    assert "./f0.tif stands there twice" in capsys.readouterr().err
    (tmp_path / "c.json").write_text('{"a": 1}')
    assert data(*words, tmp_path / "c.json") == 2
    assert "c.json: this is JSON of another kind (it holds a)" in capsys.readouterr().err
    (tmp_path / "d.csv").touch()
    assert data(*words, tmp_path / "d.csv") == 2
    assert "d.csv: this is a file; a folder is needed" in capsys.readouterr().err


def test_label_images_beside_a_coco_file_are_not_passed_over(tmp_path, capsys):
    write_images(tmp_path / "images")
    put(tmp_path / "labels/f0.png", DRAWN["f0"][1].astype(np.uint16))
    path = coco_file(tmp_path / "labels/coco.json", {f"{name}.tif": name for name in DRAWN})
    words = ["import", "--images", tmp_path / "images", "-o", tmp_path / "new", "--labels"]
    assert data(*words, path.parent) == 2
    assert f"f0.png beside it holds labels too; which counts? Say --labels {path} for COCO" in capsys.readouterr().err
    assert data(*words, path) == 0
