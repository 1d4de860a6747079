from pathlib import Path

import numpy as np
import pytest
import tifffile

from cpunet.time_lapse.align_files import Movie, align_movie, movies_of_files
from cpunet.time_lapse.field import COMMON
from cpunet.time_lapse.file_names import pattern_of
from tests.drawn_frames import shifted_frames, write_frames, write_stack

FRAMES, TRUTH = shifted_frames()


def test_files_become_time_lapses_in_the_order_of_time(tmp_path):
    ten = np.concatenate([FRAMES, FRAMES])
    of_a, of_b = write_frames(tmp_path, "a", ten), write_frames(tmp_path, "b", FRAMES[:2])
    stack = write_stack(tmp_path / "stack.ome.tif", FRAMES)
    movies, problems = movies_of_files(sorted([*of_a, *of_b, stack]), None)
    assert movies == [Movie("a", tuple(of_a)), Movie("b", tuple(of_b)), Movie("stack", (stack,))]
    assert not problems


def test_files_that_belong_to_no_time_lapse_are_named_with_the_reason(tmp_path):
    paths = write_frames(tmp_path, "a", FRAMES[:3])
    twice = write_frames(tmp_path, "b_DNA", FRAMES[:2], "b_x{number}_t1.tif")
    (plain,) = write_frames(tmp_path, "plain", FRAMES[:1], "{name}.tif")
    movies, problems = movies_of_files([*paths, *twice, plain], pattern_of(r"(?:x\d)?_t(?P<time>\d)"))
    assert [movie.name for movie in movies] == ["a"]
    assert sorted(problem.partition(": ")[0] for problem in problems) == sorted(map(str, [*twice, plain]))
    _, problems = movies_of_files([plain, *paths[:1]], None)
    assert [("has no time" in problem, "only frame" in problem) for problem in problems] == [
        (True, False),
        (False, True),
    ]
    same = [Path(tmp_path, f"c_{name}.tif") for name in ("t1", "t01")]
    for path in same:
        tifffile.imwrite(str(path), FRAMES[0])
    _, problems = movies_of_files(same, None)
    assert "c_t1.tif is a frame of the same time-lapse at the same time (1)" in problems[0]


@pytest.mark.parametrize("stacked", [True, False])
def test_aligned_frames_show_the_same_nuclei_and_keep_their_numbers(stacked, tmp_path):
    paths = (write_stack(tmp_path / "m.tif", FRAMES),) if stacked else tuple(write_frames(tmp_path, "m", FRAMES))
    aligned = align_movie(Movie("m", paths), tmp_path, COMMON)
    assert [path.name for path in aligned.files] == [f"m_t{number:04d}.tif" for number in range(1, 6)]
    shown = [tifffile.imread(str(path)) for path in aligned.files]
    assert {each.shape for each in shown} == {(160 - 15, 160 - 23)}
    first = shown[0].astype(float)
    for frame, each in zip(FRAMES, shown):
        assert each.dtype == np.uint16
        assert np.isin(each, frame).all()
        assert np.corrcoef(first.ravel(), each.astype(float).ravel())[0, 1] > 0.97
    lines = (tmp_path / "m_shifts.csv").read_text(encoding="utf-8-sig").splitlines()
    assert lines[0].startswith("movie,frame,from,file,shift_y_px,shift_x_px,moved_y_px,moved_x_px,agreement,flag")
    assert [line.split(",")[6:8] for line in lines[1:]] == [
        ["0", "0"],
        ["9", "-7"],
        ["-3", "4"],
        ["12", "11"],
        ["0", "-12"],
    ]
