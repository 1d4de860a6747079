"""The commands of docs/combine-models.md are run in their order, and its table of features is that of the code."""

import re

import pytest
from skimage.io import imread, imsave
from skimage.segmentation import expand_labels

from cpunet.choice.card import read_chooser_card
from cpunet.choice.features import feature_names
from tests.docs.pages import commands_of, text_of
from tests.places import REPOSITORY
from tests.synthetic_data_set import write_data_set
from tests.tiny_onnx import changed_card, tiny_onnx

PAGE = REPOSITORY / "docs" / "combine-models.md"
THRESHOLDS = {"nuclei_fluorescence": 0.6, "nuclei_fluorescence_1": 0.02}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder with two models, each better in half of the labeled images, as the page has them."""
    for name, threshold in THRESHOLDS.items():
        (tmp_path / "models" / name).mkdir(parents=True)
        card = changed_card(name=name, postprocessing={"foreground_threshold": threshold})
        (tmp_path / "models" / name / "model.onnx").write_bytes(tiny_onnx(card))
    for name in ("my_images", "test_set"):
        write_data_set(tmp_path / name, ["val"] * 8)
        for path in sorted((tmp_path / name / "labels").iterdir())[1::2]:
            imsave(str(path), expand_labels(imread(str(path)), 2), check_contrast=False)
    (tmp_path / "my_images" / "images").rename(tmp_path / "images")
    (tmp_path / "my_images" / "images").symlink_to(tmp_path / "images")
    monkeypatch.setenv("CPUNET_MODELS", str(tmp_path / "models"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_each_command_of_the_page_runs(folder):
    pytest.importorskip("sklearn", reason="learning needs the training packages")
    pytest.importorskip("torch", reason="scoring needs the training packages")
    from cpunet.__main__ import main

    commands = commands_of(PAGE, "cpunet")
    assert [words[1] for words in commands] == ["combine", "segment", "evaluate"]
    for words in commands:
        assert main(words[1:]) == 0, words
    assert [each.name for each in read_chooser_card(folder / "chooser.onnx").models] == list(THRESHOLDS)
    assert len(list((folder / "results").glob("*_labels.tif"))) == 8
    assert (folder / "evaluation" / "scores.json").is_file()


def test_the_table_names_each_feature():
    table = text_of(PAGE).split("| features | meaning |")[1].split("\n\n")[0]
    quoted = re.findall(r"`([a-z_]+)`", table)
    assert sorted(quoted) == sorted({re.sub(r"_\d$", "_k", name) for name in feature_names(2)})
