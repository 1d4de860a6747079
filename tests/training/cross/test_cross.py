import csv
import shutil
from dataclasses import replace

import pytest
import yaml

from cpunet.__main__ import main
from cpunet.errors import ConfigError, DataError, OutputError
from cpunet.overlap_scores import count_overlap, pool_overlap
from cpunet.scores import pool_scores, score_image
from cpunet.segment import segment_image
from cpunet.training.config import DataSource
from cpunet.training.cross import cross
from cpunet.training.cross.cross import check_tables, train_cross, write_tables
from cpunet.training.cross.runs import cross_runs, left_out_rows
from cpunet.training.data.labeled_images import read_index, read_labeled_image
from cpunet.training.evaluation.methods import open_weights
from tests.synthetic_data_set import SMALL, write_data_set

NAMES = ("near", "far")


@pytest.fixture
def root(tmp_path):
    """Two data sets whose images differ: those of `far` are turned around."""
    folder = tmp_path / "data"
    write_data_set(folder / "near", ["train"] * 2 + ["val"])
    write_data_set(folder / "far", ["val"] + ["train"] * 2)
    return folder


@pytest.fixture
def config(small_config):
    """A training of a few steps on both."""
    return replace(small_config, data=tuple(map(DataSource, NAMES)), steps=4, validate_every=2)


@pytest.fixture
def yaml_file(tmp_path):
    path = tmp_path / "small.yaml"
    content = {**SMALL, "data": [{"folder": name} for name in NAMES], "steps": 4, "validate_every": 2}
    path.write_text(yaml.safe_dump(content))
    return path


def rows_of(path):
    with path.open(newline="", encoding="utf-8") as stream:
        return {(row["trained_on"], row["scored_on"]): row for row in csv.DictReader(stream)}


def test_each_set_alone_and_all_are_trained_with_the_same_configuration(config):
    runs = cross_runs(config)
    assert [run.trained_on for run in runs] == ["near", "far", "all"]
    assert [[source.folder for source in run.config.data] for run in runs] == [["near"], ["far"], ["near", "far"]]
    assert {run.config.steps for run in runs} == {4}
    assert len({run.config.name for run in runs}) == 3


def test_the_table_holds_the_scores_of_each_model_on_each_set(root, tmp_path, yaml_file, capsys):
    out = tmp_path / "cross"
    assert main(["train-cross", str(yaml_file), "--data", str(root), "-o", str(out)]) == 0
    found = rows_of(out / "cross.csv")
    assert set(found) == {(model, scored) for model in (*NAMES, "all") for scored in (*NAMES, "all")}
    model = open_weights(out / "far" / "weights.safetensors", needs_diameter=True)
    truth = [
        (read_labeled_image(row).labels, segment_image(read_labeled_image(row).image, model).labels)
        for name in NAMES
        for row in read_index(root / name)
        if row.split == "val"
    ]
    scores = [pool_scores([score_image(*pair)]) for pair in truth]
    overlap = pool_overlap([count_overlap(*pair) for pair in truth])
    for scored, expected in zip(NAMES, scores, strict=True):
        row = found["far", scored]
        assert float(row["mean_f1"]) == pytest.approx(expected.mean_f1, abs=1e-4)
        assert (row["images"], row["true_objects"]) == ("1", str(expected.truth_count))
    assert float(found["far", "all"]["object_f1_by_overlap"]) == pytest.approx(overlap.object_f1, abs=1e-4)
    assert found["far", "all"]["merging_objects"] == str(overlap.merging)
    said, page = capsys.readouterr().out, (out / "cross.md").read_text(encoding="utf-8")
    for text in (said, page):
        assert "F1 of the objects by any overlap" in text
        assert f"{overlap.object_f1:.3f}" in text
    assert "| trained on \\ scored on | near | far | all |" in page


def test_what_is_trained_is_not_trained_again(root, tmp_path, config, monkeypatch):
    train_cross(config, root, tmp_path / "cross", "val")
    files = {path: path.stat().st_mtime_ns for path in (tmp_path / "cross").glob("*/best.ckpt")}
    table = (tmp_path / "cross" / "cross.csv").read_bytes()
    shutil.rmtree(tmp_path / "cross" / "all")  # as if it had been stopped before
    trained = []
    fit = cross.train

    def noted(config, root, folder):
        trained.append((folder / "weights.safetensors").exists())
        return fit(config, root, folder)

    monkeypatch.setattr(cross, "train", noted)
    train_cross(config, root, tmp_path / "cross", "val")
    assert trained == [True, True, False]
    assert (tmp_path / "cross" / "cross.csv").read_bytes() == table
    assert {path: path.stat().st_mtime_ns for path in files if path.parent.name != "all"} == {
        path: time for path, time in files.items() if path.parent.name != "all"
    }


def test_sets_that_cannot_be_compared_are_refused(root, config):
    with pytest.raises(ConfigError, match="needs two data sets or more, and this names 1"):
        cross_runs(replace(config, data=config.data[:1]))
    with pytest.raises(ConfigError, match="two trainings would have the folder all"):
        cross_runs(replace(config, data=(DataSource("near"), DataSource("all"))))
    with pytest.raises(DataError, match="no image has the split 'test'"):
        left_out_rows(config, root, "test")
    with pytest.raises(DataError, match="near: a score needs images that are not trained on"):
        left_out_rows(config, root, "train")
    write_data_set(root / "few", ["train"] * 2)
    with pytest.raises(DataError, match=r"few: a score needs images that are not trained on, and its split 'val'"):
        left_out_rows(replace(config, data=(*config.data, DataSource("few"))), root, "val")


def test_a_copy_of_a_scored_image_in_another_set_is_refused(root, config):
    index = root / "far" / "index.csv"
    lines = index.read_text().splitlines()
    lines[2] = lines[2].rstrip(",") + ",near/f2"
    index.write_text("\n".join(lines) + "\n")
    with pytest.raises(DataError, match="far/f1 is for training, and a duplicate of it in another set is not"):
        left_out_rows(config, root, "val")


def test_tables_of_the_user_are_not_replaced(tmp_path):
    (tmp_path / "cross.csv").write_text("mine")
    with pytest.raises(OutputError, match=r"cross.csv was not written here"):
        check_tables(tmp_path, overwrite=False)
    check_tables(tmp_path, overwrite=True)
    write_tables(tmp_path, [], "small", "val")
    check_tables(tmp_path, overwrite=False)
    with (tmp_path / "cross.csv").open("a") as stream:
        stream.write("a note\n")
    with pytest.raises(OutputError, match=r"cross.csv was not written here, or was changed"):
        check_tables(tmp_path, overwrite=False)
    write_tables(tmp_path, [], "small", "val")
    (tmp_path / "cross.md").write_text("mine")
    with pytest.raises(OutputError, match=r"cross.md exists, and was not written by cpunet"):
        check_tables(tmp_path, overwrite=False)
