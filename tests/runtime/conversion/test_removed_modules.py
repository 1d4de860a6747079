import pytest

from cpunet.conversion.convert import Request, convert
from tests.primary_pipelines import pipeline_text, primary_text, reader_text


def notes(*blocks, **request):
    return convert(pipeline_text(9, blocks).encode("utf-8"), Request(**request)).notes


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("LoadImages", "module 2, LoadImages: CellProfiler 4.2 has no such module; put in its place Images, Metadata"),
        (
            "MyPlugin",
            "module 2, MyPlugin: CellProfiler 4.2 has no such module; install its plugin, or put in its place another",
        ),
        ("IdentifySecondaryObjects", "module 2, IdentifySecondaryObjects: CellProfiler 4.2 reads its settings from"),
    ],
)
@pytest.mark.parametrize("enabled", [True, False])
def test_a_module_that_cellprofiler_reads_no_more_is_named(name, said, enabled):
    (note,) = notes(primary_text(9, 1), reader_text(2, name, enabled=enabled))
    assert note.startswith(said)


def test_modules_that_it_reads_are_not_named_whatever_they_were_called():
    assert notes(primary_text(9, 1), reader_text(2, "ReassignObjectNumbers"), reader_text(3, "Smooth")) == ()


def test_an_old_primary_that_stays_is_named():
    (note,) = notes(primary_text(9, 1), primary_text(9, 2, objects="Spots"), modules=("1",))
    assert "module 2, IdentifyPrimaryObjects: CellProfiler 4.2 reads its settings from revision 10 on" in note
    assert "of revision 9" in note


@pytest.mark.parametrize(("kind", "count"), [("Objects", 1), ("Image", 0)])
def test_objects_that_are_saved_as_an_image_are_named(kind, count):
    lines = ["SaveImages:[module_num:2|variable_revision_number:11|notes:[]|enabled:True]", f"    Type:{kind}", ""]
    found = notes(primary_text(9, 1), "\n".join(lines))
    assert len([note for note in found if "ConvertObjectsToImage" in note]) == count
