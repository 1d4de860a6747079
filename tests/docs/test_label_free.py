"""The commands of docs/label-free.md, run on drawn images with a few steps of training."""

import json

import numpy as np
import pytest
import tifffile
from skimage.io import imsave

from cpunet.__main__ import main
from cpunet.checks.synthetic import synthetic_field
from cpunet.onnx_reader.metadata import read_card
from tests.docs.pages import commands_of
from tests.focus_stack import focus_stack
from tests.places import REPOSITORY

PAGE = REPOSITORY / "docs" / "label-free.md"
FEW_STEPS = ["--steps", "2"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """The folders that the page begins with."""
    made = tmp_path_factory.mktemp("label_free")
    for line in ("line_a", "line_b", "stacks"):
        for sub in ("phase", "labels"):
            (made / line / sub).mkdir(parents=True)
    for seed, line in enumerate(["line_a", "line_b"] * 9):
        drawn = synthetic_field((64, 64), columns=3, diameter_px=13, seed=seed)
        for sub, pixels in (("phase", 255 - 200 * drawn.image), ("labels", drawn.labels)):
            imsave(str(made / line / sub / f"f{seed}.png"), pixels.astype(np.uint8), check_contrast=False)
    for seed in range(2):
        planes, labels = focus_stack(seed)
        for number, plane in enumerate(planes, start=1):
            tifffile.imwrite(made / "stacks" / "phase" / f"s{seed}_z{number}.tif", plane)
        tifffile.imwrite(made / "stacks" / "labels" / f"s{seed}.tif", labels)
    return made


def commands(begins):
    """The page's commands that begin so, with a few steps of training."""
    words = [command[1:] for command in commands_of(PAGE, "cpunet")]
    chosen = [command for command in words if any(" ".join(command).startswith(begin) for begin in begins)]
    return [command + (FEW_STEPS if command[0].startswith("train") else []) for command in chosen]


def test_the_commands_lead_from_two_folders_to_a_model_a_report_and_a_cross_table(folder, monkeypatch, capsys):
    monkeypatch.chdir(folder)
    page = commands(
        [
            "data import --images line",
            "data check",
            "train label_free_light.yaml --data data",
            "export",
            "evaluate --model",
            "train-cross",
        ]
    )
    page = [command for command in page if "data/stacks" not in command]
    assert [command[0] for command in page] == ["data", "data", "data", "train", "export", "evaluate", "train-cross"]
    for command in page:
        assert main(command) == 0, f"{' '.join(command)}\n{capsys.readouterr().err}"
    card = read_card(folder / "models" / "label_free" / "model.onnx")
    assert (card.output.roles, card.input.channels, card.name) == (("foreground",), ("gray",), "label_free_light")
    (method,) = json.loads((folder / "evaluation" / "scores.json").read_text())["methods"]
    assert set(method["overall"]["by_any_overlap"]) >= {"pixel_accuracy", "object_f1", "merging"}
    table = (folder / "runs" / "lines" / "cross.md").read_text(encoding="utf-8")
    assert "| trained on \\ scored on | line_a | line_b | all |" in table


def test_focus_stacks_are_trained_on_as_the_page_says(folder, monkeypatch, capsys):
    monkeypatch.chdir(folder)
    page = commands(["data import --images stacks", "train label_free_light.yaml --data data/stacks"])
    assert [command[0] for command in page] == ["data", "train"]
    for command in page:
        assert main(command) == 0, f"{' '.join(command)}\n{capsys.readouterr().err}"
    assert (folder / "runs" / "stacks" / "weights.safetensors").exists()
