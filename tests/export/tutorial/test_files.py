import pytest

from cpunet.export.tutorial.files import draw_rims, with_model


def test_fields_are_drawn_alike_each_time_and_differ_by_seed():
    assert (draw_rims(3).image == draw_rims(3).image).all()
    assert not (draw_rims(3).labels == draw_rims(1003).labels).all()


def test_a_pipeline_without_the_module_is_refused():
    with pytest.raises(ValueError, match="no module IdentifyObjectsUNet"):
        with_model("CellProfiler Pipeline: http://www.cellprofiler.org\n", "mine")
