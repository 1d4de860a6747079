import hashlib
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from cpunet.model.first_opening import trust
from cpunet.model.first_opening.shipped import SHIPPED_SUMS
from cpunet.model.first_opening.trust import cache_folder, is_trusted, remember
from tests.places import REPOSITORY

SUM = hashlib.sha256(b"a model").hexdigest()


@pytest.fixture
def cache(tmp_path, monkeypatch):
    folder = tmp_path / "cache"
    monkeypatch.setattr(trust, "cache_folder", lambda *_: folder)
    return folder


def test_a_file_is_trusted_after_it_was_remembered(cache):
    assert not is_trusted(SUM)
    remember(SUM)
    assert is_trusted(SUM)
    assert not is_trusted(hashlib.sha256(b"another").hexdigest())


def test_many_processes_may_remember_at_once(cache):
    sums = [hashlib.sha256(bytes([index % 8])).hexdigest() for index in range(64)]
    with ThreadPoolExecutor(16) as pool:
        list(pool.map(remember, sums))
    assert all(is_trusted(each) for each in sums)
    assert len(list((cache / "opened_models").iterdir())) == 8


@pytest.mark.parametrize("where", ["a file in the way", "no such parent", "relative"])
def test_a_folder_that_cannot_be_written_is_no_error(tmp_path, monkeypatch, where):
    (tmp_path / "file").touch()
    folders = {
        "a file in the way": tmp_path / "file" / "cache",
        "no such parent": Path("/proc/nobody/cache"),
        "relative": Path("~", ".cache", "cpunet"),
    }
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(trust, "cache_folder", lambda *_: folders[where])
    remember(SUM)
    assert not is_trusted(SUM)
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


@pytest.mark.skipif(sys.platform == "win32", reason="paths of Unix")
def test_the_folder_is_the_one_for_caches_of_each_system():
    assert cache_folder("linux", {}, "/home/u") == Path("/home/u/.cache/cpunet")
    assert cache_folder("linux", {"XDG_CACHE_HOME": "/c"}, "/home/u") == Path("/c/cpunet")
    assert cache_folder("linux", {"XDG_CACHE_HOME": "c"}, "/home/u") == Path("/home/u/.cache/cpunet")
    assert cache_folder("darwin", {}, "/Users/u") == Path("/Users/u/Library/Caches/cpunet")
    assert cache_folder("win32", {"LOCALAPPDATA": "/l"}, "/u") == Path("/l/cpunet/cache")


def test_shipped_models_are_trusted_and_no_others():
    """After a model has changed, run scripts/write_shipped_sums.py."""
    found = {hashlib.sha256(path.read_bytes()).hexdigest() for path in (REPOSITORY / "models").glob("*/model.onnx")}
    assert found == SHIPPED_SUMS
    assert all(is_trusted(each) for each in found)
