"""Model files without a model card, for which the user answers."""

import pytest
from cellprofiler_core.pipeline import Pipeline
from cellprofiler_core.setting import ValidationError

from cpunet.onnx_reader.metadata import sha256
from tests.tiny_onnx import tiny_onnx


@pytest.fixture
def cardless(module, tiny_model):
    tiny_model.write_bytes(tiny_onnx(card=None))
    return module


def test_a_model_without_a_card_works_by_the_settings_that_are_shown_only_then(module, run, field, tiny_model):
    with_card = run(module, field[0]).objects.segmented
    answers = {setting.text for setting in module.model_settings.cardless.all()}
    assert not answers & {setting.text for setting in module.visible_settings()}
    tiny_model.write_bytes(tiny_onnx(card=None))
    assert answers <= {setting.text for setting in module.visible_settings()}
    module.validate_module(Pipeline())
    done = run(module, field[0])
    assert done.objects.count > 0
    assert ((done.objects.segmented > 0) == (with_card > 0)).mean() > 0.98
    assert done.measurements.get_current_image_measurement("Segmentation_ModelSHA256_Nuclei") == sha256(tiny_model)


def test_outlines_of_a_model_without_a_card_may_be_moved(cardless, run, field):
    learned = run(cardless, field[0]).objects
    cardless.advanced.value = True
    cardless.advanced_settings.outlines.value = "At a level of the edge"
    cardless.advanced_settings.outline_level.value = 0.2
    low = run(cardless, field[0]).objects
    assert low.count == learned.count > 0
    assert (low.segmented > 0).sum() > (learned.segmented > 0).sum()


def test_a_wrong_answer_about_a_model_without_a_card_is_named(cardless, run, field):
    cardless.model_settings.cardless.roles.value = "nucleus"
    with pytest.raises(ValidationError, match="nucleus") as caught:
        cardless.validate_module(Pipeline())
    assert caught.value.get_setting() is cardless.model_settings.cardless.roles
    cardless.model_settings.cardless.roles.value = "background, foreground"
    cardless.validate_module(Pipeline())
    with pytest.raises(Exception, match="output has 1 channels and its card names 2"):
        run(cardless, field[0])
