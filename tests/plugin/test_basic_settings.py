"""The basic settings: defaults, the diameter range, and the scale."""

import numpy as np
import pytest
from cellprofiler_core.pipeline import Pipeline
from cellprofiler_core.setting import ValidationError
from identifyobjectsunet import IdentifyObjectsUNet


def test_defaults_discard_nothing_and_choose_the_shipped_model():
    module = IdentifyObjectsUNet()
    assert module.model_name.value == "nuclei_fluorescence"
    assert not module.exclude_size.value
    assert not module.exclude_border_objects.value
    assert not module.probability_settings.save.value


def test_validation_refuses_a_range_the_wrong_way_round(module):
    module.size_range.value = (40, 10)
    with pytest.raises(ValidationError, match="40 is greater than 10") as caught:
        module.size_range.test_valid(Pipeline())
    assert caught.value.get_setting() is module.size_range


def test_a_range_the_wrong_way_round_is_refused_in_a_run_too(module, run, field):
    module.size_range.value = (40, 10)
    module.exclude_size.value = True
    with pytest.raises(ValueError, match="Swap"):
        run(module, field[0])


def test_the_image_is_rescaled_for_the_model_unless_that_is_off(module, field):
    module.size_range.value = (70, 90)
    assert (module.options(None).diameter_px, module.options(None).scale) == (None, None)
    module.rescale.value = "By the diameter range"
    assert module.options(None).diameter_px == pytest.approx(np.sqrt(70 * 90))
    module.rescale.value = "Off"
    assert (module.options(None).diameter_px, module.options(None).scale) == (None, 1)
    module.rescale.value, module.rescale_factor.value = "By a factor", 0.4
    assert (module.options(None).diameter_px, module.options(None).scale) == (None, 0.4)
