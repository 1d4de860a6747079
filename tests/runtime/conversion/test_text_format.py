import pytest

from cpunet.conversion.convert import Request, convert
from cpunet.conversion.saved import UNET
from cpunet.conversion.text_format import is_text, read_text
from cpunet.conversion.unet_settings import NEWEST
from cpunet.errors import PipelineError
from tests.primary_pipelines import NOTES, SETTINGS, pipeline_text, primary_text, reader_text

OTHER = (
    "Smooth:[module_num:1|svn_version:'Unknown'|variable_revision_number:2|show_window:True|notes:['a\\'b', \"|:[\"]|"
    "batch_state:array([], dtype=uint8)|enabled:False|wants_pause:False]\n"
    "    Select the input image:Kerne größer \n    Folder:D:\\\\raw\\x2Fdata \n    :\n"
)
LIST_OF_IMAGES = '\n"Version":"1","PlaneCount":"1"\n"URL","Series"\n"file:///IdentifyPrimaryObjects:[1]",\n'


def text(revision=15, end=""):
    return pipeline_text(revision, [OTHER, primary_text(revision, 2, NOTES), OTHER]) + end


def lines_of_others(content):
    """The lines outside the block of the module that is exchanged."""
    lines = content.splitlines(keepends=True)
    (start,) = [number for number, line in enumerate(lines) if line.startswith((b"IdentifyP", b"IdentifyO"))]
    end = next(number for number in range(start, len(lines)) if not lines[number].strip())
    return lines[:start], lines[end:]


@pytest.mark.parametrize("revision", SETTINGS)
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_everything_but_the_module_is_kept_byte_for_byte(revision, newline):
    content = text(revision, LIST_OF_IMAGES if revision > 8 else "").replace("\n", newline).encode("utf-8")
    converted = convert(content, Request()).content
    assert lines_of_others(converted) == lines_of_others(content)
    block = converted[len(b"".join(lines_of_others(converted)[0])) :]
    assert block.splitlines(keepends=True)[0].endswith(newline.encode())
    assert converted.count(b"\n") == converted.count(newline.encode())


@pytest.mark.parametrize("revision", SETTINGS)
def test_of_the_header_only_the_name_and_the_revision_change(revision):
    before = primary_text(revision, 2, NOTES).splitlines()[0]
    content = convert(text(revision).encode("utf-8"), Request()).content.decode("utf-8")
    (after,) = [line for line in content.splitlines() if line.startswith(UNET)]
    expected = before.replace("IdentifyPrimaryObjects:", "IdentifyObjectsUNet:", 1)
    assert after == expected.replace(f"variable_revision_number:{revision}", f"variable_revision_number:{NEWEST}", 1)


def test_a_revision_behind_the_notes_is_found_and_notes_may_speak_of_one():
    header = (
        "IdentifyPrimaryObjects:[module_num:1|notes:['x', 'variable_revision_number:3|enabled:False']|"
        "variable_revision_number:15|enabled:True]"
    )
    content = pipeline_text(15, ["\n".join([header, *primary_text(15).splitlines()[1:], ""])])
    converted = convert(content.encode("utf-8"), Request())
    assert (converted.exchanges[0].before.revision, converted.exchanges[0].before.enabled) == (15, True)
    after = header.replace("IdentifyPrimaryObjects", "IdentifyObjectsUNet")
    after = after.replace("revision_number:15", f"revision_number:{NEWEST}")
    assert after.encode("utf-8") in converted.content


def test_a_file_that_ends_without_a_line_end_keeps_that():
    content = pipeline_text(15, [primary_text(15, 1).rstrip("\n")]).encode("utf-8")
    assert not convert(content, Request()).content.endswith(b"\n")


def test_bytes_that_are_no_utf_8_are_kept():
    content = text().encode("utf-8").replace("größer".encode(), b"gr\xf6\xdfer").replace(b":DNA\n", b":D\xe4N\n")
    converted = convert(content, Request()).content
    assert lines_of_others(converted) == lines_of_others(content)
    assert b"    Select the input image:D\xe4N\n" in converted


def test_a_byte_order_mark_is_known_and_left_out():
    content = b"\xef\xbb\xbf" + text().encode("utf-8")
    assert is_text(content)
    assert convert(content, Request()).content.startswith(b"CellProfiler Pipeline:")


def test_the_first_line_may_have_been_rewritten_by_a_mail_filter():
    link = b"CellProfiler Pipeline: https://urldefense.proofpoint.com/v2/url?u=http-3A__www.cellprofiler.org&d=DwIGAg"
    first, _, rest = text().encode("utf-8").partition(b"\n")
    assert first.startswith(b"CellProfiler Pipeline: http://www.cellprofiler.org")
    assert convert(link + b"\n" + rest, Request()).exchanges


def test_the_list_of_images_is_no_module():
    content = text(15, LIST_OF_IMAGES).encode("utf-8")
    assert [module.name for module in read_text(content).modules] == ["Smooth", "IdentifyPrimaryObjects", "Smooth"]


def test_escaped_values_are_decoded_and_kept_as_they_were():
    name = "\\xff\\xfeD\\x00N\\x00A\\x00"  # UTF-16, as CellProfiler 3 wrote it
    content = pipeline_text(13, [primary_text(13, 1, image=name)]).encode("utf-8")
    converted = convert(content, Request())
    assert converted.exchanges[0].after.settings[0].value == "DNA"
    assert f"    Select the input image:{name}\n".encode() in converted.content


def test_damage_in_another_module_is_passed_over():
    damaged = reader_text(2) + "    a line without a colon\n"
    content = pipeline_text(15, [primary_text(15, 1), damaged, "no header\n"]).encode("utf-8")
    converted = convert(content, Request()).content
    assert lines_of_others(converted) == lines_of_others(content)


def test_settings_of_thresholds_may_be_missing():
    content = pipeline_text(15, [primary_text(15, 1)]).replace("    Threshold strategy:Global\n", "\n")
    assert convert(content.encode("utf-8"), Request()).exchanges


@pytest.mark.parametrize(
    ("good", "bad", "said"),
    [
        ("variable_revision_number:15", "revision", r"line 8 is .IdentifyPrimaryObjects:\[module_num:1.*, without"),
        ("Size of smoothing filter:9", "Size of smoothing filter", "line 16 is 'Size of smoothing filter', where"),
        ("Maximum number of objects:321", "\n", "has 14 settings, and revision 15 has at least 16"),
        ("variable_revision_number:15", "variable_revision_number:16", "revision 16, and this command knows the"),
    ],
    ids=["no revision", "no colon", "cut", "newer"],
)
def test_damage_in_the_module_is_said(good, bad, said):
    content = pipeline_text(15, [primary_text(15, 1)]).replace(good, bad).encode("utf-8")
    with pytest.raises(PipelineError, match=said):
        convert(content, Request())
