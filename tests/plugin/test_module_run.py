"""What the module's run gives: objects, filters, masks, stacks, colors and errors."""

import numpy as np
import pytest
from cellprofiler.modules.identifyprimaryobjects import IdentifyPrimaryObjects

from cpunet.errors import ImageError, OutOfMemoryError
from cpunet.model import session
from cpunet.scores import score_image
from cpunet.segment import segment_image
from tests.tiny_onnx import changed_card, tiny_onnx


def objects_in(labels):
    return len(np.unique(labels)) - 1


def test_a_stack_gives_objects_that_run_through_its_planes(module, run, field):
    planes = np.stack([np.zeros_like(field[0]), field[0], field[0], np.zeros_like(field[0])])
    module.show_window = True
    done = run(module, planes, dimensions=3)
    labels = done.objects.segmented
    flat = run(module, field[0]).objects.segmented
    assert labels.shape == planes.shape
    assert labels.max() == flat.max()
    assert not labels[0].any()
    np.testing.assert_array_equal(labels[1] > 0, labels[2] > 0)
    z = done.measurements.get_current_measurement("Nuclei", "Location_Center_Z")
    np.testing.assert_allclose(z, 1.5)
    inside = np.argwhere(labels == 1)
    x = done.measurements.get_current_measurement("Nuclei", "Location_Center_X")
    assert x[0] == pytest.approx(inside[:, 2].mean())
    assert done.workspace.display_data.image.ndim == 2
    assert "plane 2 of 4" in done.workspace.display_data.place


def test_the_mask_of_a_stack_is_respected(module, run, field):
    planes = np.stack([field[0]] * 3)
    mask = np.ones(planes.shape, bool)
    mask[1] = False
    labels = run(module, planes, mask, dimensions=3).objects.segmented
    assert labels[0].any()
    assert not labels[1].any()


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
def test_an_image_one_pixel_wide_has_no_objects_and_can_be_counted_and_measured(advanced, run, shape):
    advanced.probability_settings.save.value = advanced.show_window = True
    advanced.exclude_size.value = advanced.exclude_border_objects.value = True
    done = run(advanced, np.linspace(0, 1, max(shape)).reshape(shape), mask=np.ones(shape, bool))
    for labels in (done.objects.segmented, done.objects.unedited_segmented, done.objects.small_removed_segmented):
        assert labels.shape == shape
        assert not labels.any()
    assert (done.objects.count, len(done.objects.areas), len(done.objects.ijv)) == (0, 0, 0)
    assert done.measurements.get_current_image_measurement("Count_Nuclei") == 0
    assert done.image_set.get_image("ProbabilityNuclei").pixel_data.shape == shape


@pytest.mark.parametrize("shape", [(0, 0), (0, 40), (40, 0)])
def test_an_image_without_pixels_is_refused(module, run, shape):
    with pytest.raises(ImageError, match="DNA has no pixels"):
        run(module, np.ones(shape))


@pytest.mark.parametrize("shape", [(4, 1, 40), (4, 40, 1), (1, 1, 1)])
def test_a_stack_one_pixel_wide_is_refused_since_cellprofiler_cannot_hold_its_objects(module, run, shape):
    with pytest.raises(ImageError, match=r"DNA has the shape .*one pixel high or wide"):
        run(module, np.ones(shape), dimensions=3)


def test_a_file_of_one_plane_among_stacks_gives_the_objects_of_that_plane(advanced, run, field):
    advanced.probability_settings.save.value = advanced.show_window = True
    plane = run(advanced, field[0]).objects.segmented
    assert plane.max() > 3
    np.testing.assert_array_equal(run(advanced, field[0], dimensions=3).objects.segmented, plane)
    np.testing.assert_array_equal(run(advanced, field[0][np.newaxis], dimensions=3).objects.segmented, plane)


@pytest.mark.parametrize("channels", [3, 4])
def test_a_color_image_among_stacks_is_not_taken_for_a_narrow_stack(module, run, field, channels):
    with pytest.raises(ImageError, match="color image of one plane was loaded as a stack"):
        run(module, np.repeat(field[0][..., np.newaxis], channels, axis=2), dimensions=3)


def test_a_mask_without_a_usable_pixel_gives_no_objects(module, run, field):
    done = run(module, field[0], mask=np.zeros(field[0].shape, bool))
    assert done.objects.count == 0
    assert not done.objects.unedited_segmented.any()


def test_a_color_image_is_refused_with_the_way_out(module, run):
    with pytest.raises(ValueError, match="ColorToGray"):
        run(module, np.random.default_rng(0).random((30, 30, 3)))


@pytest.mark.parametrize("channels", [3, 4])
def test_a_gray_image_in_color_is_gray(module, run, field, channels):
    gray = run(module, field[0]).objects.segmented
    module.show_window = True
    color = run(module, np.repeat(field[0][..., np.newaxis], channels, axis=2)).objects.segmented
    np.testing.assert_array_equal(color, gray)


def test_padding_is_left_out_and_logged(module, run, field, caplog):
    gray = run(module, field[0] + 0.3).objects.segmented
    caplog.clear()
    found = run(module, np.pad(field[0] + 0.3, ((0, 40), (0, 0)), constant_values=0)).objects.segmented
    assert found.max() == gray.max()
    assert not found[-40:].any()
    assert "padding" in caplog.text


@pytest.mark.parametrize("units", ["zero_to_one", "as_stored"])
def test_a_model_without_normalization_reads_what_the_command_line_gives_it(module, run, field, tiny_model, units):
    tiny_model.write_bytes(tiny_onnx(changed_card(input={"normalization": {"kind": "none", "units": units}})))
    for dtype, scale in ((np.uint8, 255), (np.uint16, 65535), (np.uint16, 4095)):
        stored = (field[0] * scale).astype(dtype)
        expected = segment_image(stored, session.load_model(tiny_model)).labels
        found = run(module, stored.astype(np.float32) / np.float32(scale), scale=scale)
        np.testing.assert_array_equal(found.objects.unedited_segmented, expected)


def test_a_count_from_area_that_says_nothing_is_not_a_number_and_logged(module, run, field, caplog):
    block = np.full((60, 90), 0.05)
    block[0:40, 20:70] = field[0].max()
    done = run(module, block + np.random.default_rng(0).normal(0, 0.005, block.shape))
    assert np.isnan(done.measurements.get_current_image_measurement("Segmentation_CountFromArea_Nuclei"))
    assert "Segmentation_CountFromArea_Nuclei is not a number" in caplog.text


def test_the_session_is_opened_once_for_many_images(module, run, field, monkeypatch):
    opened = []
    original = session._open
    monkeypatch.setattr(session, "_open", lambda *words: opened.append(words) or original(*words))
    for _ in range(3):
        run(module, field[0])
    assert len(opened) == 1


def test_a_gpu_without_room_for_the_network_leaves_the_image_to_the_cpu(module, run, field, monkeypatch, caplog):
    expected = run(module, field[0]).objects.segmented
    open_model = type(module).open_model

    def full(self, workspace, device=None):
        if device != "cpu":
            raise OutOfMemoryError("no room")
        return open_model(self, workspace, device)

    monkeypatch.setattr(type(module), "open_model", full)
    monkeypatch.setattr("cpunet.plugin.progress._logged", set())
    for _ in range(2):
        np.testing.assert_array_equal(run(module, field[0]).objects.segmented, expected)
    assert caplog.text.count("the network now runs on the CPU") == 1


def test_nan_pixels_belong_to_no_object(module, run, field):
    image = field[0].copy()
    image[:, 100:] = np.nan
    labels = run(module, image).objects.segmented
    assert labels[:, :100].any()
    assert not labels[:, 100:].any()


def test_the_module_computes_what_segment_image_computes(module, run, field, tiny_model):
    found = segment_image(field[0], session.load_model(tiny_model))
    np.testing.assert_array_equal(run(module, field[0]).objects.unedited_segmented, found.labels)


def test_a_color_model_takes_color_and_gray_images(module, run, field, color_model):
    image, truth = field
    gray = run(module, image).objects.segmented
    color = run(module, np.repeat(image[..., np.newaxis], 3, axis=2)).objects.segmented
    assert score_image(truth, gray).tp[0] == objects_in(truth)
    np.testing.assert_array_equal(gray, color)
