from skimage.io import imsave

from cpunet.training.checking.check import check_data
from cpunet.training.data.index import read_table
from cpunet.training.data.splits import inseparable, split_at_random
from tests.labeled_volumes import drawn_volume, write_rows, write_volumes

SAID = {"depth": "8", "pixel_size_um": "0.5", "z_step_um": "1"}


def found(folder):
    return [(finding.severity, finding.kind, finding.what) for finding in check_data([folder]).findings]


def test_volumes_and_images_of_one_plane_are_no_set(tmp_path):
    folder = tmp_path / "drawn"
    rows = [{"id": "a", "split": "train", **SAID}, {"id": "b", "split": "val", **SAID}]
    write_volumes(folder, rows)
    image, labels = drawn_volume(3)
    imsave(str(folder / "images" / "c.png"), image[4], check_contrast=False)
    imsave(str(folder / "labels" / "c.png"), labels[4], check_contrast=False)
    write_rows(folder, [*rows, {"id": "c", "split": "train"}])
    assert [(severity, kind) for severity, kind, _ in found(folder)] == [("error", "depth")]
    assert "2 volumes and 1 images of one plane" in found(folder)[0][2]


def test_a_volume_of_which_the_index_says_nothing_is_named(tmp_path):
    write_volumes(tmp_path / "drawn", [{"id": "a", "split": "train"}, {"id": "b", "split": "val"}])
    sentences = [what for _, kind, what in found(tmp_path / "drawn") if kind == "depth"]
    assert len(sentences) == 2
    assert "import-volumes" in sentences[0]


def test_a_time_series_on_both_sides_of_a_split(tmp_path):
    folder = tmp_path / "drawn"
    rows = [{"id": f"e1_t00{number}", "split": split, **SAID} for number, split in enumerate(["train", "val"])]
    write_volumes(folder, rows)
    ((severity, kind, what),) = found(folder)
    assert (severity, kind) == ("warning", "group")
    assert "(e1) are in train and val" in what
    write_rows(folder, [{**row, "group": "e1"} for row in rows])
    assert [(severity, kind) for severity, kind, _ in found(folder)] == [("error", "group")]


def test_volumes_of_one_group_are_drawn_into_one_split(tmp_path):
    folder = tmp_path / "drawn"
    rows = [
        {"id": f"e{embryo}_t{time}", "split": "train", "group": f"e{embryo}", **SAID}
        for embryo in range(5)
        for time in range(2)
    ]
    write_volumes(folder, rows)
    table = read_table(folder).rows
    split = split_at_random(table, inseparable(folder, table), {"train": 0.6, "val": 0.4}, seed=3)
    of_group = {row["group"]: {each["split"] for each in split if each["group"] == row["group"]} for row in split}
    assert sorted(map(len, of_group.values())) == [1] * 5
    assert set.union(*of_group.values()) == {"train", "val"}
