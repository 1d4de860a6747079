"""`cpunet batch` with Snakemake: workers, retries, resuming after a kill; CellProfiler itself has a stand-in here."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.places import REPOSITORY

PROGRAMS = REPOSITORY / ".venv" / "batch" / "bin"
PATH = os.pathsep.join([os.environ["PATH"], *([str(PROGRAMS)] if PROGRAMS.is_dir() else [])])
pytestmark = pytest.mark.skipif(
    shutil.which("snakemake", path=PATH) is None, reason="Snakemake is not installed: run `make batch` once"
)
IMAGE_SETS, PIECE_SIZE = 7, 2
FIRSTS = ["1", "3", "5", "7"]
LONGEST_SECONDS = 120


class Batch:
    """A batch of seven image sets in four pieces."""

    def __init__(self, folder):
        self.folder, self.output, self.started = folder, folder / "out", []
        (folder / "images").mkdir()
        for number in range(IMAGE_SETS):
            (folder / "images" / f"{number}.tif").write_text("no picture")
        (folder / "a.cppipe").write_text("a pipeline\n")
        self.python = folder / "python"
        source = Path(__file__).with_name("stand_in_cellprofiler.py").read_text(encoding="utf-8")
        self.python.write_text(f"#!{sys.executable}\n{source}", encoding="utf-8")
        self.python.chmod(0o755)

    def start(self, *more):
        words = ["batch", "a.cppipe", "images", "-o", "out", "--piece-size", str(PIECE_SIZE)]
        words += ["--cellprofiler", str(self.python), *more]
        process = subprocess.Popen(
            [sys.executable, "-m", "cpunet", *words],
            cwd=self.folder,
            env={**os.environ, "PATH": PATH, "PYTHONPATH": str(REPOSITORY / "plugins")},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        self.started.append(process)
        return process

    def run(self, *more):
        process = self.start(*more)
        said, _ = process.communicate(timeout=LONGEST_SECONDS)
        return process.returncode, said

    def begun(self):
        path = self.folder / "begun.txt"
        return [line.split()[0] for line in path.read_text().splitlines()] if path.exists() else []

    def report(self):
        return json.loads((self.output / "batch-report.json").read_text(encoding="utf-8"))

    def tables(self):
        """All files of the results but the report."""
        return {
            path.name: path.read_bytes()
            for path in self.output.iterdir()
            if path.is_file() and not path.name.startswith("batch-report")
        }

    def end(self):
        """End what a failed test left running."""
        if (self.folder / "wait").exists():
            (self.folder / "wait").unlink()
        for process in self.started:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
            process.stdout.close()

    def wait_until(self, true):
        end = time.monotonic() + LONGEST_SECONDS
        while not true():
            assert time.monotonic() < end, "it does not happen"
            time.sleep(0.05)


def expected_tables():
    numbers = range(1, IMAGE_SETS + 1)
    nuclei = [f"{n},{row},{n * row}\r\n" for n in numbers for row in (1, 2, 3)]
    return {
        "Image.csv": ("Count,ImageNumber\r\n" + "".join(f"{n % 7},{n}\r\n" for n in numbers)).encode(),
        "Nuclei.csv": ("ImageNumber,ObjectNumber,Area\r\n" + "".join(nuclei)).encode(),
        **{f"picture{first}.txt": b"a picture\n" for first in FIRSTS},
    }


@pytest.fixture
def batch(tmp_path):
    made = Batch(tmp_path)
    yield made
    made.end()


def test_two_workers_give_the_same_tables_as_one_and_failed_pieces_run_again(batch, tmp_path):
    (batch.folder / "once-3").touch()
    code, said = batch.run("--jobs", "2", "--threads", "3")
    assert code == 0, said
    assert batch.tables() == expected_tables()
    assert sorted(batch.begun()) == ["1", "3", "3", "5", "7"]
    assert {line.split(maxsplit=1)[1] for line in (batch.folder / "begun.txt").read_text().splitlines()} == {"3 2"}
    report = batch.report()
    assert (report["failed_attempts"], [piece["state"] for piece in report["pieces"]]) == (1, ["done"] * 4)
    assert "it fails once" in report["pieces"][1]["failures"][0]["fault"]
    assert report["models"] == [
        {"module": "5", "model": "mine", "sha256": "a" * 64, "provider": "CPUExecutionProvider"}
    ]
    (tmp_path / "one").mkdir()
    alone = Batch(tmp_path / "one")
    code, said = alone.run("--jobs", "1")
    assert code == 0, said
    assert alone.tables() == batch.tables()


def test_a_piece_that_fails_again_and_again_keeps_no_other_from_being_done(batch):
    (batch.folder / "fail-3").touch()
    code, said = batch.run("--jobs", "2", "--retries", "1")
    assert code == 1
    assert sorted(batch.begun()) == ["1", "3", "3", "5", "7"]
    assert [piece["state"] for piece in batch.report()["pieces"]] == ["done", "failed", "done", "done"]
    assert not batch.report()["merged"]
    assert batch.tables() == {}
    assert "the same command goes on" in said.lower()
    (batch.folder / "fail-3").unlink()
    code, said = batch.run("--jobs", "2", "--retries", "1")
    assert code == 0, said
    assert sorted(batch.begun()) == ["1", "3", "3", "3", "5", "7"]
    assert batch.tables() == expected_tables()


def children_of(process):
    """The processes that a process started, and those that they started."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            parent = int(path.read_text().rpartition(")")[2].split()[1])
        except OSError:
            continue
        found.append((int(path.parent.name), parent))
    wanted = {process.pid}
    while True:
        more = {pid for pid, parent in found if parent in wanted} - wanted
        if not more:
            return wanted - {process.pid}
        wanted |= more


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="/proc is Linux's")
def test_after_a_kill_in_the_middle_the_same_command_gives_the_same_tables(batch):
    (batch.folder / "wait").touch()
    process = batch.start("--jobs", "2")
    pieces = batch.output / "batch" / "pieces"
    batch.wait_until(lambda: len(list(pieces.glob("*/result.json"))) == 1 and len(batch.begun()) == 3)
    # The worst case: those that started them are killed, and two pieces go on without them.
    stand_ins = {
        pid
        for pid in children_of(process)
        if str(batch.python) in Path(f"/proc/{pid}/cmdline").read_text(errors="replace")
    }
    for pid in [process.pid, *(children_of(process) - stand_ins)]:
        os.kill(pid, signal.SIGKILL)
    process.wait(LONGEST_SECONDS)
    process.stdout.close()
    assert stand_ins
    assert batch.tables() == {}
    done = batch.begun()[0]
    (batch.folder / "wait").unlink()
    code, said = batch.run("--jobs", "2")
    assert code == 0, said
    assert batch.tables() == expected_tables()
    assert batch.begun().count(done) == 1, "what was done is not run again"
    assert set(batch.begun()) == set(FIRSTS)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="/proc is Linux's")
def test_a_batch_whose_snakemake_still_runs_is_not_started_twice(batch):
    (batch.folder / "wait").touch()
    process = batch.start("--jobs", "2")
    batch.wait_until(lambda: len(batch.begun()) == 3)
    process.kill()
    process.wait(LONGEST_SECONDS)
    code, said = batch.run("--jobs", "2")
    assert code == 2
    assert "being run by another process" in said
    (batch.folder / "wait").unlink()
    process.communicate(timeout=LONGEST_SECONDS)
    assert batch.tables() == expected_tables()


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="/proc is Linux's")
def test_ctrl_c_ends_all_processes_of_a_batch(batch):
    (batch.folder / "wait").touch()
    process = batch.start("--jobs", "2")
    batch.wait_until(lambda: len(batch.begun()) == 3)
    pids = children_of(process)
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=LONGEST_SECONDS)
    assert process.returncode == 143
    batch.wait_until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in pids))


def test_the_profile_for_slurm_plans_the_same_pieces(batch):
    """Snakemake with its executor for SLURM takes the profile; without SLURM here, nothing is sent."""
    code, said = batch.run("--jobs", "50", "--profile", "slurm", "--snakemake", "--dry-run")
    assert code == 0, said
    assert said.count("rule piece:") == 4
    assert "runtime=240" in said
    assert "mem_mb=4000" in said
    assert batch.begun() == []
