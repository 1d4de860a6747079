import pytest

from cpunet.conversion.convert import Request, convert
from cpunet.conversion.saved import UNET
from cpunet.conversion.unet_settings import NEWEST_SETTINGS
from tests.primary_pipelines import OBJECTS, SETTINGS, THRESHOLD, pipeline_text, primary_text, reader_text

ALL = Request()


def readers(*blocks, revision=15, request=ALL):
    found = convert(pipeline_text(revision, blocks).encode("utf-8"), request)
    return [(reader.number, reader.name, reader.setting, reader.what) for reader in found.readers]


@pytest.mark.parametrize("feature", ["FinalThreshold", "OrigThreshold", "GuideThreshold", "WeightedVariance"])
def test_a_later_setting_that_names_a_threshold_is_found(feature):
    what = f"Threshold_{feature}_Nuclei"
    found = readers(primary_text(15, 1), reader_text(2, "FlagImage", "Which measurement?", what))
    assert found == [(2, "FlagImage", "Which measurement?", what)]


@pytest.mark.parametrize(
    ("value", "found"),
    [
        ("Image_Threshold_SumOfEntropies_Nuclei > 3", ["Threshold_SumOfEntropies_Nuclei"]),
        (f"Image|{THRESHOLD},Image|Count_Nuclei", [THRESHOLD]),
        ("Threshold_FinalThreshold_Nuclei2", []),
        ("Threshold_FinalThreshold_Nuclei_small", []),
        ("Threshold_FinalThreshold_Cells", []),
        ("MyThreshold_FinalThreshold_Nuclei", []),
        ("Math_Threshold", []),
    ],
)
def test_only_thresholds_of_these_objects_count(value, found):
    assert [reader[3] for reader in readers(primary_text(15, 1), reader_text(2, value=value))] == found


def test_names_of_objects_may_have_signs_of_patterns():
    what = "Threshold_FinalThreshold_Nuclei (all)"
    assert [each[3] for each in readers(primary_text(15, 1, objects="Nuclei (all)"), reader_text(2, value=what))] == [
        what
    ]


def test_what_is_disabled_or_earlier_reads_nothing():
    assert readers(reader_text(1), primary_text(15, 2)) == []
    assert readers(primary_text(15, 1), reader_text(2, enabled=False)) == []
    assert readers(primary_text(15, 1, enabled=False), reader_text(2)) == []


@pytest.mark.parametrize(
    ("question", "text"),
    [
        ("Select the columns of measurements to export?", "Press button to select measurements to export"),
        ("Select the measurements to export", ""),
        ("Select the measurements to export", "Press button to select measurements"),
    ],
    ids=["CellProfiler 2", "CellProfiler 3", "CellProfiler 4"],
)
@pytest.mark.parametrize(("answer", "count"), [("Yes", 1), ("No", 0)])
def test_the_list_of_an_export_counts_only_if_it_is_used(question, text, answer, count):
    export = reader_text(2, "ExportToSpreadsheet", question, answer) + f"    {text}:Image|{THRESHOLD}\n"
    assert len(readers(primary_text(15, 1), export)) == count


@pytest.mark.parametrize(
    ("name", "answers", "text", "count"),
    [
        ("ImageMath", [("Image or measurement?", "Image")], "Measurement", 0),
        ("ImageMath", [("Image or measurement?", "Image"), ("Image or measurement?", "Measurement")], "Measurement", 1),
        ("FlagImage", [("Flag is based on", "Rules")], "Which measurement?", 0),
        ("FlagImage", [("Flag is based on", "Whole-image measurement")], "Which measurement?", 1),
        ("Threshold", [("Thresholding method", "Otsu")], "Select the measurement to threshold with", 0),
        ("Threshold", [("Thresholding method", "Measurement")], "Select the measurement to threshold with", 1),
        ("Crop", [("Select the thresholding method", "Otsu Global")], "Select the measurement to threshold with", 0),
        ("Crop", [("Select the thresholding method", "Measurement")], "Select the measurement to threshold with", 1),
        (
            "Threshold",
            [("Threshold strategy", "Measurement"), ("Thresholding method", "Otsu")],
            "Select the measurement to threshold with",
            1,
        ),
    ],
)
def test_a_measurement_that_an_earlier_answer_puts_out_of_use_does_not_count(name, answers, text, count):
    lines = [f"    {question}:{answer}\n" for question, answer in answers]
    block = "".join([reader_text(2, name, value="None"), *lines, f"    {text}:{THRESHOLD}\n"])
    assert len(readers(primary_text(15, 1), block)) == count


def test_a_threshold_that_another_primary_takes_from_this_one_counts_until_that_is_converted_too():
    chosen = {"Select the measurement to threshold with": f"={THRESHOLD}", "Thresholding method": "=Measurement"}
    settings = [(text, chosen.get(text, name)) for text, name in SETTINGS[15]]
    blocks = primary_text(15, 1), primary_text(15, 2, objects="Cells", settings=settings)
    assert len(readers(*blocks, request=Request(modules=("1",)))) == 1
    assert readers(*blocks) == []


def test_escaped_values_of_old_pipelines_are_understood():
    found = readers(primary_text(10, 1), reader_text(2, value=r"Image\x7CThreshold_FinalThreshold_Nuclei"), revision=10)
    assert [reader[3] for reader in found] == [THRESHOLD]


def test_images_of_outlines_are_named_but_are_no_hindrance():
    settings = [
        (text, "=Yes" if text == "Retain outlines of the identified objects?" else name) for text, name in SETTINGS[11]
    ]
    overlay = reader_text(2, "OverlayOutlines", "Select outlines to display", "PrimaryOutlines")
    found = convert(pipeline_text(11, [primary_text(11, 1, settings=settings), overlay]).encode("utf-8"), Request())
    assert (found.readers, [each.what for each in found.readers_of_outlines]) == ((), ["PrimaryOutlines"])
    found = convert(pipeline_text(11, [primary_text(11, 1), overlay]).encode("utf-8"), Request())
    assert found.readers_of_outlines == ()


def test_objects_and_new_images_of_the_name_of_the_outlines_are_no_outlines():
    chosen = {"Name the outline image": f"={OBJECTS}", "Retain outlines of the identified objects?": "=Yes"}
    primary = primary_text(11, 1, settings=[(text, chosen.get(text, name)) for text, name in SETTINGS[11]])
    texts = ["Select objects to measure", "Name the outline image", "Select outlines to display"]
    blocks = [reader_text(number, setting=text, value=OBJECTS) for number, text in enumerate(texts, start=2)]
    found = convert(pipeline_text(11, [primary, *blocks]).encode("utf-8"), Request()).readers_of_outlines
    assert [(each.number, each.setting) for each in found] == [(4, "Select outlines to display")]


@pytest.mark.parametrize(
    ("value", "found"),
    [
        ("Confidence_Foreground", True),
        ("Segmentation_CountFromArea_Nuclei", True),
        ("Segmentation_CountFromArea_Cells", False),
        ("ProbabilityNuclei", True),
        ("ProbabilityNucleiSmoothed", False),
        ("Count_Nuclei", False),
    ],
)
def test_on_the_way_back_confidence_and_probabilities_are_found(value, found):
    values = {"advanced": "Yes", "save_probability": "Yes"}
    lines = [f"    {text}:{values.get(name, default)}" for name, text, default, _ in NEWEST_SETTINGS]
    block = "\n".join([f"{UNET}:[module_num:1|variable_revision_number:5|notes:[]|enabled:True]", *lines, ""])
    assert bool(readers(block, reader_text(2, value=value), request=Request(back=True))) == found
