import base64
import json
import re
from dataclasses import replace

import numpy as np
import pytest
from skimage.io import imsave

from cpunet.checks.synthetic import synthetic_field
from cpunet.scores import pool_scores
from cpunet.training.data.labeled_images import IndexRow
from cpunet.training.evaluation.object_scores import true_objects
from cpunet.training.evaluation.pictures import (
    FALSE_NEGATIVE,
    FALSE_POSITIVE,
    FOUND,
    WINDOW_PX,
    Window,
    outcome_picture,
    outcomes,
    worst_window,
)
from cpunet.training.evaluation.report import scores_as_json, write_report, write_scores
from cpunet.training.evaluation.score_texts import SCORE_LINES, terminal_table
from cpunet.training.evaluation.scored_images import Evaluation, ScoredMethod, score_labels, worst_images
from tests.html_page import Page

WHOLE = Window(slice(None), slice(None), 1)
EVIL = '<script>alert("1")</script> & $x_{1'


def boxes(*corners, shape=(40, 60)):
    labels = np.zeros(shape, np.int32)
    for number, (top, bottom, left, right) in enumerate(corners, start=1):
        labels[top:bottom, left:right] = number
    return labels


FIRST, SECOND, THIRD = (2, 14, 2, 14), (2, 14, 20, 32), (20, 32, 20, 32)
# One found, one missed; one invented.
TRUTH, PREDICTION = boxes(FIRST, SECOND), boxes(THIRD, FIRST)
GRAY = np.random.default_rng(0).integers(90, 110, TRUTH.shape).astype(np.uint8)


def is_gray(pixels):
    return (pixels.min(axis=-1) == pixels.max(axis=-1)).all()


def test_objects_are_sorted_by_what_became_of_them():
    shown = outcomes(TRUTH * 5, PREDICTION)
    np.testing.assert_array_equal(shown.found, boxes(FIRST) * 2)
    np.testing.assert_array_equal(shown.false_positive, boxes(THIRD))
    np.testing.assert_array_equal(shown.false_negative, boxes(SECOND) * 10)


def test_an_object_with_an_iou_of_just_the_threshold_is_wrong():
    truth, prediction = boxes((0, 10, 0, 10)), boxes((0, 7, 0, 10))
    assert not outcomes(truth, prediction).found.any()
    assert outcomes(truth, boxes((0, 8, 0, 10))).found.any()


def test_found_false_and_missed_objects_have_their_colors():
    picture = outcome_picture(GRAY, WHOLE, outcomes(TRUTH, PREDICTION))
    assert picture.dtype == np.uint8
    assert tuple(picture[2, 8]) == FOUND
    assert is_gray(picture[4:12, 4:12])
    assert tuple(picture[20, 25]) == FALSE_POSITIVE
    red, green, blue = picture[24:28, 24:28].reshape(-1, 3).T.astype(int)
    assert (red > green + 30).all()
    assert (red > blue + 30).all()
    red, green, blue = picture[6:10, 24:28].reshape(-1, 3).T.astype(int)
    assert (blue > green + 15).all()
    assert (blue > red + 30).all()
    outside = (TRUTH == 0) & (PREDICTION == 0)
    assert is_gray(picture[outside])


def test_only_missed_objects_are_dashed():
    picture = outcome_picture(GRAY, WHOLE, outcomes(TRUTH, PREDICTION))

    def share(row, columns, color):
        return (picture[row, columns] == color).all(axis=-1).mean()

    assert share(2, slice(2, 14), FOUND) == share(20, slice(20, 32), FALSE_POSITIVE) == 1
    assert 0.3 < share(2, slice(20, 32), FALSE_NEGATIVE) < 0.7


def test_red_lies_over_blue_where_an_object_is_badly_outlined():
    shown = outcomes(boxes((2, 30, 2, 30)), boxes((2, 14, 2, 14)))
    picture = outcome_picture(GRAY, WHOLE, shown).astype(int)
    both, missed = picture[8, 8], picture[20, 20]
    assert both[0] > both[1] + 30
    assert both[2] > both[1]
    assert both[0] > missed[0]


@pytest.mark.parametrize("seed", range(3))
def test_the_window_is_where_most_is_wrong(seed):
    wrong = np.random.default_rng(seed).random((WINDOW_PX + 9, WINDOW_PX + 6)) < 0.01
    window = worst_window(wrong, 10)
    best = max(wrong[top:, left:][:WINDOW_PX, :WINDOW_PX].sum() for top in range(10) for left in range(7))
    assert wrong[window.rows, window.columns].shape == (WINDOW_PX, WINDOW_PX)
    assert wrong[window.rows, window.columns].sum() == best
    assert window.step == 1


@pytest.mark.parametrize(
    ("shape", "diameter", "shown"),
    [((30, 50), 10, (30, 50)), ((2000, 900), 80, (267, 267)), ((2000, 300), 200, (334, 50))],
    ids=["small image", "large objects", "narrow image of huge objects"],
)
def test_pictures_stay_small(shape, diameter, shown):
    image, labels = np.zeros(shape, np.uint16), np.zeros(shape, np.int32)
    labels[5:25, 5:25] = 1
    window = worst_window(labels != 0, diameter)
    picture = outcome_picture(image, window, outcomes(labels, labels * 0))
    assert picture.shape == (*shown, 3)
    assert max(picture.shape) <= WINDOW_PX
    assert (picture == FALSE_NEGATIVE).all(axis=-1).any()


def image_on_disk(folder, name, modality, truth):
    """Write an image with its truth; the page reads those that it shows."""
    for sub in ("images", "labels"):
        (folder / sub).mkdir(parents=True, exist_ok=True)
    image = (truth != 0) * 150 + np.random.default_rng(0).integers(0, 40, truth.shape)
    imsave(str(folder / "images" / f"{name}.png"), image.astype(np.uint8), check_contrast=False)
    imsave(str(folder / "labels" / f"{name}.png"), truth.astype(np.uint16), check_contrast=False)
    return IndexRow(folder, name, modality, "val", "")


def scored_method(name, rows, truths, predictions):
    images = [
        score_labels(row, truth, true_objects(truth), prediction)
        for row, truth, prediction in zip(rows, truths, predictions, strict=True)
    ]
    by_key = {row.key: prediction for row, prediction in zip(rows, predictions, strict=True)}
    return ScoredMethod(name, f"folder of {name}", lambda row: by_key[row.key], tuple(images))


@pytest.fixture
def evaluation(tmp_path):
    """Two methods on four images of two sets and two modalities."""
    truths = [synthetic_field((80, 80), 3, 16, touching=seed > 1, seed=seed).labels for seed in range(4)]
    places = [("one", "fluorescence"), ("one", "phase_contrast"), ("two", "fluorescence"), ("two", "fluorescence")]
    rows = [
        image_on_disk(tmp_path / folder, f"i{number}", modality, truth)
        for number, ((folder, modality), truth) in enumerate(zip(places, truths, strict=True))
    ]
    shifted = [np.roll(truth, number, axis=1) for number, truth in enumerate(truths)]
    thinned = [np.where(truth % 3 == 0, 0, truth) for truth in truths]
    methods = (scored_method(EVIL, rows, truths, shifted), scored_method("_thinned", rows, truths, thinned))
    return Evaluation("val", None, methods, {("two", "i9"): "the file is <empty>"})


def of_pool(images):
    scores = pool_scores([image.scores for image in images])
    return {
        **{name: value for name, value in vars(scores).items() if name not in ("f1", "average_precision")},
        "f1": {f"{t:.2f}": value for t, value in scores.f1.items()},
        "average_precision": {f"{t:.2f}": value for t, value in scores.average_precision.items()},
    }


def test_the_json_file_holds_every_pooled_score(evaluation, tmp_path):
    write_scores(tmp_path / "scores.json", evaluation)
    written = json.loads((tmp_path / "scores.json").read_text())
    assert [method["name"] for method in written["methods"]] == [EVIL, "_thinned"]
    assert written["failed"] == [{"data_set": "two", "id": "i9", "reason": "the file is <empty>"}]
    for method, found in zip(evaluation.methods, written["methods"], strict=True):
        images = method.images
        groups = [
            (found["overall"], images),
            (found["by_data_set"]["one"], images[:2]),
            (found["by_data_set"]["two"], images[2:]),
            (found["by_modality"]["fluorescence"], (images[0], *images[2:])),
            (found["by_modality"]["phase_contrast"], images[1:2]),
            *zip(found["images"], ([image] for image in images), strict=True),
        ]
        for group, of_group in groups:
            expected = of_pool(of_group)
            assert len(expected) == 17
            assert {name: group[name] for name in expected} == expected
        assert [image["id"] for image in found["images"]] == ["i0", "i1", "i2", "i3"]
        for fact, bins in found["overall"]["recall_by"].items():
            assert fact in ("area_px", "eccentricity", "clump_size")
            assert sum(each["objects"] for each in bins) == method.pooled.truth_count
    assert written["methods"][0]["overall"] != written["methods"][1]["overall"]


def test_truth_and_prediction_are_not_swapped(tmp_path):
    truth, half = boxes(FIRST, SECOND, THIRD), boxes(FIRST)
    rows = [IndexRow(tmp_path, "a", "", "val", "")]

    def overall(true, found):
        evaluation = Evaluation("val", None, (scored_method("m", rows, [true], [found]),), {})
        return scores_as_json(evaluation)["methods"][0]["overall"]

    missed, invented = overall(truth, half), overall(half, truth)
    assert (missed["recall"], missed["precision"]) == (pytest.approx(1 / 3), 1)
    assert (invented["recall"], invented["precision"]) == (1, pytest.approx(1 / 3))
    assert (missed["truth_count"], missed["prediction_count"]) == (3, 1)
    assert missed["recall_by"]["clump_size"][0]["recall"]["0.50"] == pytest.approx(1 / 3)
    assert invented["recall_by"]["clump_size"][0]["recall"]["0.50"] == 1


@pytest.fixture
def page(evaluation, tmp_path):
    write_report(tmp_path / "new" / "report.html", evaluation, worst=3)
    return Page((tmp_path / "new" / "report.html").read_text(encoding="utf-8"))


def test_the_report_opens_offline(page):
    assert len(page.loads) == 3 + 3 * 2
    assert all(re.match(r"data:image/(png|svg\+xml);base64,", address) for address in page.loads)
    assert not {"script", "link", "iframe", "object", "embed"} & set(page.elements)
    for address in page.loads:
        content = base64.b64decode(address.partition(",")[2])
        assert content.startswith(b"\x89PNG") or b"<svg" in content[:1000]


def test_the_report_escapes_names_and_says_everything(page):
    text = " ".join(" ".join(page.texts).split())
    assert text.count(EVIL) > 3
    assert "two/i9: the file is <empty>" in text
    for line in SCORE_LINES:
        assert line.name in text
        assert line.meaning in text
    for words in ("objects in the clump", "area in pixels", "eccentricity", "phase_contrast", "0.95"):
        assert words in text
    for words in ("green outline", "red area", "blue area, dashed outline"):
        assert words in text


def test_the_report_shows_the_figures(evaluation, page):
    overall = evaluation.methods[1].pooled
    for value in (overall.mean_f1, overall.f1[0.9], overall.average_precision[0.55], overall.dice, overall.recall):
        assert f"{value:.3f}" in page.texts


def test_the_worst_images_come_first_and_perfect_ones_never(evaluation):
    method = evaluation.methods[0]
    assert [image.row.id for image in worst_images(method, 12)] == sorted(
        ("i1", "i2", "i3"), key=lambda name: method.images[int(name[1])].pooled.mean_f1
    )
    assert len(worst_images(method, 2)) == 2
    assert method.images[0].pooled.mean_f1 == 1


def test_of_equally_bad_images_the_one_with_more_errors_is_worse(tmp_path):
    rows = [IndexRow(tmp_path, name, "", "val", "") for name in "ab"]
    nothing = boxes()
    method = scored_method("m", rows, [boxes(FIRST), boxes(FIRST, SECOND)], [nothing, nothing])
    assert [image.row.id for image in worst_images(method, 12)] == ["b", "a"]


@pytest.mark.parametrize("found", [boxes(), boxes(FIRST)], ids=["nothing found", "something found"])
def test_images_without_a_true_object_can_be_reported(tmp_path, found):
    rows = [image_on_disk(tmp_path / "set", "empty", "", boxes())]
    evaluation = Evaluation("val", 12.5, (scored_method("m", rows, [boxes()], [found]),), {})
    write_report(tmp_path / "report.html", evaluation, worst=12)
    text = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "hold no true object" in text
    assert "diameter of 12.5 pixels" in text
    assert text.count("<figure>") == found.max()
    assert scores_as_json(evaluation)["methods"][0]["overall"]["mean_f1"] == 1 - found.max()


def test_the_table_of_the_terminal(evaluation):
    lines = terminal_table(evaluation)
    rows = [line[:16].strip() for line in lines]
    assert rows[0] == "set or modality"
    assert rows[1::2] == rows[2::2] == ["all", "one", "two", "fluorescence", "phase_contrast"]
    assert len({len(line) for line in lines}) == 1
    assert f"{evaluation.methods[1].pooled.mean_f1:.3f}" in lines[2]


def test_one_set_and_one_modality_are_not_repeated(evaluation):
    alone = tuple(replace(method, images=method.images[2:]) for method in evaluation.methods)
    assert len(terminal_table(replace(evaluation, methods=alone))) == 3
