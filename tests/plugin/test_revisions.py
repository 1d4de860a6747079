"""A pipeline saved by an older revision gives the objects that it gave then."""

import io

import numpy as np
import pytest
from cellprofiler_core.setting import ValidationError
from identifyobjectsunet import IdentifyObjectsUNet
from skimage.io import imread

from cpunet.plugin import progress
from tests.plugin.saved_pipelines import choices, label_fly, load, pipeline_text, reference_path, values


@pytest.mark.parametrize(
    ("revision", "choice"), [(revision, choice) for revision in (1, 2, 3) for choice in choices(revision)]
)
def test_a_pipeline_of_an_older_revision_gives_the_objects_that_it_gave(revision, choice):
    reference = imread(str(reference_path(choice)))
    labels = label_fly(pipeline_text(revision, choice), small=choice == "by objects")
    assert labels.max() == reference.max() > 30
    # To the bit on the processor that wrote the reference; another may round a pixel at an outline elsewhere.
    assert np.count_nonzero(labels != reference) <= 20


def test_a_probability_that_the_model_no_longer_computes_is_named():
    """Revision 3 asked version 1 of the model for the kind distance; version 2 has none."""
    text = pipeline_text(3, "with all settings").replace("nuclei_fluorescence_1", "nuclei_fluorescence")
    with pytest.raises(
        ValidationError, match="computes no probability of the kind 'distance', only foreground, border"
    ):
        label_fly(text)


def test_the_ways_to_rescale_give_different_objects():
    """Otherwise the test above would not notice that one is taken for another."""
    by_range = label_fly(pipeline_text(2, "by range"))
    by_objects = label_fly(pipeline_text(2, "by range").replace("By the diameter range", "By the objects in the image"))
    assert (by_objects != by_range).any()
    small = label_fly(pipeline_text(2, "by objects"), small=True)
    off = label_fly(pipeline_text(2, "by objects").replace("By the objects in the image", "Off"), small=True)
    assert small.max() > off.max()


def test_a_pipeline_saved_by_revision_1_loads(pipelines):
    module = load((pipelines / "revision_1.cppipe").read_text(encoding="utf-8")).modules()[0]
    assert module.variable_revision_number == 8
    assert (module.x_name.value, module.y_name.value) == ("OrigBlue", "Kerne")
    assert module.model_name.value == "nuclei_fluorescence_float32"
    assert module.size_range.value == (12, 34)
    assert [module.exclude_size.value, module.exclude_border_objects.value] == [True, False]
    assert module.rescale.value == "Off"
    assert [module.advanced.value, module.advanced_settings.use_model_threshold.value] == [True, False]
    assert module.advanced_settings.foreground_threshold.value == 0.42
    assert [module.advanced_settings.declump_method.value, module.advanced_settings.device.value] == ["None", "CPU"]
    assert [module.probability_settings.save.value, module.probability_settings.name.value] == [True, "KerneP"]


@pytest.mark.parametrize(
    ("name", "way"),
    [
        ("nuclei_fluorescence", "select the model nuclei_fluorescence_1"),
        ("nuclei_generalist", "use its file of an earlier version of this plugin"),
        ("phase_cells", None),
    ],
)
def test_the_log_says_that_a_model_was_trained_anew(pipelines, caplog, name, way):
    progress._logged.clear()
    text = (pipelines / "revision_3.cppipe").read_text(encoding="utf-8")
    load(text.replace("model:nuclei_fluorescence", f"model:{name}"))
    told = f"saved with version 1 of the model {name} and now runs version 2" in caplog.text
    assert told is (way is not None)
    assert way is None or way in caplog.text
    caplog.clear()
    load((pipelines / "revision_4.cppipe").read_text(encoding="utf-8"))
    assert "version 1 of the model" not in caplog.text


@pytest.mark.parametrize(("before", "after"), [("Automatic", "By the diameter range"), ("Off", "Off")])
def test_the_size_that_revision_1_went_by_is_kept(pipelines, before, after):
    text = (pipelines / "revision_1.cppipe").read_text(encoding="utf-8")
    text = text.replace("for the model?:Off", f"for the model?:{before}").replace(":Kerne\n", ":Automatic\n")
    module = load(text).modules()[0]
    assert module.rescale.value == after
    assert module.y_name.value == "Automatic"


def test_a_pipeline_saved_by_revision_2_loads(pipelines):
    module = load((pipelines / "revision_2.cppipe").read_text(encoding="utf-8")).modules()[0]
    assert (module.x_name.value, module.y_name.value) == ("OrigBlue", "Kerne")
    assert module.rescale.value == "By the objects in the image"
    assert values(module)[16:] == values(IdentifyObjectsUNet())[16:]
    assert [module.probability_settings.save.value, module.probability_settings.name.value] == [True, "KerneP"]


def test_a_pipeline_saved_by_revision_3_loads(pipelines):
    text = (pipelines / "revision_3.cppipe").read_text(encoding="utf-8")
    module = load(text).modules()[0]
    assert [module.advanced_settings.declump_method.value, module.rescale_factor.value] == ["Shape", 0.8]
    settings = module.advanced_settings
    assert [settings.smoothing_automatic.value, settings.smoothing_px.value] == [False, 4.5]
    assert [settings.fill_holes.value, settings.limit_choice.value, settings.object_limit.value] == [
        "Never",
        "Erase",
        321,
    ]
    assert [settings.augmentation.value, settings.tile_px.value, settings.batch_size.value] == ["Flips", 512, 2]
    assert [settings.outlines.value, settings.outline_level.value] == ["As the model learned", 0.5]
    assert values(module)[35:39] == ["Grayscale", "foreground", "percentile 1 to 99.8", "30.0"]
    assert [group.image_name.value for group in module.probability_settings.further] == ["KerneTiefe"]
    assert module.channel_settings.images == []


def test_a_pipeline_saved_by_revision_4_loads(pipelines):
    text = (pipelines / "revision_4.cppipe").read_text(encoding="utf-8")
    module = load(text).modules()[0]
    settings = module.advanced_settings
    assert [settings.outlines.value, settings.outline_level.value] == ["At a level of the edge", 0.35]
    assert [settings.further_models.value, settings.tile_px.value] == ["", 512]
    # Its name meant one file on every computer.
    assert module.model_name.value == "nuclei_fluorescence_float32"


@pytest.mark.parametrize("name", ["nuclei_fluorescence_int8", "phase_cells"])
def test_other_models_of_revision_4_keep_their_names(pipelines, name):
    text = (pipelines / "revision_4.cppipe").read_text(encoding="utf-8")
    assert load(text.replace("model:nuclei_fluorescence", f"model:{name}")).modules()[0].model_name.value == name


def test_a_pipeline_saved_by_revision_5_loads(pipelines):
    module = load((pipelines / "revision_5.cppipe").read_text(encoding="utf-8")).modules()[0]
    assert module.model_name.value == "nuclei_fluorescence"
    assert module.channel_settings.images == []
    assert [group.image_name.value for group in module.probability_settings.further] == ["KerneTiefe"]


def test_a_pipeline_saved_by_revision_6_loads(pipelines):
    module = load((pipelines / "revision_6.cppipe").read_text(encoding="utf-8")).modules()[0]
    assert [setting.value for setting in module.channel_settings.images] == ["OrigGreen"]
    assert [group.image_name.value for group in module.probability_settings.further] == ["KerneTiefe"]
    settings = module.advanced_settings
    assert [settings.combine.value, settings.chooser.value, settings.outline_level.value] == ["Average", "", 0.35]
    assert values(module)[35:39] == ["Grayscale", "foreground", "percentile 1 to 99.8", "30.0"]


def test_a_pipeline_saved_by_revision_7_loads(pipelines):
    module = load((pipelines / "revision_7.cppipe").read_text(encoding="utf-8")).modules()[0]
    assert [setting.value for setting in module.channel_settings.images] == ["OrigGreen"]
    assert [group.image_name.value for group in module.probability_settings.further] == ["KerneTiefe"]
    assert module.advanced_settings.further_model_names() == ["phase_cells", "other, newer.onnx"]
    assert values(module)[35:39] == ["Grayscale", "foreground", "percentile 1 to 99.8", "30.0"]
    assert [setting.value for setting in module.spacing_settings.all()] == ["From the image", 2.0]


def test_a_pipeline_saved_by_revision_8_is_saved_again_as_it_is(pipelines):
    text = (pipelines / "revision_8.cppipe").read_text(encoding="utf-8")
    pipeline = load(text)
    module = pipeline.modules()[0]
    assert [setting.value for setting in module.channel_settings.images] == ["OrigGreen"]
    assert [group.image_name.value for group in module.probability_settings.further] == ["KerneTiefe"]
    assert module.advanced_settings.further_model_names() == ["phase_cells", "other, newer.onnx"]
    assert module.advanced_settings.chooser_name() == "mine/chooser.onnx"
    assert [setting.value for setting in module.spacing_settings.all()] == ["As given", 2.2]
    again = io.StringIO()
    pipeline.dump(again)
    assert again.getvalue().split("\n\n")[1] == text.split("\n\n")[1]
