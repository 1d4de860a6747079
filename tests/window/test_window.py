"""What CellProfiler's window shows of the module. Extra: needs wxPython, xvfb-run and ImageMagick's import."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("wx", reason="needs wxPython; CONTRIBUTING.md says how to run the tests of the window")
for program in ("xvfb-run", "import"):
    if shutil.which(program) is None:
        pytest.skip(f"needs the program {program}", allow_module_level=True)


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    output = tmp_path_factory.mktemp("window")
    scenario = Path(__file__).with_name("scenario.py")
    screen = ["xvfb-run", "-a", "-s", "-screen 0 1400x1000x24"]
    subprocess.run([*screen, sys.executable, str(scenario), str(output)], timeout=600)
    return json.loads((output / "report.json").read_text(encoding="utf-8"))


def test_the_whole_scenario_ran(report):
    assert "error" not in report, report["error"]


def test_the_module_is_found_by_category_and_by_search(report):
    assert "IdentifyObjectsUNet" in report["in Object Processing"]
    assert report["found by unet"] == ["IdentifyObjectsUNet"]


def test_the_button_takes_over_from_identify_primary_objects(report):
    taken_over = report["taken over"]
    assert "IdentifyPrimaryObjects (module 8) is disabled, and this module stands below it." in taken_over["said"]
    assert taken_over["modules"] == [["IdentifyPrimaryObjects", False], ["IdentifyObjectsUNet", True]]
    assert (taken_over["shown"], taken_over["selected"], taken_over["button"]) == (["CropBlue", "Nuclei"], [9], False)


def test_every_visible_setting_has_a_control_and_the_help_opens(report):
    assert report["visible settings"]
    assert report["without a control"] == []
    assert "When should I use this module?" in report["help"]


def test_the_setting_at_fault_says_what_is_wrong(report):
    assert "is too small for the model's halo" in report["complaint about a setting"]


def test_checking_the_settings_opens_no_session(report):
    assert not report["onnxruntime after validation"]


def test_a_saved_project_opens_with_the_same_settings(report):
    assert "IdentifyObjectsUNet" not in report["after new project"]
    assert report["opened"] == report["saved"]


def test_the_figure_opens_with_its_images_and_all_of_its_table(report):
    assert {"Nuclei", "Nuclei outlines", "Probability of an object"} <= set(report["figure"]["titles"])
    assert report["figure"]["rows cut off"]["as it opens"] == 0
    assert report["figure"]["columns cut off"]["as it opens"] == 0


def test_cancel_stops_between_tiles(report):
    assert report["progress"]["pressed"]
    assert not report["progress"]["figure after"]


def test_an_analysis_with_two_workers_writes_its_tables(report):
    assert report["analysis"]["workers"] == 2
    assert {"MyExpt_Image.csv", "MyExpt_Nuclei.csv"} <= set(report["analysis"]["files"])
