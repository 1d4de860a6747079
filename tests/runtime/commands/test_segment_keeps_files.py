"""`cpunet segment` replaces nothing of the user's, takes no result as an image, and a bad file costs only itself."""

import os
import signal
import subprocess
import sys
import time

import numpy as np
import PIL.Image
import pytest
import tifffile

from cpunet.__main__ import main
from tests.places import REPOSITORY


def segment(*words):
    return main(["segment", *map(str, words)])


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


def test_a_second_run_replaces_its_own_results_and_skips_them_as_images(images, own_models, capsys):
    assert segment(*sorted(images.glob("*.tif")), "-o", images) == 0
    first = contents(images)
    assert segment(*sorted(images.iterdir()), "-o", images, "--no-declump") == 0
    said = capsys.readouterr()
    assert "2 images done, 0 failed" in said.out
    assert f"left out: {images / 'a_labels.tif'}, a result of cpunet" in said.err
    assert said.err.count("left out: ") == 4
    assert sorted(contents(images)) == sorted(first)


def test_results_alone_are_no_images(images, own_models, tmp_path, capsys):
    segment(images / "a.tif", "-o", tmp_path)
    assert segment(tmp_path / "a_labels.tif", "-o", tmp_path / "out") == 2
    assert "no image to segment" in capsys.readouterr().err


@pytest.mark.parametrize("overwrite", [False, True])
def test_an_image_is_not_replaced_by_the_result_of_another(images, own_models, capsys, overwrite):
    (images / "b.tif").rename(images / "a_labels.tif")
    before = contents(images)
    words = ["--overwrite"] if overwrite else []
    assert segment(images / "a.tif", images / "a_labels.tif", "-o", images, *words) == 1
    said = capsys.readouterr()
    assert f"FAILED {images / 'a.tif'}: {images / 'a_labels.tif'} is an input of this command" in said.err
    assert "1 images done, 1 failed" in said.out
    after = contents(images)
    assert {name: after[name] for name in before} == before
    assert sorted(set(after) - set(before)) == ["a_labels_labels.tif", "a_labels_overlay.png"]


@pytest.mark.parametrize("name", ["a_labels.tif", "a_overlay.png"])
def test_files_of_the_user_are_replaced_only_if_asked_for(images, own_models, tmp_path, capsys, name):
    (tmp_path / name).write_text("corrected by hand")
    assert segment(images / "a.tif", images / "b.tif", "-o", tmp_path) == 1
    assert (tmp_path / name).read_text() == "corrected by hand"
    said = capsys.readouterr()
    assert "1 images done, 1 failed" in said.out
    assert "not written by cpunet" in said.err
    assert "--overwrite" in said.err
    assert segment(images / "a.tif", "-o", tmp_path, "--overwrite") == 0
    assert (tmp_path / name).read_bytes() != b"corrected by hand"


def test_labels_that_were_corrected_by_hand_are_kept(images, own_models, tmp_path, capsys):
    assert segment(images / "a.tif", "-o", tmp_path) == 0
    path = tmp_path / "a_labels.tif"
    corrected = tifffile.imread(str(path))
    corrected[corrected == 1] = 0
    with tifffile.TiffFile(str(path), mode="r+b") as file:
        software = file.pages[0].tags["Software"].value
    tifffile.imwrite(str(path), corrected, software=software)
    assert segment(images / "a.tif", "-o", tmp_path) == 1
    assert "was changed after cpunet wrote it" in capsys.readouterr().err
    np.testing.assert_array_equal(tifffile.imread(str(path)), corrected)


def test_images_of_one_name_in_two_runs_do_not_replace_each_other(images, own_models, tmp_path, capsys):
    other = tmp_path / "plate2" / "a.tif"
    other.parent.mkdir()
    tifffile.imwrite(str(other), tifffile.imread(str(images / "a.tif")).T.copy())
    output = tmp_path / "out"
    assert segment(images / "a.tif", "-o", output) == 0
    before = contents(output)
    assert segment(other, "-o", output) == 1
    assert "holds the objects of another image, a.tif" in capsys.readouterr().err
    assert contents(output) == before
    assert segment(other, "-o", output, "--overwrite") == 0
    assert contents(output) != before


def test_an_image_that_was_moved_may_be_segmented_again(images, own_models, tmp_path):
    assert segment(images / "a.tif", "-o", tmp_path) == 0
    images.rename(tmp_path / "elsewhere")
    assert segment(tmp_path / "elsewhere" / "a.tif", "-o", tmp_path) == 0


@pytest.mark.skipif(os.name == "nt", reason="links need rights on Windows")
def test_names_that_lead_nowhere_cost_only_themselves(images, own_models, tmp_path, capsys):
    (images / "loop.tif").symlink_to(images / "loop.tif")
    (images / "round.tif").symlink_to(images / "back.tif")
    (images / "back.tif").symlink_to(images / "round.tif")
    (images / "absent.tif").symlink_to(images / "nothing.tif")
    (images / "folder.tif").mkdir()
    os.mkfifo(images / "pipe.tif")
    long = images / ("n" * 300 + ".tif")
    names = ["loop", "round", "back", "absent", "folder", "pipe"]
    bad = [*(images / f"{name}.tif" for name in names), long, images / "a.tif" / "x.tif"]
    assert segment(bad[0], images / "a.tif", *bad[1:], images / "b.tif", "-o", tmp_path) == 1
    said = capsys.readouterr()
    assert f"2 images done, {len(bad)} failed" in said.out
    for path in bad:
        assert f"FAILED {path}: " in said.err


def test_a_line_that_cannot_be_printed_is_no_failure_of_the_image(images, own_models, tmp_path, monkeypatch, capsys):
    class FullDisk:
        def write(self, text):
            raise OSError(28, "No space left on device")

        def flush(self):
            pass

    monkeypatch.setattr(sys, "stdout", FullDisk())
    assert segment(images / "a.tif", images / "b.tif", "-o", tmp_path) == 0
    assert (tmp_path / "b_labels.tif").exists()
    said = capsys.readouterr().err
    assert "FAILED" not in said
    assert "what it printed is not complete" in said


@pytest.mark.skipif(os.name == "nt", reason="file names are Unicode on Windows")
def test_names_that_are_no_text_or_hold_line_breaks_are_done(images, own_models, tmp_path, capsys):
    for name in (b"\xff\xfe.tif", b"two\nlines.tif", b"\x1b[31mred.tif"):
        path = os.fsdecode(os.path.join(os.fsencode(str(images)), name))
        with open(path, "wb") as stream:
            stream.write((images / "a.tif").read_bytes())
    paths = sorted(images.iterdir())
    assert main(["segment", *map(str, paths), "-o", str(tmp_path / "out")]) == 0
    said = capsys.readouterr().out
    assert "5 images done, 0 failed" in said
    assert "\x1b" not in said


def test_too_little_memory_is_tried_again_with_smaller_tiles(images, own_models, tmp_path, capsys, monkeypatch):
    from cpunet.errors import OutOfMemoryError
    from cpunet.model.session import OnnxModel
    from cpunet.model.session_threads import SessionThreads

    predict, started = OnnxModel.predict, []

    def limited(model, batch):
        if batch.shape[-1] > 550:
            raise OutOfMemoryError("no more", batch.shape)
        return predict(model, batch)

    monkeypatch.setattr(OnnxModel, "predict", limited)
    monkeypatch.setattr(OnnxModel, "start_anew", lambda model: started.append(model))
    # A session also starts anew when other programs take a core or leave one.
    monkeypatch.setattr(SessionThreads, "change", lambda threads: False)
    PIL.Image.fromarray(np.tile(tifffile.imread(str(images / "a.tif")), (1, 5))).save(images / "wide.tif")
    assert segment(images / "wide.tif", "-o", tmp_path, "--diameter", "20") == 0
    assert "trying again with" in capsys.readouterr().err
    assert len(started) == 1


@pytest.mark.skipif(os.name == "nt", reason="Windows sends other signals")
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_run_that_is_stopped_says_one_line_and_leaves_whole_files(images, own_models, tmp_path, number, code):
    output = tmp_path / "out"
    paths = []
    for index in range(200):
        paths.append(images / f"{index}.tif")
        os.link(images / "a.tif", paths[-1])
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY / "plugins")}
    command = [sys.executable, "-m", "cpunet", "segment", *map(str, paths), "-o", str(output)]
    process = subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, universal_newlines=True, env=environment
    )
    for _ in range(600):
        if output.is_dir() and list(output.glob("*_labels.tif")):
            break
        time.sleep(0.05)
    process.send_signal(number)
    said = process.communicate(timeout=60)[1]
    assert process.returncode == code
    assert said.count("\n") == 1
    assert "stopped by" in said
    names = [path.name for path in output.iterdir()]
    assert 0 < len(names) < 400
    assert not [name for name in names if name.startswith(".")]
    for path in output.glob("*_labels.tif"):
        assert tifffile.imread(str(path)).any()
