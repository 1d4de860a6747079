import pytest

from tests.import_sources import data
from tests.written_sets import write_small_set


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "Say what to import"),
        (["--images", "x"], "belong together"),
        (["."], "neither a data set"),
        (["--cellprofiler", ".", "--image-suffix", "_a"], "Give both --image-suffix"),
        (["--images", "nowhere", "--labels", "nowhere"], "nowhere: there is no such folder"),
    ],
)
def test_what_cannot_be_understood_is_said(tmp_path, monkeypatch, words, message, capsys):
    monkeypatch.chdir(tmp_path)
    assert data("import", *words, "-o", "new") == 2
    assert message in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--random", "--rename", "a=b"], "--rename goes with --column"),
        (["--folds", "2", "--validate-on", "1", "--fractions", "train=1"], "--fractions goes with --random"),
        (["--column", "split", "--fractions", "train=1"], "--fractions goes with --random"),
        (["--random", "--validate-on", "1"], "--validate-on goes with --folds"),
        (["--column", "split", "--stratify", "modality"], "--stratify goes with --random or --folds"),
        (["--random", "--seed", "-1"], "--seed -1: a whole number from 0 on"),
    ],
)
def test_options_of_split_that_do_not_apply_are_refused(tmp_path, words, message, capsys):
    write_small_set(tmp_path / "set", *((f"a{seed}", "train", "", seed, {}) for seed in range(20)))
    before = (tmp_path / "set/index.csv").read_bytes()
    assert data("split", tmp_path / "set", *words) == 2
    assert message in capsys.readouterr().err
    assert (tmp_path / "set/index.csv").read_bytes() == before


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--label-format", "masks"], "--label-format goes with --images and --labels"),
        (["--image-suffix", "_a", "--labels-suffix", "_b"], "or with --cellprofiler"),
        (["--labels-suffix", "_b"], "or with --cellprofiler"),
        (["--series", "2"], "--series goes with --images and --labels"),
    ],
)
def test_options_of_import_that_do_not_apply_are_refused(tmp_path, words, message, capsys):
    write_small_set(tmp_path / "set", ("a", "train", "", 0, {}))
    assert data("import", tmp_path / "set", *words, "-o", tmp_path / "new") == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "new").exists()


def test_a_report_replaces_only_an_earlier_report(tmp_path, capsys):
    write_small_set(tmp_path / "set", *((f"a{seed}", "train", "", seed, {}) for seed in range(3)))
    page = tmp_path / "check.html"
    page.write_text("my notes")
    assert data("check", tmp_path / "set", "--report", page) == 2
    assert "not written by cpunet" in capsys.readouterr().err
    assert page.read_text() == "my notes"
    for words in (["--overwrite"], []):
        assert data("check", tmp_path / "set", "--report", page, *words) in (0, 1)
    assert page.read_text(encoding="utf-8") != "my notes"
