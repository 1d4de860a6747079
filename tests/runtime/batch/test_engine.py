import os

import pytest

from cpunet.batch import engine
from cpunet.batch.engine import Engine, command_of, locked, workflow_folder
from cpunet.batch.folder import BatchFolder
from cpunet.errors import BatchError


def test_where_snakemake_is_missing_the_error_names_the_command(monkeypatch):
    monkeypatch.setattr(engine, "find_spec", lambda name: None)
    monkeypatch.setenv("PATH", "")
    with pytest.raises(BatchError, match="python -m pip install snakemake"):
        engine.snakemake()


@pytest.fixture
def with_snakemake(monkeypatch):
    monkeypatch.setattr(engine, "snakemake", lambda: ["snakemake"])


def test_pieces_run_here_without_a_profile(with_snakemake, tmp_path):
    words = command_of(BatchFolder(tmp_path), Engine(jobs=3, threads=2, retries=1))
    pairs = dict(zip(words, words[1:]))
    assert (pairs["--jobs"], pairs["--cores"], pairs["--retries"]) == ("3", "6", "1")
    assert "--profile" not in words
    assert pairs["--directory"] == str(tmp_path / "batch")


def test_a_profile_is_one_of_the_workflow_or_the_users_own(with_snakemake, tmp_path):
    for profile, expected in (("slurm", str(workflow_folder() / "profiles" / "slurm")), ("/my/own", "/my/own")):
        words = command_of(BatchFolder(tmp_path), Engine(jobs=3, profile=profile))
        assert words[words.index("--profile") + 1] == expected
        assert "--cores" not in words


def test_pieces_beside_each_other_share_the_gpu(monkeypatch):
    monkeypatch.delenv("CPUNET_PROCESSES_PER_GPU", raising=False)
    assert engine.environment_of(Engine(jobs=4))["CPUNET_PROCESSES_PER_GPU"] == "4"
    # on a cluster, each job has a GPU of its own, unless the user says otherwise
    assert "CPUNET_PROCESSES_PER_GPU" not in engine.environment_of(Engine(jobs=4, profile="slurm"))
    monkeypatch.setenv("CPUNET_PROCESSES_PER_GPU", "2")
    assert engine.environment_of(Engine(jobs=4))["CPUNET_PROCESSES_PER_GPU"] == "2"


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such lock")
def test_a_batch_is_run_by_one_process_at_a_time(tmp_path):
    folder = BatchFolder(tmp_path)
    with locked(folder), pytest.raises(BatchError, match="being run by another process"), locked(folder):
        pass
    with locked(folder) as lock:
        assert lock is not None
