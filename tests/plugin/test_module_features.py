"""What revision 3 added: ways to separate, limits, stacks, models without a card, further measurements."""

import os

import cellprofiler_core.preferences
import identifyobjectsunet
import numpy as np
import pytest
from cellprofiler_core.constants.measurement import EXPERIMENT
from cellprofiler_core.pipeline import Pipeline
from cellprofiler_core.setting import ValidationError

from cpunet.checks.synthetic import synthetic_field
from cpunet.onnx_reader.metadata import sha256
from tests.tiny_onnx import changed_card, tiny_onnx


@pytest.fixture
def advanced(module):
    module.advanced.value = True
    return module


def two_discs(*, apart):
    y, x = np.mgrid[:60, :90]
    return np.maximum(*(np.clip(1.2 - np.hypot(y - 30, x - middle) / 13, 0, 1) for middle in (30, 30 + apart)))


@pytest.mark.parametrize(("method", "count"), [("Probability", 2), ("Shape", 2), ("Intensity", 2), ("None", 1)])
def test_the_method_to_separate_touching_objects_is_used(advanced, run, tiny_model, method, count):
    tiny_model.write_bytes(tiny_onnx(changed_card(postprocessing={"marker_threshold": 0.98})))
    advanced.declump_method.value = method
    assert run(advanced, two_discs(apart=19)).objects.count == count


def test_smoothing_and_distance_given_by_the_user_count(advanced):
    options = advanced.options(None)
    assert (options.smoothing_px, options.min_distance_px) == (None, None)
    advanced.declump_method.value = "Shape"
    advanced.size_range.value = (10, 40)
    options = advanced.options(None)
    assert options.smoothing_px == options.min_distance_px == pytest.approx(20 / 3)
    settings = advanced.advanced_settings
    settings.smoothing_automatic.value = settings.distance_automatic.value = False
    settings.smoothing_px.value, settings.distance_px.value = 2.5, 11.0
    options = advanced.options(None)
    assert (options.smoothing_px, options.min_distance_px) == (2.5, 11.0)


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
    assert (options.tile_shape, options.batch_size, options.augmentation) == ((1024, 1024), 1, "none")
    settings = advanced.advanced_settings
    settings.tiles_automatic.value = False
    settings.tile_px.value, settings.batch_size.value = 256, 3
    settings.augmentation.value = "Flips and rotations"
    options = advanced.options(None)
    assert (options.tile_shape, options.batch_size) == ((256, 256), 3)
    assert options.augmentation == "flips and rotations"
    advanced.advanced.value = False
    assert advanced.options(None).tile_shape == (1024, 1024)


def test_several_models_are_averaged(advanced, run, field, tmp_path):
    further = tmp_path / "darker.onnx"
    further.write_bytes(tiny_onnx(changed_card(name="darker"), offset=-8.0))
    alone = run(advanced, field[0])
    advanced.advanced_settings.further_models.value = str(further)
    both = run(advanced, field[0])
    assert 0 < (both.objects.segmented > 0).sum() < (alone.objects.segmented > 0).sum()
    used = both.measurements.get_current_image_measurement("Segmentation_Model_Nuclei")
    assert used == "tiny + darker"
    advanced.advanced_settings.further_models.value = "no such model"
    with pytest.raises(ValidationError, match="no model 'no such model'") as caught:
        advanced.validate_module(Pipeline())
    assert caught.value.get_setting() is advanced.advanced_settings.further_models


def test_models_that_cannot_be_averaged_are_named_before_anything_runs(advanced, tmp_path):
    further = tmp_path / "other.onnx"
    further.write_bytes(
        tiny_onnx(changed_card(name="other", output={"roles": ["foreground", "border"]}), out_channels=2)
    )
    advanced.advanced_settings.further_models.value = str(further)
    with pytest.raises(ValidationError, match="output roles") as caught:
        advanced.validate_module(Pipeline())
    assert caught.value.get_setting() is advanced.advanced_settings.further_models


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


def test_each_role_can_be_saved_as_an_image(advanced, run, field, tiny_model):
    tiny_model.write_bytes(tiny_onnx(changed_card(output={"roles": ["foreground", "border"]}), out_channels=2))
    advanced.save_probability.value = True
    advanced.add_probability()
    done = run(advanced, field[0])
    assert done.image_set.get_image("ProbabilityBorder").pixel_data.shape == field[0].shape
    assert done.image_set.get_image("ProbabilityBorder").pixel_data.max() > 0.9
    advanced.further_probabilities[0].role.value = "distance"
    with pytest.raises(ValidationError, match="no probability of the kind 'distance', only foreground, border"):
        advanced.validate_module(Pipeline())


def test_further_measurements_tell_of_confidence_area_time_and_model(module, run, field, tiny_model):
    done = run(module, field[0])
    measured = done.measurements
    count = done.objects.count
    for feature in ("Confidence_Foreground", "Confidence_Boundary"):
        values = measured.get_current_measurement("Nuclei", feature)
        assert values.shape == (count,)
        assert ((values > 0) & (values <= 1)).all()
    area = measured.get_current_image_measurement("Segmentation_ForegroundArea_Nuclei")
    assert area == (done.objects.segmented > 0).sum()
    from_area = measured.get_current_image_measurement("Segmentation_CountFromArea_Nuclei")
    assert from_area == pytest.approx(count, rel=0.25)
    assert 0 < measured.get_current_image_measurement("Segmentation_Seconds_Nuclei") < 60
    assert measured.get_current_image_measurement("Segmentation_Model_Nuclei") == "tiny"
    assert measured.get_current_image_measurement("Segmentation_ModelSHA256_Nuclei") == sha256(tiny_model)
    written = {(name, feature) for name, feature, _ in module.get_measurement_columns(None) if name != EXPERIMENT}
    for name, feature in written:
        assert measured.has_current_measurements(name, feature), feature
    assert module.get_measurements(None, "Nuclei", "Confidence") == ["Foreground", "Boundary"]
    for feature in module.get_measurements(None, "Image", "Segmentation"):
        (of,) = module.get_measurement_objects(None, "Image", "Segmentation", feature)
        assert ("Image", f"Segmentation_{feature}_{of}") in written


def test_the_experiment_says_with_which_model_it_began(module, run, field, tiny_model):
    done = run(module, field[0])
    assert module.prepare_run(done.workspace)
    measured = done.measurements
    assert measured.get_experiment_measurement("Segmentation_Model_Nuclei") == "tiny"
    assert measured.get_experiment_measurement("Segmentation_ModelSHA256_Nuclei") == sha256(tiny_model)
    tiny_model.unlink()
    assert module.prepare_run(done.workspace)


def test_a_model_that_is_replaced_is_noticed_and_logged(module, run, field, tiny_model, caplog):
    caplog.set_level("INFO")
    sums = []
    for offset in (-4.0, -9.0):
        tiny_model.write_bytes(tiny_onnx(offset=offset))
        done = run(module, field[0])
        sums.append(sha256(tiny_model))
        assert done.measurements.get_current_image_measurement("Segmentation_ModelSHA256_Nuclei") == sums[-1]
    lines = [record.getMessage() for record in caplog.records if "SHA-256" in record.getMessage()]
    assert [total in line for total, line in zip(sums, lines)] == [True, True]
    assert sums[0] != sums[1]


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


@pytest.fixture
def cardless(module, tiny_model):
    tiny_model.write_bytes(tiny_onnx(card=None))
    return module


def test_a_model_without_a_card_works_by_the_settings_that_are_shown_only_then(module, run, field, tiny_model):
    with_card = run(module, field[0]).objects.segmented
    answers = {setting.text for setting in module.cardless_settings.all()}
    assert not answers & {setting.text for setting in module.visible_settings()}
    tiny_model.write_bytes(tiny_onnx(card=None))
    assert answers <= {setting.text for setting in module.visible_settings()}
    module.validate_module(Pipeline())
    done = run(module, field[0])
    assert done.objects.count > 0
    assert ((done.objects.segmented > 0) == (with_card > 0)).mean() > 0.98
    assert done.measurements.get_current_image_measurement("Segmentation_ModelSHA256_Nuclei") == sha256(tiny_model)


def test_a_wrong_answer_about_a_model_without_a_card_is_named(cardless, run, field):
    cardless.cardless_settings.roles.value = "nucleus"
    with pytest.raises(ValidationError, match="nucleus") as caught:
        cardless.validate_module(Pipeline())
    assert caught.value.get_setting() is cardless.cardless_settings.roles
    cardless.cardless_settings.roles.value = "background, foreground"
    cardless.validate_module(Pipeline())
    with pytest.raises(Exception, match="output has 1 channels and its card names 2"):
        run(cardless, field[0])


def test_the_description_stands_in_the_window(module):
    assert module.model_description in module.visible_settings()
    assert module.model_description.content == "A sigmoid of the normalized intensity."


def test_describe_model_shows_the_card(module, tiny_model, capsys):
    module.describe_button.on_event_fired()
    out = capsys.readouterr().out
    for words in ("tiny", "A sigmoid of the normalized intensity.", "foreground", "CC0-1.0", sha256(tiny_model)):
        assert words in out
    tiny_model.unlink()
    module.describe_button.on_event_fired()
    assert "no such model file" in capsys.readouterr().out


def test_check_device_runs_the_model_and_names_the_provider(module, tiny_model, capsys):
    module.device_button.on_event_fired()
    assert "CPU" in capsys.readouterr().out
    tiny_model.write_bytes(b"no model")
    module.device_button.on_event_fired()
    assert "no ONNX model" in capsys.readouterr().out


def test_the_preferred_folder_of_models_is_listed_and_remembered(monkeypatch, tmp_path, module):
    (tmp_path / "mine.onnx").write_bytes(tiny_onnx())
    monkeypatch.delenv("CPUNET_MODELS", raising=False)
    monkeypatch.setattr("cpunet.plugin.models_folder._last_used", [""])
    kept = {}
    monkeypatch.setattr("cpunet.plugin.models_folder.config_read", kept.get)
    monkeypatch.setattr("cpunet.plugin.models_folder.config_write", kept.__setitem__)
    monkeypatch.setattr("identifyobjectsunet.ask_for_folder", lambda question, start: str(tmp_path))
    assert "mine" not in module.model_name.choices
    module.folder_button.on_event_fired()
    assert "mine" in module._model_choices()
    monkeypatch.delenv("CPUNET_MODELS")
    assert "mine" in identifyobjectsunet.IdentifyObjectsUNet().model_name.choices


def test_a_folder_of_the_environment_counts_more_than_the_preference(monkeypatch, tmp_path):
    monkeypatch.setenv("CPUNET_MODELS", str(tmp_path / "of the environment"))
    monkeypatch.setattr("cpunet.plugin.models_folder.config_read", lambda key: str(tmp_path))
    identifyobjectsunet.IdentifyObjectsUNet()
    assert os.environ["CPUNET_MODELS"] == str(tmp_path / "of the environment")


def test_workers_share_the_memory_of_a_gpu_unless_the_user_gives_it(monkeypatch, advanced):
    monkeypatch.setattr("identifyobjectsunet.total_gpu_memory_bytes", lambda: 10_000_000_000)
    assert advanced.gpu_memory_bytes() is None
    monkeypatch.setattr("sys.argv", ["worker", "--work-announce=tcp://127.0.0.1:1"])
    cellprofiler_core.preferences.set_preferences_from_dict({cellprofiler_core.preferences.MAX_WORKERS: 4})
    assert advanced.gpu_memory_bytes() == 2_000_000_000
    advanced.advanced_settings.memory_automatic.value = False
    advanced.advanced_settings.memory_gb.value = 1.5
    assert advanced.gpu_memory_bytes() == 1_500_000_000


def test_changing_the_model_changes_nothing_else_in_a_saved_pipeline(module):
    before = [setting.value_text for setting in module.settings()]
    module.model_name.value = "nuclei_generalist"
    after = [setting.value_text for setting in module.settings()]
    assert [place for place, (old, new) in enumerate(zip(before, after)) if old != new] == [2]


def test_progress_stops_where_the_user_stops_it(module, run, monkeypatch):
    told = []

    def stop(what, log=None):
        def progress(done, total):
            told.append((done, total))
            if done == 2:
                raise RuntimeError("stopped")

        return progress

    monkeypatch.setattr("identifyobjectsunet.log_progress", stop)
    module.advanced.value, module.rescale.value = True, "Off"
    module.advanced_settings.tiles_automatic.value = False
    module.advanced_settings.tile_px.value = 64
    with pytest.raises(RuntimeError, match="stopped"):
        run(module, synthetic_field((256, 256)).image)
    assert told == [(0, 16), (1, 16), (2, 16)]
