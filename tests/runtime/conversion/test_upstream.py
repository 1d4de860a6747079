import pytest

from cpunet.conversion.convert import Request, convert
from tests.primary_pipelines import IMAGE, pipeline_text, primary_text


def maker_text(name, text, image=IMAGE, enabled=True, more=()):
    header = f"{name}:[module_num:1|variable_revision_number:12|notes:[]|enabled:{enabled}]"
    lines = [f"    {text}:{value}" for text, value in [("Select the input image", "Raw"), *more, (text, image)]]
    return "\n".join([header, *lines, ""])


def notes(*makers):
    blocks = [*makers, primary_text(15, 1 + len(makers))]
    return convert(pipeline_text(15, blocks).encode("utf-8"), Request()).notes


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("Threshold", "Name the output image"),
        ("ApplyThreshold", "Output"),
        ("ConvertObjectsToImage", "Name the output image"),
    ],
)
def test_an_input_image_that_is_segmented_already_is_named(name, text):
    (note,) = notes(maker_text(name, text))
    assert note.startswith(
        f"module 2, IdentifyPrimaryObjects: its input image, {IMAGE}, is what module 1, {name}, made"
    )
    assert "choose the image that module 1 takes" in note


@pytest.mark.parametrize(
    "makers",
    [
        [maker_text("Smooth", "Name the output image")],
        [maker_text("Threshold", "Name the output image", image="Mask")],
        [maker_text("Threshold", "Name the output image", enabled=False)],
        [maker_text("Threshold", "Name the output image"), maker_text("Smooth", "Name the output image")],
        [maker_text("ApplyThreshold", "Name the output image", more=[("Select the output image type", "Grayscale")])],
    ],
    ids=["smoothed", "another", "disabled", "made anew", "gray"],
)
def test_other_input_images_are_not(makers):
    assert notes(*makers) == ()
