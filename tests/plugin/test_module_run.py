import sys
from types import SimpleNamespace

import cellprofiler_core.preferences
import numpy as np
import pytest
from cellprofiler.modules.identifyprimaryobjects import IdentifyPrimaryObjects
from cellprofiler_core.constants.measurement import COLTYPE_FLOAT, COLTYPE_INTEGER

from cpunet.model import session
from cpunet.plugin.figure import ROOM, enlarge_when_new
from cpunet.plugin.workers import threads_for_this_process
from cpunet.scores import score_image
from cpunet.segment import segment_image
from tests.tiny_onnx import changed_card, tiny_onnx


def objects_in(labels):
    return len(np.unique(labels)) - 1


def test_objects_and_measurements(module, run, field):
    image, truth = field
    done = run(module, image)
    labels = done.objects.segmented
    count = labels.max()
    assert score_image(truth, labels).tp[0] == objects_in(truth)
    np.testing.assert_array_equal(np.unique(labels), np.arange(count + 1))
    assert done.objects.parent_image is done.image
    measured = done.measurements
    assert measured.get_current_image_measurement("Count_Nuclei") == count
    np.testing.assert_array_equal(
        measured.get_current_measurement("Nuclei", "Number_Object_Number"), np.arange(1, count + 1)
    )
    y, x = np.nonzero(labels == 3)
    assert measured.get_current_measurement("Nuclei", "Location_Center_X")[2] == pytest.approx(x.mean())
    assert measured.get_current_measurement("Nuclei", "Location_Center_Y")[2] == pytest.approx(y.mean())
    assert not measured.get_current_measurement("Nuclei", "Location_Center_Z").any()


@pytest.mark.parametrize("pixels", ["field", "black"])
def test_measurements_are_those_that_cellprofiler_would_write(module, run, field, pixels):
    done = run(module, field[0] if pixels == "field" else np.zeros((40, 50)))
    ours = {
        (name, feature): done.measurements.get_current_measurement(name, feature)
        for name, feature, _ in super(type(module), module).get_measurement_columns(None)
    }
    super(type(module), module).add_measurements(done.workspace)
    assert len(ours) == 5
    for (name, feature), value in ours.items():
        theirs = done.measurements.get_current_measurement(name, feature)
        np.testing.assert_allclose(value, theirs)
        assert np.shape(value) == np.shape(theirs)


def test_measurement_columns_are_those_of_identify_primary_objects_without_threshold(module):
    primary = IdentifyPrimaryObjects()
    primary.x_name.value, primary.y_name.value = "DNA", "Nuclei"
    expected = [column for column in primary.get_measurement_columns(None) if "Threshold_" not in column[1]]
    ours = module.get_measurement_columns(None)
    assert set(expected) < set(ours)
    assert all(name.startswith(("Segmentation_", "Confidence_")) for _, name, _ in set(ours) - set(expected))
    assert len(set(ours)) == len(ours)
    assert ("Image", "Count_Nuclei", COLTYPE_INTEGER) in expected
    assert ("Nuclei", "Location_Center_X", COLTYPE_FLOAT) in expected
    assert module.get_categories(None, "Image") == ["Count", "Segmentation"]
    assert module.get_categories(None, "Nuclei") == ["Location", "Number", "Confidence"]
    assert module.get_measurements(None, "Nuclei", "Location") == ["Center_X", "Center_Y", "Center_Z"]
    assert module.get_measurements(None, "Image", "Count") == ["Nuclei"]
    assert module.is_object_identification_module()
    assert module.volumetric()


@pytest.mark.parametrize("exclude_size", [False, True])
@pytest.mark.parametrize("exclude_border", [False, True])
@pytest.mark.parametrize("with_mask", [False, True])
def test_filters_do_what_identify_primary_objects_does(module, run, field, exclude_size, exclude_border, with_mask):
    image, _ = field
    mask = np.ones(image.shape, bool)
    if with_mask:
        image = image[10:]
        y, x = np.mgrid[: image.shape[0], : image.shape[1]]
        mask = np.hypot((y - 60) / 58, (x - 100) / 95) < 1
    module.size_range.value = (18, 21)
    module.exclude_size.value, module.exclude_border_objects.value = exclude_size, exclude_border
    done = run(module, image, mask if with_mask else None)

    primary = IdentifyPrimaryObjects()
    primary.size_range.value = (18, 21)
    primary.exclude_size.value, primary.exclude_border_objects.value = exclude_size, exclude_border
    unedited = done.objects.unedited_segmented.copy()
    kept = primary.filter_on_border(done.image, unedited.copy())
    kept, small_removed = primary.filter_on_size(kept, unedited.max())
    np.testing.assert_array_equal(done.objects.segmented > 0, kept > 0)
    np.testing.assert_array_equal(done.objects.small_removed_segmented > 0, small_removed > 0)
    if exclude_size or exclude_border:
        assert objects_in(kept) < objects_in(unedited)


def test_unedited_objects_keep_what_the_filters_discard(module, run, field):
    module.exclude_border_objects.value = True
    done = run(module, field[0])
    assert objects_in(done.objects.unedited_segmented) > objects_in(done.objects.segmented) > 0


def test_masked_out_pixels_belong_to_no_object(module, run, field):
    image, _ = field
    mask = np.zeros(image.shape, bool)
    mask[:, :90] = True
    middle = run(module, image).measurements.get_current_measurement("Nuclei", "Location_Center_Y")[0]
    across = int(run(module, image).measurements.get_current_measurement("Nuclei", "Location_Center_X")[0])
    mask[int(middle) - 2 : int(middle) + 2, across - 2 : across + 2] = False
    done = run(module, image, mask)
    assert done.objects.segmented.max() > 0
    for labels in (done.objects.segmented, done.objects.unedited_segmented, done.objects.small_removed_segmented):
        assert not labels[~mask].any()


@pytest.mark.parametrize(
    "pixels",
    [np.zeros((40, 50)), np.full((40, 50), 0.3), np.full((40, 50), np.nan), np.ones((2, 2))],
    ids=["black", "constant", "all NaN", "2x2"],
)
def test_images_with_nothing_in_them_give_zero_objects(module, run, pixels):
    module.exclude_size.value = module.exclude_border_objects.value = True
    module.show_window = True
    done = run(module, pixels)
    assert done.objects.segmented.shape == pixels.shape
    assert done.objects.count == 0
    assert done.measurements.get_current_image_measurement("Count_Nuclei") == 0
    assert len(done.measurements.get_current_measurement("Nuclei", "Location_Center_X")) == 0


@pytest.mark.parametrize("shape", [(1, 1), (1, 40), (40, 1)])
def test_an_image_one_pixel_wide_is_refused_since_cellprofiler_cannot_hold_its_objects(module, run, shape):
    with pytest.raises(ValueError, match="one pixel"):
        run(module, np.ones(shape))


def test_a_color_image_is_refused_with_the_way_out(module, run):
    with pytest.raises(ValueError, match="ColorToGray"):
        run(module, np.random.default_rng(0).random((30, 30, 3)))


def test_a_range_the_wrong_way_round_is_refused_in_a_run_too(module, run, field):
    module.size_range.value = (40, 10)
    module.exclude_size.value = True
    with pytest.raises(ValueError, match="Swap"):
        run(module, field[0])


def test_the_probability_image_is_saved_on_request(module, run, field):
    module.advanced.value = module.save_probability.value = True
    done = run(module, field[0])
    probability = done.image_set.get_image("ProbabilityNuclei").pixel_data
    assert probability.shape == field[0].shape
    assert 0 <= probability.min() < 0.1 < 0.9 < probability.max() <= 1
    assert probability[done.objects.segmented > 0].min() > 0.49


def test_advanced_settings_count_only_if_they_are_shown(module, run, field):
    module.use_model_threshold.value = False
    module.foreground_threshold.value = 0.95
    module.save_probability.value = True
    hidden = run(module, field[0])
    assert "ProbabilityNuclei" not in hidden.image_set.names
    module.advanced.value = True
    shown = run(module, field[0])
    assert 0 < (shown.objects.segmented > 0).sum() < (hidden.objects.segmented > 0).sum()


def test_declumping_off_keeps_touching_objects_as_one(module, run, tiny_model):
    touching = np.zeros((60, 80))
    y, x = np.mgrid[:60, :80]
    for middle in (30, 48):
        touching = np.maximum(touching, np.clip(1.2 - np.hypot(y - 30, x - middle) / 13, 0, 1))
    tiny_model.write_bytes(tiny_onnx(changed_card(postprocessing={"marker_threshold": 0.98})))
    assert run(module, touching).objects.count == 2
    module.advanced.value, module.declump_method.value = True, "None"
    assert run(module, touching).objects.count == 1


def test_the_image_is_rescaled_for_the_model_unless_that_is_off(module, field):
    module.size_range.value = (70, 90)
    assert (module.options(None).diameter_px, module.options(None).scale) == (None, None)
    module.rescale.value = "By the diameter range"
    assert module.options(None).diameter_px == pytest.approx(np.sqrt(70 * 90))
    module.rescale.value = "Off"
    assert (module.options(None).diameter_px, module.options(None).scale) == (None, 1)
    module.rescale.value, module.rescale_factor.value = "By a factor", 0.4
    assert (module.options(None).diameter_px, module.options(None).scale) == (None, 0.4)


def test_the_session_is_opened_once_for_many_images(module, run, field, monkeypatch):
    opened = []
    original = session._open
    monkeypatch.setattr(session, "_open", lambda *words: opened.append(words) or original(*words))
    for _ in range(3):
        run(module, field[0])
    assert len(opened) == 1


@pytest.mark.parametrize(("workers", "threads"), [(1, 8), (3, 2), (8, 1), (20, 1)])
def test_workers_of_an_analysis_share_the_cores(monkeypatch, workers, threads):
    monkeypatch.setattr("os.cpu_count", lambda: 8)
    assert threads_for_this_process() == 0
    monkeypatch.setattr("sys.argv", ["worker", "--work-announce=tcp://127.0.0.1:1"])
    cellprofiler_core.preferences.set_preferences_from_dict({cellprofiler_core.preferences.MAX_WORKERS: workers})
    assert threads_for_this_process() == threads


def test_nan_pixels_belong_to_no_object(module, run, field):
    image = field[0].copy()
    image[:, 100:] = np.nan
    labels = run(module, image).objects.segmented
    assert labels[:, :100].any()
    assert not labels[:, 100:].any()


def test_the_figure_is_drawn_from_display_data_alone(module, run, field):
    module.show_window = True
    module.exclude_border_objects.value = module.exclude_size.value = True
    module.size_range.value = (19, 30)
    done = run(module, field[0])
    drawn = []

    class Figure:
        def set_subplots(self, shape):
            drawn.append(shape)

        def subplot_imshow_grayscale(self, x, y, image, title, cplabels=None, sharexy=None, **look):
            drawn.append((x, y, title))
            for entry in cplabels or []:
                drawn.append((entry["name"], objects_in(entry["labels"][0])))

        def subplot_imshow_labels(self, x, y, labels, title, sharexy=None):
            drawn.append((x, y, title))

        def subplot_table(self, x, y, cells, row_labels):
            drawn.append((x, y, dict(zip(row_labels, (cell[0] for cell in cells)))))

    module.display(done.workspace, Figure())
    assert drawn[0] == (3, 2)
    assert {entry[:2] for entry in drawn[1:] if isinstance(entry[0], int)} == {(0, 0), (1, 0), (2, 0), (0, 1), (1, 1)}
    fates = dict(entry for entry in drawn[1:] if isinstance(entry[0], str))
    everything = objects_in(done.objects.unedited_segmented)
    assert fates["Nuclei"] == done.objects.count > 0
    assert fates["Objects filtered out by size"] > 0
    assert fates["Objects touching border"] > 0
    assert sum(fates.values()) == everything
    assert (2, 0, "Probability of an object") in drawn
    table = drawn[-1][2]
    assert table["# of accepted objects"] == str(done.objects.count)
    assert table["Model"] == "tiny"
    assert len(table) <= 10
    assert table["Runs on"] == "CPU"


def test_the_module_computes_what_segment_image_computes(module, run, field, tiny_model):
    found = segment_image(field[0], session.load_model(tiny_model))
    np.testing.assert_array_equal(run(module, field[0]).objects.unedited_segmented, found.labels)


@pytest.fixture
def color_model(tiny_model):
    card = changed_card(input={"channels": ["red", "green", "blue"]})
    tiny_model.write_bytes(tiny_onnx(card, channels=3))


def test_a_color_model_takes_color_and_gray_images(module, run, field, color_model):
    image, truth = field
    gray = run(module, image).objects.segmented
    color = run(module, np.repeat(image[..., np.newaxis], 3, axis=2)).objects.segmented
    assert score_image(truth, gray).tp[0] == objects_in(truth)
    np.testing.assert_array_equal(gray, color)


def window_of(size, position):
    window = SimpleNamespace(size=size, GetPosition=lambda: np.array(position))
    window.GetSize = lambda: window.size
    window.SetSize = lambda *to: setattr(window, "size", to)
    return window


@pytest.mark.parametrize(
    ("size", "position", "screen", "grown"),
    [
        ((640, 520), (20, 20), (1920, 1080), ROOM),
        ((640, 520), (20, 20), (1024, 600), (1004, 580)),
        ((640, 520), (500, 300), (1024, 600), (640, 520)),
        ((1600, 600), (0, 0), (1920, 1080), (1600, ROOM[1])),
    ],
)
def test_a_new_figure_opens_large_and_keeps_the_size_that_it_gets(monkeypatch, size, position, screen, grown):
    monkeypatch.setitem(sys.modules, "wx", SimpleNamespace(GetDisplaySize=lambda: np.array(screen)))
    window = window_of(size, position)
    enlarge_when_new(window)
    assert window.size == grown
    window.SetSize(400, 300)
    enlarge_when_new(window)
    assert window.size == (400, 300)


@pytest.mark.parametrize(("channels", "shown_by"), [(0, "grayscale"), (3, "color")])
def test_the_figure_shows_an_image_as_it_is(module, run, field, color_model, channels, shown_by):
    module.show_window = True
    image = np.repeat(field[0][..., np.newaxis], channels, axis=2) if channels else field[0]
    done = run(module, image)
    shown = []

    class Figure:
        def __getattr__(self, name):
            return lambda *given, **_: shown.append((name, given))

    module.display(done.workspace, Figure())
    pictures = [given[2] for name, given in shown if name == f"subplot_imshow_{shown_by}"]
    assert [picture.shape for picture in pictures][:2] == [image.shape] * 2
