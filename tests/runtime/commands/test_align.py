import numpy as np
import pytest
import tifffile

from cpunet.__main__ import main
from tests.drawn_frames import shifted_frames, write_frames, write_stack

FRAMES, _ = shifted_frames()


def align(*words):
    return main(["align", *map(str, words)])


def test_a_folder_of_frames_and_a_stack_are_aligned(tmp_path, capsys):
    write_frames(tmp_path / "images", "a", FRAMES)
    write_stack(tmp_path / "images" / "b.ome.tif", FRAMES[:3])
    assert align(tmp_path / "images", "-o", tmp_path / "out") == 0
    names = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert names == [
        "a_shifts.csv",
        *(f"a_t{number:04d}.tif" for number in range(1, 6)),
        "b_shifts.csv",
        *(f"b_t{number:04d}.tif" for number in range(1, 4)),
    ]
    said = capsys.readouterr().out
    assert "a: 5 frames, shifts of up to 23 pixels" in said
    assert "they show 145 x 137 pixels" in said
    assert "2 time-lapses done, 0 failed" in said


def test_a_frame_that_cannot_be_aligned_is_said_and_flagged(tmp_path, capsys):
    write_frames(tmp_path / "images", "a", [*FRAMES[:2], np.zeros_like(FRAMES[0]), FRAMES[2]])
    assert align(tmp_path / "images", "-o", tmp_path / "out") == 1
    assert "NOT ALIGNED, and kept at the place of the frame before: 3" in capsys.readouterr().err
    lines = (tmp_path / "out" / "a_shifts.csv").read_text(encoding="utf-8-sig").splitlines()
    assert ["not aligned" in line for line in lines[1:]] == [False, False, True, False]


def test_all_that_was_seen_can_be_shown(tmp_path):
    write_frames(tmp_path / "images", "a", FRAMES[:2])
    assert align(tmp_path / "images", "-o", tmp_path / "out", "--show", "all") == 0
    shapes = {tifffile.imread(str(path)).shape for path in (tmp_path / "out").glob("*.tif")}
    assert shapes == {(160 + 9, 160 + 7)}


def test_of_several_channels_one_is_chosen(tmp_path, capsys):
    two = np.stack([FRAMES, FRAMES // 2], axis=1)
    stack = write_stack(tmp_path / "m.tif", two, "TCYX", Channel={"Name": ["DNA", "GFP"]})
    assert align(stack, "-o", tmp_path / "out") == 1
    assert "2 channels (1: DNA, 2: GFP)" in capsys.readouterr().err
    assert align(stack, "-o", tmp_path / "out", "--channel", "GFP") == 0
    assert tifffile.imread(str(tmp_path / "out" / "m_t0001.tif")).max() <= FRAMES.max() // 2


def test_files_of_others_are_kept(tmp_path, capsys):
    write_frames(tmp_path / "images", "a", FRAMES[:2])
    output = tmp_path / "out"
    output.mkdir()
    tifffile.imwrite(str(output / "a_t0002.tif"), FRAMES[0])
    assert align(tmp_path / "images", "-o", output) == 1
    assert "a_t0002.tif exists, and was not written by cpunet" in capsys.readouterr().err
    assert [path.name for path in output.iterdir()] == ["a_t0002.tif"]
    assert align(tmp_path / "images", "-o", output, "--overwrite") == 0
    assert align(tmp_path / "images", "-o", output) == 0  # its own results


def test_frames_of_a_longer_time_lapse_are_not_mixed_in(tmp_path, capsys):
    write_frames(tmp_path / "long", "a", FRAMES)
    write_frames(tmp_path / "short", "a", FRAMES[:3])
    output = tmp_path / "out"
    assert align(tmp_path / "long", "-o", output) == 0
    assert align(tmp_path / "short", "-o", output, "--overwrite") == 1
    assert "from a_t0004.tif to a_t0005.tif" in capsys.readouterr().err


def test_frames_are_never_written_onto_themselves(tmp_path, capsys):
    paths = write_frames(tmp_path, "a", FRAMES[:2], "{name}_t000{number}.tif")
    before = [path.read_bytes() for path in paths]
    assert align(*paths, "-o", tmp_path, "--overwrite") == 1
    assert "is an input of this command" in capsys.readouterr().err
    assert [path.read_bytes() for path in paths] == before


@pytest.mark.parametrize(
    ("pattern", "reason"), [("x", "finds nothing that is used"), ("q(?P<time>[0-9]+)", "does not match --names")]
)
def test_names_that_say_no_time_are_refused(pattern, reason, tmp_path, capsys):
    write_frames(tmp_path / "images", "a", FRAMES[:2])
    assert align(tmp_path / "images", "-o", tmp_path / "out", "--names", pattern) in (1, 2)
    assert reason in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_frames_of_different_sizes_cost_only_their_time_lapse(tmp_path, capsys):
    write_frames(tmp_path / "images", "a", [FRAMES[0], FRAMES[1][:100]])
    write_frames(tmp_path / "images", "b", FRAMES[:2])
    assert align(tmp_path / "images", "-o", tmp_path / "out") == 1
    assert "FAILED a: a frame has the shape (100, 160)" in capsys.readouterr().err
    assert len(list((tmp_path / "out").glob("b_t*.tif"))) == 2
    assert not list((tmp_path / "out").glob("a_*"))
