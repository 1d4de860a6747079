"""Another model in a saved pipeline: one line changes, and a headless run finds the model by its name."""

import io
import shutil

import pytest
from cellprofiler_core.pipeline import Pipeline
from skimage.io import imread, imsave

from export.tutorial.files import PIPELINE, with_model
from tests.plugin.headless import run_headless


@pytest.fixture
def models(tmp_path, tiny_model, monkeypatch):
    """A models folder with one model, `mine`, and no other models of the user's."""
    folder = tmp_path / "models folder"
    (folder / "mine").mkdir(parents=True)
    shutil.copy(str(tiny_model), str(folder / "mine" / "model.onnx"))
    monkeypatch.setenv("CPUNET_MODELS", str(folder))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "no data"))
    return folder


def saved(pipeline):
    text = io.StringIO()
    pipeline.dump(text)
    return text.getvalue()


def opened(text):
    pipeline = Pipeline()
    pipeline.load(io.StringIO(text))
    return pipeline


@pytest.mark.parametrize("name", ["demo", "revision_1", "revision_2"])
def test_another_model_changes_one_line_of_a_saved_pipeline(models, pipelines, name):
    text = (
        PIPELINE.read_text(encoding="utf-8")
        if name == "demo"
        else (pipelines / f"{name}.cppipe").read_text(encoding="utf-8")
    )
    pipeline = opened(text)
    before = saved(pipeline)
    module = next(each for each in pipeline.modules() if each.module_name == "IdentifyObjectsUNet")
    chosen = module.model_name.value
    module.model_name.value = "mine"
    after = saved(pipeline)
    lines = before.splitlines(), after.splitlines()
    assert len(lines[0]) == len(lines[1])
    changed = [pair for pair in zip(*lines) if pair[0] != pair[1]]
    assert changed == [(f"    Select the model:{chosen}", "    Select the model:mine")]
    # As text it is the same change, and CellProfiler reads it as it reads its own.
    assert with_model(before, "mine") == after
    assert saved(opened(with_model(text, "mine"))) == after


def test_a_headless_run_finds_a_model_by_its_name_in_the_models_folder(models, tmp_path, field, monkeypatch):
    image, labels = field
    (tmp_path / "images").mkdir()
    imsave(str(tmp_path / "images" / "new.png"), (image * 255).astype("uint8"), check_contrast=False)
    pipeline = tmp_path / "mine.cppipe"
    pipeline.write_text(with_model(PIPELINE.read_text(encoding="utf-8"), "mine"), encoding="utf-8")
    done = run_headless(pipeline, tmp_path / "images", tmp_path / "found")
    assert done.returncode == 0, done.log
    found = imread(str(tmp_path / "found" / "new_labels.tiff"))
    assert found.max() == labels.max()
    both = ((found > 0) & (labels > 0)).sum()
    assert 2 * both / ((found > 0).sum() + (labels > 0).sum()) > 0.8

    monkeypatch.delenv("CPUNET_MODELS")
    missed = run_headless(pipeline, tmp_path / "images", tmp_path / "none")
    assert "mine" in missed.log
    assert not list((tmp_path / "none").glob("*_labels.tiff"))
