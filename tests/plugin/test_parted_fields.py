"""The module finds the right objects with a model of boundaries alone, also from a saved pipeline."""

import io

import numpy as np
import pytest
from cellprofiler_core.pipeline import Pipeline

from tests.parted_fields import edges_onnx, fields

FIELDS = dict(fields(valley=0.3, noise=0.003))


@pytest.fixture
def module(module, tiny_model):
    tiny_model.write_bytes(edges_onnx())
    return module


@pytest.mark.parametrize(
    "name", ["ten in a row, even", "ten in a row, dark on bright", "a ring, uneven", "islands, even"]
)
def test_objects_are_counted_right(module, run, name):
    field = FIELDS[name]
    found = run(module, field.image)
    assert found.objects.segmented.max() == field.labels.max()
    assert found.measurements.get_current_measurement("Image", "Count_Nuclei") == field.labels.max()


def test_a_saved_pipeline_finds_the_same(pipeline, module, run):
    field = FIELDS["islands, dark on bright"]
    before = run(module, field.image).objects.segmented
    text = io.StringIO()
    pipeline.dump(text)
    loaded = Pipeline()
    loaded.load(io.StringIO(text.getvalue()))
    again = loaded.modules()[-1]
    again.show_window = False
    after = run(again, field.image).objects.segmented
    assert before.max() == field.labels.max()
    np.testing.assert_array_equal(after, before)


def test_a_stack_and_a_mask(module, run):
    field = FIELDS["ten in a row, even"]
    assert run(module, np.stack([field.image] * 2), dimensions=3).objects.segmented.max() == 10
    mask = np.ones(field.labels.shape, bool)
    mask[:, 150:] = False
    assert run(module, field.image, mask=mask).objects.segmented.max() == 5
