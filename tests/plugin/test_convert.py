"""CellProfiler loads what ``cpunet convert`` writes, with the settings that its own upgrade would give."""

import io
import json
import shutil
from pathlib import Path

import cellprofiler
import cellprofiler_core
import pytest
from cellprofiler.modules.identifyprimaryobjects import IdentifyPrimaryObjects
from cellprofiler_core.constants.modules import all_modules, renamed_modules
from cellprofiler_core.image import ImageSetList
from cellprofiler_core.pipeline import Pipeline
from cellprofiler_core.pipeline.io._v6 import dump as dump_json
from cellprofiler_core.utilities.core.modules import instantiate_module
from cellprofiler_core.workspace import Workspace
from identifyobjectsunet import IdentifyObjectsUNet

from benchmarks.pipeline_text import PRIMARY, UNET, example_folder, make_module, read_pipeline, text_of
from cpunet.__main__ import main
from cpunet.conversion import primary_settings, removed_modules, unet_settings
from cpunet.conversion.convert import Request, convert
from cpunet.plugin import revisions
from cpunet.plugin.model_settings import MODEL_FROM_FILE
from tests.plugin.headless import rows_of, run_headless
from tests.primary_pipelines import HEADERS, NOTES, pipeline_text, primary_text

PACKAGES = [Path(package.__file__).parent for package in (cellprofiler, cellprofiler_core)]
SHIPPED = [
    path
    for folder in PACKAGES
    for pattern in ("*.cppipe", "*.cp", "*.cpproj", "*.json")
    for path in sorted(folder.rglob(pattern))
    if b"IdentifyPrim" in path.read_bytes()
]


def modules_of(text):
    return read_pipeline(text).modules(False)


def load_file(path):
    pipeline = Pipeline()
    with path.open(encoding="utf-8") as stream:
        pipeline.load(stream)
    return pipeline


def state(module):
    """All that a module has of the pipeline file, but for its kind."""
    values = [setting.value_text for setting in module.settings()]
    return values, module.notes, module.enabled, module.show_window, module.wants_pause, module.module_num


def convert_text(text, back=False):
    return convert(text.encode("utf-8"), Request(back=back)).content.decode("utf-8")


def check_same_settings(primary, unet):
    """Compare what both modules have."""
    ours = unet.advanced_settings
    assert unet.x_name.value == primary.x_name.value
    assert unet.y_name.value == primary.y_name.value
    assert (unet.size_range.min, unet.size_range.max) == (primary.size_range.min, primary.size_range.max)
    assert unet.exclude_size.value == primary.exclude_size.value
    assert unet.exclude_border_objects.value == primary.exclude_border_objects.value
    assert unet.advanced.value == primary.use_advanced.value
    lines = primary.watershed_method.value
    assert ours.declump_method.value == ("None" if lines == "None" else primary.unclump_method.value)
    assert ours.smoothing_automatic.value == primary.automatic_smoothing.value
    assert float(ours.smoothing_px.value) == float(primary.smoothing_filter_size.value)
    assert ours.distance_automatic.value == primary.automatic_suppression.value
    assert float(ours.distance_px.value) == float(primary.maxima_suppression_size.value)
    assert ours.fill_holes.value == primary.fill_holes.value
    assert ours.limit_choice.value == primary.limit_choice.value
    assert int(ours.object_limit.value) == int(primary.maximum_object_count.value)


def check_converted(before, after):
    """Compare the modules of a pipeline and of what was made of it."""
    assert len(after) == len(before) > 0
    for old, new in zip(before, after):
        if old.module_name == PRIMARY:
            assert new.module_name == UNET
            assert new.fault_of_file is None
            assert state(new)[1:] == state(old)[1:]
            check_same_settings(old, new)
        else:
            assert (new.module_name, state(new)) == (old.module_name, state(old))


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.name)
def test_each_shipped_pipeline_is_converted_and_loads_with_all_modules(path):
    text = path.read_text(encoding="utf-8")
    check_converted(modules_of(text), modules_of(convert_text(text)))


def test_pipelines_are_shipped():
    assert "ExampleFly.cppipe" in [path.name for path in SHIPPED]


@pytest.mark.parametrize(
    "values",
    [
        {},
        {"declump": "Intensity", "lines": "Propagate", "fill_holes": "After both thresholding and declumping"},
        {"declump": "None", "limit": "Continue", "discard_size": "Yes", "discard_border": "No"},
        {"lines": "None", "smoothing_automatic": "Yes", "distance_automatic": "Yes", "distance": "7"},
    ],
)
@pytest.mark.parametrize("revision", [revision for revision in HEADERS if revision > 9])
def test_each_revision_that_cellprofiler_upgrades_has_the_settings_of_that_upgrade(revision, values):
    other = [text_of([make_module("Smooth", image_name="DNA")]).split("\n\n", 1)[1]]
    text = pipeline_text(revision, [primary_text(revision, 1, NOTES, **values), *other])
    check_converted(modules_of(text), modules_of(convert_text(text)))


@pytest.mark.parametrize("revision", [8, 9])
def test_revisions_that_cellprofiler_reads_no_more_load_after_conversion(revision):
    text = pipeline_text(revision, [primary_text(revision, 1, NOTES)])
    (unet,) = modules_of(convert_text(text))
    (newest,) = modules_of(pipeline_text(15, [primary_text(15, 1)]))
    check_same_settings(newest, unet)
    assert unet.notes == ['He said "no"; it\'s |odd|', "[see] C:\\data: variable_revision_number:3"]


def test_several_modules_and_disabled_ones_are_converted():
    texts = primary_text(15, 1), primary_text(15, 2, objects="Spots", enabled=False)
    text = pipeline_text(15, texts)
    after = modules_of(convert_text(text))
    check_converted(modules_of(text), after)
    assert [module.enabled for module in after] == [True, False]


def test_crlf_and_names_beyond_ascii_are_read_as_before(tmp_path):
    content = pipeline_text(15, [primary_text(15, 1, image="Kerne größer")]).replace("\n", "\r\n").encode("utf-8")
    (tmp_path / "a.cppipe").write_bytes(convert(content, Request()).content)
    pipeline = load_file(tmp_path / "a.cppipe")
    assert pipeline.modules()[0].x_name.value == "Kerne größer"


def test_json_loads(tmp_path):
    pipeline = read_pipeline((example_folder() / "ExampleFly.cppipe").read_text(encoding="utf-8"))
    with (tmp_path / "in.json").open("w", encoding="utf-8") as stream:
        dump_json(pipeline, stream, False)
    assert main(["convert", str(tmp_path / "in.json"), str(tmp_path / "out.json")]) == 0
    after = load_file(tmp_path / "out.json")
    check_converted(load_file(tmp_path / "in.json").modules(False), after.modules(False))
    saved = io.StringIO()
    dump_json(after, saved, False)
    ours, theirs = json.loads((tmp_path / "out.json").read_text(encoding="utf-8")), json.loads(saved.getvalue())
    assert [module["settings"] for module in ours["modules"]] == [module["settings"] for module in theirs["modules"]]
    for our, their in zip(ours["modules"], theirs["modules"]):
        # CellProfiler 4.2.8 writes notes to JSON, and does not read them.
        assert our["attributes"] == {**their["attributes"], "notes": our["attributes"]["notes"]}


def test_a_project_loads_with_its_images(tmp_path):
    pipeline = read_pipeline((example_folder() / "ExampleFly.cppipe").read_text(encoding="utf-8"))
    workspace = Workspace(pipeline, None, None, None, None, ImageSetList())
    workspace.create()
    workspace.file_list.add_files_to_filelist(["file:///data/a.tif"])
    workspace.save_pipeline_to_measurements()
    workspace.save(str(tmp_path / "in.cpproj"))
    workspace.close()
    assert main(["convert", str(tmp_path / "in.cpproj"), str(tmp_path / "out.cpproj")]) == 0
    after = Pipeline()
    opened = Workspace(after, None, None, None, None, ImageSetList())
    opened.load(str(tmp_path / "out.cpproj"), True)
    check_converted(pipeline.modules(False), after.modules(False))
    assert opened.file_list.get_filelist() == ["file:///data/a.tif"]
    opened.close()


def table_of(module):
    return [(setting.text, setting.unicode_value, setting.to_dict()["name"]) for setting in module.settings()]


def test_the_settings_that_are_written_are_those_of_the_modules():
    for module, known in ((IdentifyPrimaryObjects(), primary_settings), (IdentifyObjectsUNet(), unet_settings)):
        assert module.variable_revision_number == known.NEWEST
        assert [row[1:] for row in known.NEWEST_SETTINGS] == table_of(module)
    assert (unet_settings.NEWEST, unet_settings.COUNTS) == (revisions.NEWEST, revisions.COUNTS)
    assert unet_settings.MODEL_FROM_FILE == MODEL_FROM_FILE


def test_the_modules_that_are_known_are_those_of_cellprofiler():
    own = {name for name, kind in all_modules.items() if kind.__module__.startswith("cellprofiler")}
    assert {*removed_modules.OF_CELLPROFILER.split()} == {*own, *renamed_modules}


@pytest.mark.parametrize("name", removed_modules.OLDEST_REVISIONS)
def test_settings_older_than_those_that_are_known_are_refused_by_cellprofiler(name):
    module = instantiate_module(name)
    values = [setting.unicode_value for setting in module.settings()]
    with pytest.raises(NotImplementedError):
        module.upgrade_settings(values, removed_modules.OLDEST_REVISIONS[name] - 1, name)


@pytest.mark.parametrize("revision", [1, 2, 3, 4, 5, 6])
def test_the_way_back_from_each_revision_of_our_module_loads(revision, pipelines):
    text = (pipelines / f"revision_{revision}.cppipe").read_text(encoding="utf-8")
    before, after = modules_of(text), modules_of(convert_text(text, back=True))
    assert len(after) == len(before)
    for ours, theirs in zip(before, after):
        if ours.module_name != UNET:
            continue
        assert theirs.module_name == PRIMARY
        assert (theirs.x_name.value, theirs.y_name.value) == (ours.x_name.value, ours.y_name.value)
        assert theirs.size_range.value == ours.size_range.value
        assert theirs.exclude_size.value == ours.exclude_size.value
        for setting in theirs.visible_settings()[1:]:
            if setting is not theirs.x_name:
                setting.test_valid(read_pipeline(text))


def measurements_of(pipeline):
    """The objects and names of all measurements, without those that name a module."""
    columns = {column[:2] for column in pipeline.get_measurement_columns()}
    return {column for column in columns if not column[1].startswith(("ModuleError_", "ExecutionTime_"))}


def test_measurements_keep_their_names():
    text = (example_folder() / "ExampleFly.cppipe").read_text(encoding="utf-8")
    before, after = (measurements_of(read_pipeline(each)) for each in (text, convert_text(text)))
    features = ("FinalThreshold", "OrigThreshold", "WeightedVariance", "SumOfEntropies")
    assert before - after == {("Image", f"Threshold_{feature}_Nuclei") for feature in features}


def test_relationships_keep_their_names():
    primary = make_module(PRIMARY, x_name="DNA", y_name="Nuclei")
    neighbors = make_module("MeasureObjectNeighbors", object_name="Nuclei", neighbors_name="Nuclei")
    text = text_of([primary, neighbors])
    before, after = (read_pipeline(each).get_object_relationships() for each in (text, convert_text(text)))
    assert [relation[1:] for relation in after] == [relation[1:] for relation in before] != []


def test_a_converted_pipeline_runs_headless(tmp_path):
    assert main(["convert", str(example_folder() / "ExampleFly.cppipe"), str(tmp_path / "unet.cppipe")]) == 0
    # Not where they lie: the pipeline passes over folders whose names begin with a dot.
    shutil.copytree(example_folder() / "images", tmp_path / "images")
    done = run_headless(tmp_path / "unet.cppipe", tmp_path / "images", tmp_path / "out", "-f", "1", "-l", "1")
    assert done.returncode == 0, done.log
    (image,) = rows_of(tmp_path / "out" / "Image.csv")
    nuclei, cells = (rows_of(tmp_path / "out" / f"{name}.csv") for name in ("Nuclei", "Cells"))
    assert 0 < len(nuclei) == float(image["Count_Nuclei"]) == len(cells)
    assert {row["Parent_Nuclei"] for row in cells} == {row["ObjectNumber"] for row in nuclei}
