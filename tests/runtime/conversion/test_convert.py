import pytest

from cpunet.conversion.convert import Request, convert
from cpunet.errors import PipelineError
from tests.primary_pipelines import pipeline_text, primary_text, reader_text


def blocks():
    return [primary_text(15, 1), reader_text(2, value="x"), primary_text(15, 3, objects="Spots", image="RNA")]


@pytest.mark.parametrize(
    ("asked", "numbers"),
    [((), [1, 3]), (("3",), [3]), (("Nuclei",), [1]), (("Spots", "1"), [1, 3])],
)
def test_all_modules_are_exchanged_or_those_asked_for(asked, numbers):
    content = pipeline_text(15, blocks()).encode("utf-8")
    converted = convert(content, Request(modules=asked))
    assert [exchange.before.number for exchange in converted.exchanges] == numbers
    assert converted.content.count(b"\nIdentifyObjectsUNet:") == len(numbers)
    assert converted.content.count(b"\nIdentifyPrimaryObjects:") == 2 - len(numbers)


@pytest.mark.parametrize("asked", ["2", "Cells"])
def test_a_module_that_is_not_there_is_refused(asked):
    with pytest.raises(PipelineError, match=rf"--modules {asked}: .* Those that are there: 1 \(Nuclei\), 3 \(Spots\)"):
        convert(pipeline_text(15, blocks()).encode("utf-8"), Request(modules=(asked, "1")))


def test_a_pipeline_without_the_module_is_returned_as_it_is():
    content = pipeline_text(15, [reader_text(1)]).encode("utf-8")
    converted = convert(content, Request())
    assert (converted.content, converted.exchanges) == (content, ())


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"MATLAB 5.0 MAT-file, Platform: PCWIN" + bytes(100), "CellProfiler 1 .* CellProfiler 2.0 to 2.2"),
        (b"II*\x00" + bytes(100), "this is no pipeline"),
        (b"", "this is no pipeline"),
    ],
    ids=["CellProfiler 1", "an image", "empty"],
)
def test_other_files_are_refused_with_a_reason(content, said):
    with pytest.raises(PipelineError, match=said):
        convert(content, Request())


def test_several_modules_with_one_model_are_said_unless_the_user_chose():
    content = pipeline_text(15, [primary_text(15, 1), primary_text(15, 2, objects="Spots")]).encode("utf-8")
    (note,) = convert(content, Request()).notes
    assert "all modules (Nuclei, Spots) use the model nuclei_fluorescence now" in note
    assert convert(content, Request(modules=("1",))).notes == ()
    assert convert(content, Request(chosen={"model": "phase_cells"})).notes == ()
    assert convert(convert(content, Request()).content, Request(back=True)).notes == ()


@pytest.mark.parametrize(("name", "count"), [("Tissue.blue", 1), ("1st", 1), ("Kerne größer", 1), ("_Nuclei_2", 0)])
def test_names_that_cellprofiler_4_refuses_are_said(name, count):
    content = pipeline_text(15, [primary_text(15, 1, objects=name)]).encode("utf-8")
    assert len([note for note in convert(content, Request()).notes if f"and not {name}." in note]) == count
