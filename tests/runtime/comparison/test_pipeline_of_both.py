import pytest

from cpunet.comparison.pipeline_of_both import Pair, pipeline_of_both
from cpunet.conversion.convert import Request, convert, read_pipeline
from cpunet.errors import ComparisonError

HEAD = "CellProfiler Pipeline: http://www.cellprofiler.org\nVersion:3\nDateRevision:300\nModuleCount:{}\n"
ATTRIBUTES = (
    "[module_num:9|svn_version:'Unknown'|variable_revision_number:{}|show_window:True|notes:['a | b']|enabled:{}]"
)


def module(name, *settings, revision=1, enabled=True):
    lines = [f"    {text}:{value}" for text, value in settings]
    return "\n".join([f"{name}:{ATTRIBUTES.format(revision, enabled)}", *lines])


def primary(image, objects, **more):
    from cpunet.conversion.primary_settings import NEWEST, NEWEST_SETTINGS

    given = {"image": image, "objects": objects}
    settings = [(text, given.get(name, default)) for name, text, default, _ in NEWEST_SETTINGS]
    return module("IdentifyPrimaryObjects", *settings, revision=NEWEST, **more)


def pipeline(*modules):
    return "\n\n".join([HEAD.format(len(modules)).rstrip(), *modules, ""]).encode()


def both(*modules):
    content = pipeline(*modules)
    return pipeline_of_both(read_pipeline(content).modules, convert(content, Request()))


LOAD = module("NamesAndTypes", ("Name", r"a\x3Ab"))
SAVE = module("SaveImages", ("Overwrite?", "Yes"))
MEASURE = module("MeasureObjectIntensity", ("Objects", "Nuclei"))


def test_the_second_module_follows_the_first_and_a_recorder_both():
    made = both(LOAD, primary("DNA", "Nuclei"), MEASURE)
    read = read_pipeline(made.text.encode()).modules
    assert [each.name for each in read] == [
        "NamesAndTypes",
        "IdentifyPrimaryObjects",
        "IdentifyObjectsUNet",
        "RecordComparison",
    ]
    assert made.pairs == (Pair("Nuclei", "DNA", 2, 3),)
    assert [setting.value for setting in read[2].settings[:2]] == ["DNA", "Nuclei_UNet"]
    assert [setting.value for setting in read[3].settings] == ["1", "DNA", "Nuclei", "Nuclei_UNet"]
    assert (made.loads_data, made.left_out) == (False, ())


def test_values_keep_their_spelling_and_nothing_is_shown_in_a_window():
    text = both(LOAD, primary("DNA", "Nuclei")).text
    assert r"    Name:a\x3Ab" in text.splitlines()
    assert "show_window:True" not in text
    assert "ModuleCount:4" in text
    assert [line.partition("|")[0] for line in text.splitlines() if "module_num" in line] == [
        "NamesAndTypes:[module_num:1",
        "IdentifyPrimaryObjects:[module_num:2",
        "IdentifyObjectsUNet:[module_num:3",
        "RecordComparison:[module_num:4",
    ]


def test_each_of_several_is_compared_and_modules_between_them_stay():
    made = both(LOAD, primary("DNA", "Nuclei"), MEASURE, primary("Actin", "Cells"), MEASURE)
    assert made.pairs == (Pair("Nuclei", "DNA", 2, 3), Pair("Cells", "Actin", 6, 7))
    assert [each.name for each in read_pipeline(made.text.encode()).modules].count("MeasureObjectIntensity") == 1


@pytest.mark.parametrize(
    "name", ["SaveImages", "SaveCroppedObjects", "ExportToSpreadsheet", "ExportToDatabase", "CreateBatchFiles"]
)
def test_modules_that_write_files_are_left_out(name):
    made = both(LOAD, module(name, ("Overwrite?", "Yes")), primary("DNA", "Nuclei"))
    assert made.left_out == (name,)
    assert name not in made.text


def test_a_disabled_module_is_not_compared_and_stays_disabled():
    made = both(LOAD, primary("DNA", "Old", enabled=False), primary("DNA", "Nuclei"))
    assert made.pairs == (Pair("Nuclei", "DNA", 3, 4),)
    assert [each.enabled for each in read_pipeline(made.text.encode()).modules] == [True, False, True, True, True]


def test_a_name_that_the_pipeline_uses_is_not_taken_again():
    made = both(module("LoadData", ("Objects", "Nuclei_UNet")), primary("DNA", "Nuclei"))
    assert "Name the objects to be identified:Nuclei_UNet2" in made.text
    assert made.loads_data


@pytest.mark.parametrize(
    ("modules", "why"),
    [((LOAD,), "it has NamesAndTypes"), ((primary("DNA", "Nuclei", enabled=False),), "it is disabled")],
)
def test_without_the_module_there_is_nothing_to_compare(modules, why):
    with pytest.raises(ComparisonError, match=f"no module IdentifyPrimaryObjects runs in this pipeline: {why}"):
        both(*modules)
