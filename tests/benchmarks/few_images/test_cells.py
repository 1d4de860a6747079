import json
from pathlib import Path

import numpy as np
import pytest

from benchmarks.few_images import sets
from benchmarks.few_images.__main__ import cells, main
from benchmarks.few_images.cells import AVERAGED, CALIBRATED, METHODS, SCRATCH, SHIPPED, TUNED, Cell, as_taken
from benchmarks.few_images.table import results, table
from cpunet.model.find import find_model
from cpunet.model.session import load_model
from tests.synthetic_data_set import write_data_set


@pytest.fixture
def root(tmp_path, monkeypatch):
    write_data_set(tmp_path / "data" / "drawn", ["train"] * 14)
    monkeypatch.setitem(sets.SETS, "drawn", sets.FewImagesSet("drawn", "fluorescence"))
    return tmp_path


def run(root, action, *more):
    made = ["--folder", str(root / "made"), "--results", str(root / "few")]
    return main([action, "--data", str(root / "data"), *made, *more])


def test_a_run_goes_on_where_it_was_and_lays_out_what_is_there(root, capsys):
    (root / "few").mkdir()
    rates = {f"drawn {method}": 0.4 for method in (TUNED, SCRATCH)}
    (root / "few" / "rates.json").write_text(json.dumps(rates))
    wanted = ("--sets", "drawn", "--images", "3", "--minutes", "5")
    assert run(root, "measure", *wanted, "--methods", SHIPPED, CALIBRATED, TUNED, AVERAGED) == 0
    found = results(root / "few")
    assert [each["method"] for each in found] == [SHIPPED, CALIBRATED, TUNED, AVERAGED]
    assert [each["steps"] for each in found] == [0, 0, 2, 2]
    assert found[0]["scored_images"] == 2
    assert len(table(found).splitlines()) == 2 + 4
    before = {path: path.stat().st_mtime_ns for path in (root / "few" / "cells").iterdir()}
    assert run(root, "measure", *wanted, "--methods", SHIPPED, CALIBRATED, TUNED, AVERAGED) == 0
    assert {path: path.stat().st_mtime_ns for path in (root / "few" / "cells").iterdir()} == before
    capsys.readouterr()
    assert main(["table", "--results", str(root / "few")]) == 0
    assert capsys.readouterr().out.count("| drawn |") == 4
    assert (root / "few" / "few_images_5.png").stat().st_size > 1000


def test_a_budget_needs_a_rate(root, capsys):
    wanted = ("--sets", "drawn", "--images", "3", "--minutes", "5", "--methods", TUNED)
    assert run(root, "measure", *wanted) == 1
    assert "Measure the rates first" in capsys.readouterr().err


def test_each_cell_is_listed_once_and_short_budgets_first():
    listed = list(cells(["a", "b"], [1, 3], [5, 15], METHODS))
    assert len({each.path(Path("few")) for each in listed}) == len(listed) == 2 * (1 + 2 + 3 * 2 * 2)
    minutes = [each.minutes for each in listed]
    assert minutes == sorted(minutes)
    assert Cell("a", 0, 0, SHIPPED) in listed


def test_a_gray_model_is_given_the_mean_of_the_colors():
    model = load_model(find_model(sets.START), device="cpu")
    color = np.zeros((4, 5, 3))
    color[..., 0] = 3
    assert (as_taken(color, model) == 1).all()
    assert as_taken(color[..., 0], model).shape == (4, 5)
