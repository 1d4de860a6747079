"""What the advanced settings do to the objects, and which reach the runtime."""

import numpy as np
import pytest
from cellprofiler_core.pipeline import Pipeline
from cellprofiler_core.setting import ValidationError

from tests.tiny_onnx import changed_card, tiny_onnx


def two_discs(*, apart):
    y, x = np.mgrid[:60, :90]
    return np.maximum(*(np.clip(1.2 - np.hypot(y - 30, x - middle) / 13, 0, 1) for middle in (30, 30 + apart)))


@pytest.mark.parametrize(("method", "count"), [("Probability", 2), ("Shape", 2), ("Intensity", 2), ("None", 1)])
def test_the_method_to_separate_touching_objects_is_used(advanced, run, tiny_model, method, count):
    tiny_model.write_bytes(tiny_onnx(changed_card(postprocessing={"marker_threshold": 0.98})))
    advanced.advanced_settings.declump_method.value = method
    assert run(advanced, two_discs(apart=19)).objects.count == count


def test_declumping_off_keeps_touching_objects_as_one(module, run, tiny_model):
    touching = np.zeros((60, 80))
    y, x = np.mgrid[:60, :80]
    for middle in (30, 48):
        touching = np.maximum(touching, np.clip(1.2 - np.hypot(y - 30, x - middle) / 13, 0, 1))
    tiny_model.write_bytes(tiny_onnx(changed_card(postprocessing={"marker_threshold": 0.98})))
    assert run(module, touching).objects.count == 2
    module.advanced.value, module.advanced_settings.declump_method.value = True, "None"
    assert run(module, touching).objects.count == 1


def test_smoothing_and_distance_given_by_the_user_count(advanced):
    options = advanced.options(None)
    assert (options.smoothing_px, options.min_distance_px) == (None, None)
    advanced.advanced_settings.declump_method.value = "Shape"
    advanced.size_range.value = (10, 40)
    options = advanced.options(None)
    assert options.smoothing_px == options.min_distance_px == pytest.approx(20 / 3)
    settings = advanced.advanced_settings
    settings.smoothing_automatic.value = settings.distance_automatic.value = False
    settings.smoothing_px.value, settings.distance_px.value = 2.5, 11.0
    options = advanced.options(None)
    assert (options.smoothing_px, options.min_distance_px) == (2.5, 11.0)


def test_outlines_are_drawn_at_the_level_that_the_user_gives(advanced, run, field):
    settings = advanced.advanced_settings
    assert advanced.options(None).outline_level is None
    settings.outline_level.value = 0.3
    assert advanced.options(None).outline_level is None
    learned = run(advanced, field[0]).objects
    settings.outlines.value = "At a level of the edge"
    assert advanced.options(None).outline_level == 0.3
    low = run(advanced, field[0]).objects
    settings.outline_level.value = 0.6
    high = run(advanced, field[0]).objects
    assert low.count == high.count == learned.count > 0
    assert (low.segmented > 0).sum() > (high.segmented > 0).sum() > 0
    advanced.advanced.value = False
    assert advanced.options(None).outline_level is None


@pytest.mark.parametrize("level", ["0.1", "0.7"])
def test_a_level_of_outlines_out_of_range_is_named(advanced, level):
    advanced.advanced_settings.outlines.value = "At a level of the edge"
    advanced.advanced_settings.outline_level.value = level
    with pytest.raises(ValidationError, match=r"Must be at (least 0\.2|most 0\.6)"):
        advanced.advanced_settings.outline_level.test_valid(Pipeline())


@pytest.mark.parametrize(("choice", "filled"), [("Never", False), ("After declumping only", True)])
def test_holes_are_filled_as_chosen(advanced, run, choice, filled):
    y, x = np.mgrid[:60, :60]
    distance = np.hypot(y - 30, x - 30)
    advanced.advanced_settings.fill_holes.value = choice
    labels = run(advanced, ((distance < 20) & (distance > 8)).astype(float)).objects.segmented
    assert labels[30, 15] == 1
    assert (labels[30, 30] == 1) == filled


def test_an_image_with_too_many_objects_keeps_none_if_so_chosen(advanced, run, field):
    count = run(advanced, field[0]).objects.count
    settings = advanced.advanced_settings
    settings.limit_choice.value, settings.object_limit.value = "Erase", count
    assert run(advanced, field[0]).objects.count == count
    settings.object_limit.value = count - 1
    assert run(advanced, field[0]).objects.count == 0
    settings.limit_choice.value = "Continue"
    assert run(advanced, field[0]).objects.count == count


def test_tiles_batches_and_augmentation_reach_the_runtime(advanced):
    options = advanced.options(None)
    assert (options.tile_shape, options.batch_size, options.augmentation) == (None, 1, "none")
    settings = advanced.advanced_settings
    settings.tiles_automatic.value = False
    settings.tile_px.value, settings.batch_size.value = 256, 3
    settings.augmentation.value = "Flips and rotations"
    options = advanced.options(None)
    assert (options.tile_shape, options.batch_size) == ((256, 256), 3)
    assert options.augmentation == "flips and rotations"
    advanced.advanced.value = False
    assert advanced.options(None).tile_shape is None


@pytest.mark.parametrize(
    ("own_halo", "further_halo", "least"), [(0, None, 16), (80, None, 176), (80, 32, 176), (32, 80, 176)]
)
def test_tiles_that_a_halo_leaves_nothing_of_are_named_before_anything_runs(
    advanced, run, field, tiny_model, tmp_path, own_halo, further_halo, least
):
    of_input = {"divisible_by": 16}
    tiny_model.write_bytes(tiny_onnx(changed_card(input=of_input, output={"halo": own_halo})))
    if further_halo is not None:
        further = tmp_path / "other.onnx"
        further.write_bytes(tiny_onnx(changed_card(name="other", input=of_input, output={"halo": further_halo})))
        advanced.advanced_settings.further_models.value = str(further)
    tile = advanced.advanced_settings.tile_px
    advanced.advanced_settings.tiles_automatic.value = False
    tile.value = max(64, least)
    advanced.validate_module(Pipeline())
    if least > 64:
        tile.value = least - 16
        message = f"A tile of {least - 16} pixels is too small for the model's halo of 80 .* least {least} pixels"
        with pytest.raises(ValidationError, match=message) as caught:
            advanced.validate_module(Pipeline())
        assert caught.value.get_setting() is tile
        with pytest.raises(ValueError, match=message):
            run(advanced, np.tile(field[0], (2, 2)))
        advanced.advanced_settings.tiles_automatic.value = True
        advanced.validate_module(Pipeline())


def test_check_device_runs_the_model_and_names_the_provider(module, tiny_model, capsys):
    module.device_button.on_event_fired()
    assert "CPU" in capsys.readouterr().out
    tiny_model.write_bytes(b"no model")
    module.device_button.on_event_fired()
    assert "no ONNX model" in capsys.readouterr().out


def test_advanced_settings_count_only_if_they_are_shown(module, run, field):
    module.advanced_settings.use_model_threshold.value = False
    module.advanced_settings.foreground_threshold.value = 0.95
    module.probability_settings.save.value = True
    hidden = run(module, field[0])
    assert "ProbabilityNuclei" not in hidden.image_set.names
    module.advanced.value = True
    shown = run(module, field[0])
    assert 0 < (shown.objects.segmented > 0).sum() < (hidden.objects.segmented > 0).sum()
