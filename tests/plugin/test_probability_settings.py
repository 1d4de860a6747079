"""The images of probabilities that the module saves."""

import pytest
from cellprofiler_core.pipeline import Pipeline
from cellprofiler_core.setting import ValidationError

from tests.tiny_onnx import changed_card, tiny_onnx


def test_the_probability_image_is_saved_on_request(module, run, field):
    module.advanced.value = module.probability_settings.save.value = True
    done = run(module, field[0])
    probability = done.image_set.get_image("ProbabilityNuclei").pixel_data
    assert probability.shape == field[0].shape
    assert 0 <= probability.min() < 0.1 < 0.9 < probability.max() <= 1
    assert probability[done.objects.segmented > 0].min() > 0.49


def test_each_role_can_be_saved_as_an_image(advanced, run, field, tiny_model):
    tiny_model.write_bytes(tiny_onnx(changed_card(output={"roles": ["foreground", "border"]}), out_channels=2))
    advanced.probability_settings.save.value = True
    advanced.probability_settings.add()
    done = run(advanced, field[0])
    assert done.image_set.get_image("ProbabilityBorder").pixel_data.shape == field[0].shape
    assert done.image_set.get_image("ProbabilityBorder").pixel_data.max() > 0.9
    advanced.probability_settings.further[0].role.value = "distance"
    with pytest.raises(ValidationError, match="no probability of the kind 'distance', only foreground, border"):
        advanced.validate_module(Pipeline())
