import shutil
from collections import namedtuple

import numpy as np
import pytest

from cpunet.errors import DataError
from cpunet.training.importing import fetch as fetch_module
from cpunet.training.importing.fetch import fetch
from tests.archive_server import digest

Usage = namedtuple("Usage", "total used free")
CONTENT = np.random.default_rng(0).bytes(300_000)


def test_a_file_is_fetched_whole_and_only_once(server, tmp_path):
    server.files["a.zip"] = CONTENT
    target = tmp_path / "archives/a.zip"
    fetch(server.url + "a.zip", target, digest(CONTENT).upper())
    assert target.read_bytes() == CONTENT
    fetch(server.url + "a.zip", target, digest(CONTENT))
    assert server.asked == ["/set/a.zip"]
    assert [path.name for path in target.parent.iterdir()] == ["a.zip"]


def test_a_broken_download_leaves_nothing_and_starts_anew(server, tmp_path):
    server.files["a.zip"] = CONTENT
    server.cut = 100_000
    with pytest.raises(DataError, match=r"a\.zip: the download failed .*Run the command again"):
        fetch(server.url + "a.zip", tmp_path / "a.zip", digest(CONTENT))
    assert list(tmp_path.iterdir()) == []
    server.cut = None
    fetch(server.url + "a.zip", tmp_path / "a.zip", digest(CONTENT))
    assert (tmp_path / "a.zip").read_bytes() == CONTENT


def test_a_server_that_says_no_length_is_checked_by_the_sum(server, tmp_path):
    server.files["a.zip"] = CONTENT
    server.say_length = False
    fetch(server.url + "a.zip", tmp_path / "a.zip", digest(CONTENT))
    server.cut = 10
    with pytest.raises(DataError, match="does not match the known hash"):
        fetch(server.url + "a.zip", tmp_path / "b.zip", digest(CONTENT))
    assert [path.name for path in tmp_path.iterdir()] == ["a.zip"]


def test_what_came_with_another_sum_is_removed(server, tmp_path):
    server.files["a.zip"] = CONTENT
    wanted = digest(b"another")
    with pytest.raises(DataError, match=f"expected sha256:{wanted} but got {digest(CONTENT)}"):
        fetch(server.url + "a.zip", tmp_path / "a.zip", wanted)
    assert list(tmp_path.iterdir()) == []


def test_a_file_of_that_name_that_is_there_already_is_left_alone(server, tmp_path):
    server.files["a.zip"] = CONTENT
    (tmp_path / "a.zip").write_bytes(b"somebody's own")
    with pytest.raises(DataError, match=r"a\.zip must have; it was left as it is\. Move it away, or choose another"):
        fetch(server.url + "a.zip", tmp_path / "a.zip", digest(CONTENT))
    assert (tmp_path / "a.zip").read_bytes() == b"somebody's own"
    assert [path.name for path in tmp_path.iterdir()] == ["a.zip"]
    assert server.asked == []


def test_a_missing_file_and_a_missing_server_are_named(server, tmp_path):
    with pytest.raises(DataError, match=r"/set/none\.zip: the server answers 404"):
        fetch(server.url + "none.zip", tmp_path / "none.zip", digest(b""))
    with pytest.raises(DataError, match="download failed"):
        fetch("http://127.0.0.1:9/none.zip", tmp_path / "none.zip", digest(b""))
    with pytest.raises(DataError, match="start with https"):
        fetch("file:///etc/hostname", tmp_path / "none.zip", digest(b""))
    with pytest.raises(DataError, match="not a SHA-256"):
        fetch(server.url + "a.zip", tmp_path / "a.zip", "1234")
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_is_seen_before_the_download(server, tmp_path, monkeypatch):
    server.files["a.zip"] = CONTENT
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: Usage(10**9, 10**9 - 299_999, 299_999))
    with pytest.raises(DataError, match=r"disk is too full for downloading http.*a\.zip: 0 MB are needed"):
        fetch(server.url + "a.zip", tmp_path / "a.zip", digest(CONTENT))
    assert list(tmp_path.iterdir()) == []
    assert server.asked == []
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: Usage(10**9, 0, 300_000))
    fetch(server.url + "a.zip", tmp_path / "a.zip", digest(CONTENT))


@pytest.mark.parametrize("says", [True, False], ids=["says so", "does not say"])
def test_a_file_without_end_is_refused(server, tmp_path, monkeypatch, says):
    server.files["a.zip"] = CONTENT
    server.say_length = says
    monkeypatch.setattr(fetch_module, "LARGEST_BYTES", 200_000)
    with pytest.raises(DataError, match=r"a\.zip: the server sends more than 200000 bytes"):
        fetch(server.url + "a.zip", tmp_path / "a.zip", digest(CONTENT))
    assert list(tmp_path.iterdir()) == []
