import re

import pytest

from cpunet.__main__ import main
from cpunet.review.page import read_review
from tests.review_files import line, write_saved, write_set

pytest.importorskip("jinja2", reason="pages need jinja2, which CellProfiler has")


@pytest.fixture
def review(tmp_path, capsys):
    """Run `cpunet review` and return its exit code and what it printed."""

    def run(*words):
        code = main(["review", *map(str, words)])
        printed = capsys.readouterr()
        return code, printed.out, printed.err

    return run


@pytest.fixture
def plate(tmp_path):
    return write_set(tmp_path / "plate", 5)


def test_a_page_is_made_of_labels_and_its_files_are_scored(review, plate, tmp_path):
    page = tmp_path / "pages" / "r.html"
    code, said, _ = review(
        "make", plate, "--labels", plate / "labels", "--stain", plate / "stain", "--number", 2, "-o", page
    )
    assert code == 0
    assert "plate: 2 of 5 images, drawn with seed 1; 6 objects" in said
    made = read_review(page)
    assert made.identity in said
    assert set(made.predicted.values()) == {3}
    first, second = (name for _, name in made.predicted)
    files = []
    for expert, counts in (("Anna", (1, 2)), ("Ben", (0, 0))):
        common = {"expert": expert, "predicted": 3, "review": made.identity, "set_name": "plate"}
        lines = line(first, *counts, **common), line(second, 0, 0, **common)
        files.append(write_saved(tmp_path / f"{expert}.csv", *lines))
    code, said, _ = review("score", *files, "--page", page, "-o", tmp_path / "scores")
    assert code == 0
    assert re.search(r"^plate +Anna +2 +6 +1 +2 +0\.833 +0\.714 +0\.769 +0\.625$", said, flags=re.M)
    assert re.search(rf"^plate +{first} +3 +1 +2 +0 +0 +3 +DISAGREE$", said, flags=re.M)
    assert f"Written: {tmp_path / 'scores' / 'scores.html'}" in said
    code, _, said = review("score", *files, "-o", tmp_path / "scores")
    assert code == 2
    assert "scores.csv exists, and was not written by cpunet" in said
    assert review("score", *files, "-o", tmp_path / "scores", "--overwrite", "--tolerance", 3)[0] == 0


def test_a_model_finds_the_objects_of_a_page(review, images, tiny_model, tmp_path):
    code, said, _ = review("make", images, "--model", tiny_model, "--device", "cpu", "-o", tmp_path / "r.html")
    assert code == 0
    assert f"{tmp_path.name}: 2 of 2 images" in said
    assert "the model tiny 1.0.0" in (tmp_path / "r.html").read_text(encoding="utf-8")
    assert min(read_review(tmp_path / "r.html").predicted.values()) > 5


def test_a_file_that_cannot_be_read_costs_only_itself(review, plate, tmp_path):
    (plate / "labels" / "2.tif").write_bytes(b"no image")
    code, said, errors = review("make", plate, "--labels", plate / "labels", "-o", tmp_path / "r.html")
    assert code == 1
    assert re.search(r"^FAILED .*2\.tif", errors, flags=re.M)
    assert "plate: 4 of 5 images" in said
    assert len(read_review(tmp_path / "r.html").predicted) == 4


def test_a_page_of_someone_else_and_the_images_are_kept(review, plate, tmp_path):
    (tmp_path / "r.html").write_text("<p>mine")
    code, _, said = review("make", plate, "--labels", plate / "labels", "-o", tmp_path / "r.html")
    assert code == 2
    assert "r.html exists, and was not written by cpunet" in said
    assert (tmp_path / "r.html").read_text() == "<p>mine"
    assert review("make", plate, "--labels", plate / "labels", "-o", tmp_path / "r.html", "--overwrite")[0] == 0
    assert review("make", plate, "--labels", plate / "labels", "--seed", 2, "-o", tmp_path / "r.html")[0] == 0


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--number", "0"], "--number must be 1 or more; it is 0"),
        (["--window", "10"], "--window must be 64 or more; it is 10"),
        (["--seed", "-1"], "--seed must be 0 or more; it is -1"),
        (["-o", "r.txt"], "-o r.txt: the page is written into a file whose name ends in .html"),
        (["--stain-suffix", "_dapi"], "--stain-suffix goes with --stain"),
        (["--diameter", "20"], "--diameter is for a model"),
    ],
)
def test_what_cannot_be_is_refused(review, plate, tmp_path, words, message):
    code, _, said = review("make", plate, "--labels", plate / "labels", "-o", tmp_path / "r.html", *words)
    assert code == 2
    assert said.startswith("cpunet review make: ")
    assert message in said
    assert not (tmp_path / "r.html").exists()


def test_files_without_a_judged_image_are_told(review, tmp_path):
    empty, full = (
        write_saved(tmp_path / "a.csv", line("x")),
        write_saved(tmp_path / "b.csv", line("x", 1, 0, expert="Ben")),
    )
    code, _, said = review("score", empty)
    assert code == 2
    assert "a.csv: no image is judged. An expert presses Done" in said
    code, said, _ = review("score", empty, full)
    assert code == 1
    assert "Anna did not judge 1 of 1 images." in said
    code, _, said = review("score", full, "--tolerance", -1)
    assert code == 2
    assert "--tolerance must be 0 or more; it is -1." in said
    code, _, said = review("score", full, full)
    assert code == 2
    assert "Ben is the expert of" in said
