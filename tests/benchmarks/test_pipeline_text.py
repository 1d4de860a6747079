import pytest

from benchmarks.pipeline_text import module_settings, replace_primary_objects, split_modules


@pytest.fixture
def plain(example_fly):
    return (example_fly / "ExampleFly.cppipe").read_text(encoding="utf-8")


def test_splitting_loses_nothing(plain):
    blocks = split_modules(plain)
    assert "".join(blocks) == plain
    assert len(blocks) == 17


def test_only_the_one_module_is_replaced_and_takes_over_names_and_filters(plain):
    before, after = split_modules(plain), split_modules(replace_primary_objects(plain))
    changed = [index for index, (old, new) in enumerate(zip(before, after)) if old != new]
    assert changed == [8]
    settings = module_settings(after[8])
    assert settings["Select the input image"] == "CropBlue"
    assert settings["Name the objects to be identified"] == "Nuclei"
    assert settings["Typical diameter of objects, in pixel units (Min,Max)"] == "10,40"
    assert settings["Discard objects outside the diameter range?"] == "Yes"
    assert settings["Discard objects touching the border of the image?"] == "Yes"


def test_a_pipeline_without_the_module_is_refused(plain):
    with pytest.raises(ValueError, match="no module IdentifyPrimaryObjects"):
        replace_primary_objects(replace_primary_objects(plain))


def test_an_unknown_setting_is_refused(plain):
    with pytest.raises(KeyError, match="color"):
        replace_primary_objects(plain, color="red")
