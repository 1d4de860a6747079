import subprocess
import sys
import textwrap
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from cpunet.checks.synthetic import synthetic_field
from cpunet.errors import ModelError, OptionError, OutOfMemoryError
from cpunet.model import memory
from cpunet.model.card import card_from_content
from cpunet.model.memory import (
    gpu_memory_for_worker,
    open_within_memory,
    processes_on_gpu,
    segment_within_memory,
    smaller_tiles,
    total_gpu_memory_bytes,
)
from cpunet.options import Options
from cpunet.segment import segment_image, segment_stack
from tests.tiny_instances import instances_card
from tests.tiny_onnx import changed_card
from tests.tiny_volumes import balls, changed_volume_card

CARD = card_from_content(changed_card(input={"divisible_by": 32, "min_size": 32}, output={"halo": 64}))
FIELD = synthetic_field((600, 700), columns=6, diameter_px=40)


class Limited:
    """A model with memory for inputs of so many pixels."""

    def __init__(self, most_pixels, provider="CUDAExecutionProvider", error=OutOfMemoryError):
        self.card, self.most_pixels, self.provider, self.error = CARD, most_pixels, provider, error
        self.shapes = []

    def predict(self, batch):
        self.shapes.append(batch.shape)
        if batch.size > self.most_pixels:
            raise OutOfMemoryError("no more", batch.shape) if self.error is OutOfMemoryError else self.error
        return np.clip(batch, 0, 1)


def segment_field(model, options):
    return segment_image(FIELD.image, model, options)


def no_cpu():
    raise AssertionError("the CPU was not needed")


def test_tiles_are_halved_until_they_fit_and_the_result_is_the_same():
    model, said = Limited(400 * 400), []
    found = segment_within_memory(segment_field, model, Options(scale=1.0, batch_size=2), no_cpu, said.append)
    expected = segment_field(Limited(10**9), Options(scale=1.0))
    np.testing.assert_array_equal(found.labels, expected.labels)
    np.testing.assert_array_equal(found.probabilities, expected.probabilities)
    assert found.labels.max() == FIELD.labels.max()
    assert model.shapes[0] == (1, 1, 608, 704)
    assert set(model.shapes[1:]) == {(1, 1, 288, 320)}
    assert said == ["The memory is too small for tiles of 608 x 704 pixels; trying again with 288 x 352 pixels."]


def test_after_each_failure_the_model_gives_its_memory_back():
    class Hoarding(Limited):
        started = 0

        def start_anew(self):
            self.started += 1

    first, second = Hoarding(400 * 400), Hoarding(0)
    segment_within_memory(segment_field, first, Options(scale=1.0), no_cpu, lambda words: None)
    assert first.started == 1
    several = SimpleNamespace(
        models=(first, second), card=CARD, predict=second.predict, provider="CPUExecutionProvider"
    )
    with pytest.raises(OutOfMemoryError):
        segment_within_memory(segment_field, several, Options(scale=1.0), no_cpu, lambda words: None)
    assert (first.started, second.started) == (4, 3)


def test_a_network_that_cannot_be_opened_again_is_the_error():
    class Closed(Limited):
        def start_anew(self):
            raise OutOfMemoryError("not even the network fits")

    model = Closed(0, "CPUExecutionProvider")
    with pytest.raises(OutOfMemoryError, match="not even the network fits"):
        segment_within_memory(segment_field, model, Options(scale=1.0), no_cpu, lambda words: None)
    assert len(model.shapes) == 1


def test_what_fits_is_run_once_and_nothing_is_said():
    model, said = Limited(10**9), []
    segment_within_memory(segment_field, model, Options(scale=1.0), no_cpu, said.append)
    assert len(model.shapes) == 1
    assert said == []


def test_at_last_the_cpu_runs_with_the_tiles_that_were_asked_for():
    gpu, cpu, said, opened = Limited(0), Limited(10**9, "CPUExecutionProvider"), [], []

    def open_on_cpu():
        opened.append(1)
        return cpu

    found = segment_within_memory(segment_field, gpu, Options(scale=1.0), open_on_cpu, said.append)
    assert found.labels.max() == FIELD.labels.max()
    assert [shape[2:] for shape in gpu.shapes] == [(608, 704), (288, 320), (256, 256)]
    assert cpu.shapes == [(1, 1, 608, 704)]
    assert opened == [1]
    assert len(said) == len(set(said)) == 3
    assert "256 x 256" in said[-1]
    assert "CPU" in said[-1]


@pytest.mark.parametrize("starts_on_cpu", [True, False])
def test_too_little_memory_on_the_cpu_is_an_error_with_a_way_out(starts_on_cpu):
    cpu = Limited(0, "CPUExecutionProvider")
    model, opens = (cpu, no_cpu) if starts_on_cpu else (Limited(0), lambda: cpu)
    with pytest.raises(OutOfMemoryError, match=r"256 x 256 pixels on the CPU\. Close other.*\(no more\)"):
        segment_within_memory(segment_field, model, Options(scale=1.0), opens, lambda words: None)
    assert len(cpu.shapes) == 3


def test_a_memory_error_of_numpy_counts_too():
    said, tiles = [], []

    def segment(model, options):
        tiles.append((options.tile_shape, options.batch_size))
        if len(tiles) < 3:
            np.empty(2**60, np.uint8)
        return "done"

    found = segment_within_memory(segment, Limited(0), Options(batch_size=4), no_cpu, said.append)
    assert found == "done"
    assert tiles == [(None, 4), ((512, 512), 1), ((256, 256), 1)]
    assert len(said) == 2


def test_the_tries_end_even_if_the_tiles_that_fail_become_no_smaller():
    def segment(model, options):
        raise OutOfMemoryError("no more", (1, 1, 1024, 1024))

    said = []
    with pytest.raises(OutOfMemoryError, match="256 x 256"):
        segment_within_memory(segment, Limited(0, "CPUExecutionProvider"), Options(), no_cpu, said.append)
    assert len(said) == 2


@pytest.mark.parametrize("error", [ModelError("broken"), ValueError("an option"), RuntimeError("else")])
def test_other_errors_pass_through_at_once(error):
    model = Limited(0, error=error)
    with pytest.raises(type(error), match=str(error)):
        segment_within_memory(segment_field, model, Options(scale=1.0), no_cpu, no_cpu)
    assert len(model.shapes) == 1


def test_a_user_who_stops_the_work_stops_the_tries_too():
    class StoppedError(Exception):
        pass

    def on_progress(done, count):
        if len(model.shapes) == 2:
            raise StoppedError

    model = Limited(300 * 400)
    options = Options(scale=1.0, on_progress=on_progress)
    with pytest.raises(StoppedError):
        segment_within_memory(segment_field, model, options, no_cpu, lambda words: None)
    assert len(model.shapes) == 2


def test_what_a_failed_try_held_is_let_go_of_before_the_next():
    held = []

    class Held:
        def __init__(self):
            held.append(1)

        def __del__(self):
            held.pop()

    counts = []

    def segment(model, options):
        counts.append(len(held))
        big = Held()
        if len(counts) == 1:
            raise OutOfMemoryError("no more", (1, 1, 1024, 1024))
        return big

    segment_within_memory(segment, Limited(0), Options(), no_cpu, lambda words: None)
    assert counts == [0, 0]


@pytest.mark.parametrize(
    ("tile_shape", "expected"),
    [
        ((1024, 1024), (512, 512)),
        ((1024, 100), (512, 256)),
        ((300, 300), (256, 256)),
        ((256, 256), None),
        ((128, 256), None),
        ((1000, 600), (480, 288)),
    ],
)
def test_tiles_are_never_smaller_than_the_halo_allows(tile_shape, expected):
    assert smaller_tiles(tile_shape, CARD) == expected


def test_the_smallest_tiles_are_what_the_model_takes():
    card = card_from_content(changed_card(input={"divisible_by": 32, "min_size": 200}, output={"halo": 5}))
    assert smaller_tiles((400, 400), card) == (224, 224)


def test_tiles_of_a_network_of_one_size_stay_as_they_are():
    card = card_from_content(changed_card(input={"tile_shape": [64, 64]}))
    assert smaller_tiles((1024, 1024), card) is None


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux lets a process limit its own memory")
def test_a_real_session_that_runs_out_of_memory_goes_on_with_smaller_tiles(tiny_model):
    program = """
        import resource, sys
        from pathlib import Path
        import numpy as np
        from cpunet.model.memory import segment_within_memory
        from cpunet.options import Options
        from cpunet.model.session import load_model
        from cpunet.steps.tiling import predict_tiled

        image = np.zeros((1, 4096, 4096), np.float32)
        model = load_model(Path(sys.argv[1]), "cpu", threads=1)

        def segment(model, options):
            return predict_tiled(image, model.predict, 1, options.tile_shape, 0)

        used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (used + 600 * 2**20,) * 2)
        found = segment_within_memory(segment, model, Options(tile_shape=(4096, 4096)), None, print)
        print(found.shape, int(found.min() == found.max()))
    """
    found = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", textwrap.dedent(program), str(tiny_model)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=120,
        env={"PYTHONPATH": str(Path(memory.__file__).parents[2])},
    ).stdout.decode()
    assert "too small for tiles of 4096 x 4096 pixels; trying again with 2048 x 2048 pixels" in found
    assert "(1, 4096, 4096) 1" in found


def test_a_gpu_without_room_for_the_network_leaves_it_to_the_cpu():
    def full():
        raise OutOfMemoryError("no room")

    said, cpu = [], Limited(10**9, "CPUExecutionProvider")
    assert open_within_memory(full, lambda: cpu, said.append) is cpu
    assert len(said) == 1
    assert "the network now runs on the CPU" in said[0]
    gpu = Limited(10**9)
    assert open_within_memory(lambda: gpu, no_cpu, said.append) is gpu
    assert len(said) == 1
    with pytest.raises(OutOfMemoryError):
        open_within_memory(full, full, said.append)


@pytest.mark.parametrize("room", [10**9, 400 * 400, 90_000, 0])
def test_workers_find_the_same_objects_whatever_room_the_gpu_has_for_each(room):
    said = []
    found = segment_within_memory(
        segment_field, Limited(room), Options(scale=1.0), lambda: Limited(10**9, "CPUExecutionProvider"), said.append
    )
    np.testing.assert_array_equal(found.labels, segment_field(Limited(10**9), Options(scale=1.0)).labels)
    assert len(said) == len(set(said))


def test_the_environment_says_how_many_processes_share_a_gpu(monkeypatch):
    monkeypatch.delenv("CPUNET_PROCESSES_PER_GPU", raising=False)
    assert processes_on_gpu() is None
    monkeypatch.setenv("CPUNET_PROCESSES_PER_GPU", "4")
    assert processes_on_gpu() == 4
    monkeypatch.setenv("CPUNET_PROCESSES_PER_GPU", "all")
    with pytest.raises(OptionError, match="CPUNET_PROCESSES_PER_GPU is 'all'"):
        processes_on_gpu()


def test_a_gpu_is_shared_fairly():
    assert gpu_memory_for_worker(10 * 2**30, 1) == 8 * 2**30
    assert gpu_memory_for_worker(10 * 2**30, 4) == 2 * 2**30
    assert gpu_memory_for_worker(10 * 2**30, 0) == 8 * 2**30


@pytest.fixture
def nvidia_smi(monkeypatch):
    """Let `nvidia-smi` answer, or fail, as a test says."""
    asked = []

    def use(answer):
        def run(words, **options):
            asked.append((words, options))
            if isinstance(answer, Exception):
                raise answer
            return SimpleNamespace(stdout=answer)

        total_gpu_memory_bytes.cache_clear()
        monkeypatch.setattr(memory.shutil, "which", lambda name: f"/usr/bin/{name}")
        monkeypatch.setattr(memory.subprocess, "run", run)
        return asked

    yield use
    total_gpu_memory_bytes.cache_clear()


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (b"8192\n", 8 * 2**30),
        (b"24576\r\n8192\r\n", 8 * 2**30),
        (b"[N/A]\n", None),
        (b"", None),
        (b"\xff\xfe\n", None),
        (FileNotFoundError("nvidia-smi"), None),
        (subprocess.TimeoutExpired("nvidia-smi", 5), None),
        (subprocess.CalledProcessError(9, "nvidia-smi"), None),
    ],
    ids=["one", "two, on Windows", "no number", "nothing", "no text", "gone", "too slow", "no driver"],
)
def test_the_memory_of_the_gpu(nvidia_smi, answer, expected):
    asked = nvidia_smi(answer)
    assert total_gpu_memory_bytes() == expected
    assert total_gpu_memory_bytes() == expected
    [(words, options)] = asked
    assert words[1:] == ["--query-gpu=memory.total", "--format=csv,noheader,nounits"]
    assert options["timeout"] == 5


def test_a_machine_without_nvidia_smi_has_no_gpu(monkeypatch):
    total_gpu_memory_bytes.cache_clear()
    monkeypatch.setattr(memory.shutil, "which", lambda name: None)
    assert total_gpu_memory_bytes() is None
    total_gpu_memory_bytes.cache_clear()


def test_tiles_of_a_model_that_gives_objects_are_not_halved_until_nearly_all_is_overlap():
    card = card_from_content(instances_card(input={"divisible_by": 1}, output={"halo": 64}))
    assert smaller_tiles((512, 400), card) == (256, 200)
    assert smaller_tiles((256, 200), card) == (192, 192)
    assert smaller_tiles((192, 192), card) is None


def test_tiles_of_volumes_are_halved_in_all_directions_until_they_fit():
    volume, _ = balls((24, 90, 100), ((5, 20, 20), (8, 50, 60), (19, 30, 80)), 20)
    card = card_from_content(changed_volume_card(output={"halo": 4}))
    models = [Limited(most) for most in (10**9, 16 * 50 * 50)]
    found = []
    for model in models:
        model.card, said = card, []
        segment = partial(segment_stack, volume)
        found.append(segment_within_memory(segment, model, Options(scale=1.0), no_cpu, said.append))
    np.testing.assert_array_equal(found[1].labels, found[0].labels)
    np.testing.assert_array_equal(found[1].probabilities, found[0].probabilities)
    assert models[1].shapes[0] == (1, 1, 24, 92, 100)
    assert said[0] == (
        "The memory is too small for tiles of 24 planes of 92 x 100 pixels; trying again with 16 planes of 44 x 48 "
        "pixels."
    )
    assert models[1].shapes[-1][2:] <= (16, 44, 48)


def test_tiles_of_volumes_are_never_smaller_than_their_halo_allows():
    card = card_from_content(
        changed_volume_card(
            input={"divisible_by": 8, "min_size": 8, "divisible_by_planes": 2, "min_planes": 2},
            output={"halo": 16, "halo_planes": 4},
        )
    )
    assert smaller_tiles((64, 256, 256), card) == (32, 128, 128)
    assert smaller_tiles((20, 80, 100), card) == (16, 64, 64)
    assert smaller_tiles((16, 64, 64), card) is None
