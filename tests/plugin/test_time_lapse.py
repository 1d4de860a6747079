"""docs/time-lapse.cppipe opens as it is, and tracks drawn nuclei in CellProfiler, without a window."""

import io

from cellprofiler_core.pipeline import Pipeline

from benchmarks.pipeline_text import text_of
from benchmarks.time_lapse.run import ALIGNED, AS_TAKEN, tracked_movies
from scripts.write_time_lapse_pipeline import TIME_LAPSE, TRACKING, time_lapse_modules
from tests.plugin.test_ready_pipeline import without_date


def test_the_file_is_that_of_the_present_settings():
    """If not, run scripts/write_time_lapse_pipeline.py."""
    assert without_date(TIME_LAPSE.read_text(encoding="utf-8")) == without_date(text_of(time_lapse_modules()))


def test_the_file_opens_without_a_warning_and_groups_by_movie():
    pipeline, events = Pipeline(), []
    pipeline.add_listener(lambda _, event: events.append(type(event).__name__))
    pipeline.load(io.StringIO(TIME_LAPSE.read_text(encoding="utf-8")))
    assert "LoadExceptionEvent" not in events
    modules = {module.module_name: module for module in pipeline.modules()}
    assert modules["Groups"].wants_groups.value
    track = modules["TrackObjects"]
    assert {name: getattr(track, name).value for name in TRACKING} == TRACKING
    for module in pipeline.modules():
        module.test_valid(pipeline)


def test_nearly_all_links_are_right_once_the_frames_are_aligned(tmp_path):
    scores = {each.alignment: each.score() for each in tracked_movies(TIME_LAPSE, [1], tmp_path, frames=6)}
    aligned, as_taken = scores[ALIGNED], scores[AS_TAKEN]
    assert aligned.true > 150
    assert aligned.right >= 0.95 * aligned.true
    assert aligned.right >= 0.95 * aligned.found
    assert aligned.right_touching >= 0.95 * aligned.true_touching > 0
    assert aligned.right_at_edge >= 0.95 * aligned.true_at_edge > 0
    assert as_taken.right / as_taken.true < aligned.right / aligned.true - 0.02
