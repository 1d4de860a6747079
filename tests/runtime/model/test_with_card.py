from dataclasses import replace

import numpy as np

from cpunet.checks.synthetic import synthetic_field
from cpunet.model.session import load_model
from cpunet.model.with_card import ModelWithCard
from cpunet.segment import segment_image


def test_the_network_stays_and_the_other_card_counts(tiny_model):
    model = load_model(tiny_model)
    image = synthetic_field((120, 150), columns=5, diameter_px=20).image
    strict = replace(model.card, postprocessing=replace(model.card.postprocessing, min_size_px=1e6))
    own, other = segment_image(image, model), segment_image(image, ModelWithCard(model, strict))
    assert own.labels.max() > 0 == other.labels.max()
    np.testing.assert_array_equal(own.probabilities, other.probabilities)
