"""A model of four focal planes, from the data to the exported file: the order of the planes counts."""

import numpy as np

from cpunet.export.export_model import export_model
from cpunet.model.session import load_model
from cpunet.onnx_reader.metadata import read_card
from cpunet.scores import pool_scores, score_image
from cpunet.segment import segment_image
from tests.focus_stack import CHANNELS, MODEL, focus_stack, train_on_stacks


def mean_f1(model, order=slice(None)):
    planes, labels = focus_stack(seed=100)
    image = np.moveaxis(planes[order], 0, -1)
    return pool_scores([score_image(labels, segment_image(image, model).labels)]).mean_f1


def test_the_model_of_the_module_tests_is_what_training_makes_today(tmp_path):
    """With fewer steps, which suffice to tell one order from the other."""
    export_model(train_on_stacks(tmp_path, steps=150), tmp_path / "model.onnx")
    model = load_model(tmp_path / "model.onnx", device="cpu")
    assert model.card.input.channels == CHANNELS == read_card(MODEL).input.channels
    assert model.card.output.roles == ("foreground",) == read_card(MODEL).output.roles
    assert mean_f1(model) > 0.8
    assert mean_f1(model, slice(None, None, -1)) < 0.2


def test_the_model_of_the_module_tests_was_trained():
    model = load_model(MODEL, device="cpu")
    assert mean_f1(model) > 0.9
    assert mean_f1(model, slice(None, None, -1)) < 0.2
