import pytest

from benchmarks.pipeline_text import PRIMARY, UNET, read_pipeline, replace_primary_objects, save_nuclei


@pytest.fixture
def plain(example_fly):
    return (example_fly / "ExampleFly.cppipe").read_text(encoding="utf-8")


def contents(text):
    """Each module of a pipeline: its name, and its settings as (text, value)."""
    return [
        (module.module_name, [(setting.text, setting.unicode_value) for setting in module.settings()])
        for module in read_pipeline(text).modules()
    ]


def test_only_the_one_module_is_replaced_and_keeps_its_names_and_filters(plain):
    before, after = contents(plain), contents(replace_primary_objects(plain))
    assert len(before) == len(after) == 16
    ((old, new),) = [pair for pair in zip(before, after) if pair[0] != pair[1]]
    assert (old[0], new[0]) == (PRIMARY, UNET)
    settings = dict(new[1])
    assert settings["Select the input image"] == "CropBlue"
    assert settings["Name the objects to be identified"] == "Nuclei"
    assert settings["Typical diameter of objects, in pixel units (Min,Max)"] == "10,40"
    assert settings["Discard objects outside the diameter range?"] == "Yes"
    assert settings["Discard objects touching the border of the image?"] == "Yes"
    assert settings["Select the model"] == "nuclei_fluorescence"


def test_saving_the_nuclei_changes_no_other_module(plain):
    before, after = contents(plain), contents(save_nuclei(plain))
    assert after[: len(before)] == before
    assert [name for name, _ in after[len(before) :]] == ["ConvertObjectsToImage", "SaveImages", "SaveImages"]


def test_a_pipeline_without_the_module_is_refused(plain):
    with pytest.raises(ValueError, match="no module IdentifyPrimaryObjects"):
        replace_primary_objects(replace_primary_objects(plain))
