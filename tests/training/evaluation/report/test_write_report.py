import base64
import json
import re

import pytest

from cpunet.scores import pool_scores
from cpunet.training.data.labeled_images import IndexRow
from cpunet.training.evaluation.report.score_texts import SCORE_LINES
from cpunet.training.evaluation.report.write_report import scores_as_json, write_report, write_scores
from cpunet.training.evaluation.scored_images import Evaluation
from tests.boxes import FIRST, SECOND, THIRD, boxes
from tests.html_page import Page
from tests.scored_methods import EVIL, image_on_disk, scored_method


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
    # three charts; of three bad images and a good one the image itself, and each method's objects
    assert len(page.loads) == 3 + (3 + 1) * (1 + 2)
    assert all(re.match(r"data:image/(jpeg|svg\+xml);base64,", address) for address in page.loads)
    assert not {"script", "link", "iframe", "object", "embed"} & set(page.elements)
    for address in page.loads:
        content = base64.b64decode(address.partition(",")[2])
        assert content.startswith(b"\xff\xd8") or b"<svg" in content[:1000]


def test_the_report_escapes_names_and_says_everything(page):
    text = " ".join(" ".join(page.texts).split())
    assert text.count(EVIL) > 3
    assert "two/i9: the file is <empty>" in text
    for line in SCORE_LINES:
        assert line.name in text
        assert line.meaning in text
    for words in ("objects in the clump", "area in pixels", "eccentricity", "phase_contrast", "0.95"):
        assert words in text
    for words in ("Green : kept", "Magenta : wrong size", "Blue : missed", "What to do"):
        assert words in text


def test_the_best_of_each_line_is_bold_and_pictures_can_be_enlarged(evaluation, tmp_path):
    write_report(tmp_path / "report.html", evaluation, worst=3)
    text = (tmp_path / "report.html").read_text(encoding="utf-8")
    first, second = (method.pooled.mean_f1 for method in evaluation.methods)
    assert f"<td><b>{max(first, second):.3f}</b></td>" in text
    assert f"<td><b>{min(first, second):.3f}</b></td>" not in text
    assert text.count('<label class="zoom">') == 12


def test_every_image_stands_in_the_table_the_worst_first(evaluation, page):
    text = " ".join(" ".join(page.texts).split())
    table = text[text.index("Every image") : text.index("How exact are")]
    worst = sorted(evaluation.methods[0].images, key=lambda image: image.pooled.mean_f1)
    places = [table.index("/".join(image.row.key)) for image in worst]
    assert places == sorted(places)


def test_a_method_alone_has_nothing_bold_in_its_tables(evaluation, tmp_path):
    alone = Evaluation("val", None, evaluation.methods[:1], {})
    write_report(tmp_path / "report.html", alone, worst=0)
    text = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "<td><b>" not in text
    assert "<figure>" not in text


def test_the_report_shows_the_figures(evaluation, page):
    overall = evaluation.methods[1].pooled
    for value in (overall.mean_f1, overall.f1[0.9], overall.average_precision[0.55], overall.dice, overall.recall):
        assert f"{value:.3f}" in page.texts


@pytest.mark.parametrize("found", [boxes(), boxes(FIRST)], ids=["nothing found", "something found"])
def test_images_without_a_true_object_can_be_reported(tmp_path, found):
    rows = [image_on_disk(tmp_path / "set", "empty", "", boxes())]
    evaluation = Evaluation("val", 12.5, (scored_method("m", rows, [boxes()], [found]),), {})
    write_report(tmp_path / "report.html", evaluation, worst=12)
    text = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "hold no true object" in text
    assert "diameter of 12.5 pixels" in text
    assert text.count("<figure>") == 2 * found.max()  # the image, and what was found in it
    assert scores_as_json(evaluation)["methods"][0]["overall"]["mean_f1"] == 1 - found.max()
