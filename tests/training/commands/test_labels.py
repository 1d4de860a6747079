import csv
import shutil

import numpy as np
import pytest
import tifffile

from benchmarks.phase_like.pairs import drawn_labels, make_pair, write_pairs
from benchmarks.phase_like.stain import OTHER_FIELD
from cpunet.__main__ import main
from cpunet.files.images import read_image, read_label_numbers
from cpunet.scores import pool_scores, score_image
from cpunet.training.data.labeled_images import read_index, read_labeled_image
from tests.html_page import Page
from tests.import_sources import data, put

NAMES = [f"{well}_s{tile}_t0" for well in ("A01", "A02") for tile in (1, 2, 3)]
KINDS = ("clean", "clean", OTHER_FIELD, "clean", "uneven", "clean")
CLIPPED = NAMES[3]


def from_stain(*words):
    return main(["labels", "from-stain", *map(str, words)])


def drawn_pair(seed, name, kind):
    if name != CLIPPED:
        return make_pair(name, drawn_labels(seed), kind)
    pair = make_pair(name, drawn_labels(seed), kind, largest_px=2)
    return pair._replace(stain=np.minimum(pair.stain, np.percentile(pair.stain[pair.labels > 0], 40)))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("stained") / "pairs"
    kinds = zip(NAMES, KINDS, strict=True)
    write_pairs((drawn_pair(2 * number, name, kind) for number, (name, kind) in enumerate(kinds)), folder)
    return folder


@pytest.fixture(scope="module")
def made(folder, tmp_path_factory):
    """The data set of the default recipe."""
    target = tmp_path_factory.mktemp("made") / "set"
    pattern = r"(?P<well>\w\d\d)_s(?P<tile>\d)_t(?P<time>\d)"
    words = ["-o", target, "--pattern", pattern, "--device", "cpu", "--diameter", "24"]
    assert from_stain(folder / "stain", folder / "phase", *words) == 0
    return target


def discarded(target):
    with (target / "discarded.csv").open(newline="", encoding="utf-8") as stream:
        return {row["id"]: row for row in csv.DictReader(stream)}


def test_labels_lie_on_the_images_nuclei(folder, made):
    scores = []
    for row in read_index(made):
        truth = read_label_numbers(folder / "labels" / f"{row.id}.png").astype(np.int32)
        whole = read_image(folder / "phase" / f"{row.id}.png")
        labeled = read_labeled_image(row)
        # The image is a part of the file, pixel by pixel.
        height, width = labeled.image.shape
        places = [
            (y, x)
            for y in range(whole.shape[0] - height + 1)
            for x in range(whole.shape[1] - width + 1)
            if np.array_equal(whole[y : y + height, x : x + width], labeled.image)
        ]
        ((y, x),) = places
        assert min(height, width) >= 274 - 13
        scores.append(score_image(truth[y : y + height, x : x + width], labeled.labels))
    assert pool_scores(scores).f1[0.5] > 0.9


def test_what_is_left_out_is_listed_with_its_reason(made):
    found = discarded(made)
    assert "cannot be aligned" in found[NAMES[2]]["reason"]
    assert "saturated" in found[CLIPPED]["reason"]
    kept = [row.id for row in read_index(made)]
    (fewest,) = set(NAMES) - set(kept) - {NAMES[2], CLIPPED}
    assert "fewest nucleus pixels" in found[fewest]["reason"]
    assert len(found) + len(kept) == len(NAMES)
    assert found[fewest]["stain"].endswith(f"{fewest}.tif")


def test_the_data_set_passes_the_check_and_names_parts_and_shifts(folder, made, capsys):
    assert data("check", made) == 0
    assert "0 errors" in capsys.readouterr().out
    with (made / "index.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    with (folder / "truth.csv").open(newline="") as stream:
        truth = {row["id"]: row for row in csv.DictReader(stream)}
    for row in rows:
        assert row["well"] == row["id"][:3]
        assert row["group"] == f"{row['tile']}_{row['well']}"
        assert float(row["shift_y"]) == pytest.approx(float(truth[row["id"]]["shift_y"]), abs=0.8)
        assert read_image(made / "stains" / f"{row['id']}.tif").shape == (int(row["height"]), int(row["width"]))


def test_the_contact_sheet_shows_each_image_and_stain_and_opens_offline(made):
    page = Page((made / "contact_sheet.html").read_text(encoding="utf-8"))
    assert len(page.loads) == 2 * len(read_index(made))
    assert all(address.startswith("data:") for address in page.loads)
    text = " ".join(page.texts)
    assert all(name in text for name in NAMES)
    assert "cannot be aligned" in text
    assert "model nuclei_fluorescence" in text


def test_the_recipe_of_the_thesis_cuts_crops(folder, tmp_path, capsys):
    words = ["--recipe", "thesis", "--crop", "100", "--drop-fewest", "0", "--diameters", "10", "60"]
    assert from_stain(folder / "stain", folder / "phase", "-o", tmp_path / "set", *words, "--declump", "shape") == 0
    rows = read_index(tmp_path / "set")
    first = {f"{NAMES[0]}_{number}" for number in (1, 2, 3, 4)}
    assert first <= {row.id for row in rows} | set(discarded(tmp_path / "set"))
    assert {read_labeled_image(row).image.shape for row in rows} == {(100, 100)}
    assert {row.group for row in rows if row.id.startswith(NAMES[0])} == {NAMES[0]}
    assert "separated by shape, diameters 10 to 60 px" in capsys.readouterr().out


def test_a_pair_that_differs_in_size_is_left_out_by_name(folder, tmp_path):
    shutil.copytree(folder, tmp_path / "pairs")
    stain = tmp_path / "pairs/stain" / f"{NAMES[0]}.tif"
    put(stain, tifffile.imread(stain)[:-1])
    (tmp_path / "pairs/stain" / f"{NAMES[1]}.tif").write_bytes(b"II*\0broken")
    words = ["-o", tmp_path / "set", "--recipe", "thesis", "--crop", "0"]
    assert from_stain(tmp_path / "pairs/stain", tmp_path / "pairs/phase", *words) == 0
    found = discarded(tmp_path / "set")
    assert "273 x 274" in found[NAMES[0]]["reason"]
    assert f"{NAMES[1]}.tif" in found[NAMES[1]]["reason"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--clahe-slope", "2"], "--clahe-slope goes with --recipe thesis"),
        (["--recipe", "thesis", "--diameter", "9"], "--diameter goes with --recipe model"),
        (["--recipe", "thesis", "--device", "cpu"], "--device goes with --recipe model"),
        (["--crop", "5"], "--crop 5"),
        (["--largest-shift", "0"], "--largest-shift 0"),
        (["--drop-fewest", "2"], "--drop-fewest 2"),
        (["--pattern", "("], "no regular expression"),
        (["--model", "no_such_model"], "no_such_model"),
    ],
)
def test_options_that_cannot_be_used_are_refused_before_the_work(folder, tmp_path, words, message, capsys):
    assert from_stain(folder / "stain", folder / "phase", "-o", tmp_path / "set", *words) == 2
    assert message in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_what_exists_is_kept_and_nothing_is_half_written(folder, made, tmp_path, capsys):
    before = (made / "index.csv").read_bytes()
    assert from_stain(folder / "stain", folder / "phase", "-o", made) == 2
    assert "exists already" in capsys.readouterr().err
    assert (made / "index.csv").read_bytes() == before
    words = ["-o", tmp_path / "set", "--recipe", "thesis", "--most-nucleus", "0"]
    assert from_stain(folder / "stain", folder / "phase", *words) == 2
    assert "No pair is left" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())
