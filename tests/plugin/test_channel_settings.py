"""A model of several gray channels: its images in the settings, joined in the order of the model's channels."""

import numpy as np
import pytest
import tifffile
from cellprofiler_core.image import Image, ImageSetList
from cellprofiler_core.measurement import Measurements
from cellprofiler_core.object import ObjectSet
from cellprofiler_core.pipeline import Pipeline
from cellprofiler_core.setting import ValidationError
from cellprofiler_core.workspace import Workspace
from identifyobjectsunet import IdentifyObjectsUNet

from benchmarks.pipeline_text import make_module, text_of
from cpunet.errors import ImageError
from cpunet.plugin.model_settings import MODEL_FROM_FILE
from cpunet.scores import pool_scores, score_image
from tests.focus_stack import CHANNELS, MODEL, focus_stack
from tests.plugin.headless import rows_of, run_headless, write_pipeline
from tests.plugin.saved_pipelines import load, pipeline_text

NAMES = ("Z1", "Z2", "Z3", "Z4")
DRAWN = 100  # a field that the model was not trained on


def module_of(*names, model=MODEL):
    """The module with the model of focus stacks; the first name is the input image."""
    made = make_module("IdentifyObjectsUNet", x_name=names[0], y_name="Cells", model_name=MODEL_FROM_FILE)
    made.set_module_num(1)
    made.model_directory.value, made.model_file.value = f"Elsewhere...|{model.parent}", model.name
    for setting, name in zip(made.channel_settings.visible(CHANNELS), names[1:]):
        setting.value = name
    return made


def found(module, images):
    """Run the module on images by name; return its labels."""
    image_set = ImageSetList().get_image_set(0)
    for name, image in images.items():
        image_set.add(name, image if isinstance(image, Image) else Image(image))
    pipeline = Pipeline()
    pipeline.add_module(module)
    workspace = Workspace(pipeline, module, image_set, ObjectSet(), Measurements(), image_set)
    module.run(workspace)
    return workspace.object_set.get_objects("Cells").segmented


def stack(seed=DRAWN):
    planes, labels = focus_stack(seed)
    return planes / 65535, labels


def mean_f1(labels, prediction):
    return pool_scores([score_image(labels, prediction)]).mean_f1


def test_four_gray_images_are_joined_in_the_order_of_the_models_channels():
    planes, labels = stack()
    images = dict(zip(NAMES, planes))
    assert mean_f1(labels, found(module_of(*NAMES), images)) > 0.9
    # In another order the model takes dirt for cells.
    backward = found(module_of(*NAMES[::-1]), images)
    assert backward.any()
    assert not backward[labels > 0].any()


def test_an_image_that_holds_all_channels_gives_the_same_objects():
    planes, _ = stack()
    joined = found(module_of("Stack"), {"Stack": np.moveaxis(planes, 0, -1)})
    np.testing.assert_array_equal(joined, found(module_of(*NAMES), dict(zip(NAMES, planes))))


def test_the_settings_are_named_after_the_models_channels():
    module = module_of(*NAMES)

    def shown():
        return [setting.text for setting in module.visible_settings() if "of the channel" in setting.text]

    assert shown() == [f"Select the image of the channel {name}" for name in CHANNELS[1:]]
    module.model_name.value = "nuclei_generalist"  # its three colors are one image
    assert shown() == []
    module.model_name.value = "nuclei_fluorescence"
    assert shown() == []
    module.model_name.value = MODEL_FROM_FILE
    assert [setting.value for setting in module.channel_settings.images] == list(NAMES[1:])


def test_a_pipeline_keeps_the_images_of_channels_and_probabilities():
    module = module_of(*NAMES)
    module.advanced.value = module.probability_settings.save.value = True
    module.probability_settings.add()
    module.probability_settings.add()
    (loaded,) = load(text_of([module])).modules()
    assert [setting.value for setting in loaded.channel_settings.images] == list(NAMES[1:])
    assert [setting.value_text for setting in loaded.settings()] == [
        setting.value_text for setting in module.settings()
    ]
    assert len(loaded.probability_settings.further) == 2


@pytest.mark.parametrize(
    ("names", "says"),
    [
        (("Z1", "Z2", "Z3"), "The channel above has no image. Select one, or leave all"),
        (("Z1", "Z2", "Z1", "Z4"), "The image Z1 is the channel below already"),
        (("Z1", "Z2", "Z2", "Z4"), "The image Z2 is the channel near below already"),
    ],
)
def test_channels_without_an_image_or_with_the_same_are_refused(names, says):
    module = module_of(*names)
    pipeline = Pipeline()
    pipeline.add_module(module)
    with pytest.raises(ValidationError, match=says):
        module.channel_settings.check(CHANNELS, module.x_name.value)
    module = module_of("Z1")
    module.channel_settings.check(CHANNELS, "Z1")


def test_images_that_cannot_be_channels_are_named():
    planes, _ = stack()
    images = dict(zip(NAMES, planes))
    color = np.dstack([planes[1], planes[2], planes[3]])
    with pytest.raises(ImageError, match=r"Z3 has the shape \(96, 96, 3\); the image of one channel must be grayscale"):
        found(module_of(*NAMES), {**images, "Z3": color})
    with pytest.raises(ImageError, match=r"Z2 has the shape \(96, 90\), and Z1, the first channel.*\(96, 96\)"):
        found(module_of(*NAMES), {**images, "Z2": planes[1][:, :90]})
    with pytest.raises(ImageError, match=r"takes 4 channels \(below, near below, near above, above\)"):
        found(module_of("Z1"), images)


def test_gray_saved_as_color_is_gray():
    planes, labels = stack()
    images = dict(zip(NAMES, planes))
    images["Z3"] = np.dstack([planes[2]] * 3)
    assert mean_f1(labels, found(module_of(*NAMES), images)) > 0.9


def test_no_object_lies_outside_the_mask_of_any_channel():
    planes, _ = stack()
    upper, left = np.ones((2, 96, 96), bool)
    upper[48:], left[:, 48:] = False, False
    images = {
        **dict(zip(NAMES, planes)),
        "Z1": Image(planes[0], mask=upper),
        "Z4": Image(planes[3], mask=left),
    }
    inside = found(module_of(*NAMES), images)
    assert inside.any()
    assert not inside[~(upper & left)].any()


def test_stacks_of_several_channels_are_joined_plane_by_plane():
    planes, labels = stack()
    images = {name: Image(np.stack([plane, plane]), dimensions=3) for name, plane in zip(NAMES, planes)}
    volume = found(module_of(*NAMES), images)
    assert volume.shape == (2, 96, 96)
    assert mean_f1(labels, volume[1]) > 0.9


def test_cellprofiler_runs_a_pipeline_of_four_gray_files(tmp_path):
    planes, labels = focus_stack(DRAWN)
    (tmp_path / "images").mkdir()
    for name, plane in zip(NAMES, planes):
        tifffile.imwrite(str(tmp_path / "images" / f"{name}.tif"), plane)
    header = ",".join([f"Image_FileName_{name},Image_PathName_{name}" for name in NAMES])
    row = ",".join([f"{name}.tif,{tmp_path / 'images'}" for name in NAMES])
    (tmp_path / "images" / "list.csv").write_text(f"{header}\n{row}\n")
    loading = make_module("LoadData")
    save = make_module("ExportToSpreadsheet", wants_prefix=False)
    path = write_pipeline(tmp_path / "focus.cppipe", [loading, module_of(*NAMES), save])
    listed = f"--data-file={tmp_path / 'images' / 'list.csv'}"
    done = run_headless(path, tmp_path / "images", tmp_path / "output", listed)
    assert done.returncode == 0, done.log
    (image,) = rows_of(tmp_path / "output" / "Image.csv")
    assert int(float(image["Count_Cells"])) == labels.max()


def test_a_pipeline_from_before_has_no_images_of_channels():
    (module,) = load(pipeline_text(3, "with all settings")).modules()
    assert isinstance(module, IdentifyObjectsUNet)
    assert module.channel_settings.images == []
