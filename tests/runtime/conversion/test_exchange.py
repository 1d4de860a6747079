import pytest

from cpunet.conversion import primary_settings, unet_settings
from cpunet.conversion.convert import Request, choices_of_model, choices_of_probability, convert
from cpunet.conversion.saved import PRIMARY, UNET
from cpunet.conversion.text_format import read_text
from cpunet.errors import ModelError
from tests.primary_pipelines import CHOSEN, SETTINGS, pipeline_text, primary_text
from tests.tiny_onnx import tiny_onnx

SHARED = [name for name in primary_settings.TEXTS if name != "lines"]

ALL = Request()


def exchange(revision=15, request=ALL, **values):
    (done,) = convert(pipeline_text(revision, [primary_text(revision, 1, **values)]).encode("utf-8"), request).exchanges
    return done


def back(content):
    return convert(content, Request(back=True))


def values_of(module):
    texts = (unet_settings if module.name == UNET else primary_settings).NEWEST_SETTINGS
    assert len(module.settings) == len(texts)
    return {name: setting.value for (name, _, _, _), setting in zip(texts, module.settings) if name}


@pytest.mark.parametrize("revision", SETTINGS)
def test_what_both_modules_have_is_taken_over_from_each_revision(revision):
    after = exchange(revision).after
    assert (after.name, after.revision) == (UNET, unet_settings.NEWEST)
    assert {name: values_of(after)[name] for name in SHARED} == {name: CHOSEN[name] for name in SHARED}


def test_the_rest_has_its_defaults():
    after = exchange().after
    shared = {*SHARED}
    for (name, text, default, _), setting in zip(unet_settings.NEWEST_SETTINGS, after.settings):
        assert setting.text == text
        assert name in shared or setting.value == default


@pytest.mark.parametrize("revision", SETTINGS)
def test_there_and_back_keeps_what_both_modules_have(revision):
    there = convert(pipeline_text(revision, [primary_text(revision, 1)]).encode("utf-8"), Request())
    (again,) = back(there.content).exchanges
    assert (again.after.name, again.after.revision) == (PRIMARY, 15)
    assert values_of(again.after) == CHOSEN
    for (name, text, default, _), setting in zip(primary_settings.NEWEST_SETTINGS, again.after.settings):
        assert setting.text == text
        assert name or setting.value == default
    said = {change.after for change in again.added}
    assert said == {text for name, text, _, _ in primary_settings.NEWEST_SETTINGS if not name or name == "lines"}


@pytest.mark.parametrize("revision", SETTINGS)
def test_once_there_and_back_the_way_back_and_forth_changes_no_byte(revision):
    content = pipeline_text(revision, [primary_text(revision, 1)]).encode("utf-8")
    content = back(convert(content, Request()).content).content
    assert back(convert(content, Request()).content).content == content


@pytest.mark.parametrize(
    ("values", "name", "after"),
    [
        ({"declump": "Intensity", "lines": "Propagate"}, "declump", "Intensity"),
        ({"declump": "None"}, "declump", "None"),
        ({"declump": "Shape", "lines": "None"}, "declump", "None"),
        ({"declump": "Laplacian of Gaussian"}, "declump", "Intensity"),
        ({"declump": "Do not use"}, "declump", "None"),
        ({"declump": "of a newer version"}, "declump", "Probability"),
        ({"lines": "Distance"}, "declump", "Shape"),
        ({"fill_holes": "Yes"}, "fill_holes", "After both thresholding and declumping"),
        ({"fill_holes": "After declumping only"}, "fill_holes", "After declumping only"),
        ({"fill_holes": "of a newer version"}, "fill_holes", "By the model"),
        ({"limit": "Truncate"}, "limit", "Continue"),
        ({"limit": "No action"}, "limit", "Continue"),
    ],
)
@pytest.mark.parametrize("revision", [8, 11, 15])
def test_values_that_are_called_otherwise(revision, values, name, after):
    done = exchange(revision, **values)
    assert values_of(done.after)[name] == after
    before = {done.before.settings[primary_settings.PLACES[revision][name]].value, values.get("lines", after)}
    assert (after in {change.value_after for change in done.altered}) == (before != {after})


def test_advanced_settings_stay_off_where_they_are_off_and_keep_their_values():
    values = values_of(exchange(advanced="No").after)
    assert (values["advanced"], values["declump"]) == ("No", "Shape")


def test_touching_objects_can_be_left_to_the_network():
    values = values_of(exchange(request=Request(chosen=choices_of_probability())).after)
    assert values["declump"] == "Probability"
    assert (values["smoothing_automatic"], values["distance_automatic"]) == ("Yes", "Yes")


def test_a_model_may_be_named_or_be_a_file(tmp_path, monkeypatch):
    assert choices_of_model("nuclei_fluorescence_float32") == {"model": "nuclei_fluorescence_float32"}
    (tmp_path / "mine.onnx").write_bytes(tiny_onnx())
    monkeypatch.chdir(tmp_path)
    done = exchange(request=Request(chosen=choices_of_model("mine.onnx")))
    values = values_of(done.after)
    assert values["model"] == "A model file of your own"
    assert values["model_folder"] == f"Elsewhere...|{tmp_path.as_posix()}"
    assert values["model_file"] == "mine.onnx"
    assert [change.after for change in done.added] == [
        "Select the model",
        "Folder of the model file",
        "Name of the model file",
    ]
    with pytest.raises(ModelError, match="There is no model 'nuclei_flourescence'"):
        choices_of_model("nuclei_flourescence")


def unet_text(revision=unet_settings.NEWEST, **values):
    """A pipeline with IdentifyObjectsUNet of a revision."""
    lines = []
    for name, text, default, _ in unet_settings.NEWEST_SETTINGS[: unet_settings.COUNTS[revision]]:
        lines.append(f"    {text}:{values.get(name, default)}")
    header = f"{UNET}:[module_num:1|svn_version:'Unknown'|variable_revision_number:{revision}|notes:[]|enabled:True]"
    return pipeline_text(15, ["\n".join([header, *lines, ""])]).encode("utf-8")


@pytest.mark.parametrize(
    ("values", "name", "after"),
    [
        ({"declump": "Probability"}, "declump", "Intensity"),
        ({"declump": "Shape"}, "lines", "Shape"),
        ({"declump": "None"}, "declump", "None"),
        ({"declump": "None"}, "lines", "Intensity"),
        ({"fill_holes": "By the model"}, "fill_holes", "After both thresholding and declumping"),
        ({"smoothing": "5.4"}, "smoothing", "5"),
        ({"object_limit": "1"}, "object_limit", "2"),
    ],
)
def test_on_the_way_back_what_the_other_module_lacks_is_replaced_and_said(values, name, after):
    (done,) = back(unet_text(**values)).exchanges
    assert values_of(done.after)[name] == after
    if name != "lines":
        ours = values[name]
        assert [change.value_before for change in done.altered if change.value_after == after] == (
            [ours] if ours != after else []
        )


@pytest.mark.parametrize(("answer", "method"), [("Yes", "Intensity"), ("No", "None")])
@pytest.mark.parametrize("revision", [1, 2])
def test_the_first_revisions_of_our_module_asked_only_whether_to_separate(revision, answer, method):
    (done,) = back(unet_text(revision, declump=answer, image="DAPI")).exchanges
    assert (values_of(done.after)["declump"], values_of(done.after)["image"]) == (method, "DAPI")
    assert values_of(done.after)["smoothing"] == "5"


@pytest.mark.parametrize("revision", range(1, 8))
def test_pipelines_of_early_versions_of_cellprofiler_2_are_read_too(revision):
    settings = SETTINGS[8][: 29 if revision < 5 else 31]
    text = primary_text(8, 1, settings=settings, lines="Distance", limit="No action")
    text = text.replace("variable_revision_number:8", f"variable_revision_number:{revision}")
    text = text.replace("IdentifyPrimaryObjects:", "IdentifyPrimAutomatic:")
    (done,) = convert(pipeline_text(8, [text]).encode("utf-8"), Request()).exchanges
    values = values_of(done.after)
    assert done.after.name == UNET
    assert (values["declump"], values["distance"], values["limit"]) == ("Shape", "6.5", "Continue")
    assert values["object_limit"] == ("500" if revision < 5 else "321")


def test_the_images_of_channels_are_no_images_of_probabilities():
    more = "    Select the kind of probability:border\n    Name the image:Rand\n"
    more += "    Select the image of a further channel:Z2\n"
    text = unet_text(advanced="Yes", save_probability="Yes").decode("utf-8")
    counts = "Images of further channels:{}\n    Further probability images:{}\n"
    assert text.count(counts.format(0, 0)) == 1
    text = text.replace(counts.format(0, 0), counts.format(1, 1) + more)
    (module,) = read_text(text.encode("utf-8")).modules
    assert unet_settings.probability_images(module) == ("ProbabilityNuclei", "Rand")
