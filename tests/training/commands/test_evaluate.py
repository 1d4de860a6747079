import json
import shlex
import shutil
from dataclasses import asdict, replace

import numpy as np
import pytest
import tifffile
import torch
from skimage.io import imread, imsave

from cpunet.__main__ import main
from cpunet.model.ensemble import average_models
from cpunet.model.session import load_model
from cpunet.options import Options
from cpunet.overlap_scores import count_overlap, pool_overlap
from cpunet.review.page import read_review
from cpunet.scores import pool_scores, score_image
from cpunet.segment import segment_image
from cpunet.training.config import config_to_dict
from cpunet.training.data.labeled_images import read_index, read_labeled_image
from cpunet.training.evaluation.torch_model import torch_model
from cpunet.training.network.build import build_network
from cpunet.training.weights import CONFIG_KEY, NETWORK_PREFIX, TrainedNetwork, save_trained
from tests.synthetic_data_set import write_data_set
from tests.tiny_onnx import changed_card, tiny_onnx

VAL = ("f6", "f7", "f8")


def evaluate(*words):
    return main(["evaluate", *map(str, words)])


def scores_of(output):
    written = json.loads((output / "scores.json").read_text())
    return {method["name"]: method for method in written["methods"]}


@pytest.fixture
def drawn(data_root, tmp_path):
    """A copy of the drawn data set that a test may change."""
    return shutil.copytree(data_root / "drawn", tmp_path / "drawn")


@pytest.fixture
def beside(drawn, tmp_path):
    """A folder of label images that are the truth."""
    folder = tmp_path / "beside"
    folder.mkdir()
    for name in VAL:
        tifffile.imwrite(str(folder / f"{name}.tif"), imread(str(drawn / "labels" / f"{name}.png")))
    return folder


@pytest.fixture
def output(tmp_path):
    return tmp_path / "new" / "evaluation"


def test_labels_equal_to_the_truth_score_one(drawn, beside, output, capsys):
    assert evaluate("--data", drawn, "--beside", f"Truth={beside}", "-o", output) == 0
    overall = scores_of(output)["Truth"]["overall"]
    assert overall["images"] == 3
    for name in ("mean_f1", "mean_average_precision", "precision", "recall", "dice", "iou", "panoptic_quality"):
        assert overall[name] == 1
    assert overall["over_segmented"] == overall["under_segmented"] == overall["count_error"] == 0
    assert sorted(path.name for path in output.iterdir()) == ["report.html", "scores.json"]
    assert "3 images scored, 0 failed" in capsys.readouterr().out


def test_of_a_few_images_those_for_training_are_scored_and_this_is_said(tmp_path, tiny_model, output, capsys):
    write_data_set(tmp_path / "few", ["train"] * 2)
    assert evaluate("--model", tiny_model, "--data", tmp_path / "few", "-o", output) == 0
    said = capsys.readouterr().out
    assert "few: no image has the split 'val', so those for training are scored." in said
    assert "2 images scored, 0 failed" in said
    assert json.loads((output / "scores.json").read_text())["split"] == "train"


@pytest.mark.parametrize("diameter", [None, 60])
def test_a_model_is_scored_as_the_module_would_run_it(drawn, tiny_model, output, diameter, capsys):
    words = [] if diameter is None else ["--diameter", diameter]
    assert evaluate("--model", tiny_model, "--data", drawn, *words, "-o", output) == 0
    model, expected = load_model(tiny_model), []
    for row in read_index(drawn):
        if row.split == "val":
            truth = read_labeled_image(row)
            labels = segment_image(truth.image, model, Options(diameter_px=diameter)).labels
            np.testing.assert_array_equal(tifffile.imread(str(output / "labels" / "tiny" / f"{row.id}.tif")), labels)
            expected.append(score_image(truth.labels, labels))
    overall = scores_of(output)["tiny"]["overall"]
    assert overall["mean_f1"] == pool_scores(expected).mean_f1
    assert 0.1 < overall["mean_f1"] < 1
    assert f"{overall['mean_f1']:.3f}" in capsys.readouterr().out


def test_models_and_views_are_averaged(drawn, tiny_model, output, tmp_path):
    other = tmp_path / "other.onnx"
    other.write_bytes(tiny_onnx(changed_card(name="other", postprocessing={"foreground_threshold": 0.1})))
    words = ["--average-with", other, "--views", 4]
    assert evaluate("--model", tiny_model, "--data", drawn, *words, "-o", output) == 0
    average = average_models([load_model(tiny_model), load_model(other)])
    expected = []
    for row in read_index(drawn):
        if row.split == "val":
            truth = read_labeled_image(row)
            labels = segment_image(truth.image, average, Options(augmentation="flips")).labels
            expected.append(score_image(truth.labels, labels))
    found = scores_of(output)["tiny + other"]
    assert found["overall"]["mean_f1"] == pool_scores(expected).mean_f1
    assert len(list((output / "labels").glob("*/*.tif"))) == 3


def test_the_diameter_makes_a_difference(drawn, tiny_model, tmp_path):
    for diameter in (20, 60):
        evaluate("--model", tiny_model, "--data", drawn, "--diameter", diameter, "-o", tmp_path / str(diameter))
    assert scores_of(tmp_path / "20")["tiny"]["overall"] != scores_of(tmp_path / "60")["tiny"]["overall"]
    assert json.loads((tmp_path / "60" / "scores.json").read_text())["diameter_px"] == 60


def test_saved_labels_stand_beside_a_model_later(drawn, tiny_model, output, tmp_path):
    evaluate("--model", tiny_model, "--data", drawn, "-o", output)
    later = tmp_path / "later"
    words = [
        "--model",
        tiny_model,
        "--beside",
        f"Before={output / 'labels' / 'tiny'}",
        "--beside",
        f"B={output}/labels/tiny",
    ]
    assert evaluate(*words, "--data", drawn, "-o", later) == 0
    scores = scores_of(later)
    assert list(scores) == ["tiny", "Before", "B"]
    assert scores["Before"]["overall"] == scores["B"]["overall"] == scores["tiny"]["overall"]


def test_the_command_for_experts_makes_a_page_of_the_scored_images(tmp_path, tiny_model, output, capsys):
    sets = [tmp_path / name for name in ("first set", "second")]
    for folder, splits in zip(sets, (["val"] * 2, ["val", "val", "train"]), strict=True):
        write_data_set(folder, splits)
    assert evaluate("--model", tiny_model, "--data", *sets, "-o", output) == 0
    said = capsys.readouterr().out.splitlines()[-1]
    _, words = said.split(": cpunet ", 1)
    assert main(shlex.split(words)) == 0
    shown = read_review(output / "review.html").predicted
    assert list(shown) == [("first set", "f0"), ("first set", "f1"), ("second", "f0"), ("second", "f1")]
    assert sum(shown.values()) == scores_of(output)["tiny"]["overall"]["prediction_count"]


def test_several_sets_with_the_same_ids(tmp_path, tiny_model, output):
    sets = [tmp_path / name for name in ("first", "second")]
    for folder, splits in zip(sets, (["val"] * 2, ["val", "val", "train"]), strict=True):
        write_data_set(folder, splits)
    assert evaluate("--model", tiny_model, "--data", *sets, "-o", output) == 0
    scores = scores_of(output)["tiny"]
    assert {name: group["images"] for name, group in scores["by_data_set"].items()} == {"first": 2, "second": 2}
    labels = output / "labels" / "tiny"
    assert sorted(str(path.relative_to(labels)) for path in labels.rglob("*.tif")) == [
        "first/f0.tif",
        "first/f1.tif",
        "second/f0.tif",
        "second/f1.tif",
    ]
    assert evaluate("--beside", f"Saved={labels}", "--data", *sets, "-o", output) == 0
    assert scores_of(output)["Saved"]["overall"] == scores["overall"]


def test_one_file_never_serves_two_images(tmp_path, beside, capsys):
    sets = [tmp_path / name for name in ("first", "second")]
    for folder in sets:
        write_data_set(folder, ["train"] * 6 + ["val"])
    assert evaluate("--beside", f"A={beside}", "--data", *sets, "-o", tmp_path / "out") == 2
    error = capsys.readouterr().err
    assert "first/f6 and second/f6" in error
    assert str(beside / "second") in error


def test_masks_beside_the_images_are_told_from_them(drawn, beside, output):
    for name in VAL:
        (beside / f"{name}.tif").rename(beside / f"{name}_cp_masks.tif")
        shutil.copy(drawn / "images" / f"{name}.png", beside)
    assert evaluate("--beside", f"Cellpose={beside}", "--data", drawn, "-o", output) == 0
    assert scores_of(output)["Cellpose"]["overall"]["mean_f1"] == 1


def shattered(truth):
    """Noise of specks, each a number of its own."""
    labels = np.zeros(truth.shape, np.uint16)
    labels[::2, ::2] = np.arange(1, labels[::2, ::2].size + 1).reshape(labels[::2, ::2].shape)
    return labels


@pytest.mark.parametrize(
    "spoil",
    [shattered, lambda truth: (truth > 0).astype(np.uint16), lambda truth: np.zeros_like(truth)],
    ids=["specks", "one number for all", "nothing"],
)
def test_a_bad_method_is_scored_and_costs_no_image(drawn, beside, output, spoil, capsys):
    bad = shutil.copytree(beside, beside.parent / "bad")
    truth = imread(str(drawn / "labels" / "f7.png")).astype(np.uint16)
    tifffile.imwrite(str(bad / "f7.tif"), spoil(truth))
    assert evaluate("--data", drawn, "--beside", f"Bad={bad}", f"Truth={beside}", "-o", output) == 0
    scores = scores_of(output)
    expected = score_image(truth, spoil(truth))
    assert scores["Truth"]["overall"]["images"] == 3
    assert scores["Bad"]["images"][1]["mean_f1"] == pool_scores([expected]).mean_f1 < 0.1
    assert scores["Bad"]["overall"]["mean_f1"] < 1 == scores["Truth"]["overall"]["mean_f1"]
    assert capsys.readouterr().err == ""


def as_colors(truth):
    return np.array([(0, 0, 0), (255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 0)], np.uint8)[
        np.where(truth, 1 + truth % 4, 0)
    ]


@pytest.mark.parametrize(
    "saved",
    [
        as_colors,
        lambda truth: np.round(truth * (65535 / truth.max())).astype(np.uint16),
        lambda truth: (truth / truth.max()).astype(np.float32),
    ],
    ids=["colors", "scaled to 16 bits", "floating point"],
)
def test_labels_as_other_programs_save_them_are_read(drawn, beside, output, saved):
    for name in VAL:
        (beside / f"{name}.tif").unlink()
        truth = imread(str(drawn / "labels" / f"{name}.png"))
        imsave(str(beside / f"{name}.tif"), saved(truth), check_contrast=False)
    assert evaluate("--data", drawn, "--beside", f"A={beside}", "-o", output) == 0
    assert scores_of(output)["A"]["overall"]["mean_f1"] == 1


def test_labels_that_8_bits_may_have_emptied_are_pointed_out_once(drawn, beside, output, capsys):
    tifffile.imwrite(str(beside / "f7.tif"), np.zeros((96, 96), np.uint8))
    assert evaluate("--data", drawn, "--beside", f"A={beside}", "-o", output) == 0
    error = capsys.readouterr().err
    assert error.count("saved with 8 bits, a label image of more than 255 objects comes out empty") == 1
    assert str(beside / "f7.tif") in error
    assert scores_of(output)["A"]["images"][1]["mean_f1"] == 0


def test_data_and_modality_may_be_repeated(tmp_path, output):
    sets = [tmp_path / name for name in ("first", "second")]
    for folder in sets:
        write_data_set(folder, ["val"])
    (sets[1] / "index.csv").write_text((sets[1] / "index.csv").read_text().replace("fluorescence", "phase"))
    beside = tmp_path / "beside"
    for folder in sets:
        shutil.copytree(folder / "labels", beside / folder.name)
    words = ["--data", sets[0], "--data", sets[1], "--modality", "fluorescence", "--modality", "phase"]
    assert evaluate(*words, "--beside", f"A={beside}", "-o", output) == 0
    scores = scores_of(output)["A"]
    assert list(scores["by_data_set"]) == ["first", "second"]
    assert list(scores["by_modality"]) == ["fluorescence", "phase"]


def remove_two(folder, drawn):
    (folder / "f7.tif").unlink()
    (folder / "f8.tif").unlink()


def add_another(folder, drawn):
    shutil.copy(folder / "f7.tif", folder / "f7.tiff")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (remove_two, ["no labels for 2 of the 3 images", "the first is f7", "save an image of zeros"]),
        (add_another, ["f7.tif", "f7.tiff", "could both be"]),
        (lambda folder, drawn: shutil.rmtree(folder), ["there is no such folder"]),
    ],
    ids=["missing files", "two files", "missing folder"],
)
def test_a_folder_that_cannot_be_used_is_refused_before_anything_runs(
    drawn, beside, tiny_model, output, capsys, change, words
):
    change(beside, drawn)
    assert evaluate("--model", tiny_model, "--beside", f"A={beside}", "--data", drawn, "-o", output) == 2
    error = capsys.readouterr().err
    assert all(each in error for each in ["A: ", *words])
    assert not output.exists()


def cut(path):
    path.write_bytes(path.read_bytes()[:100])


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (
            lambda drawn, beside: tifffile.imwrite(str(beside / "f7.tif"), np.eye(9, dtype=np.uint16)),
            ["A", "(9, 9)", "(96, 96)"],
        ),
        (lambda drawn, beside: (beside / "f7.tif").write_text("no picture"), ["f7.tif"]),
        (lambda drawn, beside: cut(drawn / "images" / "f7.png"), ["f7.png"]),
        (lambda drawn, beside: (drawn / "labels" / "f7.png").unlink(), ["f7.png", "no such file"]),
        (
            lambda drawn, beside: imsave(
                str(drawn / "images" / "f7.png"),
                np.random.default_rng(0).integers(0, 255, (96, 96, 3), np.uint8),
                check_contrast=False,
            ),
            ["3 channels"],
        ),
    ],
    ids=["shape", "labels unreadable", "image unreadable", "truth missing", "model refuses the image"],
)
def test_a_bad_image_is_named_and_costs_only_itself(drawn, beside, tiny_model, output, capsys, spoil, words):
    spoil(drawn, beside)
    assert evaluate("--model", tiny_model, "--beside", f"A={beside}", "--data", drawn, "-o", output) == 1
    printed = capsys.readouterr()
    assert all(word in printed.err for word in ["FAILED drawn/f7", *words])
    assert "2 images scored, 1 failed" in printed.out
    for method in scores_of(output).values():
        assert [image["id"] for image in method["images"]] == ["f6", "f8"]
    (failed,) = json.loads((output / "scores.json").read_text())["failed"]
    assert (failed["data_set"], failed["id"]) == ("drawn", "f7")
    assert "drawn/f7" in (output / "report.html").read_text(encoding="utf-8")


def test_a_report_is_not_replaced_if_nothing_can_be_scored(drawn, beside, output, capsys):
    assert evaluate("--beside", f"A={beside}", "--data", drawn, "-o", output) == 0
    before = {path: path.read_bytes() for path in output.iterdir()}
    for name in VAL:
        (beside / f"{name}.tif").write_bytes(b"")
    assert evaluate("--beside", f"A={beside}", "--data", drawn, "-o", output) == 2
    assert "no image could be scored" in capsys.readouterr().err
    assert {path: path.read_bytes() for path in output.iterdir()} == before


def test_only_the_wanted_images_are_scored(drawn, beside, output, capsys):
    index = drawn / "index.csv"
    index.write_text(index.read_text().replace("f7,fluorescence", "f7,phase_contrast"))
    (beside / "f6.tif").unlink()
    (beside / "f8.tif").unlink()
    assert evaluate("--beside", f"A={beside}", "--data", drawn, "--modality", "phase_contrast", "-o", output) == 0
    assert list(scores_of(output)["A"]["by_modality"]) == ["phase_contrast"]
    assert evaluate("--beside", f"A={beside}", "--data", drawn, "--split", "test", "-o", output) == 2
    error = capsys.readouterr().err
    assert "the split 'test'" in error
    assert "train / fluorescence, val / fluorescence, val / phase_contrast" in error


@pytest.fixture
def weights(tmp_path, small_config):
    """An untrained network as a training run leaves it."""
    path = tmp_path / "run" / "weights.safetensors"
    path.parent.mkdir()
    facts = {"diameter_px": 18.0, "diameter_low_px": 12.0, "diameter_high_px": 24.0}
    trained = TrainedNetwork(build_network(small_config).eval(), small_config, facts)
    save_trained(path, trained)
    return path, trained


def test_the_folder_of_a_run_and_the_folder_of_the_sets_are_understood(drawn, weights, output):
    path, trained = weights
    started = {"name": "shipped", "sha256": "0" * 64, "val_mean_f1": 0.333}
    save_trained(path, replace(trained, facts={**trained.facts, "start_from": started}))
    (drawn.parent / "sets").mkdir()
    drawn.rename(drawn.parent / "sets" / "drawn")
    assert evaluate("--model", path.parent, "--data", drawn.parent / "sets", "-o", output) == 0
    (method,) = scores_of(output).values()
    assert method["overall"]["images"] == 3
    assert "fine-tuned from shipped; the model you start from: 0.333" in method["source"]
    assert (
        sum(count for name, count in method["overall"]["objects_by_fate"].items() if name != "invented")
        == (method["overall"]["truth_count"])
    )


@pytest.mark.parametrize("form", ["safetensors", "checkpoint"])
def test_weights_of_a_run_are_scored(drawn, weights, output, form):
    path, trained = weights
    if form == "checkpoint":
        path = path.with_name("last.ckpt")
        state = {NETWORK_PREFIX + name: value for name, value in trained.network.state_dict().items()}
        torch.save({"state_dict": state, CONFIG_KEY: config_to_dict(trained.config)}, path)
    assert evaluate("--model", path, "--data", drawn, "-o", output) == 0
    expected = segment_image(imread(str(drawn / "images" / "f6.png")), torch_model(trained)).labels
    np.testing.assert_array_equal(tifffile.imread(str(output / "labels" / "small" / "f6.tif")), expected)


def test_a_diameter_needs_weights_that_know_theirs(drawn, weights, output, capsys):
    path, trained = weights
    assert evaluate("--model", path, "--data", drawn, "--diameter", 30, "-o", output) == 0
    save_trained(path, replace(trained, facts={}))
    assert evaluate("--model", path, "--data", drawn, "--diameter", 30, "-o", output) == 2
    assert "leave out --diameter" in capsys.readouterr().err


@pytest.mark.parametrize("form", ["name", "folder", "file"])
def test_ways_to_name_a_model(drawn, output, tmp_path, monkeypatch, form):
    folder = tmp_path / "models" / "mine"
    folder.mkdir(parents=True)
    (folder / "model.onnx").write_bytes(tiny_onnx(card=changed_card(name="../my model")))
    monkeypatch.setenv("CPUNET_MODELS", str(tmp_path / "models"))
    model = {"name": "mine", "folder": folder, "file": folder / "model.onnx"}[form]
    assert evaluate("--model", model, "--data", drawn, "-o", output) == 0
    assert list(scores_of(output)) == ["../my model"]
    assert [path.name for path in (output / "labels").iterdir()] == ["_my_model"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "nothing to evaluate"),
        (["--beside", "A"], "NAME=FOLDER"),
        (["--beside", "=folder"], "NAME=FOLDER"),
        (["--beside", "A={beside}", "A={beside}"], "called 'A' already"),
        (["--beside", "A={beside}", "--diameter", "20"], "there is no --model"),
        (["--beside", "A={beside}", "--views", "4"], "there is no --model"),
        (["--beside", "A={beside}", "--worst", "-1"], "0 or more"),
        (["--beside", "A={beside}", "-o", "{beside}/f6.tif"], "this is a file"),
        (["--model", "no_such_model"], "no model 'no_such_model'"),
        (["--model", "{beside}/none.safetensors"], "no such file"),
        (["--model", "{beside}"], "no .onnx file"),
        (["--model", "{model}", "--diameter", "-3"], "larger than 0"),
        (["--model", "{model}", "--beside", "tiny={beside}"], "called 'tiny' already"),
        (["--beside", "A={beside}", "--data", "{beside}"], "index.csv"),
    ],
)
def test_what_cannot_begin(drawn, beside, tiny_model, output, capsys, words, message):
    filled = [word.format(beside=beside, model=tiny_model, drawn=drawn) for word in words]
    assert evaluate("--data", drawn, "-o", output, *filled) == 2
    error = capsys.readouterr().err
    assert error.startswith("cpunet evaluate: ")
    assert message in error
    assert not output.exists()


def test_two_data_sets_of_one_name_are_refused_and_one_given_twice_counts_once(
    drawn, tiny_model, tmp_path, output, capsys
):
    shutil.copytree(drawn, tmp_path / "other" / drawn.name)
    both = ("--data", drawn, tmp_path / "other" / drawn.name)
    assert evaluate("--model", tiny_model, *both, "-o", output) == 2
    assert "is listed twice" in capsys.readouterr().err
    assert not output.exists()
    assert evaluate("--model", tiny_model, "--data", drawn, drawn, "-o", output) == 0
    images = len(list((output / "labels").rglob("*.tif")))
    assert f"{images} images scored" in capsys.readouterr().out


def test_the_size_of_the_gallery_can_be_chosen(drawn, tiny_model, output):
    # Three images: the third is the best that is not among the two worst. Each is shown plain, and with outlines.
    for number, shown in ((0, 0), (2, 3)):
        assert evaluate("--model", tiny_model, "--data", drawn, "--worst", number, "-o", output) == 0
        assert (output / "report.html").read_text(encoding="utf-8").count("<figure>") == 2 * shown


def test_noisy_labels_are_scored_by_pixels_and_by_any_overlap(drawn, beside, output, capsys):
    for name in VAL:
        path = beside / f"{name}.tif"
        labels = tifffile.imread(str(path))
        # One number for two objects, and all others shifted: each is hit, and none fits.
        shifted = np.where(labels > 2, labels, 0)
        tifffile.imwrite(str(path), np.where((labels > 0) & (labels < 3), 1, np.roll(shifted, 4, axis=0)))
    assert evaluate("--data", drawn, "--beside", f"A={beside}", "-o", output, "--noisy-labels") == 0
    counts = [
        count_overlap(read_labeled_image(row).labels, tifffile.imread(str(beside / f"{row.id}.tif")))
        for row in read_index(drawn)
        if row.split == "val"
    ]
    expected = pool_overlap(counts)
    assert 0 < expected.object_f1 > expected.iou
    assert expected.merging > 0
    overall = scores_of(output)["A"]["overall"]
    assert overall["by_any_overlap"] == asdict(expected)
    said = capsys.readouterr().out
    page = (output / "report.html").read_text(encoding="utf-8")
    for text in (said, page):
        assert "This hides merges" in text
    assert f"{expected.object_f1:.3f}" in said
    assert f"<td>F1 of the objects</td><td>{expected.object_f1:.3f}</td>" in page
    assert f"<td>Merges</td><td>{expected.merging}</td>" in page


def test_without_noisy_labels_nothing_is_told_of_overlap(drawn, beside, output, capsys):
    assert evaluate("--data", drawn, "--beside", f"A={beside}", "-o", output) == 0
    assert "hides merges" not in capsys.readouterr().out + (output / "report.html").read_text(encoding="utf-8")
    assert "by_any_overlap" not in scores_of(output)["A"]["overall"]


def test_a_second_evaluation_replaces_its_own_results(drawn, tiny_model, output):
    assert evaluate("--model", tiny_model, "--data", drawn, "-o", output) == 0
    assert evaluate("--model", tiny_model, "--data", drawn, "-o", output, "--diameter", 20) == 0


@pytest.mark.parametrize("name", ["report.html", "scores.json", "labels/tiny/f7.tif"])
def test_files_of_the_user_are_not_replaced_unasked(drawn, tiny_model, output, capsys, name):
    (output / name).parent.mkdir(parents=True)
    (output / name).write_text("mine")
    assert evaluate("--model", tiny_model, "--data", drawn, "-o", output) == 2
    assert "not written by cpunet" in capsys.readouterr().err
    assert (output / name).read_text() == "mine"
    assert [path for path in output.rglob("*") if path.is_file()] == [output / name]
    assert evaluate("--model", tiny_model, "--data", drawn, "-o", output, "--overwrite") == 0
    assert (output / name).read_bytes() != b"mine"


def test_the_labels_of_another_method_are_not_replaced_while_they_are_read(drawn, tiny_model, output, capsys):
    assert evaluate("--model", tiny_model, "--data", drawn, "-o", output) == 0
    words = ["--beside", f"Before={output / 'labels' / 'tiny'}", "--overwrite"]
    assert evaluate("--model", tiny_model, "--data", drawn, "-o", output, *words) == 2
    assert "is an input of this command" in capsys.readouterr().err
