"""Models of volumes in the module: what they see of a stack, the spacing of its planes, and what is refused."""

import logging

import numpy as np
import pytest
from cellprofiler_core.pipeline import Pipeline
from cellprofiler_core.pipeline.event import CancelledException
from cellprofiler_core.setting import ValidationError

from benchmarks.pipeline_text import make_module
from cpunet.errors import ImageError, OptionError
from cpunet.plugin import progress
from cpunet.plugin.figure import section_along_z, statistics_of_objects
from cpunet.plugin.spacing_settings import AS_GIVEN
from cpunet.plugin.stacks import HOW
from tests.tiny_volumes import balls, changed_volume_card, tiny_volume_onnx

CENTERS = [(4, 14, 14), (9, 40, 20), (6, 30, 50)]
VOLUME, LABELS = balls((14, 56, 64), CENTERS, diameter_px=16)
SPACING = (2, 1, 1)  # of Z, X and Y, as NamesAndTypes gives it


@pytest.fixture
def volume_module(module, tiny_model):
    """The module with a model that calls bright voxels foreground."""
    card = changed_volume_card(input={"diameter_px": 16.0, "diameter_low_px": 8.0, "diameter_high_px": 32.0})
    tiny_model.write_bytes(tiny_volume_onnx(card))
    progress._logged.clear()
    return module


@pytest.fixture
def options_seen(monkeypatch):
    """The options with which stacks were segmented."""
    import cpunet.plugin.stacks

    seen, segment = [], cpunet.plugin.stacks.segment_stack
    monkeypatch.setattr(
        "cpunet.plugin.stacks.segment_stack", lambda *given: (seen.append(given[2]), segment(*given))[1]
    )
    return seen


def test_a_stack_is_seen_as_a_volume_and_the_log_says_so(volume_module, run, caplog):
    caplog.set_level(logging.INFO)
    done = run(volume_module, VOLUME, dimensions=3, spacing=SPACING)
    assert done.objects.count == 3
    assert np.mean((done.objects.segmented > 0) == (LABELS > 0)) > 0.98
    told = [record for record in caplog.records if HOW in record.getMessage()]
    assert [record.levelno for record in told] == [logging.INFO]
    assert "image set 1: Segmented as a volume by the model tiny_3d. The planes lie 2 pixels apart" in caplog.text
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]
    centers = [done.measurements.get_current_measurement("Nuclei", f"Location_Center_{axis}") for axis in "ZYX"]
    np.testing.assert_allclose(sorted(np.transpose(centers).tolist()), sorted(map(list, CENTERS)), atol=0.4)


def test_a_model_of_images_sees_it_plane_by_plane_and_the_log_says_so(module, run, caplog):
    caplog.set_level(logging.INFO)
    assert run(module, VOLUME, dimensions=3).objects.count == 3
    (told,) = [record for record in caplog.records if HOW in record.getMessage()]
    assert told.levelno == logging.INFO
    assert "Segmented plane by plane by the model tiny" in told.getMessage()


def test_the_spacing_is_that_of_the_image_or_as_given(volume_module, run, options_seen, caplog):
    run(volume_module, VOLUME, dimensions=3, spacing=(4.4, 2, 2))
    run(volume_module, VOLUME, dimensions=3)
    volume_module.spacing_settings.source.value = AS_GIVEN
    volume_module.spacing_settings.z_step_px.value = 3.5
    run(volume_module, VOLUME, dimensions=3, spacing=(4.4, 2, 2))
    assert [options.z_step_px for options in options_seen] == [2.2, 1.0, 3.5]
    warnings = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert len([text for text in warnings if "Relative pixel spacing in Z" in text]) == 1  # of the second alone


@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # CellProfiler divides by the spacing in X
@pytest.mark.parametrize(
    ("spacing", "said"), [((0, 1, 1), "0"), ((2, 0, 1), "inf"), ((0, 0, 0), "nan"), ((1e6, 1, 1), "1e[+]06")]
)
def test_a_spacing_of_no_microscope_is_refused_with_the_way_out(volume_module, run, spacing, said):
    with pytest.raises(ImageError, match=f"lie {said} pixels apart by Relative pixel spacing in NamesAndTypes"):
        run(volume_module, VOLUME, dimensions=3, spacing=spacing)
    volume_module.spacing_settings.source.value = AS_GIVEN
    assert run(volume_module, VOLUME, dimensions=3, spacing=spacing).objects.count == 3


def test_spacing_is_asked_for_a_model_of_volumes_alone(volume_module, tiny_model):
    def shown():
        return [setting.text for setting in volume_module.visible_settings()]

    assert "Spacing of the planes" in shown()
    assert "Distance of two planes, in widths of a pixel" not in shown()
    volume_module.spacing_settings.source.value = AS_GIVEN
    assert "Distance of two planes, in widths of a pixel" in shown()
    volume_module.model_name.value = "nuclei_fluorescence"
    assert "Spacing of the planes" not in shown()


@pytest.mark.parametrize("value", ["0", "1000", "nan", "wide"])
def test_a_wrong_distance_is_refused_before_the_first_image(volume_module, pipeline, value):
    pipeline.modules()[0].process_as_3d.value = True
    volume_module.spacing_settings.source.value = AS_GIVEN
    volume_module.spacing_settings.z_step_px.set_value_text(value)
    from cpunet.plugin.validity import refuse_wrong_settings

    with pytest.raises(OptionError, match="'Distance of two planes, in widths of a pixel' is"):
        refuse_wrong_settings(volume_module, pipeline)


def test_a_pipeline_of_2d_images_is_refused_before_the_first_image(volume_module, pipeline):
    with pytest.raises(ValidationError, match="loads 2D images"):
        volume_module.validate_module(pipeline)
    pipeline.modules()[0].process_as_3d.value = True
    volume_module.validate_module(pipeline)


def test_tables_of_load_data_hold_2d_images_alone(volume_module):
    whole = Pipeline()
    for number, each in enumerate((make_module("LoadData"), volume_module), start=1):
        each.set_module_num(number)
        whole.add_module(each)
    with pytest.raises(ValidationError, match="loads 2D images"):
        volume_module.validate_module(whole)
    volume_module.model_name.value = "nuclei_fluorescence"
    volume_module.validate_module(whole)


def test_a_2d_image_in_a_pipeline_of_stacks_is_refused_with_the_way_out(volume_module, run):
    with pytest.raises(ImageError, match=r"tiny_3d sees volumes .* DNA is a 2D image .* Process as 3D"):
        run(volume_module, VOLUME[6])


def test_a_file_of_one_plane_among_stacks_is_a_volume_of_one_plane(volume_module, run, tiny_model):
    volume_module.advanced.value = volume_module.probability_settings.save.value = True
    done = run(volume_module, VOLUME[6], dimensions=3)
    assert done.objects.segmented.shape == VOLUME[6].shape
    assert done.objects.count == len(np.unique(LABELS[6])) - 1 > 0
    assert done.image_set.get_image("ProbabilityNuclei").pixel_data.shape == VOLUME[6].shape


def test_sizes_are_those_of_balls_of_the_same_volume(volume_module, run):
    volume_module.exclude_size.value = True
    volume_module.size_range.value = (14, 18)
    assert run(volume_module, VOLUME, dimensions=3, spacing=SPACING).objects.count == 3
    flat = run(volume_module, VOLUME, dimensions=3, spacing=(1, 1, 1))  # the balls are half as high
    assert flat.objects.count == 0
    assert len(np.unique(flat.objects.unedited_segmented)) - 1 == 3
    volume_module.spacing_settings.source.value = AS_GIVEN
    volume_module.spacing_settings.z_step_px.value = 2
    assert run(volume_module, VOLUME, dimensions=3, spacing=(1, 1, 1)).objects.count == 3


def test_the_figure_shows_a_plane_and_a_section_and_how_it_was_seen(volume_module, run):
    volume_module.show_window = True
    done = run(volume_module, VOLUME, dimensions=3, spacing=SPACING)
    shown = done.workspace.display_data
    table = dict(shown.statistics)
    assert table["Segmented"] == "as a volume"
    assert float(table["Median diameter"].split()[0]) == pytest.approx(16, abs=1)
    assert len(table) <= 11
    title, section, labels = shown.section
    assert title.startswith("Section along Z, through row ")
    assert section.shape == labels.shape == (28, 64)
    assert len(shown.planes) == 1
    drawn = []

    class Figure:
        def set_subplots(self, shape):
            pass

        def subplot_imshow_grayscale(self, x, y, image, title, cplabels=None, sharexy=None, **look):
            drawn.append((x, y, title))

        def subplot_imshow_labels(self, x, y, labels, title, sharexy=None):
            drawn.append((x, y, title))

        def subplot_table(self, x, y, cells, row_labels):
            drawn.append((x, y, "table"))

    volume_module.display(done.workspace, Figure())
    assert sorted(place[:2] for place in drawn) == [(0, 0), (0, 1), (1, 0), (1, 1), (2, 0), (2, 1)]
    assert (2, 1, title) in drawn


@pytest.mark.parametrize(("z_step_px", "rows"), [(0.5, [0, 2]), (1, [0, 1, 2, 3]), (2, [0, 0, 1, 1, 2, 2, 3, 3])])
def test_a_section_has_true_proportions(z_step_px, rows):
    labels = np.zeros((4, 5, 6), np.int32)
    labels[1:3, 3, 2:4] = 1
    pixels = np.arange(4)[:, np.newaxis, np.newaxis] + np.zeros(labels.shape)
    title, section, cut = section_along_z(pixels, labels, z_step_px)
    assert title == "Section along Z, through row 4"
    assert section[:, 0].tolist() == rows
    np.testing.assert_array_equal(cut, labels[rows, 3])


def test_diameters_of_the_table_count_the_spacing():
    ball = dict(statistics_of_objects(LABELS, 2.0))["Median diameter"]
    assert float(ball.split()[0]) == pytest.approx(16, abs=0.5)


def test_a_run_is_stopped_between_tiles(volume_module, run, monkeypatch):
    volume_module.advanced.value = True
    volume_module.rescale.value = "Off"
    volume_module.advanced_settings.tiles_automatic.value = False
    volume_module.advanced_settings.tile_px.value = 64
    counted = []

    def stop(done, total):
        counted.append((done, total))
        if done == 2:
            raise CancelledException("stopped")

    monkeypatch.setattr("identifyobjectsunet.progress_reporter", lambda *_: stop)
    with pytest.raises(CancelledException, match="stopped"):
        run(volume_module, np.tile(VOLUME, (1, 2, 2)), dimensions=3, spacing=SPACING)
    assert counted[-1][0] == 2
    assert counted[-1][1] >= 4
